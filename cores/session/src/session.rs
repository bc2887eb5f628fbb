//! The machine: the way in, time, and the end. `client.rs` and `lanes.rs` hold what each side of
//! it says while it lives.

use std::collections::VecDeque;

use nightjar_model::{
    ByeReason, Command, Delivery, HelloCommand, Mono, Notice, Now, Platform, Reject, Secret, Voice,
    limits,
};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, Side, WireError, body, deliver_bytes};

use crate::deliveries::Deliveries;
use crate::heartbeat::{Beat, Heartbeat};
use crate::pending::{Ask, Pending, Waiting};
use crate::phase::{Event, Phase};
use crate::requests::{Greeting, Refusal};
use crate::withdrawals::Withdrawals;
use crate::{Claims, Form, Frame, Input, Output, RequestId, SessionConfig, answers, unreadable};

/// Outputs the shell has not taken above which nothing more is read.
const UNSENT_READ_MAX: usize = 128;
/// Outputs the shell has not taken above which the client counts as slow.
const UNSENT_MAX: usize = 512;
/// Requests on their way get their answers before a draining server says `bye`.
const DRAIN_MS: u64 = 2_000;
/// So long of it the client may acknowledge what it was delivered: acknowledgements are gathered,
/// and without them a message that is on the screen would be pushed.
const DRAIN_ACKS_MS: u64 = 500;

/// One connection, from its first byte to its last.
///
/// Contract: hand in one packet at a time and only while [`Session::wants_input`]; after every
/// [`Session::handle`] take outputs with [`Session::poll`] until `None`.
#[derive(Debug)]
pub struct Session {
    pub(crate) phase: Phase,
    form: Form,
    pub(crate) config: SessionConfig,
    /// When the time of a phase other than `Live` is over.
    until: Mono,
    pub(crate) heartbeat: Heartbeat,
    outputs: VecDeque<Output>,
    pub(crate) pending: Pending,
    last_id: u32,
    last_serial: i32,
    pub(crate) deliveries: Deliveries,
    /// Pulls pause until then: the lanes had no room for one.
    pub(crate) pull_again_at: Option<Mono>,
    pub(crate) withdrawals: Option<Box<Withdrawals>>,
    pub(crate) joining: Option<Box<Joining>>,
    /// The highest `order` of an app-state report. Every connection starts at 0, a resumed one
    /// too: a report of an older connection cannot come over this one.
    pub(crate) order: u64,
    /// What the app runs on, once its hello was read.
    pub(crate) platform: Option<Platform>,
    /// The lanes want to hear of the next packet.
    pub(crate) is_unresponsive: bool,
    /// Reading pauses because too many requests wait for their answer. If the lanes are behind,
    /// the peer's silence proves nothing.
    is_paused: bool,
    reconnect_after_ms: u64,
}

/// A hello that has no answer yet.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) ask: Ask,
    /// `None` once the lanes have it.
    pub(crate) greeting: Option<Greeting>,
    /// Handed on once the lanes let the device in.
    pub(crate) push_token: Option<Secret<String>>,
    /// What the lanes said before they answered.
    pub(crate) early: Vec<Notice>,
}

impl Session {
    /// A connection that was just accepted; the time for its hello starts `now`. It answers in
    /// the form of the first packet, and in `form` before that.
    #[must_use]
    pub fn new(form: Form, config: &SessionConfig, now: Mono) -> Self {
        Self {
            phase: Phase::AwaitHello,
            form,
            config: *config,
            until: now.after(limits::HELLO_WITHIN_MS),
            heartbeat: Heartbeat::new(config, now),
            outputs: VecDeque::new(),
            pending: Pending::default(),
            last_id: 0,
            last_serial: SERVER_SERIAL_MIN - 1,
            deliveries: Deliveries::default(),
            pull_again_at: None,
            withdrawals: None,
            joining: None,
            order: 0,
            platform: None,
            is_unresponsive: false,
            is_paused: false,
            reconnect_after_ms: 0,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input<'_>, now: Now) {
        if self.phase == Phase::AwaitHello {
            match input {
                Input::Packet(_) => self.form = Form::Binary,
                Input::Text(_) => self.form = Form::Json,
                _ => {}
            }
        }
        match input {
            Input::Packet(bytes) => self.received(Packet::decode(bytes, Side::Server), now),
            Input::Text(text) => self.received(Packet::decode_json(text, Side::Server), now),
            Input::Broken(error) => self.received(Err(error), now),
            Input::Verified(result) => self.verified(result, now.mono),
            Input::Reply(id, result) => self.replied(id, result, now),
            Input::Notice(notice) => self.noticed(notice),
            Input::Closed => self.end(Event::SocketEnded, None),
            Input::Timeout => self.time_passed(now.mono),
            Input::Drain { reconnect_after_ms } => self.drain(reconnect_after_ms, now.mono),
        }
        self.pull();
        let was_paused = std::mem::replace(&mut self.is_paused, self.pending.is_full());
        if was_paused && !self.is_paused {
            self.heartbeat.heard(now.mono);
        }
    }

    /// What to do next; `None` when there is nothing until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Idle connections are many; their empty queues would add up.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// When to call [`Self::handle`] with [`Input::Timeout`].
    #[must_use]
    pub fn wait_until(&self) -> Option<Mono> {
        match self.phase {
            Phase::Closed => None,
            Phase::Live if self.waits_for_lanes() => self.pull_again_at,
            Phase::Live => {
                let beat = self.heartbeat.wait_until();
                Some(self.pull_again_at.map_or(beat, |again| again.min(beat)))
            }
            Phase::Draining if self.pending.is_answered() => Some(self.acks_until()),
            _ => Some(self.until),
        }
    }

    /// Whether the connection has ended: what [`Self::poll`] still answers are last words.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether the shell may hand in another packet: not while a hello is looked at, not while
    /// too many requests wait for their answer or too much waits to be written, and not once the
    /// connection has ended.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        let is_open = matches!(self.phase, Phase::AwaitHello | Phase::Live | Phase::Draining);
        is_open && !self.pending.is_full() && self.outputs.len() < UNSENT_READ_MAX
    }

    /// A well-formed hello, whose token the shell is to check.
    pub(crate) fn greeted(
        &mut self,
        ask: Ask,
        greeting: Greeting,
        token: Secret<String>,
        now: Mono,
    ) {
        if self.moved(Event::Hello) {
            self.until = now.after(limits::HELLO_WITHIN_MS);
            self.platform = Some(greeting.platform);
            let device_id = greeting.device_id.clone();
            let joining =
                Joining { ask, greeting: Some(greeting), push_token: None, early: Vec::new() };
            self.joining = Some(Box::new(joining));
            self.outputs.push_back(Output::Verify { token, device_id });
        }
    }

    fn verified(&mut self, result: Result<Claims, Reject>, now: Mono) {
        let Some(joining) = &mut self.joining else { return };
        let (ask, Some(greeting)) = (joining.ask, joining.greeting.take()) else { return };
        let device_id = &greeting.device_id;
        let claims = match result {
            Ok(claims) if claims.device_id.as_ref().is_none_or(|id| id == device_id) => claims,
            Ok(_) => return self.refuse_hello(ask, Reject::BadToken),
            Err(reject) => return self.refuse_hello(ask, reject),
        };
        joining.push_token = claims.push_token;
        self.heartbeat.announced(greeting.heartbeat_s);
        if self.moved(Event::TokenGood) {
            self.until = now.after(limits::HELLO_WITHIN_MS);
            let hello = HelloCommand {
                uid: claims.uid,
                device_id: greeting.device_id,
                platform: greeting.platform,
                state: greeting.state,
                voice: Voice::Telling,
                resume: greeting.resume,
                token_issued_at: claims.issued_at,
            };
            let id = self.command(Command::Hello(Box::new(hello)));
            self.pending.insert(id, Waiting::Hello(ask));
        }
    }

    /// A hello that was refused: the connection has no other use.
    pub(crate) fn refuse_hello(&mut self, ask: Ask, reject: Reject) {
        self.send_refusal(ask, &reject.into());
        self.end(Event::Broken, Some(farewell(reject)));
    }

    fn time_passed(&mut self, now: Mono) {
        match self.phase {
            Phase::Live => {
                if self.pull_again_at.is_some_and(|at| at <= now) {
                    self.pull_again_at = None;
                }
                self.beat(now);
            }
            Phase::Draining if now < self.until => self.end_if_drained(now),
            _ if now < self.until => {}
            Phase::AwaitHello => {
                self.end(Event::TimeOver, Some(told_farewell(Reject::HelloTimeout)));
            }
            Phase::Verifying | Phase::Joining => {
                self.refuse_waiting_hello(Reject::Busy);
                self.end(Event::TimeOver, Some(farewell(Reject::Busy)));
            }
            Phase::Draining => self.end(Event::TimeOver, Some(self.drained())),
            Phase::Closed => {}
        }
    }

    /// Whether the lanes keep us from reading. Commands that the shell has not taken are with a
    /// shell that waits for its peer to read.
    fn waits_for_lanes(&self) -> bool {
        let is_command = |output: &Output| matches!(output, Output::Command(..));
        self.is_paused && !self.outputs.iter().any(is_command)
    }

    fn beat(&mut self, now: Mono) {
        if self.waits_for_lanes() {
            return;
        }
        match self.heartbeat.beat(now) {
            Beat::Rest => {}
            Beat::Ping => {
                let serial = self.next_serial();
                self.send(Packet::request(serial, Kind::Ping, Body::Empty));
            }
            Beat::Dead => self.end(Event::TimeOver, None),
        }
    }

    /// The server goes away: nothing new is taken, what was asked is answered.
    fn drain(&mut self, reconnect_after_ms: u64, now: Mono) {
        self.reconnect_after_ms = reconnect_after_ms;
        if self.phase == Phase::Live && self.moved(Event::Drain) {
            self.until = now.after(DRAIN_MS);
            return self.end_if_drained(now);
        }
        if self.phase != Phase::Draining {
            self.refuse_waiting_hello(Reject::Draining);
            self.end(Event::Drain, Some(self.drained()));
        }
    }

    /// A hello that waits for its answer gets this one.
    fn refuse_waiting_hello(&mut self, reject: Reject) {
        if let Some(ask) = self.joining.as_ref().map(|joining| joining.ask) {
            self.send_refusal(ask, &reject.into());
        }
    }

    /// A draining connection ends with the last answer, and with the acknowledgement of what it
    /// was delivered, if that comes soon.
    pub(crate) fn end_if_drained(&mut self, now: Mono) {
        let is_done = self.deliveries.is_acknowledged() || now >= self.acks_until();
        if self.phase == Phase::Draining && self.pending.is_answered() && is_done {
            self.end(Event::Answered, Some(self.drained()));
        }
    }

    fn acks_until(&self) -> Mono {
        Mono(self.until.0.saturating_sub(DRAIN_MS - DRAIN_ACKS_MS))
    }

    fn drained(&self) -> body::Bye {
        let reconnect_after_ms = Some(self.reconnect_after_ms);
        body::Bye { reconnect_after_ms, ..bye(ByeReason::Drain.as_str()) }
    }

    /// Ends the connection: the last words, the lanes hear of it, the socket goes. Does nothing if
    /// the table says that `event` does not end this phase.
    pub(crate) fn end(&mut self, event: Event, farewell: Option<body::Bye>) {
        let left = self.phase;
        if left.next(event) != Some(Phase::Closed) {
            return;
        }
        if let Some(farewell) = farewell {
            self.send(Packet::one_way(Kind::Bye, Body::Bye(farewell)));
        }
        self.phase = Phase::Closed;
        if left.is_known_to_lanes() {
            self.command(Command::Lost);
        }
        // A peer that does not answer any more reads nothing either.
        let is_dead = left == Phase::Live && event == Event::TimeOver;
        if event != Event::SocketEnded {
            let linger_ms = if is_dead { 0 } else { limits::LINGER_MS };
            self.outputs.push_back(Output::Close { linger_ms });
        }
        self.pending = Pending::default();
        self.deliveries = Deliveries::default();
        self.withdrawals = None;
        self.joining = None;
    }

    /// Moves on, if the table allows it.
    pub(crate) fn moved(&mut self, event: Event) -> bool {
        let next = self.phase.next(event);
        self.phase = next.unwrap_or(self.phase);
        next.is_some()
    }

    /// Refuses a request; some refusals end the connection.
    pub(crate) fn refuse(&mut self, ask: Ask, refusal: &Refusal) {
        self.send_refusal(ask, refusal);
        if refusal.reject.bye().is_some() {
            self.end(Event::Broken, Some(farewell(refusal.reject)));
        }
    }

    pub(crate) fn send_refusal(&mut self, ask: Ask, refusal: &Refusal) {
        let text = refusal.detail.as_deref().unwrap_or(refusal.reject.message());
        self.send(Packet::reject_with(ask.serial, ask.kind, refusal.reject, text));
    }

    /// Answers a request; a one-way packet has no answer.
    pub(crate) fn answer(&mut self, ask: Ask, body: Body) {
        if ask.is_request() {
            self.send(Packet::answer(ask.serial, ask.kind, body));
        }
    }

    pub(crate) fn send(&mut self, packet: Packet) {
        let frame = match self.form {
            Form::Binary => Frame::Binary(packet.to_bytes()),
            Form::Json => Frame::Text(packet.to_json()),
        };
        self.outputs.push_back(Output::Send(frame));
    }

    pub(crate) fn send_delivery(&mut self, delivery: &Delivery) {
        if self.form == Form::Binary {
            let bytes = delivery.packet(|delivery| deliver_bytes(answers::message(delivery)));
            self.outputs.push_back(Output::Send(Frame::Binary(bytes)));
        } else {
            let messages = vec![answers::message(delivery)];
            let body = Body::Deliver(body::Deliver { messages });
            self.send(Packet::one_way(Kind::Deliver, body));
        }
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn command(&mut self, command: Command) -> RequestId {
        self.last_id = self.last_id.wrapping_add(1);
        let id = RequestId(self.last_id);
        self.output(Output::Command(id, command));
        id
    }

    /// A serial for the server's own request.
    pub(crate) fn next_serial(&mut self) -> i32 {
        self.last_serial = self.last_serial.checked_add(1).unwrap_or(SERVER_SERIAL_MIN);
        self.last_serial
    }

    /// Answers a request whose command could not be read as a packet.
    pub(crate) fn send_unreadable(&mut self, error: &WireError, refusal: &Refusal) {
        let frame = unreadable::answer(self.form, error, refusal);
        self.outputs.extend(frame.map(Output::Send));
    }

    /// Whether the shell is too far behind for more that nobody asked for.
    pub(crate) fn is_behind(&self) -> bool {
        self.outputs.len() >= UNSENT_MAX
    }
}

/// A `bye` with a reason and nothing else.
pub(crate) fn bye(reason: &str) -> body::Bye {
    body::Bye { reason: reason.to_owned(), ..body::Bye::default() }
}

/// The `bye` after a refusal that the client read in its answer.
fn farewell(reject: Reject) -> body::Bye {
    let other = if reject.retry() { ByeReason::Slow } else { ByeReason::Protocol };
    bye(reject.bye().unwrap_or(other.as_str()))
}

/// The `bye` after a refusal that had no request to answer.
pub(crate) fn told_farewell(reject: Reject) -> body::Bye {
    body::Bye { text: Some(reject.message().to_owned()), ..farewell(reject) }
}
