//! The world: its parts, its clock, and the one loop.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bytes::Bytes;
use fastrand::Rng;
use nightjar_client_core::{ConnectionId, Input};
use nightjar_domain::Deadlines;
use nightjar_model::{Command, ConnId, ConversationId, DeviceId, NotificationId, Secret, Seq, Uid};
use nightjar_node::NodeConfig;
use nightjar_push::{Answer, PushPolicy, PushRequest, Ticket};

use crate::acts::binding_key;
use crate::agenda::Agenda;
use crate::extension::{Extensions, RunNo};
use crate::faults::{Fault, Hits};
use crate::invariants::{Told, Violation};
use crate::network::{Down, Network, Up};
use crate::phone::{Phone, PhoneNo};
use crate::play::Play;
use crate::provider::Provider;
use crate::reference::{Place, Reference};
use crate::server::Server;
use crate::shrink::Without;

/// Watches look so often.
const LOOK_MS: u64 = 250;

/// Everything there is.
pub struct World {
    pub(crate) agenda: Agenda<What>,
    pub(crate) rng: Rng,
    seed: u64,
    /// Acts so far.
    pub(crate) acts: u64,
    pub(crate) without: Without,
    /// What is stale is given to clients again.
    pub(crate) repeats_stale: bool,
    pub(crate) weather: Weather,
    pub(crate) network: Network,
    pub(crate) server: Server,
    pub(crate) provider: Provider,
    pub(crate) phones: Vec<Phone>,
    pub(crate) extensions: Extensions,
    pub(crate) reference: Reference,
    pub(crate) play: Play,
    pub(crate) violation: Option<Violation>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) hits: Hits,
    pub(crate) events: u64,
    pub(crate) api_calls: u64,
    /// What the last hello of a connection said of the app.
    pub(crate) hellos: BTreeMap<ConnId, Told>,
    /// The highest app-state report of a connection.
    pub(crate) orders: BTreeMap<ConnId, u64>,
    /// What it said.
    pub(crate) reports: BTreeMap<ConnId, (String, Option<i64>)>,
    /// The last place a connection was given.
    pub(crate) delivered: BTreeMap<(ConnId, ConversationId), Seq>,
    /// Phones whose token a provider called dead.
    pub(crate) dead_tokens: BTreeSet<PhoneNo>,
    /// Requests at the provider: for which phone, and whether it is an alert.
    pub(crate) tickets: BTreeMap<Ticket, (PhoneNo, bool)>,
    /// Phones whose withdrawal the provider did not take; it is tried again until then.
    pub(crate) retries: BTreeMap<PhoneNo, u64>,
    /// Notifications a loss of power may have made the server forget.
    pub(crate) forgotten: BTreeSet<(PhoneNo, Place)>,
    /// Notifications the app posted itself while a push of a storm was on its way.
    pub(crate) doubtful: BTreeSet<(PhoneNo, Place)>,
    /// When each phone was bound last.
    pub(crate) bound_ms: BTreeMap<PhoneNo, u64>,
    /// Bindings by question, and phones whose back end has no answer yet.
    pub(crate) binds: BTreeMap<u64, PhoneNo>,
    pub(crate) unbound: BTreeSet<PhoneNo>,
    /// Totals the operator asked for, by question.
    pub(crate) unread_asked: BTreeMap<u64, Uid>,
    pub(crate) acts_until_ms: u64,
    pub(crate) is_ending: bool,
    is_watching: bool,
}

/// How long things take.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    pub(crate) latency_ms: RangeInclusive<u64>,
    pub(crate) commit_ms: RangeInclusive<u64>,
    pub(crate) disk_ms: RangeInclusive<u64>,
    /// Packets get lost, clocks are set back, crashed servers come back by themselves.
    pub(crate) is_wild: bool,
    /// Little happens until then.
    pub(crate) night_until_ms: u64,
}

/// What may happen next.
#[derive(Debug)]
pub(crate) enum What {
    Up(ConnId, Up),
    Down(ConnId, Down),
    Turn(u32),
    Written(u32),
    SessionTimer(u32, ConnId),
    KernelRead(u32),
    Start,
    PushLeaves(u32, Ticket),
    PushArrives(u32, Ticket, Box<PushRequest>),
    PushAnswered(u32, Ticket, Answer),
    PushShows(PhoneNo, Box<PushRequest>),
    ExtensionAsks(RunNo, Box<Command>),
    ExtensionHears(RunNo, Option<(u16, Bytes)>),
    ExtensionTimer(RunNo),
    PhoneTimer(PhoneNo, u32),
    Committed(PhoneNo, u32, u64),
    StoreClosed(PhoneNo, u32, u32),
    Posted(PhoneNo, u32, NotificationId),
    DialFailed(PhoneNo, u32, ConnectionId),
    LateReport(PhoneNo, u32),
    NewToken(PhoneNo, u32, Secret<String>),
    Freeze(PhoneNo, u32),
    Leave(PhoneNo, u32),
    Wake(PhoneNo, u32),
    Bind(PhoneNo),
    Strike(PhoneNo, Fault),
    Recovers(PhoneNo),
    Unlocks(PhoneNo),
    DiskRecovers,
    ProviderRecovers,
    Act,
    Look,
}

impl World {
    /// A world in which nothing goes wrong by itself, and the play is written.
    #[must_use]
    pub fn calm(seed: u64) -> Self {
        let weather = Weather {
            latency_ms: 20..=20,
            commit_ms: 3..=3,
            disk_ms: 2..=2,
            is_wild: false,
            night_until_ms: 0,
        };
        let mut world = Self::new(seed, weather, 64, Play::new(true));
        world.start_server();
        world
    }

    pub(crate) fn new(seed: u64, weather: Weather, waiting_max: u64, play: Play) -> Self {
        let config = NodeConfig {
            deadlines: Deadlines::default(),
            policy: PushPolicy::default(),
            credentials: BTreeSet::from([binding_key()]),
            fallback: None,
            pushes_in_flight_max: 64,
            events: true,
        };
        let server = Server::new(config, waiting_max, weather.disk_ms.clone());
        Self {
            agenda: Agenda::new(),
            rng: Rng::with_seed(seed),
            seed,
            acts: 0,
            without: Without::default(),
            repeats_stale: false,
            weather,
            network: Network::default(),
            server,
            provider: Provider::new(),
            phones: Vec::new(),
            extensions: Extensions::default(),
            reference: Reference::default(),
            play,
            violation: None,
            counts: BTreeMap::new(),
            hits: Hits::default(),
            events: 0,
            api_calls: 0,
            hellos: BTreeMap::new(),
            orders: BTreeMap::new(),
            reports: BTreeMap::new(),
            delivered: BTreeMap::new(),
            dead_tokens: BTreeSet::new(),
            tickets: BTreeMap::new(),
            retries: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            bound_ms: BTreeMap::new(),
            binds: BTreeMap::new(),
            unbound: BTreeSet::new(),
            unread_asked: BTreeMap::new(),
            acts_until_ms: 0,
            is_ending: false,
            is_watching: false,
        }
    }

    /// Runs up to a moment, or to the first promise that is not kept.
    pub(crate) fn run_until(&mut self, until_ms: u64) {
        while self.violation.is_none() {
            let Some(what) = self.agenda.next_until(until_ms) else { return };
            self.events += 1;
            self.happen(what);
        }
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Up(conn, up) => self.up_arrives(conn, up),
            What::Down(conn, down) => self.down_arrives(conn, down),
            What::Turn(number) => self.turn(number),
            What::Written(number) => self.written(number),
            What::SessionTimer(number, conn) => self.session_timer(number, conn),
            What::KernelRead(number) => self.read_kernel(number),
            What::Start => self.restart_server(),
            What::PushLeaves(number, ticket) => self.push_leaves(number, ticket),
            What::PushArrives(number, ticket, request) => {
                self.push_arrives(number, ticket, *request);
            }
            What::PushAnswered(number, ticket, answer) => {
                self.push_answered(number, ticket, answer);
            }
            What::PushShows(no, request) => self.push_shows(no, *request),
            What::ExtensionAsks(run, command) => self.extension_request_arrives(run, *command),
            What::ExtensionHears(run, answer) => self.extension_hears(run, answer),
            What::ExtensionTimer(run) => self.extension_timer(run),
            What::PhoneTimer(no, boot) => self.phone_timer(no, boot),
            What::Committed(no, boot, number) => self.committed(no, boot, number),
            What::StoreClosed(no, boot, number) => self.store_closed(no, boot, number),
            What::Posted(no, boot, id) => self.posted(no, boot, id),
            What::DialFailed(no, boot, name) => self.dial_failed(no, boot, name),
            What::LateReport(no, boot) => self.late_report(no, boot),
            What::NewToken(no, boot, token) => {
                if self.phones[no].boot == boot {
                    self.feed(no, Input::Token(token));
                }
            }
            // In the end nobody leaves any more.
            What::Freeze(..) | What::Leave(..) if self.is_ending => {}
            What::Freeze(no, boot) => {
                if self.phones[no].boot == boot && !self.phones[no].is_foreground() {
                    self.freeze(no);
                }
            }
            What::Leave(no, boot) => {
                if self.phones[no].boot == boot && !self.phones[no].is_frozen {
                    self.background(no, 0);
                }
            }
            What::Bind(no) => self.bind(no),
            What::Wake(no, boot) => {
                if self.phones[no].boot == boot {
                    self.wake(no);
                }
            }
            What::Strike(no, fault) => self.strike(no, fault),
            What::Recovers(no) => {
                if !self.phones[no].has_network {
                    self.find_network(no);
                }
            }
            What::Unlocks(no) => self.unlock(no),
            What::DiskRecovers => self.disk_recovers(),
            What::ProviderRecovers => self.provider_recovers(),
            What::Act => self.next_act(),
            What::Look => self.look(),
        }
    }

    /// The dice of the next act: others stay what they are when one is left out.
    pub(crate) fn dice_of_act(&mut self) -> Rng {
        self.acts += 1;
        let seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Rng::with_seed(seed ^ self.acts.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    /// Something is to be watched from now on.
    pub(crate) fn watch(&mut self) {
        if !self.is_watching {
            self.is_watching = true;
            self.agenda.after(LOOK_MS, What::Look);
        }
    }

    fn look(&mut self) {
        self.is_watching = false;
        let now_ms = self.agenda.now_ms();
        if self.server.waits_for_disk(now_ms) {
            self.reference.excuse(now_ms + crate::invariants::STALL_EXCUSE_MS);
        }
        let is_up = self.server.process.is_some() && now_ms >= self.server.stalled_until_ms;
        if is_up {
            self.check_dark();
            self.check_withdrawals();
        }
        if self.reference.dark.is_watching() || self.reference.withdrawals.is_watching() {
            self.watch();
        }
    }

    /// A promise was not kept; the first one ends the run.
    pub(crate) fn violated(&mut self, invariant: &'static str, text: String) {
        let at_ms = self.agenda.now_ms();
        self.play.line(at_ms, "VIOLATION", || format!("{invariant}: {text}"));
        self.violation.get_or_insert(Violation { at_ms, invariant, text });
    }

    /// Counts that something worth seeing happened.
    pub(crate) fn cover(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn draw(&mut self, range: RangeInclusive<u64>) -> u64 {
        if range.start() == range.end() { *range.start() } else { self.rng.u64(range) }
    }

    pub(crate) fn random(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        bytes
    }

    pub(crate) fn phone_named(&self, uid: &Uid, device_id: &DeviceId) -> Option<PhoneNo> {
        self.phones.iter().position(|phone| phone.uid == *uid && phone.device_id == *device_id)
    }

    /// The promise that was not kept, if any.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Alerts handed over so far.
    #[must_use]
    pub fn pushes(&self) -> u64 {
        self.counts.get("pushes").copied().unwrap_or(0)
    }

    /// The run as a play.
    #[must_use]
    pub fn play(&self) -> String {
        self.play.text()
    }
}
