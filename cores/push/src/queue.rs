//! Which push may leave when. Debts are durable elsewhere; this is only their order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ConversationId, DeviceId, Mono, Uid};

use crate::decide::SilentReason;
use crate::outcome::{Answer, Outcome};
use crate::render::Trim;

/// The first wait without a word from the provider; it doubles.
const RETRY_FIRST_MS: u64 = 1_000;
/// The longest wait without a word from the provider.
const RETRY_MS_MAX: u64 = 30_000;
/// A provider may ask for no more than this.
const RETRY_AFTER_MS_MAX: u64 = 3_600_000;

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
    /// Messages of a conversation.
    Conversation(ConversationId),
    /// Notifications to take back.
    Withdrawals,
}

/// Names a request that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What was tried for a key's current message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempts {
    /// Requests that were answered "later".
    pub tries: u32,
    /// Bindings that failed for good.
    pub bindings_spent: usize,
    /// How much of the text still goes along.
    pub trim: Trim,
}

/// What an answer means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The provider took it.
    Settle,
    /// The same request again, then.
    Later {
        /// When.
        at: Mono,
    },
    /// The device's next binding, at once. `remove_token`: the provider says this one is dead.
    NextBinding {
        /// Whether the token may be removed.
        remove_token: bool,
    },
    /// The same message again at once, with less text.
    Again,
    /// Never.
    Silent(SilentReason),
}

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the list of those who may leave.
    Ready,
    /// Given to the caller, who has not said what became of it.
    Leaving,
    /// At a provider.
    InFlight(Ticket),
    /// Until a moment: a provider could not take it.
    Waiting(Mono),
    /// Until a moment: it was decided to hold it.
    Held(Mono),
}

#[derive(Debug)]
struct Lane {
    place: Place,
    attempts: Attempts,
}

/// The order of pushes of one node. One request is in flight on a key, and a bounded number in
/// all; keys leave in the order they became ready.
#[derive(Debug)]
pub struct Queue {
    in_flight_max: usize,
    lanes: BTreeMap<PushKey, Lane>,
    ready: VecDeque<PushKey>,
    waiting: BTreeSet<(Mono, PushKey)>,
    in_flight: BTreeMap<Ticket, PushKey>,
    next_ticket: u64,
}

impl Queue {
    /// A queue that lets so many requests be at providers at a time.
    #[must_use]
    pub fn new(in_flight_max: usize) -> Self {
        Self {
            in_flight_max,
            lanes: BTreeMap::new(),
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            next_ticket: 1,
        }
    }

    /// Something is owed on this key. A key that waits or is in flight goes on as it is: what is
    /// owed is looked up when it leaves.
    pub fn due(&mut self, key: PushKey) {
        if !self.lanes.contains_key(&key) {
            self.ready.push_back(key.clone());
            let lane = Lane { place: Place::Ready, attempts: Attempts::default() };
            self.lanes.insert(key, lane);
        }
    }

    /// The next key that may leave. The caller reads the facts of this moment and answers with
    /// [`Queue::sent`] or [`Queue::done`].
    pub fn next(&mut self, now: Mono) -> Option<(PushKey, Attempts)> {
        while let Some((at, key)) = self.waiting.first().cloned() {
            if at > now {
                break;
            }
            self.waiting.remove(&(at, key.clone()));
            self.make_ready(&key);
        }
        if self.in_flight.len() >= self.in_flight_max {
            return None;
        }
        while let Some(key) = self.ready.pop_front() {
            if let Some(lane) = self.lanes.get_mut(&key)
                && lane.place == Place::Ready
            {
                lane.place = Place::Leaving;
                return Some((key, lane.attempts));
            }
        }
        None
    }

    /// The request of a leaving key left.
    pub fn sent(&mut self, key: &PushKey) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.place = Place::InFlight(ticket);
            self.in_flight.insert(ticket, key.clone());
        }
        ticket
    }

    /// The request of a key that is at a provider.
    #[must_use]
    pub fn flying(&self, key: &PushKey) -> Option<Ticket> {
        match self.lanes.get(key)?.place {
            Place::InFlight(ticket) => Some(ticket),
            _ => None,
        }
    }

    /// A leaving key's message is decided anew at a moment.
    pub fn hold(&mut self, key: &PushKey, at: Mono) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.place = Place::Held(at);
            self.waiting.insert((at, key.clone()));
        }
    }

    /// What is held for a user is decided anew now.
    pub fn release(&mut self, uid: &Uid) {
        let held: Vec<(Mono, PushKey)> = self
            .lanes
            .iter()
            .filter(|(key, _)| key.uid == *uid)
            .filter_map(|(key, lane)| match lane.place {
                Place::Held(at) => Some((at, key.clone())),
                _ => None,
            })
            .collect();
        for entry in held {
            self.waiting.remove(&entry);
            self.make_ready(&entry.1);
        }
    }

    /// Nothing is owed on a leaving key.
    pub fn done(&mut self, key: &PushKey) {
        self.lanes.remove(key);
    }

    /// What became of a leaving key's message was decided without a request: what was tried for
    /// it does not count for the next one.
    pub fn next_message(&mut self, key: &PushKey) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.attempts = Attempts::default();
        }
    }

    /// Takes a provider's answer. `jitter` is a random byte. `None`: the key was forgotten.
    pub fn answered(
        &mut self,
        ticket: Ticket,
        answer: &Answer,
        now: Mono,
        jitter: u8,
    ) -> Option<(PushKey, Next)> {
        let key = self.in_flight.remove(&ticket)?;
        let lane = self.lanes.get_mut(&key)?;
        let next = next_of(&mut lane.attempts, answer, now, jitter);
        match next {
            Next::Later { at } => {
                lane.place = Place::Waiting(at);
                if !Sabotage::RetryNotScheduled.is_on() {
                    self.waiting.insert((at, key.clone()));
                }
            }
            Next::Settle | Next::Silent(_) => {
                lane.attempts = Attempts::default();
                self.make_ready(&key);
            }
            Next::NextBinding { .. } | Next::Again => self.make_ready(&key),
        }
        Some((key, next))
    }

    /// The dead binding was removed from the device: the one after it stands at its place now.
    pub fn binding_removed(&mut self, key: &PushKey) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.attempts.bindings_spent = lane.attempts.bindings_spent.saturating_sub(1);
        }
    }

    fn make_ready(&mut self, key: &PushKey) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.place = Place::Ready;
            self.ready.push_back(key.clone());
        }
    }

    /// The device is owed nothing any more: its keys go, and answers on their way mean nothing.
    pub fn forget(&mut self, uid: &Uid, device_id: &DeviceId) {
        let is_its = |key: &PushKey| key.uid == *uid && key.device_id == *device_id;
        self.lanes.retain(|key, _| !is_its(key));
        self.ready.retain(|key| !is_its(key));
        self.waiting.retain(|(_, key)| !is_its(key));
        self.in_flight.retain(|_, key| !is_its(key));
    }

    /// When a waiting key may leave again.
    #[must_use]
    pub fn wait_until(&self) -> Option<Mono> {
        self.waiting.first().map(|(at, _)| *at)
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
        self.in_flight.len()
    }
}

/// The table of outcomes.
fn next_of(attempts: &mut Attempts, answer: &Answer, now: Mono, jitter: u8) -> Next {
    match answer.outcome {
        Outcome::Delivered => Next::Settle,
        Outcome::Retry | Outcome::Throttled | Outcome::AuthExpired | Outcome::ConfigError => {
            let doubled = RETRY_FIRST_MS << attempts.tries.min(10);
            attempts.tries += 1;
            // Between three quarters and all of it, so that many do not return at once.
            let base = doubled.min(RETRY_MS_MAX);
            let own_ms = base - base / 4 * u64::from(jitter) / 255;
            let asked = answer.retry_after_ms.map(|ms| ms.min(RETRY_AFTER_MS_MAX));
            Next::Later { at: now.after(asked.unwrap_or(own_ms)) }
        }
        Outcome::TokenInvalid => {
            // The dead binding leaves the device's list, so the next one takes its place; if it
            // may not be removed, it is stepped over.
            attempts.bindings_spent += 1;
            attempts.tries = 0;
            Next::NextBinding { remove_token: true }
        }
        Outcome::TooLarge => match attempts.trim {
            Trim::Full => {
                attempts.trim = Trim::Short;
                Next::Again
            }
            Trim::Short => {
                attempts.trim = Trim::DataOnly;
                Next::Again
            }
            Trim::DataOnly => Next::Silent(SilentReason::ProviderReject),
        },
        Outcome::Reject => Next::Silent(SilentReason::ProviderReject),
    }
}

#[cfg(test)]
mod tests;
