//! A push provider that delivers, delays, loses answers, throttles and forgets tokens.

use std::collections::{BTreeMap, VecDeque};

use nightjar_node::Input;
use nightjar_push::{Answer, Outcome, PushRequest, Ticket};

use crate::faults::Fault;
use crate::phone::PhoneNo;
use crate::reference::Place;
use crate::world::{What, World};

/// A request without an answer is given up by the server's adapter after so long.
const ANSWER_WITHIN_MS: u64 = 10_000;
/// What the provider keeps for one phone without a network.
const KEPT_MAX: usize = 100;

/// How the provider behaves for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It takes everything and answers soon.
    Good,
    /// It takes everything and answers late.
    Slow,
    /// It takes everything, and its answers get lost.
    Mute,
    /// Requests get lost.
    Deaf,
    /// It asks to come back later.
    Throttles,
    /// It fails.
    Fails,
    /// It takes every token for one of its other environment.
    Astray,
}

impl Mood {
    pub(crate) const ALL: [Self; 7] = [
        Self::Good,
        Self::Slow,
        Self::Mute,
        Self::Deaf,
        Self::Throttles,
        Self::Fails,
        Self::Astray,
    ];

    /// What a request meets.
    pub(crate) fn fault(self) -> Option<Fault> {
        match self {
            Self::Good => None,
            Self::Slow => Some(Fault::Late),
            Self::Mute => Some(Fault::Mute),
            Self::Deaf => Some(Fault::Deaf),
            Self::Throttles => Some(Fault::Throttle),
            Self::Fails => Some(Fault::Fails),
            Self::Astray => Some(Fault::Environment),
        }
    }
}

/// The provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) mood: Mood,
    /// Which phone a token belongs to.
    pub(crate) tokens: BTreeMap<String, PhoneNo>,
    /// How many of those it keeps for one phone.
    pub(crate) kept_max: usize,
    /// What a push needs to its phone besides the latency.
    pub(crate) late_ms: u64,
    /// Every push comes twice.
    pub(crate) doubles: bool,
    /// Each push needs up to so much longer, one more and one less.
    pub(crate) disorder_ms: u64,
    /// Taken and not shown: the phone has no network.
    kept: BTreeMap<PhoneNo, VecDeque<PushRequest>>,
}

/// Requests of one server process that have not left it.
#[derive(Debug, Default)]
pub(crate) struct Pusher {
    waiting: BTreeMap<Ticket, PushRequest>,
}

impl Provider {
    pub(crate) fn new() -> Self {
        Self {
            mood: Mood::Good,
            tokens: BTreeMap::new(),
            kept_max: KEPT_MAX,
            late_ms: 0,
            doubles: false,
            disorder_ms: 0,
            kept: BTreeMap::new(),
        }
    }

    /// What will come to the screens of phones without a network.
    pub(crate) fn places_kept(&self) -> impl Iterator<Item = (PhoneNo, Place)> + '_ {
        self.kept.iter().flat_map(|(phone, kept)| {
            kept.iter().map(|request| (*phone, (request.data.conv.clone(), request.data.seq)))
        })
    }
}

impl World {
    /// What left the server and has not come to its phone yet.
    pub(crate) fn places_coming(&self) -> impl Iterator<Item = (PhoneNo, Place)> + '_ {
        self.agenda.coming().filter_map(|what| {
            let request = match what {
                What::PushArrives(.., request) | What::PushShows(_, request) => request,
                _ => return None,
            };
            let phone = self.phone_named(&request.uid, &request.device_id)?;
            Some((phone, (request.data.conv.clone(), request.data.seq)))
        })
    }

    /// The node hands a request over.
    pub(crate) fn push(&mut self, ticket: Ticket, request: PushRequest) {
        self.cover(if request.alert.is_some() { "pushes" } else { "withdrawal_pushes" });
        // Now and then a connection to the provider has to be made first.
        let after_ms = match self.weather.is_wild.then(|| self.rng.u32(0..10)) {
            None => 0,
            Some(0) => self.rng.u64(0..900),
            Some(_) => self.rng.u64(0..20),
        };
        if let Some(process) = &mut self.server.process {
            process.pusher.waiting.insert(ticket, request);
            self.agenda.after(after_ms, What::PushLeaves(self.server.number, ticket));
        }
    }

    /// The node calls a request back.
    pub(crate) fn cancel_push(&mut self, ticket: Ticket) {
        if let Some(process) = &mut self.server.process
            && process.pusher.waiting.remove(&ticket).is_some()
        {
            self.cover("pushes_called_back");
        }
    }

    /// A request leaves the server, if it was not called back.
    pub(crate) fn push_leaves(&mut self, number: u32, ticket: Ticket) {
        if number != self.server.number {
            return;
        }
        if self.agenda.now_ms() < self.server.stalled_until_ms {
            let at_ms = self.server.stalled_until_ms;
            return self.agenda.at(at_ms, What::PushLeaves(number, ticket));
        }
        let Some(process) = &mut self.server.process else { return };
        let Some(request) = process.pusher.waiting.remove(&ticket) else { return };
        self.push_left(&request);
        let latency_ms = self.draw(self.weather.latency_ms.clone());
        self.agenda.after(latency_ms, What::PushArrives(number, ticket, Box::new(request)));
    }

    /// The provider gets a request.
    pub(crate) fn push_arrives(&mut self, number: u32, ticket: Ticket, request: PushRequest) {
        let phone = self.provider.tokens.get(request.binding.token.expose()).copied();
        if let Some(no) = self.phone_named(&request.uid, &request.device_id) {
            self.push_meets(no, phone);
        }
        let soon_ms = self.draw(self.weather.latency_ms.clone());
        let (answer, after_ms) = match (self.provider.mood, phone) {
            (Mood::Deaf, _) => (Answer::new(Outcome::Retry, "timeout"), ANSWER_WITHIN_MS),
            (Mood::Fails, _) => (Answer::new(Outcome::Retry, "InternalServerError"), soon_ms),
            (Mood::Throttles, _) => {
                let mut answer = Answer::new(Outcome::Throttled, "TooManyRequests");
                answer.retry_after_ms = Some(self.draw(1_000..=20_000));
                (answer, soon_ms)
            }
            (Mood::Astray, _) => {
                (Answer::new(Outcome::ConfigError, "BadEnvironmentKeyInToken"), soon_ms)
            }
            (_, None) => (Answer::new(Outcome::TokenInvalid, "Unregistered"), soon_ms),
            (mood, Some(phone)) => {
                let latency_ms = self.draw(self.weather.latency_ms.clone());
                let mut shown_ms = latency_ms * 2 + self.provider.late_ms;
                if self.provider.disorder_ms > 0 {
                    shown_ms += self.draw(0..=self.provider.disorder_ms);
                }
                if self.provider.doubles {
                    let again = Box::new(request.clone());
                    self.agenda.after(shown_ms, What::PushShows(phone, again));
                }
                self.agenda.after(shown_ms, What::PushShows(phone, Box::new(request)));
                match mood {
                    Mood::Mute => (Answer::new(Outcome::Retry, "timeout"), ANSWER_WITHIN_MS),
                    Mood::Slow => {
                        let late_ms = self.draw(500..=9_000);
                        (Answer::new(Outcome::Delivered, "ok"), late_ms)
                    }
                    _ => (Answer::new(Outcome::Delivered, "ok"), soon_ms),
                }
            }
        };
        self.agenda.after(after_ms, What::PushAnswered(number, ticket, answer));
    }

    /// What a request meets at the provider.
    fn push_meets(&mut self, no: PhoneNo, phone: Option<PhoneNo>) {
        let mood = self.provider.mood.fault();
        let gone = phone.is_none().then_some(Fault::Gone);
        let twice = self.provider.doubles.then_some(Fault::Twice);
        let disorder = (self.provider.disorder_ms > 0).then_some(Fault::Disorder);
        for fault in [mood, gone, twice, disorder].into_iter().flatten() {
            self.hit(fault, no);
        }
    }

    /// From now on pushes may overtake each other.
    pub fn pushes_overtake(&mut self) {
        self.play.line(self.agenda.now_ms(), "provider", || "brings pushes in disorder".into());
        self.provider.disorder_ms = 5_000;
    }

    pub(crate) fn provider_recovers(&mut self) {
        self.provider_is(Mood::Good);
        self.provider.doubles = false;
        self.provider.disorder_ms = 0;
        self.provider.kept_max = KEPT_MAX;
    }

    /// The answer reaches the server, if it is still the process that asked.
    pub(crate) fn push_answered(&mut self, number: u32, ticket: Ticket, answer: Answer) {
        if number != self.server.number {
            return;
        }
        if self.agenda.now_ms() < self.server.stalled_until_ms {
            // The real one reads its sockets first, too.
            let at_ms = self.server.stalled_until_ms + 5;
            return self.agenda.at(at_ms, What::PushAnswered(number, ticket, answer));
        }
        self.node_gets(Input::Answered { ticket, answer });
    }

    /// A push reaches its phone, or waits for the phone's network.
    pub(crate) fn push_shows(&mut self, phone: PhoneNo, request: PushRequest) {
        if self.phones[phone].has_network {
            return self.phone_pushed(phone, request);
        }
        let kept_max = self.provider.kept_max;
        let kept = self.provider.kept.entry(phone).or_default();
        kept.push_back(request);
        if kept.len() > kept_max {
            kept.pop_front();
            self.hit(Fault::Newest, phone);
        }
    }

    /// The phone has a network again.
    pub(crate) fn show_kept(&mut self, phone: PhoneNo) {
        for request in self.provider.kept.remove(&phone).unwrap_or_default() {
            let after_ms = self.draw(self.weather.latency_ms.clone());
            self.agenda.after(after_ms, What::PushShows(phone, Box::new(request)));
        }
    }
}
