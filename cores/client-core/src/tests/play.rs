//! The stage: what a shell does, step by step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use nightjar_model::{
    ClientMsgId, ConversationId, DeviceId, GroupId, Metric, Mono, NotificationId, Now, Secret, Seq,
    Target, Uid, WallMs,
};
use nightjar_session::Input as ServerInput;

use super::disk::Disk;
use super::server::{Server, is_bob, is_hidden, is_pushed, is_text, nid_of};
use crate::{
    Client, Config, ConnectionId, Dial, Draft, Event, Identity, Indicator, Input, Ledger,
    LedgerAnswer, Output, Record, State,
};

/// What the network does with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Open,
    /// Nothing answers.
    Silent,
    /// The attempt fails at once.
    Refusing,
}

/// Bob's phone with everything around it.
pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) config: Config,
    pub(super) disk: Disk,
    /// Its file can be read and written.
    pub(super) has_ledger: bool,
    /// No packet with this message in it can be read.
    pub(super) damaged: Option<(ConversationId, Seq)>,
    /// The system says when notifications are off the screen.
    pub(super) removes: bool,
    /// Shared with the extension; it outlives the process.
    pub(super) ledger: Ledger,
    pub(super) server: Server,
    pub(super) network: Network,
    pub(super) now: Now,
    pub(super) dials: Vec<Dial>,
    connection: Option<ConnectionId>,
    /// An attempt that is about to succeed.
    opening: Option<ConnectionId>,
    to_server: VecDeque<Bytes>,
    pub(super) events: Vec<Event>,
    /// Notifications the shell was asked to post and has not yet.
    pub(super) to_post: VecDeque<NotificationId>,
    pub(super) screen: BTreeSet<NotificationId>,
    pub(super) taken_back: BTreeSet<NotificationId>,
    /// Messages a person could see.
    pub(super) seen: BTreeSet<(ConversationId, Seq)>,
    told: BTreeSet<(ConversationId, Seq)>,
    pub(super) queued: BTreeMap<ClientMsgId, Target>,
    pub(super) failed: BTreeSet<ClientMsgId>,
    pub(super) sent: BTreeMap<ClientMsgId, (ConversationId, Seq)>,
    pub(super) is_foreground: bool,
    /// The store was told to close, under this number.
    pub(super) quiescing: Option<u32>,
    pub(super) is_store_closed: bool,
    /// The system was asked for time in the background.
    pub(super) is_held: bool,
    pub(super) wakes: Vec<u64>,
    /// What reached the server.
    pub(super) heard: Vec<nightjar_wire::Kind>,
    pub(super) byes: Vec<String>,
    /// What the phone was given, and what it answered.
    pub(super) recording: Option<(Vec<String>, Vec<String>)>,
    pub(super) seed: u64,
    written: u32,
}

pub(super) fn uid(name: &str) -> Uid {
    Uid::parse(name).unwrap()
}

pub(super) fn group(name: &str) -> GroupId {
    GroupId::parse(name).unwrap()
}

pub(super) fn draft(to: &Target, text: &str) -> Box<Draft> {
    let content = format!(r#"{{"type":"text","text":"{text}"}}"#);
    let (client_msg_id, push, expires_at) = (None, None, None);
    let (to, content, depends_on) = (to.clone(), content.into(), Vec::new());
    Box::new(Draft { client_msg_id, to, content, push, expires_at, depends_on })
}

pub(super) fn identity() -> Identity {
    Identity {
        uid: uid("bob"),
        device_id: DeviceId::parse("phone").unwrap(),
        token: Secret::new("good".to_owned()),
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Self {
        let now = Now { mono: Mono(1_000_000), wall: WallMs(1_700_000_000_000) };
        let disk = Disk::default();
        let client = Client::new(config.clone().into(), identity(), Default::default(), now);
        Self {
            client,
            config,
            disk,
            has_ledger: true,
            damaged: None,
            removes: true,
            ledger: Ledger::default(),
            server: Server::default(),
            network: Network::Open,
            now,
            dials: Vec::new(),
            connection: None,
            opening: None,
            to_server: VecDeque::new(),
            events: Vec::new(),
            to_post: VecDeque::new(),
            screen: BTreeSet::new(),
            taken_back: BTreeSet::new(),
            seen: BTreeSet::new(),
            told: BTreeSet::new(),
            queued: BTreeMap::new(),
            failed: BTreeSet::new(),
            sent: BTreeMap::new(),
            is_foreground: true,
            quiescing: None,
            is_store_closed: false,
            is_held: false,
            wakes: Vec::new(),
            heard: Vec::new(),
            byes: Vec::new(),
            recording: None,
            seed: 0,
            written: 0,
        }
    }

    /// A phone that is online and has its list.
    pub(super) fn online() -> Self {
        let mut stage = Self::new();
        stage.happens(Input::Start);
        stage.everything_arrives();
        assert!(stage.client.is_online());
        stage.events.clear();
        stage
    }

    // What happens.

    pub(super) fn happens(&mut self, input: Input<'_>) {
        let random = self.random();
        if let Some((lines, _)) = &mut self.recording {
            lines.push(Record::line(&input, self.now, &random));
        }
        self.client.handle(input, self.now, &random);
        while let Some(output) = self.client.poll() {
            if let Some((_, outputs)) = &mut self.recording {
                outputs.push(format!("{output:?}"));
            }
            self.carry_out(output);
        }
        if let Some(connection) = self.opening.take() {
            self.connection = Some(connection);
            self.to_server.clear();
            self.server.accept(self.now);
            self.happens(Input::Connected(connection));
        }
    }

    /// SplitMix64, twice.
    fn random(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        for half in bytes.chunks_exact_mut(8) {
            self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.seed;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            half.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes());
        }
        bytes
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Connect { connection, to, .. } => {
                self.dials.push(to);
                match self.network {
                    Network::Open => self.opening = Some(connection),
                    Network::Silent => {}
                    Network::Refusing => self.happens(Input::Closed(connection)),
                }
            }
            Output::Send(connection, bytes) => {
                assert_eq!(Some(connection), self.connection, "a packet without a connection");
                self.to_server.push_back(bytes);
            }
            Output::Close(connection) => {
                self.opening = self.opening.filter(|opening| *opening != connection);
                if self.connection == Some(connection) {
                    // What was sent before still arrives.
                    while self.server_reads() {}
                    self.hang_up();
                }
            }
            Output::Commit(commit) => {
                assert!(!self.is_store_closed, "a commit to a closed store");
                self.disk.take(commit);
            }
            Output::QuiesceStore(number) => {
                assert!(self.quiescing.is_none() && !self.is_store_closed);
                self.quiescing = Some(number);
            }
            Output::ReopenStore => (self.quiescing, self.is_store_closed) = (None, false),
            Output::HoldBackground => assert!(!std::mem::replace(&mut self.is_held, true)),
            Output::ReleaseBackground => assert!(std::mem::take(&mut self.is_held)),
            Output::ScheduleWake { earliest_ms } => self.wakes.push(earliest_ms),
            Output::Notify(notification) => self.to_post.push_back(notification.id),
            Output::Withdraw(ids) => {
                let withdrawn = ids.clone();
                for id in ids {
                    self.to_post.retain(|waiting| *waiting != id);
                    self.screen.remove(&id);
                    self.taken_back.insert(id);
                }
                if self.removes {
                    self.happens(Input::Removed(withdrawn));
                }
            }
            Output::Ledger(order) => {
                let answer = match self.has_ledger {
                    true => self.ledger.order(&order, self.now.wall),
                    false => LedgerAnswer::Failed,
                };
                self.happens(Input::Ledger(answer));
            }
            Output::Event(event) => self.note(event),
        }
    }

    fn hang_up(&mut self) {
        self.connection = None;
        self.to_server.clear();
        self.server.handle(ServerInput::Closed, self.now);
        self.server.session = None;
        self.server.to_client.clear();
    }

    fn note(&mut self, event: Event) {
        match &event {
            Event::Message(message) => {
                let place = (message.conversation.clone(), message.seq);
                assert!(self.disk.has(&place.0, place.1), "shown before it is stored: {place:?}");
                assert!(self.told.insert(place), "told twice: {message:?}");
            }
            Event::Queued { client_msg_id, to } => {
                self.failed.remove(client_msg_id);
                self.queued.insert(client_msg_id.clone(), to.clone());
            }
            Event::Sent { client_msg_id, conversation, seq, .. } => {
                let place = (conversation.clone(), *seq);
                let first = self.sent.insert(client_msg_id.clone(), place.clone());
                assert!(first.is_none(), "sent twice: {client_msg_id}");
                assert!(self.told.insert(place), "told twice: {client_msg_id}");
            }
            Event::Failed { client_msg_id, .. } => {
                self.failed.insert(client_msg_id.clone());
            }
            _ => {}
        }
        self.events.push(event);
    }

    /// One packet reaches the server; false if none is on its way.
    pub(super) fn server_reads(&mut self) -> bool {
        let wants = self.server.session.as_ref().is_some_and(|session| session.wants_input());
        let Some(bytes) = self.to_server.pop_front().filter(|_| wants) else { return false };
        let packet = nightjar_wire::Packet::decode(&bytes, nightjar_wire::Side::Server).unwrap();
        self.heard.push(packet.kind);
        if let nightjar_wire::Body::Bye(bye) = packet.body {
            self.byes.push(bye.reason);
        }
        self.server.handle(ServerInput::Packet(&bytes), self.now);
        self.check_acks();
        true
    }

    /// One packet reaches the phone; false if none is on its way.
    pub(super) fn client_reads(&mut self) -> bool {
        let Some(connection) = self.connection else { return false };
        if !self.client.wants_packets() {
            return false;
        }
        if let Some(bytes) = self.server.to_client.pop_front() {
            let bytes = self.carried(bytes);
            self.happens(Input::Packet(connection, &bytes));
            return true;
        }
        if self.server.is_closing {
            self.hang_up();
            self.happens(Input::Closed(connection));
            return true;
        }
        false
    }

    /// What becomes of a packet on its way.
    fn carried(&self, bytes: Bytes) -> Bytes {
        let packet = nightjar_wire::Packet::decode(&bytes, nightjar_wire::Side::Client).unwrap();
        let messages = match packet.body {
            nightjar_wire::Body::Deliver(deliver) => deliver.messages,
            nightjar_wire::Body::HistoryAnswer(answer) => answer.messages,
            _ => return bytes,
        };
        let is_damaged = messages.iter().any(|message| {
            self.damaged.as_ref().is_some_and(|(conversation, seq)| {
                message.seq == *seq && message.conversation == conversation.as_str()
            })
        });
        if !is_damaged {
            return bytes;
        }
        let mut damaged = bytes.to_vec();
        damaged[nightjar_wire::HEADER_BYTES..].fill(0xff);
        damaged.into()
    }

    /// The store commits its oldest batch, or closes as it was told; false if there is nothing.
    pub(super) fn commits(&mut self) -> bool {
        let Some(number) = self.disk.commit() else { return self.closes_store() };
        self.see();
        self.happens(Input::Committed(number));
        true
    }

    fn closes_store(&mut self) -> bool {
        let Some(number) = self.quiescing.take() else { return false };
        self.is_store_closed = true;
        self.happens(Input::StoreClosed(number));
        self.check_suspended();
        true
    }

    /// A suspended phone can be frozen without harm.
    pub(super) fn check_suspended(&self) {
        if self.client.state() == State::Suspended {
            assert!(self.connection.is_none() && self.is_store_closed && !self.is_held);
            assert_eq!(self.client.wait_until(), None);
            assert!(self.disk.is_idle());
        }
    }

    /// What a person can see now.
    fn see(&mut self) {
        if self.is_foreground {
            self.seen.extend(self.disk.messages.keys().cloned());
        }
    }

    /// The shell posts a notification; false if none waits.
    pub(super) fn posts(&mut self) -> bool {
        let Some(id) = self.to_post.pop_front() else { return false };
        let message =
            self.disk.messages.values().find(|row| Some(row.message_id) == id.message_id());
        let message = message.expect("only stored messages are posted");
        assert!(!self.ledger.is_withdrawn(&id), "posted after it was withdrawn: {id:?}");
        self.seen.insert((message.conversation.clone(), message.seq));
        self.screen.insert(id.clone());
        self.happens(Input::Notified(id));
        true
    }

    pub(super) fn cut(&mut self) {
        if let Some(connection) = self.connection {
            self.hang_up();
            self.happens(Input::Closed(connection));
        }
    }

    /// The process is killed and started again.
    pub(super) fn crashes(&mut self) {
        self.restarts();
        self.happens(Input::Start);
    }

    /// The same, and nobody says yet that it is to be online.
    pub(super) fn restarts(&mut self) {
        if self.connection.is_some() {
            self.hang_up();
        }
        // What is on the screen stays there; what was about to be posted is not.
        self.to_post.clear();
        (self.quiescing, self.is_store_closed, self.is_held) = (None, false, false);
        let restored = self.disk.crash();
        self.client = Client::new(self.config.clone().into(), identity(), restored, self.now);
        self.is_foreground = true;
        self.see();
    }

    pub(super) fn foreground(&mut self) {
        self.is_foreground = true;
        self.see();
        self.happens(Input::Foreground { conversation: None });
    }

    pub(super) fn background(&mut self, grace_ms: i64) {
        self.is_foreground = false;
        self.happens(Input::Background { grace_ms });
    }

    pub(super) fn enters_background(&mut self, budget_ms: u32) {
        self.is_foreground = false;
        self.happens(Input::EnterBackground { budget_ms });
    }

    pub(super) fn reads(&mut self, conversation: &ConversationId, seq: Seq) {
        self.seen.extend((0..=seq).map(|seq| (conversation.clone(), seq)));
        self.happens(Input::Read { conversation: conversation.clone(), seq });
    }

    /// Bob writes; the text tells in which order.
    pub(super) fn writes(&mut self, to: &Target) {
        self.written += 1;
        let text = format!("{:06}", self.written);
        self.happens(Input::Send(draft(to, &text)));
    }

    /// Time passes for a process that is awake.
    pub(super) fn time_passes(&mut self, ms: u64) {
        let end = self.now.mono.after(ms);
        let (mut at, mut spins) = (self.now.mono, 0);
        while let Some(next) = self.wake_at().filter(|next| *next <= end) {
            let next = next.max(self.now.mono);
            spins = if next == at { spins + 1 } else { 0 };
            assert!(spins < 20, "it asks to be woken without end");
            at = next;
            self.clock(next);
            if self.client.wait_until().is_some_and(|at| at <= next) {
                self.happens(Input::Timeout);
            }
            if self
                .server
                .session
                .as_ref()
                .and_then(|s| s.wait_until())
                .is_some_and(|at| at <= next)
            {
                self.server.handle(ServerInput::Timeout, self.now);
            }
        }
        self.clock(end);
    }

    fn wake_at(&self) -> Option<Mono> {
        let server = self.server.session.as_ref().and_then(|session| session.wait_until());
        self.client.wait_until().into_iter().chain(server).min()
    }

    fn clock(&mut self, to: Mono) {
        self.now.wall = self.now.wall.after(to.since(self.now.mono));
        self.now.mono = to;
    }

    /// Time passes and nobody calls the client. The server goes on.
    pub(super) fn freezes(&mut self, ms: u64) {
        let end = self.now.mono.after(ms);
        self.clock(end);
        self.server.handle(ServerInput::Timeout, self.now);
        if self.client.wait_until().is_some_and(|at| at <= end) {
            self.happens(Input::Timeout);
        }
    }

    /// Everything that is on its way arrives, and no time passes.
    pub(super) fn everything_arrives_now(&mut self) {
        while self.server_reads() || self.client_reads() || self.commits() || self.posts() {}
    }

    /// Nobody calls the phone for so long, and it expects nobody to.
    pub(super) fn sleeps(&mut self, ms: u64) {
        self.check_suspended();
        self.clock(self.now.mono.after(ms));
    }

    /// Everything that is on its way arrives, and a little time passes.
    pub(super) fn everything_arrives(&mut self) {
        for _ in 0..400 {
            let mut moved = false;
            while self.server_reads() || self.client_reads() || self.commits() || self.posts() {
                moved = true;
            }
            if !moved && self.client.is_online() && !self.client.is_sending() {
                self.time_passes(1_250);
                if self.to_server.is_empty() && self.server.to_client.is_empty() {
                    return;
                }
            } else if !moved {
                self.time_passes(500);
            }
        }
    }

    /// Everything calms down: whatever was broken works again, for some minutes.
    pub(super) fn calms_down(&mut self) {
        (self.network, self.server.busy) = (Network::Open, 0);
        self.foreground();
        self.happens(Input::Start);
        self.happens(Input::NetworkChanged);
        for _ in 0..60 {
            self.everything_arrives();
            self.time_passes(1_500);
        }
        self.everything_arrives();
        assert!(self.disk.is_idle());
    }

    // What is checked.

    /// Nothing was acknowledged that is not on the disk, or that nobody could see.
    fn check_acks(&mut self) {
        let starts = self.server.starts.clone().unwrap_or_default();
        for item in std::mem::take(&mut self.server.acks) {
            let start = starts.get(&item.conversation).copied().unwrap_or(0);
            for seq in start + 1..=item.stored.max(item.surfaced) {
                let entry = &self.server.log[&item.conversation][seq as usize - 1];
                if is_hidden(seq) && !is_bob(&entry.from) {
                    continue;
                }
                let place = (item.conversation.clone(), seq);
                if self.damaged.as_ref() == Some(&place) {
                    continue;
                }
                if seq <= item.stored {
                    assert!(
                        self.disk.messages.contains_key(&place),
                        "acked, not stored: {place:?}"
                    );
                }
                let needs_no_alert = is_bob(&entry.from)
                    || !is_text(entry)
                    || is_pushed(seq)
                    || self.server.read.get(&place.0).is_some_and(|read| seq <= *read)
                    || self.ledger.is_withdrawn(&nid_of(entry));
                if seq <= item.surfaced && !needs_no_alert {
                    assert!(self.seen.contains(&place), "surfaced, and nobody saw: {place:?}");
                }
            }
        }
    }

    pub(super) fn indicators(&self) -> Vec<Indicator> {
        let links = self.events.iter().filter_map(|event| match event {
            Event::Link(indicator) => Some(*indicator),
            _ => None,
        });
        links.collect()
    }

    /// How often the client counted it: what it told the server, and what it has not yet.
    pub(super) fn counted(&self, metric: Metric) -> u64 {
        let told = self.server.measured.iter().filter(|measure| measure.metric == metric);
        told.map(|measure| measure.count).sum::<u64>() + self.client.metrics.counted(metric)
    }

    pub(super) fn has_event(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(wanted)
    }

    /// Packets on their way to the server.
    pub(super) fn on_the_way(&self) -> Vec<nightjar_wire::Packet> {
        let read =
            |bytes| nightjar_wire::Packet::decode(bytes, nightjar_wire::Side::Server).unwrap();
        self.to_server.iter().map(read).collect()
    }
}
