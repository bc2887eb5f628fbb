//! A device: a real client core, a disk, an operating system that freezes and kills it, and a
//! screen with notifications.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use nightjar_client_core::{
    Client, Config, ConnectionId, Ended, Event, Identity, Input, Ledger, Notification, Output,
};
use nightjar_model::{
    ClientMsgId, ConnId, ConversationId, DeviceId, MessageId, Mono, NotificationId, Now, Platform,
    Seq, Uid, WallMs,
};
use nightjar_wire::{Kind, next_packet};

use crate::disk::Disk;
use crate::faults::{Fault, Seat};
use crate::gateway::token;
use crate::invariants::ClientWatch;
use crate::network::{Down, Up};
use crate::server::WALL_START_MS;
use crate::stranger::Stranger;
use crate::world::{What, World};

/// So many timers in a row, a millisecond apart: the app wakes for nothing.
const TIMERS_IN_A_ROW_MAX: u32 = 1_000;

/// Which phone; also for a laptop or a tab.
pub type PhoneNo = usize;

/// A device and what is on it.
pub(crate) struct Phone {
    pub(crate) name: String,
    pub(crate) uid: Uid,
    pub(crate) device_id: DeviceId,
    /// What the provider knows it by; the operating system gives a new one now and then.
    pub(crate) push_token: String,
    pub(crate) is_stranger: bool,
    /// Pushes wake an extension; without one the system shows them.
    pub(crate) has_extension: bool,
    pub(crate) app: Option<App>,
    /// Runs of the app so far.
    pub(crate) boot: u32,
    /// The login token the app got last.
    pub(crate) issued_at: WallMs,
    pub(crate) is_signed_in: bool,
    pub(crate) screen: Screen,
    pub(crate) is_frozen: bool,
    /// The app's store failed: nothing is written before it is started anew.
    pub(crate) is_disk_broken: bool,
    /// The user ended the app by force.
    pub(crate) is_quit: bool,
    /// It started anew and nobody has unlocked it.
    pub(crate) is_locked: bool,
    /// The app has no network before, whatever the system says.
    pub(crate) dozes_until_ms: u64,
    /// The app asked for time in the background.
    pub(crate) is_held: bool,
    /// The system freezes processes in the background, and says so.
    pub(crate) is_granted: bool,
    /// A NAT on the way forgets what is silent for so long.
    pub(crate) nat_ms: Option<u64>,
    /// What waits for its client to be in a state.
    pub(crate) ambush: Option<(Seat, Fault)>,
    pub(crate) has_network: bool,
    /// What the app was told last.
    pub(crate) is_told_of_network: bool,
    /// The app writes app-state reports from two threads: one may overtake the other.
    pub(crate) is_hasty: bool,
    pub(crate) late_report: Option<(ConnectionId, Bytes)>,
    pub(crate) disk: Disk,
    /// Shared by the app and its extension; it outlives both.
    pub(crate) ledger: Ledger,
    written_at_ms: u64,
    /// Commits that were written while the app was frozen.
    written: Vec<u64>,
    /// Its file was closed while it was frozen.
    closed: Option<u32>,
    posting: BTreeMap<NotificationId, Notification>,
    pub(crate) shade: BTreeMap<NotificationId, Shown>,
    /// Messages a person could see: on the screen of the app, or as a notification.
    pub(crate) seen: BTreeSet<(ConversationId, Seq)>,
    pub(crate) badge: (u64, u64),
    pub(crate) sent: BTreeMap<ClientMsgId, (MessageId, ConversationId, Seq)>,
    pub(crate) connections: BTreeMap<ConnectionId, ConnId>,
    unread: VecDeque<(ConnectionId, Down)>,
    /// Bytes of a packet that has not come wholly.
    stream: BytesMut,
    watch: ClientWatch,
    /// A connection that is over.
    left: Option<ConnectionId>,
    timer_at_ms: Option<u64>,
    /// The last timer, and how many came in a row before it.
    timers: (u64, u32),
}

/// What runs on it.
pub(crate) enum App {
    Ours(Box<Client>),
    Strange(Box<Stranger>),
}

/// What a person sees of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Screen {
    Foreground(Option<ConversationId>),
    Background { grace_ms: i64 },
}

/// A notification on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) conversation: ConversationId,
    /// The messages it stands for.
    pub(crate) seqs: BTreeSet<Seq>,
}

impl Phone {
    pub(crate) fn new(name: &str, is_stranger: bool) -> Self {
        let (uid, device_id) = name.split_once('/').expect("a phone is named user/device");
        Self {
            name: name.to_owned(),
            uid: Uid::parse(uid).expect("the people of this world have plain names"),
            device_id: DeviceId::parse(device_id).expect("and so do their devices"),
            push_token: format!("token-of-{name}"),
            is_stranger,
            has_extension: false,
            app: None,
            boot: 0,
            issued_at: WallMs(0),
            is_signed_in: false,
            screen: Screen::Foreground(None),
            is_frozen: false,
            is_disk_broken: false,
            is_quit: false,
            is_locked: false,
            dozes_until_ms: 0,
            is_held: false,
            is_granted: false,
            nat_ms: None,
            ambush: None,
            has_network: true,
            is_told_of_network: true,
            is_hasty: false,
            late_report: None,
            disk: Disk::default(),
            ledger: Ledger::default(),
            written_at_ms: 0,
            written: Vec::new(),
            closed: None,
            posting: BTreeMap::new(),
            shade: BTreeMap::new(),
            seen: BTreeSet::new(),
            badge: (0, 0),
            sent: BTreeMap::new(),
            connections: BTreeMap::new(),
            unread: VecDeque::new(),
            stream: BytesMut::new(),
            watch: ClientWatch::default(),
            left: None,
            timer_at_ms: None,
            timers: (0, 0),
        }
    }

    pub(crate) fn is_foreground(&self) -> bool {
        matches!(self.screen, Screen::Foreground(_))
    }

    /// Whether a person in front of it sees what the app shows.
    pub(crate) fn is_watched(&self) -> bool {
        self.app.is_some() && self.is_signed_in && self.is_foreground() && !self.is_frozen
    }

    fn identity(&self) -> Identity {
        Identity {
            uid: self.uid.clone(),
            device_id: self.device_id.clone(),
            token: token(&self.uid, &self.device_id, self.issued_at),
        }
    }

    fn wants_packets(&self) -> bool {
        match &self.app {
            Some(App::Ours(client)) => client.wants_packets(),
            Some(App::Strange(_)) => true,
            None => false,
        }
    }
}

impl World {
    /// The device's clocks. They go on while it sleeps.
    pub(crate) fn phone_now(&self) -> Now {
        let now_ms = self.agenda.now_ms();
        Now { mono: Mono(10_000 + now_ms), wall: WallMs(WALL_START_MS + now_ms) }
    }

    /// Starts the app, with what its disk holds.
    pub(crate) fn start_app(&mut self, no: PhoneNo) {
        let now = self.phone_now();
        let phone = &mut self.phones[no];
        if phone.app.is_some() {
            return;
        }
        phone.boot += 1;
        phone.is_frozen = false;
        phone.is_quit = false;
        phone.is_disk_broken = false;
        phone.left = None;
        let app = if phone.is_stranger {
            App::Strange(Box::new(Stranger::new(phone.identity())))
        } else {
            let platform = Platform::Android;
            let config = Arc::new(Config { platform, ..Config::default() });
            let restored = phone.disk.restored();
            phone.watch = ClientWatch::of(&restored);
            App::Ours(Box::new(Client::new(config, phone.identity(), restored, now)))
        };
        phone.app = Some(app);
        phone.is_told_of_network = true;
        self.tell_network(no);
        self.tell_screen(no);
        if self.phones[no].is_signed_in {
            self.feed(no, Input::Start);
        }
    }

    /// Tells the app what is on the screen.
    pub(crate) fn tell_screen(&mut self, no: PhoneNo) {
        let input = match self.phones[no].screen.clone() {
            Screen::Foreground(conversation) => Input::Foreground { conversation },
            Screen::Background { grace_ms } => Input::Background { grace_ms },
        };
        self.feed(no, input);
    }

    /// The app is gone: killed, crashed, swiped away. Its sockets end.
    pub(crate) fn end_app(&mut self, no: PhoneNo) {
        let one_made_it = self.weather.is_wild && self.rng.bool();
        let phone = &mut self.phones[no];
        phone.app = None;
        phone.boot += 1;
        phone.is_frozen = false;
        phone.is_held = false;
        phone.disk.lose(one_made_it);
        phone.written.clear();
        phone.closed = None;
        phone.posting.clear();
        phone.unread.clear();
        phone.stream.clear();
        phone.late_report = None;
        phone.timer_at_ms = None;
        let names: Vec<ConnectionId> = phone.connections.keys().copied().collect();
        for name in names {
            self.hang_up(no, name);
        }
        self.spring_ambush(no);
    }

    /// Gives the app an input and carries out what it wants.
    pub(crate) fn feed(&mut self, no: PhoneNo, input: Input<'_>) {
        let now = self.phone_now();
        let random = self.random();
        let Phone { app, watch, .. } = &mut self.phones[no];
        match app {
            Some(App::Ours(client)) => {
                watch.given(&input);
                client.handle(input, now, &random);
            }
            Some(App::Strange(stranger)) => stranger.handle(input, now),
            None => return,
        }
        while let Some(output) = self.app_output(no) {
            self.phones[no].watch.said(&output);
            self.phone_does(no, output);
        }
        self.repeat_stale(no);
        self.check_client(no);
        self.plan_phone_timer(no);
        self.spring_ambush(no);
    }

    /// Nothing comes of what is stale.
    fn repeat_stale(&mut self, no: PhoneNo) {
        let now = self.phone_now();
        let Phone { app: Some(App::Ours(client)), left, .. } = &mut self.phones[no] else { return };
        // What is due now is not stale.
        let is_due = client.wait_until().is_some_and(|at| at <= now.mono);
        if !self.repeats_stale || is_due {
            return;
        }
        let over = left.iter().flat_map(|left| [Input::Connected(*left), Input::Closed(*left)]);
        let stale = [Input::Timeout, Input::Committed(0), Input::StoreClosed(u32::MAX)];
        let mut wanted = None;
        for input in over.chain(stale) {
            let text = format!("{input:?}");
            client.handle(input, now, &[0; 16]);
            let first = wanted.take().or_else(|| client.poll().map(|output| (text, output)));
            wanted = first;
        }
        if let Some((input, output)) = wanted {
            let text =
                format!("{}: {input} is stale and {output:?} came of it", self.phones[no].name);
            self.violated("I15", text);
        }
    }

    /// What the client keeps to by itself.
    fn check_client(&mut self, no: PhoneNo) {
        let Phone { app, watch, name, .. } = &mut self.phones[no];
        let Some(App::Ours(client)) = app else { return };
        if let Some((invariant, text)) = watch.rests(client) {
            let text = format!("{name}: {text}");
            self.violated(invariant, text);
        }
    }

    fn app_output(&mut self, no: PhoneNo) -> Option<Output> {
        match &mut self.phones[no].app {
            Some(App::Ours(client)) => client.poll(),
            Some(App::Strange(stranger)) => stranger.poll(),
            None => None,
        }
    }

    fn phone_does(&mut self, no: PhoneNo, output: Output) {
        let boot = self.phones[no].boot;
        match output {
            Output::Connect { connection, .. } if self.may_dial(no) => {
                self.dial(no, connection);
            }
            Output::Connect { connection, .. } => {
                self.agenda.after(20, What::DialFailed(no, boot, connection));
            }
            Output::Send(connection, bytes) => self.phone_sends(no, connection, bytes),
            Output::Close(connection) => self.hang_up(no, connection),
            Output::Commit(_) if self.phones[no].is_disk_broken => {}
            Output::Commit(commit) => {
                let takes_ms = self.draw(self.weather.commit_ms.clone());
                let now_ms = self.agenda.now_ms();
                let phone = &mut self.phones[no];
                phone.written_at_ms = phone.written_at_ms.max(now_ms + takes_ms);
                let number = commit.number;
                phone.disk.take(commit);
                self.agenda.at(phone.written_at_ms, What::Committed(no, boot, number));
            }
            Output::QuiesceStore(number) => {
                let at_ms = self.phones[no].written_at_ms.max(self.agenda.now_ms());
                self.agenda.at(at_ms, What::StoreClosed(no, boot, number));
            }
            Output::HoldBackground => self.phones[no].is_held = true,
            Output::ReleaseBackground => {
                self.phones[no].is_held = false;
                self.plan_freeze(no, 0);
            }
            Output::ScheduleWake { earliest_ms } if self.weather.is_wild => {
                let late_ms = self.rng.u64(0..600_000);
                self.agenda.after(earliest_ms + late_ms, What::Wake(no, boot));
            }
            // What is left the acts of a script do.
            Output::ReopenStore | Output::ScheduleWake { .. } => {}
            Output::Notify(notification) => {
                let takes_ms = self.draw(self.weather.commit_ms.clone());
                let id = notification.id.clone();
                self.phones[no].posting.insert(id.clone(), *notification);
                self.agenda.after(takes_ms, What::Posted(no, boot, id));
            }
            Output::Withdraw(ids) => {
                self.take_off(no, &ids, "the app");
                self.feed(no, Input::Removed(ids));
            }
            Output::Ledger(order) => {
                let now = self.phone_now().wall;
                let answer = self.phones[no].ledger.order(&order, now);
                self.feed(no, Input::Ledger(answer));
            }
            Output::Event(event) => self.phone_tells(no, event),
        }
    }

    fn may_dial(&self, no: PhoneNo) -> bool {
        let phone = &self.phones[no];
        phone.has_network && phone.dozes_until_ms <= self.agenda.now_ms()
    }

    /// Writes a packet; an app in haste lets a later app-state report overtake this one.
    fn phone_sends(&mut self, no: PhoneNo, name: ConnectionId, bytes: Bytes) {
        let Some(conn) = self.phones[no].connections.get(&name).copied() else { return };
        self.phone_says(no, conn, &bytes);
        let is_report = nightjar_wire::Header::parse(&bytes)
            .is_ok_and(|h| h.command == Kind::AppState.number());
        let late = self.phones[no].late_report.take().filter(|(of, _)| *of == name);
        if !is_report || !self.phones[no].is_hasty {
            // What the app writes after a report rests on it and does not overtake it.
            if let Some((_, late)) = late {
                self.send_up(conn, Up::Packet(late));
            }
            return self.send_up(conn, Up::Packet(bytes));
        }
        match late {
            Some((_, late)) => {
                self.cover("reports_overtaken");
                self.hit(Fault::Overtaken, no);
                self.send_up(conn, Up::Packet(bytes));
                self.send_up(conn, Up::Packet(late));
            }
            None => {
                self.phones[no].late_report = Some((name, bytes));
                let boot = self.phones[no].boot;
                self.agenda.after(400, What::LateReport(no, boot));
            }
        }
    }

    /// The thread that wrote the report comes to it at last.
    pub(crate) fn late_report(&mut self, no: PhoneNo, boot: u32) {
        if self.phones[no].boot != boot {
            return;
        }
        if let Some((name, bytes)) = self.phones[no].late_report.take()
            && let Some(conn) = self.phones[no].connections.get(&name).copied()
        {
            self.send_up(conn, Up::Packet(bytes));
        }
    }

    /// What comes over a connection, in order; packets only while the app wants them.
    pub(crate) fn phone_receives(&mut self, conn: ConnId, down: Down) {
        let Some(connection) = self.network.connections.get(&conn) else { return };
        let (no, name) = (connection.phone, connection.name);
        self.phones[no].unread.push_back((name, down));
        self.phone_reads(no);
    }

    fn phone_reads(&mut self, no: PhoneNo) {
        loop {
            let wants_packets = self.phones[no].wants_packets();
            let Some((_, down)) = self.phones[no].unread.front() else { return };
            if matches!(down, Down::Packet(_)) && !wants_packets {
                return;
            }
            let Some((name, down)) = self.phones[no].unread.pop_front() else { return };
            match down {
                Down::Opened => self.feed(no, Input::Connected(name)),
                Down::Packet(bytes) => self.feed(no, Input::Packet(name, &bytes)),
                Down::Piece(bytes) => self.phone_reads_piece(no, name, &bytes),
                Down::End => {
                    if let Some(conn) = self.phones[no].connections.remove(&name) {
                        self.phones[no].left = Some(name);
                        self.has_ended(conn);
                    }
                    self.feed(no, Input::Closed(name));
                }
            }
        }
    }

    /// The app's end of the stream makes packets of bytes.
    fn phone_reads_piece(&mut self, no: PhoneNo, name: ConnectionId, bytes: &[u8]) {
        self.phones[no].stream.extend_from_slice(bytes);
        let packet = next_packet(&mut self.phones[no].stream);
        if let Some(packet) = packet.expect("the session of this world writes whole packets") {
            self.feed(no, Input::Packet(name, &packet));
        }
    }

    /// The attempt to connect came to nothing.
    pub(crate) fn dial_failed(&mut self, no: PhoneNo, boot: u32, name: ConnectionId) {
        if self.phones[no].boot == boot {
            self.phones[no].unread.push_back((name, Down::End));
            if !self.phones[no].is_frozen {
                self.phone_reads(no);
            }
        }
    }

    /// The disk has written a commit.
    pub(crate) fn committed(&mut self, no: PhoneNo, boot: u32, number: u64) {
        let phone = &mut self.phones[no];
        if phone.boot != boot || phone.is_disk_broken {
            return;
        }
        if phone.is_frozen {
            return phone.written.push(number);
        }
        phone.disk.write(number);
        self.feed(no, Input::Committed(number));
        self.clear_seen(no);
        self.phone_reads(no);
    }

    /// The app's file is closed.
    pub(crate) fn store_closed(&mut self, no: PhoneNo, boot: u32, number: u32) {
        let phone = &mut self.phones[no];
        if phone.boot != boot {
            return;
        }
        if phone.is_frozen {
            phone.closed = Some(number);
            return;
        }
        self.feed(no, Input::StoreClosed(number));
    }

    /// The operating system has put a notification on the screen.
    pub(crate) fn posted(&mut self, no: PhoneNo, boot: u32, id: NotificationId) {
        if self.phones[no].boot != boot {
            return;
        }
        if self.phones[no].is_frozen {
            return;
        }
        let Some(notification) = self.phones[no].posting.remove(&id) else { return };
        self.cover("notifications_posted");
        // A request of a storm may be on its way and come under the conversation's name.
        let place = (notification.conversation.clone(), notification.seq);
        self.doubtful.insert((no, place));
        self.show(no, &id, &notification.conversation, notification.seq, "by the app");
        self.feed(no, Input::Notified(id));
    }

    fn plan_phone_timer(&mut self, no: PhoneNo) {
        let now_ms = self.agenda.now_ms();
        let now = self.phone_now();
        let phone = &mut self.phones[no];
        let wait_until = match &phone.app {
            Some(App::Ours(client)) => client.wait_until(),
            Some(App::Strange(stranger)) => stranger.wait_until(),
            None => None,
        };
        let Some(at) = wait_until else { return };
        // Waking up takes a while, too.
        let at_ms = (now_ms + at.since(now.mono)).max(phone.timers.0 + 1);
        if phone.timer_at_ms.is_none_or(|planned| at_ms < planned) {
            phone.timer_at_ms = Some(at_ms);
            self.agenda.at(at_ms, What::PhoneTimer(no, phone.boot));
        }
    }

    /// A moment of the app came, or has moved on since it was planned.
    pub(crate) fn phone_timer(&mut self, no: PhoneNo, boot: u32) {
        let now = self.phone_now();
        let phone = &mut self.phones[no];
        if phone.boot != boot || phone.is_frozen {
            return;
        }
        let now_ms = self.agenda.now_ms();
        if phone.timer_at_ms.is_some_and(|at_ms| at_ms > now_ms) {
            return;
        }
        phone.timer_at_ms = None;
        let is_next = now_ms <= phone.timers.0 + 1;
        phone.timers = (now_ms, if is_next { phone.timers.1 + 1 } else { 0 });
        if phone.timers.1 == TIMERS_IN_A_ROW_MAX {
            self.cover("app_spins");
        }
        let phone = &self.phones[no];
        let wait_until = match &phone.app {
            Some(App::Ours(client)) => client.wait_until(),
            Some(App::Strange(stranger)) => stranger.wait_until(),
            None => None,
        };
        if wait_until.is_some_and(|at| at <= now.mono) {
            self.feed(no, Input::Timeout);
        } else {
            self.plan_phone_timer(no);
        }
    }

    /// The app runs again: it finds what its kernel and its disk did meanwhile.
    pub(crate) fn run_on(&mut self, no: PhoneNo) {
        let now_ms = self.agenda.now_ms();
        let phone = &mut self.phones[no];
        phone.is_frozen = false;
        phone.timer_at_ms = None;
        let boot = phone.boot;
        for number in std::mem::take(&mut phone.written) {
            self.agenda.at(now_ms, What::Committed(no, boot, number));
        }
        if let Some(number) = phone.closed.take() {
            self.agenda.at(now_ms, What::StoreClosed(no, boot, number));
        }
        for id in phone.posting.keys().cloned().collect::<Vec<_>>() {
            self.agenda.at(now_ms, What::Posted(no, boot, id));
        }
        let timer_first = self.weather.is_wild && self.rng.bool();
        if timer_first {
            self.plan_phone_timer(no);
        }
        let conns: Vec<ConnId> = self.phones[no].connections.values().copied().collect();
        for conn in conns {
            let Some(connection) = self.network.connections.get_mut(&conn) else { continue };
            for down in std::mem::take(&mut connection.kernel) {
                self.agenda.at(now_ms, What::Down(conn, down));
            }
        }
        self.tell_network(no);
        self.plan_phone_timer(no);
        self.clear_seen(no);
    }

    /// What the app tells its user.
    fn phone_tells(&mut self, no: PhoneNo, event: Event) {
        match event {
            Event::Message(message) => self.phone_shows(no, &message),
            Event::Sent { client_msg_id, message_id, conversation, seq, .. } => {
                self.phone_sent(no, client_msg_id, (message_id, conversation, seq));
            }
            Event::Failed { reason, .. } => {
                self.tell(no, || format!("cannot send: {reason:?}"));
            }
            Event::Badge { unread, bv } => self.phone_badge(no, unread, bv),
            Event::TokenNeeded(_) => {
                self.phones[no].issued_at = self.server_now().wall;
                let identity = self.phones[no].identity();
                let boot = self.phones[no].boot;
                self.agenda.after(50, What::NewToken(no, boot, identity.token));
            }
            Event::Ended(ended) => self.phone_ended(no, &ended),
            Event::Link(_)
            | Event::Synced
            | Event::Queued { .. }
            | Event::Conversation(_)
            | Event::Listed(_)
            | Event::Relisted
            | Event::Place { .. }
            | Event::Recalled { .. }
            | Event::Amended(_)
            | Event::Typing { .. }
            | Event::History { .. }
            | Event::Refused { .. } => {}
        }
    }

    fn phone_ended(&mut self, no: PhoneNo, ended: &Ended) {
        self.tell(no, || format!("is signed out: {ended:?}"));
        let is_over = !matches!(ended, Ended::Replaced | Ended::StoreFailed);
        self.phones[no].is_signed_in = !is_over;
        if is_over {
            // What belongs to the account leaves the screen with it.
            self.phones[no].shade.clear();
        }
    }

    /// A line of the play about a phone.
    pub(crate) fn tell(&mut self, no: PhoneNo, what: impl FnOnce() -> String) {
        self.play.line(self.agenda.now_ms(), &self.phones[no].name, what);
    }
}
