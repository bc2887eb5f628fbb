//! Which push may leave when. Debts are durable elsewhere; this is only their order.

mod line;
mod next;
mod route;

use std::collections::{BTreeMap, BTreeSet};

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{Binding, BindingKey, ConversationId, DeviceId, Mono, PushClass, Uid};

use self::line::{Line, Places};
pub use self::next::Next;
use self::next::next_of;
use self::route::Route;
pub use self::route::RouteKey;
use crate::LATE_AFTER_MS;
use crate::attempts::Attempts;
use crate::circuit::{Circuit, CircuitEvent};
use crate::outcome::{Answer, Outcome, Scope};
use crate::removal::{Removals, Removed, TOO_MANY_INVALID};

/// So many credentials' worth of requests may be under way in all: one or two that hang leave
/// room for the others.
const ROUTES_UNDER_WAY: usize = 4;
/// Routes that are remembered although nobody waits for them.
const UNUSED_ROUTES_MAX: usize = 256;
/// Devices that were asked to wait, remembered at a time; beyond it each message finds out.
const PAUSED_MAX: usize = 4_096;

/// What has its own order: the pushes of one conversation to one device, and the withdrawals of
/// one device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PushKey {
    /// Whose.
    pub uid: Uid,
    /// Which device.
    pub device_id: DeviceId,
    /// What.
    pub lane: PushLane,
}

/// What a key orders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PushLane {
    /// Notifications to take back.
    Withdrawals,
    /// Messages of a conversation.
    Conversation(ConversationId),
}

/// Names a request that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Why a request may not leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// As much is under way as may be.
    Busy,
    /// The vendor does not answer, or refuses the credential; it is probed.
    Down,
    /// The vendor asked the device to wait until then.
    Device(Mono),
}

/// A provider's answer, as it is to be taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered {
    /// Whose request it was.
    pub key: PushKey,
    /// What it means for the message.
    pub next: Next,
    /// What it says; not what the vendor said where that is not to be believed.
    pub answer: Answer,
    /// Bindings that were removed by answers like this one, which is not believed any more.
    pub give_back: Vec<Removed>,
}

/// How a route fares, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteState {
    /// Which.
    pub route: RouteKey,
    /// Requests leave; otherwise one at a time, to see whether it is back.
    pub is_up: bool,
    /// So many of its tokens are called dead that none is removed.
    pub is_doubted: bool,
    /// Since when nothing worked.
    pub failing_since: Option<Mono>,
    /// Requests under way.
    pub under_way: usize,
    /// Keys that wait for it.
    pub waiting: usize,
}

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the line of those who may leave.
    Ready(u64),
    /// Given to the caller, who has not said what became of it.
    Leaving,
    /// At a provider.
    InFlight(Ticket),
    /// Until a moment: a provider could not take it.
    Waiting(Mono),
    /// Until a moment: it was decided to hold it.
    Held(Mono),
    /// In the line of its route; looked at again at a moment.
    Parked(u64, Mono),
}

#[derive(Debug)]
struct Lane {
    place: Place,
    class: PushClass,
    attempts: Attempts,
    /// The route it is parked at, or that it was invited to leave by.
    route: Option<RouteKey>,
    /// It keeps a place of this class on that route.
    invited: Option<PushClass>,
}

/// A request at a provider.
#[derive(Debug)]
struct Flight {
    key: PushKey,
    route: RouteKey,
    class: PushClass,
    is_probe: bool,
}

/// The order of pushes of one node. One request is in flight on a key, a bounded number on a
/// route and in all; keys leave by class, and within a class in the order they became ready.
#[derive(Debug)]
pub struct Queue {
    route_max: usize,
    lanes: BTreeMap<PushKey, Lane>,
    ready: Line,
    waiting: BTreeSet<(Mono, PushKey)>,
    flights: BTreeMap<Ticket, Flight>,
    under_way: Places,
    routes: BTreeMap<RouteKey, Route>,
    /// Routes with keys that wait for a probe.
    wakes: BTreeSet<(Mono, RouteKey)>,
    paused: BTreeMap<(Uid, DeviceId, BindingKey), Mono>,
    removals: BTreeMap<BindingKey, Removals>,
    now: Mono,
    next_order: u64,
    next_ticket: u64,
}

impl Queue {
    /// A queue that lets so many requests of one credential be at providers at a time, and four
    /// times as many in all.
    #[must_use]
    pub fn new(route_max: usize) -> Self {
        Self {
            route_max,
            lanes: BTreeMap::new(),
            ready: Line::default(),
            waiting: BTreeSet::new(),
            flights: BTreeMap::new(),
            under_way: Places::default(),
            routes: BTreeMap::new(),
            wakes: BTreeSet::new(),
            paused: BTreeMap::new(),
            removals: BTreeMap::new(),
            now: Mono(0),
            next_order: 0,
            next_ticket: 1,
        }
    }

    /// Something is owed on this key. A key that waits or is in flight goes on as it is, more
    /// urgently if need be: what is owed is looked up when it leaves.
    pub fn due(&mut self, key: PushKey, class: PushClass) {
        let Some(lane) = self.lanes.get_mut(&key) else {
            let (attempts, place) = (Attempts::default(), Place::Leaving);
            let lane = Lane { place, class, attempts, route: None, invited: None };
            self.lanes.insert(key.clone(), lane);
            return self.make_ready(&key);
        };
        let (former, class) = (lane.class, lane.class.min(class));
        lane.class = class;
        match (lane.place, &lane.route) {
            (Place::Ready(order), _) => {
                self.ready.remove(former, order);
                self.ready.add(class, order, key);
            }
            (Place::Parked(order, _), Some(route)) => {
                if let Some(route) = self.routes.get_mut(route) {
                    route.parked.remove(former, order);
                    route.parked.add(class, order, key);
                }
            }
            _ => {}
        }
    }

    /// The next key that may leave. The caller reads the facts of this moment and answers with
    /// [`Queue::sent`], [`Queue::park`], [`Queue::wait`], [`Queue::hold`] or [`Queue::done`].
    pub fn next(&mut self, now: Mono) -> Option<(PushKey, Attempts)> {
        self.now = now;
        while let Some((at, key)) = self.waiting.first().cloned() {
            if at > now {
                break;
            }
            self.set_aside(&key);
            self.make_ready(&key);
        }
        while let Some((at, route)) = self.wakes.first().cloned() {
            if at > now {
                break;
            }
            self.invite(&route);
        }
        let (under_way, max) = (self.under_way, self.route_max * ROUTES_UNDER_WAY);
        let key = self.ready.take(|class| under_way.has_one_for(class, max))?;
        let lane = self.lanes.get_mut(&key)?;
        lane.place = Place::Leaving;
        Some((key, lane.attempts.clone()))
    }

    /// From when on the binding's provider counts as late to this key, whatever was tried;
    /// `None` while it works.
    #[must_use]
    pub fn late_at(&self, key: &PushKey, binding: &Binding) -> Option<Mono> {
        let paused =
            self.paused_until(key, binding).filter(|at| at.since(self.now) > LATE_AFTER_MS);
        let route = self.routes.get(&RouteKey::of(binding));
        [paused.map(|_| self.now), route.and_then(|route| route.late_at(self.now))]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether the request of a leaving key may leave by this binding now.
    ///
    /// # Errors
    /// [`Wait`]: what it has to wait for.
    pub fn may_leave(&self, key: &PushKey, binding: &Binding) -> Result<(), Wait> {
        if let Some(at) = self.paused_until(key, binding) {
            return Err(Wait::Device(at));
        }
        let of_binding = RouteKey::of(binding);
        let Some(route) = self.routes.get(&of_binding) else { return Ok(()) };
        let Some(lane) = self.lanes.get(key) else { return Ok(()) };
        let is_invited = lane.invited.is_some() && lane.route.as_ref() == Some(&of_binding);
        let has_place = match (is_invited, route.circuit) {
            (true, Circuit::Closed) => true,
            (true, Circuit::Open) => route.until <= self.now,
            _ => route.has_place(route.places.has_one_for(lane.class, self.route_max), self.now),
        };
        match route.circuit {
            _ if has_place => Ok(()),
            Circuit::Closed => Err(Wait::Busy),
            Circuit::Open | Circuit::Probing => Err(Wait::Down),
        }
    }

    fn paused_until(&self, key: &PushKey, binding: &Binding) -> Option<Mono> {
        let device = (key.uid.clone(), key.device_id.clone(), binding.key.clone());
        self.paused.get(&device).copied().filter(|at| *at > self.now)
    }

    /// The request of a leaving key left by this binding.
    pub fn sent(&mut self, key: &PushKey, binding: &Binding) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let former = self.give_up_place(key);
        let of_binding = RouteKey::of(binding);
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.place = Place::InFlight(ticket);
            let (class, route) = (lane.class, self.routes.entry(of_binding.clone()).or_default());
            let is_probe = route.happens(CircuitEvent::ProbeLeft);
            route.places.take(class);
            self.under_way.take(class);
            let flight = Flight { key: key.clone(), route: of_binding.clone(), class, is_probe };
            self.flights.insert(ticket, flight);
        }
        former.into_iter().for_each(|route| self.invite(&route));
        self.forget_unused_routes();
        ticket
    }

    /// A leaving key waits in the line of its binding's route. It is looked at again at `again`
    /// at the latest, or when the route becomes late.
    pub fn park(&mut self, key: &PushKey, binding: &Binding, again: Mono) {
        let former = self.give_up_place(key);
        let of_binding = RouteKey::of(binding);
        let order = self.order();
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let route = self.routes.entry(of_binding.clone()).or_default();
        let late_at = route.late_at(self.now).filter(|at| *at > self.now);
        let again = again.min(late_at.unwrap_or(again));
        lane.place = Place::Parked(order, again);
        lane.route = Some(of_binding.clone());
        route.parked.add(lane.class, order, key.clone());
        self.waiting.insert((again, key.clone()));
        former.into_iter().chain([of_binding]).for_each(|route| self.invite(&route));
    }

    /// A leaving key's message is looked at again at a moment, whatever happens before.
    pub fn wait(&mut self, key: &PushKey, at: Mono) {
        self.put_off(key, at, Place::Waiting(at));
    }

    /// A leaving key's message is decided anew at a moment.
    pub fn hold(&mut self, key: &PushKey, at: Mono) {
        self.put_off(key, at, Place::Held(at));
    }

    fn put_off(&mut self, key: &PushKey, at: Mono, place: Place) {
        let former = self.give_up_place(key);
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.place = place;
            self.waiting.insert((at, key.clone()));
        }
        former.into_iter().for_each(|route| self.invite(&route));
    }

    /// What is held for a user is decided anew now.
    pub fn release(&mut self, uid: &Uid) {
        let held = |(key, lane): (&PushKey, &Lane)| {
            (key.uid == *uid && matches!(lane.place, Place::Held(_))).then(|| key.clone())
        };
        let held: Vec<PushKey> = self.lanes.iter().filter_map(held).collect();
        for key in held {
            self.set_aside(&key);
            self.make_ready(&key);
        }
    }

    /// Nothing is owed on a leaving key.
    pub fn done(&mut self, key: &PushKey) {
        let former = self.give_up_place(key);
        self.lanes.remove(key);
        former.into_iter().for_each(|route| self.invite(&route));
    }

    /// What was tried for a key's message.
    #[must_use]
    pub fn tried(&self, key: &PushKey) -> Option<&Attempts> {
        self.lanes.get(key).map(|lane| &lane.attempts)
    }

    /// The same, to change what was said of it.
    pub fn attempts(&mut self, key: &PushKey) -> Option<&mut Attempts> {
        self.lanes.get_mut(key).map(|lane| &mut lane.attempts)
    }

    /// It was decided what becomes of a key's message: what was tried for it does not count for the
    /// next one.
    pub fn next_message(&mut self, key: &PushKey) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.attempts.next_message();
        }
    }

    /// The request of a key that is at a provider.
    #[must_use]
    pub fn flying(&self, key: &PushKey) -> Option<Ticket> {
        match self.lanes.get(key)?.place {
            Place::InFlight(ticket) => Some(ticket),
            _ => None,
        }
    }

    /// Takes the answer to a request by this binding. `jitter` is a random byte. `None`: the key
    /// was forgotten. With [`Next::Settle`] and [`Next::Silent`] the caller goes on with
    /// [`Queue::next_message`].
    pub fn answered(
        &mut self,
        ticket: Ticket,
        binding: &Binding,
        answer: &Answer,
        now: Mono,
        jitter: u8,
    ) -> Option<Answered> {
        self.now = now;
        let flight = self.flights.remove(&ticket)?;
        self.under_way.free(flight.class);
        let lane = self.lanes.get_mut(&flight.key)?;
        let removals = self.removals.entry(binding.key.clone()).or_default();
        let (answer, is_about_route) = judge(removals, &mut lane.attempts, binding, answer);
        let (next, again) = next_of(&mut lane.attempts, binding, &answer, now, jitter);
        let is_doubted = answer.reason == TOO_MANY_INVALID;
        let give_back = if is_doubted { removals.give_back() } else { Vec::new() };
        if let Next::Later { .. } = next {
            lane.place = Place::Waiting(again);
            if !Sabotage::RetryNotScheduled.is_on() {
                self.waiting.insert((again, flight.key.clone()));
            }
        } else {
            self.make_ready(&flight.key);
        }
        self.pause(&flight.key, binding, &answer, &next);
        if let Some(route) = self.routes.get_mut(&flight.route) {
            route.places.free(flight.class);
            let said = Answer::new(Outcome::TokenInvalid, "");
            let about_route = if is_about_route { &answer } else { &said };
            route.answered(&flight.key, flight.is_probe, about_route, now, jitter);
        }
        self.invite(&flight.route);
        Some(Answered { key: flight.key, next, answer, give_back })
    }

    /// A vendor that speaks of one device is believed about all that goes there.
    fn pause(&mut self, key: &PushKey, binding: &Binding, answer: &Answer, next: &Next) {
        let Next::Later { at } = next else { return };
        if answer.scope != Scope::Device {
            return;
        }
        if self.paused.len() >= PAUSED_MAX {
            let now = self.now;
            self.paused.retain(|_, at| *at > now);
        }
        if self.paused.len() < PAUSED_MAX {
            let device = (key.uid.clone(), key.device_id.clone(), binding.key.clone());
            self.paused.insert(device, *at);
        }
    }

    /// The last answer of a credential cost a binding.
    pub fn removed(&mut self, removed: Removed) {
        if let Some(removals) = self.removals.get_mut(&removed.binding.key) {
            removals.removed(removed);
        }
    }

    /// The device was unbound: nothing that answers cost it is given back.
    pub fn unbound(&mut self, uid: &Uid, device_id: &DeviceId) {
        self.removals.values_mut().for_each(|removals| removals.forget(uid, device_id));
    }

    /// The keys of a credential are others: nothing that was answered to the former ones counts.
    pub fn credential_changed(&mut self, credential: &BindingKey) {
        self.removals.remove(credential);
        let its: Vec<RouteKey> =
            self.routes.keys().filter(|route| route.credential == *credential).cloned().collect();
        for key in its {
            if let Some(route) = self.routes.get_mut(&key) {
                route.start_anew();
            }
            self.invite(&key);
        }
    }

    /// The device is owed nothing any more: its keys go, and answers on their way mean nothing.
    pub fn forget(&mut self, uid: &Uid, device_id: &DeviceId) {
        let first =
            PushKey { uid: uid.clone(), device_id: device_id.clone(), lane: PushLane::Withdrawals };
        let is_its = |key: &&PushKey| key.uid == *uid && key.device_id == *device_id;
        let keys: Vec<PushKey> =
            self.lanes.range(first..).map(|(key, _)| key).take_while(is_its).cloned().collect();
        for key in keys {
            let landed = self.land(&key);
            let former = self.give_up_place(&key);
            self.set_aside(&key);
            self.lanes.remove(&key);
            landed.into_iter().chain(former).for_each(|route| self.invite(&route));
        }
    }

    /// When a waiting key may leave again.
    #[must_use]
    pub fn wait_until(&self) -> Option<Mono> {
        let waiting = self.waiting.first().map(|(at, _)| *at);
        let wakes = self.wakes.first().map(|(at, _)| *at);
        [waiting, wakes].into_iter().flatten().min()
    }

    /// Keys that are owed something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Whether no key is owed anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Requests at providers.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// How the routes in use fare.
    pub fn routes(&self) -> impl Iterator<Item = RouteState> + '_ {
        let is_doubted = |key: &RouteKey| self.is_doubted(&key.credential);
        self.routes.iter().map(move |(key, route)| route.state(key, is_doubted(key)))
    }

    /// Whether so many tokens of a credential are called dead that none is removed.
    #[must_use]
    pub fn is_doubted(&self, credential: &BindingKey) -> bool {
        self.removals.get(credential).is_some_and(Removals::is_doubted)
    }
}

/// Moving keys about.
impl Queue {
    fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    fn make_ready(&mut self, key: &PushKey) {
        let order = self.order();
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.place = Place::Ready(order);
            self.ready.add(lane.class, order, key.clone());
        }
    }

    /// Takes a key out of the lines it stands in.
    fn set_aside(&mut self, key: &PushKey) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        match std::mem::replace(&mut lane.place, Place::Leaving) {
            Place::Ready(order) => self.ready.remove(lane.class, order),
            Place::Waiting(at) | Place::Held(at) => {
                self.waiting.remove(&(at, key.clone()));
            }
            Place::Parked(order, again) => {
                self.waiting.remove(&(again, key.clone()));
                let route = lane.route.as_ref().and_then(|route| self.routes.get_mut(route));
                if let Some(route) = route {
                    route.parked.remove(lane.class, order);
                }
            }
            Place::Leaving | Place::InFlight(_) => {}
        }
    }

    /// The key does not leave by the route that invited it. Answers the route, which may invite
    /// another.
    fn give_up_place(&mut self, key: &PushKey) -> Option<RouteKey> {
        let lane = self.lanes.get_mut(key)?;
        let class = lane.invited.take()?;
        let of_lane = lane.route.clone()?;
        let route = self.routes.get_mut(&of_lane)?;
        route.places.free(class);
        route.invited -= 1;
        Some(of_lane)
    }

    /// A request is called back. Answers its route.
    fn land(&mut self, key: &PushKey) -> Option<RouteKey> {
        let ticket = self.flying(key)?;
        let flight = self.flights.remove(&ticket)?;
        self.under_way.free(flight.class);
        let route = self.routes.get_mut(&flight.route)?;
        route.places.free(flight.class);
        if flight.is_probe {
            route.happens(CircuitEvent::ProbeLost);
        }
        Some(flight.route)
    }

    /// Lets as many of a route's keys leave as it has places.
    fn invite(&mut self, of_route: &RouteKey) {
        let (now, max) = (self.now, self.route_max);
        while let Some(route) = self.routes.get_mut(of_route) {
            let (places, has_place) = (route.places, |one| route.has_place(one, now));
            let free: Vec<PushClass> = PushClass::ALL
                .into_iter()
                .filter(|class| has_place(places.has_one_for(*class, max)))
                .collect();
            let Some(key) = route.parked.take(|class| free.contains(&class)) else { break };
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            if let Place::Parked(_, again) = lane.place {
                self.waiting.remove(&(again, key.clone()));
            }
            lane.invited = Some(lane.class);
            route.places.take(lane.class);
            route.invited += 1;
            self.make_ready(&key);
        }
        self.plan(of_route);
    }

    /// Plans when a route is looked at again, or forgets it.
    fn plan(&mut self, of_route: &RouteKey) {
        let Some(route) = self.routes.get_mut(of_route) else { return };
        let waits = route.circuit == Circuit::Open && !route.parked.is_empty();
        let wakes_at = (waits && route.invited == 0).then_some(route.until);
        let former = std::mem::replace(&mut route.wakes_at, wakes_at);
        let is_idle = route.is_idle();
        if former != wakes_at {
            if let Some(at) = former {
                self.wakes.remove(&(at, of_route.clone()));
            }
            self.wakes.extend(wakes_at.map(|at| (at, of_route.clone())));
        }
        if is_idle {
            self.routes.remove(of_route);
        }
    }

    fn forget_unused_routes(&mut self) {
        if self.routes.len() > UNUSED_ROUTES_MAX {
            self.routes.retain(|_, route| !route.is_unused());
        }
    }
}

/// How an answer is to be taken, and whether it is about the route as well.
fn judge(
    removals: &mut Removals,
    attempts: &mut Attempts,
    binding: &Binding,
    answer: &Answer,
) -> (Answer, bool) {
    match answer.outcome {
        Outcome::Delivered | Outcome::TooLarge | Outcome::Reject => removals.note(false),
        Outcome::TokenInvalid if attempts.call_dead(binding) => removals.note(true),
        _ => {}
    }
    if answer.outcome != Outcome::TokenInvalid || !removals.is_doubted() {
        return (answer.clone(), true);
    }
    let is_hopeless = removals.is_hopeless();
    let scope = if is_hopeless { Scope::Credential } else { Scope::Message };
    let vendor = format!("{}: {}", answer.reason, answer.vendor);
    let doubted = Answer::new(Outcome::ConfigError, TOO_MANY_INVALID).about(scope);
    (Answer { vendor, ..doubted }, is_hopeless)
}

#[cfg(test)]
mod tests;
