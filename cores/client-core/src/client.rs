//! The machine: its parts, time, and what waits for commits. `connection.rs`, `incoming.rs`,
//! `inbox.rs`, `sending.rs`, `reading.rs`, `notes.rs` and `syncing.rs` hold what each part does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nightjar_model::{ConversationId, Metric, Mono, Now};
use nightjar_wire::Packet;

use crate::adaptive::Adaptive;
use crate::app::App;
use crate::background::Storing;
use crate::binding::Bound;
use crate::dialer::Dialer;
use crate::dice::Dice;
use crate::metrics::Metrics;
use crate::network::Rival;
use crate::notes::Notes;
use crate::outbox::Outbox;
use crate::place::Place;
use crate::proofs::Proofs;
use crate::pulse::Pulse;
use crate::reports::Reports;
use crate::requests::{Asked, Requests};
use crate::state::{Facts, Move, Vis};
use crate::then::Thens;
use crate::{
    AccountRow, Config, ConnectionId, Event, Identity, Indicator, Input, Output, Restored, Row,
    State, defaults,
};

/// One account on one device.
///
/// Contract: after every [`Client::handle`] carry out outputs with [`Client::poll`] until `None`,
/// in order. `Now::mono` goes on while the machine sleeps, if the platform has such a clock.
#[derive(Debug)]
pub struct Client {
    pub(crate) config: Arc<Config>,
    pub(crate) identity: Identity,

    pub(crate) state: State,
    /// The app wants to be connected.
    pub(crate) is_wanted: bool,
    /// The attempt or connection that counts.
    pub(crate) connection: ConnectionId,
    /// The newest attempt.
    pub(crate) last_connection: ConnectionId,
    /// An attempt over another network, beside the connection it may replace.
    pub(crate) rival: Option<Box<Rival>>,
    /// There is an attempt, or a connection that came of it.
    pub(crate) has_line: bool,
    /// The server answered the hello on it and was not told goodbye.
    pub(crate) is_open: bool,
    /// Until then a hello on a connection that was given up may reach the server after all.
    pub(crate) stray_until: Mono,
    /// The end of connecting, of the hello, or of a logout.
    pub(crate) until: Mono,
    pub(crate) dialer: Dialer,
    pub(crate) pulse: Pulse,
    pub(crate) adaptive: Box<Adaptive>,
    /// The system has seen no network since.
    pub(crate) network_lost_at: Option<Mono>,
    pub(crate) app: App,
    /// The system was asked for time in the background.
    pub(crate) is_held: bool,
    /// The last words in the background end then.
    pub(crate) drain_until: Mono,
    pub(crate) storing: Storing,
    /// How often the store was told to close.
    pub(crate) quiesces: u32,
    pub(crate) suspended_at: Option<Mono>,
    pub(crate) is_logging_out: bool,
    /// This connection is only to tell what a logout owes.
    pub(crate) is_errand: bool,
    /// The server first heard of this device on this connection, and started it at the newest
    /// entry of each conversation.
    pub(crate) is_fresh: bool,
    indicator: Indicator,

    pub(crate) account: AccountRow,
    pub(crate) places: BTreeMap<ConversationId, Box<Place>>,
    pub(crate) outbox: Outbox,
    pub(crate) requests: Requests,
    pub(crate) proofs: Proofs,
    pub(crate) notes: Option<Box<Notes>>,
    /// At most [`nightjar_model::limits::BINDINGS_MAX`].
    pub(crate) bindings: Vec<Bound>,
    pub(crate) reports: Option<Box<Reports>>,
    pub(crate) metrics: Box<Metrics>,
    /// Grows with each use of a place.
    pub(crate) uses: u64,

    /// Conversations with something to acknowledge, each once, and since when it waits.
    pub(crate) unacked: Vec<ConversationId>,
    pub(crate) ack_at: Option<Mono>,
    pub(crate) ack_messages: u32,
    /// Conversations with a gap, each once.
    pub(crate) gaps: Vec<ConversationId>,
    /// Conversations whose reading the server is to be told of, each once.
    pub(crate) unread_told: Vec<ConversationId>,
    /// They are told then: the user may read on.
    pub(crate) read_from: Mono,
    pub(crate) wants_sync: bool,
    /// Lists begun anew since one was complete, and when the next one may be.
    pub(crate) relists: u8,
    pub(crate) sync_from: Mono,
    /// The server had no room: nothing of this kind is asked before.
    pub(crate) ask_from: Mono,
    pub(crate) send_from: Mono,

    pub(crate) now: Now,
    pub(crate) dice: Dice,
    /// Milliseconds the process was frozen, so far.
    slept_ms: u64,

    outputs: VecDeque<Output>,
    pub(crate) rows: Vec<Row>,
    /// Conversations whose row is to be written, each once.
    touched: Vec<ConversationId>,
    pub(crate) is_account_touched: bool,
    pub(crate) thens: Thens,
}

impl Client {
    /// A client that was stopped, with what its store held. [`Input::Start`] makes it connect. Its
    /// app is in the foreground until it says otherwise.
    #[must_use]
    pub fn new(config: Arc<Config>, identity: Identity, restored: Restored, now: Now) -> Self {
        let Restored { account, mut places, outgoing, was_left_open } = restored;
        let mut metrics = Box::<Metrics>::default();
        if account.is_leaving && was_left_open {
            metrics.count(Metric::DrainKilled);
        }
        places.truncate(defaults::PLACES_MAX);
        let newest = places.len() as u64;
        let places = places.iter().zip((0..=newest).rev()).map(|(row, used)| {
            (row.conversation.clone(), Box::new(Place { used, ..Place::restored(row) }))
        });
        Self {
            dialer: Dialer::new(config.servers),
            config,
            identity,
            state: State::Idle,
            is_wanted: false,
            connection: ConnectionId(0),
            last_connection: ConnectionId(0),
            rival: None,
            has_line: false,
            is_open: false,
            stray_until: now.mono,
            until: now.mono,
            pulse: Pulse::new(0, 0.0, now.mono),
            adaptive: Box::default(),
            network_lost_at: None,
            app: App::new(account.app_order_end),
            is_held: false,
            drain_until: now.mono,
            storing: Storing::Open,
            quiesces: 0,
            suspended_at: None,
            is_logging_out: false,
            is_errand: false,
            is_fresh: false,
            indicator: Indicator::Stopped,
            account,
            places: places.collect(),
            outbox: Outbox::restored(outgoing, now.mono.0),
            requests: Requests::default(),
            proofs: Proofs::default(),
            bindings: Vec::new(),
            notes: None,
            reports: None,
            metrics,
            uses: newest + 1,
            unacked: Vec::new(),
            ack_at: None,
            ack_messages: 0,
            gaps: Vec::new(),
            unread_told: Vec::new(),
            read_from: now.mono,
            wants_sync: false,
            relists: 0,
            sync_from: Mono(0),
            ask_from: Mono(0),
            send_from: Mono(0),
            now,
            dice: Dice::default(),
            slept_ms: 0,
            outputs: VecDeque::new(),
            rows: Vec::new(),
            touched: Vec::new(),
            is_account_touched: false,
            thens: Thens::default(),
        }
    }

    /// Takes one input. `random` are fresh random bytes: ids and jitter are made of them.
    pub fn handle(&mut self, input: Input<'_>, now: Now, random: &[u8; 16]) {
        self.dice = Dice::new(random);
        self.notice_freeze(now.mono);
        self.now = now;
        self.take(input);
        self.time_passed();
        self.settle();
    }

    fn take(&mut self, input: Input<'_>) {
        match input {
            Input::Start => self.start(),
            Input::Stop => self.stop(),
            Input::Login(token) => self.log_in(token),
            Input::Foreground { conversation } => self.came_to_screen(conversation),
            Input::EnterBackground { budget_ms } => self.enter_background(budget_ms),
            Input::BudgetExpiring => self.budget_expiring(),
            Input::Woken { budget_ms } => self.woken(budget_ms),
            Input::Resumed => self.thawed(),
            Input::Active => self.look(true),
            Input::Inactive => self.look(false),
            Input::Background { grace_ms } => self.stay_in_background(grace_ms),
            Input::NetworkLost => self.network_lost(),
            Input::NetworkChanged => self.network_changed(),
            Input::Network(network) => self.adaptive.network(network),
            Input::Restrictions(restrictions) => self.metrics.restrictions = restrictions,
            Input::Token(token) => self.take_token(token),
            Input::Connected(connection) => self.connected(connection),
            Input::Packet(connection, bytes) => self.received(connection, bytes),
            Input::Closed(connection) => self.closed(connection),
            Input::ConnectFailed(connection, phase) => self.connect_failed(connection, phase),
            Input::Committed(number) => self.committed(number),
            Input::CommitFailed => self.end(crate::Ended::StoreFailed),
            Input::StoreClosed(number) => self.store_closed(number),
            Input::Notified(id) => self.notified(&id),
            Input::NotNotified(id) => self.not_notified(&id),
            Input::Removed(ids) => self.removed(ids),
            Input::Ledger(answer) => self.ledger_says(answer),
            Input::PushReceived(push) => self.push_received(*push),
            Input::PushGap => self.push_gap(),
            Input::NotificationOpened(id) => self.notification_opened(id),
            Input::NotificationDismissed(id) => self.dismissed(id),
            Input::Send(draft) => self.write(*draft),
            Input::UploadDone(id) => self.upload_done(&id),
            Input::UploadFailed(id) => self.upload_failed(&id),
            Input::Retry(id) => self.retry(&id),
            Input::Cancel(id) => self.cancel(&id),
            Input::Read { conversation, seq } => self.read(&conversation, seq),
            Input::Recall { conversation, seq } => self.recall(&conversation, seq),
            Input::Edit { conversation, seq, content } => self.edit(&conversation, seq, content),
            Input::React { conversation, seq, emoji, remove } => {
                self.react(&conversation, seq, emoji, remove);
            }
            Input::Contact { uid, action } => self.change_contact(&uid, action),
            Input::PushToken(binding) => self.bind(*binding),
            Input::PushTokenInvalid(key) => self.unbind(key),
            Input::History { conversation, before, limit } => {
                self.history(conversation, before, limit);
            }
            Input::Typing(to) => self.typing(&to),
            Input::Logout { unbind } => self.log_out(unbind),
            Input::Timeout => {}
        }
    }

    /// What to do next; `None` when there is nothing until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Idle clients may be many in a process; their empty queues would add up.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// When to call [`Self::handle`] with [`Input::Timeout`]; `None` while nothing is awaited.
    #[must_use]
    pub fn wait_until(&self) -> Option<Mono> {
        let is_background = self.app.budget().is_some();
        let line = match self.state {
            State::LoggedOut => return self.owed_until(),
            State::Suspended | State::Kicked | State::Failed => return None,
            State::Idle if is_background => return None,
            State::Draining if !self.is_open => return None,
            State::Idle => None,
            State::OfflineBackoff => self.dialer.next_try(),
            State::Connecting | State::Handshaking => Some(self.until),
            State::Syncing | State::OnlineFg | State::OnlineBgGrace | State::Draining => {
                self.online_until()
            }
        };
        let outbox = self.outbox.check_at().map(|awake| Mono(awake).after(self.slept_ms));
        line.into_iter().chain(outbox).chain(self.background_until()).min()
    }

    fn online_until(&self) -> Option<Mono> {
        let lost = self.network_lost_at.map(|at| at.after(defaults::NETWORK_LOST_MS));
        [
            Some(self.pulse.wait_until()),
            self.is_logging_out.then_some(self.until),
            lost,
            self.rival.as_ref().map(|rival| rival.until),
            self.requests.wait_until(),
            self.ack_at,
            self.report_until(),
            self.ask_until(),
            self.bind_until(),
            self.send_until(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether the shell may hand in another packet: not while the store or the shell is behind.
    #[must_use]
    pub fn wants_packets(&self) -> bool {
        self.has_line && !self.is_behind()
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it is logged in: messages come and go.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.is_open
    }

    /// Whether messages still go out by themselves: in the outbox and not failed.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.outbox.is_waiting()
    }

    /// Store or shell are behind, so nothing is read and silence proves nothing.
    pub(crate) fn is_behind(&self) -> bool {
        self.thens.commits_open() >= defaults::COMMITS_MAX as u64
            || self.outputs.len() >= defaults::OUTPUTS_MAX
    }

    // Time.

    /// Milliseconds in which the process was not frozen; the outbox counts in them.
    pub(crate) fn awake(&self) -> u64 {
        self.suspended_at.unwrap_or(self.now.mono).since(Mono(self.slept_ms))
    }

    /// A timer fires much too late when the process was frozen. Its socket is dead then, whatever
    /// it looks like, and the time does not count. In a process that stays in the background
    /// alarms are late by design: there the heartbeat asks.
    fn notice_freeze(&mut self, now: Mono) {
        let Some(expected) = self.wait_until().map(|at| at.max(self.now.mono)) else { return };
        let late_ms = now.since(expected);
        if late_ms <= defaults::FROZEN_MS {
            return;
        }
        self.slept_ms += late_ms;
        self.now.mono = now;
        if !self.is_patient() || late_ms >= u64::from(defaults::ADAPTIVE_MAX_S) * 1_000 {
            self.thawed();
        }
    }

    fn time_passed(&mut self) {
        let now = self.now.mono;
        match self.state {
            State::Connecting | State::Handshaking if self.until <= now => self.lost(),
            _ if self.is_open => self.online_time_passed(),
            _ => {}
        }
        if self.state == State::OfflineBackoff && self.is_due() {
            self.moved(Move::Try);
        }
        self.tell_what_is_owed();
        if self.suspended_at.is_none() {
            self.check_outbox();
        }
    }

    // What is to be done.

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn send(&mut self, packet: &Packet) {
        self.outputs.push_back(Output::Send(self.connection, packet.to_bytes()));
    }

    /// Sends a request; its answer comes back as `asked`.
    pub(crate) fn ask(
        &mut self,
        asked: Asked,
        kind: nightjar_wire::Kind,
        body: nightjar_wire::Body,
    ) {
        let serial = self.requests.add(asked, self.now.mono);
        self.proofs.asked(serial);
        self.send(&Packet::request(serial, kind, body));
    }

    /// Whether an attempt may start now.
    fn is_due(&self) -> bool {
        self.dialer.next_try().is_some_and(|at| at <= self.now.mono)
    }

    /// Moves on as the table says; false where the event is not expected.
    pub(crate) fn moved(&mut self, event: Move) -> bool {
        let vis = match self.app.vis(self.now.mono) {
            Vis::Grace if self.outbox.is_waiting() => Vis::Sending,
            vis => vis,
        };
        let facts =
            Facts { vis, is_due: self.is_due(), is_open: self.is_open, is_wanted: self.is_wanted };
        let Some(next) = self.state.next(event, facts) else {
            self.metrics.count(Metric::UnexpectedEvent);
            return false;
        };
        let was = std::mem::replace(&mut self.state, next);
        self.entered(was);
        true
    }

    /// What belongs to entering a state, wherever it was entered from.
    fn entered(&mut self, was: State) {
        if was == State::Suspended && self.state != State::Suspended {
            let since = self.suspended_at.take().unwrap_or(self.now.mono);
            self.slept_ms += self.now.mono.since(since);
            self.reopen_store();
        }
        match self.state {
            State::Connecting if !self.has_line => {
                self.reopen_store();
                self.dial();
            }
            State::Draining if was != State::Draining => self.begin_draining(),
            State::Suspended if was != State::Suspended => self.suspend(),
            _ => {}
        }
    }

    /// The place's row is to be written.
    pub(crate) fn touch(&mut self, conversation: &ConversationId) {
        if let Some(place) = self.places.get_mut(conversation)
            && !std::mem::replace(&mut place.is_touched, true)
        {
            self.touched.push(conversation.clone());
        }
    }

    /// Everything that follows from what happened: what may be sent is sent, what is to be kept
    /// becomes a commit, and what waited for none is done.
    fn settle(&mut self) {
        loop {
            self.send_what_may_go();
            self.background_time_passed();
            self.gather_rows();
            if !self.rows.is_empty() {
                self.commit();
            } else if !self.run_free_thens() {
                break;
            }
        }
        self.notice_opened();
        self.quiesce();
        self.show_link();
    }

    fn send_what_may_go(&mut self) {
        if self.is_open {
            self.tell_app_state();
            self.tell_bindings();
            self.send_messages();
            self.ask_what_is_wanted();
            self.acknowledge();
            self.report();
        }
    }

    fn gather_rows(&mut self) {
        if std::mem::take(&mut self.is_account_touched) {
            self.account.app_order_end = self.app.order_end();
            self.rows.push(Row::Account(Box::new(self.account.clone())));
        }
        for conversation in std::mem::take(&mut self.touched) {
            if let Some(place) = self.places.get_mut(&conversation) {
                place.is_touched = false;
                self.rows.push(Row::Place(Box::new(place.row(&conversation))));
            }
        }
    }

    fn show_link(&mut self) {
        let indicator = match self.state {
            State::Connecting | State::Handshaking | State::Syncing => Indicator::Connecting,
            State::OnlineFg | State::OnlineBgGrace => Indicator::Online,
            State::Draining if self.is_open => Indicator::Online,
            State::OfflineBackoff => Indicator::Waiting { next_try: self.dialer.next_try() },
            State::Idle | State::Draining | State::Suspended => Indicator::Stopped,
            State::LoggedOut | State::Kicked | State::Failed => Indicator::Stopped,
        };
        if std::mem::replace(&mut self.indicator, indicator) != indicator {
            self.tell(Event::Link(indicator));
        }
    }
}
