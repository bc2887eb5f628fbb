//! The machine: the way in, time, and the end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use nightjar_model::{Command, Mono, Notice, Now, Reject, Reply, Secret, Uid, limits};
use nightjar_session::Deliveries;
use nightjar_xmpp::{Element, Item, Jid, Limits, Reader, StreamError, ns};
use sha2::Sha256;

use crate::archive::Archive;
use crate::io::{Bindings, Framing, Input, Output, RequestId, Security, StreamConfig};
use crate::login::Login;
use crate::manage::Management;
use crate::message::Given;
use crate::phase::{Event, Phase};
use crate::stanza::Waiting;

/// From the first byte to TLS.
const SECURE_WITHIN_MS: u64 = 10_000;
/// From TLS to a good login.
const LOGIN_WITHIN_MS: u64 = 30_000;
/// From a login to its device.
const BIND_WITHIN_MS: u64 = 60_000;
/// Bytes somebody may write who is not logged in.
const STRANGER_BYTES_MAX: usize = 64 << 10;
/// Silence after which a client is asked whether it is there.
const IDLE_MS: u64 = 15 * 60_000;
/// And how long its answer may take.
const ANSWER_WITHIN_MS: u64 = 60_000;
/// Requests on their way above which nothing more is read.
const PENDING_MAX: usize = 64;
/// Outputs the shell has not taken above which nothing more is read.
const UNSENT_READ_MAX: usize = 128;
/// Outputs the shell has not taken above which the client counts as slow.
const UNSENT_MAX: usize = 2_048;
/// Notices that may come between a bind and its answer.
const EARLY_MAX: usize = 256;

/// One connection, from its first byte to its last.
///
/// Contract: hand bytes in only while [`Stream::wants_input`]; after every [`Stream::handle`] take
/// outputs with [`Stream::poll`] until `None`.
#[derive(Debug)]
pub struct Stream {
    pub(crate) phase: Phase,
    pub(crate) framing: Framing,
    pub(crate) security: Security,
    pub(crate) config: Arc<StreamConfig>,
    reader: Reader,
    /// What came while it was not yet welcome.
    unread: BytesMut,
    /// When the time of a phase other than `Live` is over; while live, when the client is asked
    /// whether it is there, or must have answered.
    until: Mono,
    is_asked: bool,
    /// Bytes that came before somebody was logged in.
    stranger_bytes: usize,
    outputs: VecDeque<Output>,
    /// Makes ids nobody can guess.
    seed: Secret<[u8; 32]>,
    ids: u64,
    last_request: u32,
    pub(crate) pending: BTreeMap<RequestId, Waiting>,
    pub(crate) login: Option<Box<Login>>,
    pub(crate) failures: u32,
    pub(crate) uid: Option<Uid>,
    /// The device's full address, once bound.
    pub(crate) jid: Option<Jid>,
    pub(crate) early: Vec<Notice>,
    pub(crate) deliveries: Deliveries,
    /// Whether the device sent its presence: before that it gets no messages (RFC 6121 §4.2).
    pub(crate) is_available: bool,
    /// Pulls pause until then: the lanes had no room for one.
    pub(crate) pull_again_at: Option<Mono>,
    pub(crate) manage: Management,
    pub(crate) has_carbons: bool,
    pub(crate) given: Given,
    pub(crate) archive: Option<Box<Archive>>,
    /// The lanes want to hear of the next byte.
    pub(crate) is_unresponsive: bool,
    pub(crate) now: Now,
}

impl Stream {
    /// A connection that was just accepted. `seed` is fresh random bytes.
    #[must_use]
    pub fn new(
        framing: Framing,
        security: Security,
        config: Arc<StreamConfig>,
        seed: Secret<[u8; 32]>,
        now: Now,
    ) -> Self {
        Self {
            phase: Phase::Opening,
            framing,
            until: now.mono.after(match security {
                Security::StartTls => SECURE_WITHIN_MS,
                Security::Plain | Security::Tls(_) => LOGIN_WITHIN_MS,
            }),
            security,
            config,
            reader: Reader::new(Limits::STRANGER),
            unread: BytesMut::new(),
            is_asked: false,
            stranger_bytes: 0,
            outputs: VecDeque::new(),
            seed,
            ids: 0,
            last_request: 0,
            pending: BTreeMap::new(),
            login: None,
            failures: 0,
            uid: None,
            jid: None,
            early: Vec::new(),
            deliveries: Deliveries::default(),
            is_available: false,
            pull_again_at: None,
            manage: Management::default(),
            has_carbons: false,
            given: Given::default(),
            archive: None,
            is_unresponsive: false,
            now,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input<'_>, now: Now) {
        self.now = now;
        match input {
            Input::Bytes(bytes) => {
                self.heard(bytes.len());
                self.unread.extend_from_slice(bytes);
            }
            Input::Message(text) => {
                self.heard(text.len());
                self.read_message(text);
            }
            Input::Secured(bindings) => self.secured(bindings),
            Input::Keys(keys) => self.challenge(keys),
            Input::Reply(id, result) => self.replied(id, result),
            Input::Notice(notice) => self.noticed(notice),
            Input::Closed => self.end(None, false),
            Input::Timeout => self.time_passed(),
            Input::Drain => self.end(Some("system-shutdown"), true),
        }
        self.read_on();
        self.pull();
        self.ask_for_acks();
    }

    /// What to do next; `None` when there is nothing until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Idle connections are many; their empty queues would add up.
            self.outputs = VecDeque::new();
            self.reader.rest();
        }
        output
    }

    /// When to call [`Self::handle`] with [`Input::Timeout`].
    #[must_use]
    pub fn wait_until(&self) -> Option<Mono> {
        let pull = self.pull_again_at.filter(|_| self.phase == Phase::Live);
        let until = (self.phase != Phase::Closed).then_some(self.until);
        until.into_iter().chain(pull).min()
    }

    /// Whether the connection has ended: what [`Self::poll`] still answers are last words.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether the shell may hand in more of what the client writes.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.is_reading() && self.unread.is_empty()
    }

    fn is_reading(&self) -> bool {
        self.phase.wants_input()
            && self.pending.len() < PENDING_MAX
            && self.outputs.len() < UNSENT_READ_MAX
    }

    /// Something came, whatever it is.
    fn heard(&mut self, bytes: usize) {
        if !self.phase.is_known() {
            self.stranger_bytes = self.stranger_bytes.saturating_add(bytes);
            if self.stranger_bytes > STRANGER_BYTES_MAX {
                self.end(Some("policy-violation"), true);
            }
        }
        if self.phase == Phase::Live {
            self.until = self.now.mono.after(IDLE_MS);
            self.is_asked = false;
            if std::mem::take(&mut self.is_unresponsive) {
                self.command(Command::Heard, Waiting::Nothing);
            }
        }
    }

    /// Reads what came as far as it is welcome.
    fn read_on(&mut self) {
        while self.is_reading() && !self.unread.is_empty() {
            let mut left = &self.unread[..];
            let read = self.reader.read(&mut left);
            let taken = self.unread.len() - left.len();
            let _ = self.unread.split_to(taken);
            match read {
                Ok(Some(item)) => self.item(item),
                Ok(None) => break,
                Err(error) => return self.broken(error),
            }
        }
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
    }

    fn read_message(&mut self, text: &str) {
        let limits = if self.phase.is_known() { Limits::USER } else { Limits::STRANGER };
        match Reader::message(text, limits) {
            Ok(Item::Element(element)) if element.is(ns::FRAMING, "open") => {
                self.item(Item::Open(element));
            }
            Ok(Item::Element(element)) if element.is(ns::FRAMING, "close") => {
                self.item(Item::Close);
            }
            Ok(item) => self.item(item),
            Err(error) => self.broken(error),
        }
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Open(header) => self.opened(&header),
            Item::Element(element) => self.element(element),
            Item::TooLarge(head) => self.too_large(&head),
            Item::Close => self.end(None, true),
        }
    }

    fn broken(&mut self, error: StreamError) {
        if self.phase == Phase::Opening {
            // A stream error stands within a stream.
            self.send_header();
        }
        self.end(Some(error.condition()), true);
    }

    fn secured(&mut self, bindings: Bindings) {
        if self.moved(Event::Secured) {
            self.security = Security::Tls(bindings);
            self.until = self.now.mono.after(LOGIN_WITHIN_MS);
            self.restart(Limits::STRANGER);
        }
    }

    /// The stream starts again: what was known of the old one is gone (RFC 6120 §4.3.3).
    pub(crate) fn restart(&mut self, limits: Limits) {
        self.reader = Reader::new(limits);
        if self.phase.is_known() {
            self.until = self.now.mono.after(BIND_WITHIN_MS);
        } else {
            // What came before the handshake was not protected by it.
            self.unread = BytesMut::new();
        }
    }

    /// The device is known to the lanes.
    pub(crate) fn went_live(&mut self) {
        self.until = self.now.mono.after(IDLE_MS);
        for notice in std::mem::take(&mut self.early) {
            self.noticed(notice);
        }
    }

    fn time_passed(&mut self) {
        let now = self.now.mono;
        if self.pull_again_at.is_some_and(|at| at <= now) {
            self.pull_again_at = None;
        }
        if now < self.until {
            return;
        }
        if self.phase != Phase::Live || self.is_asked {
            return self.end(Some("connection-timeout"), true);
        }
        self.is_asked = true;
        self.until = now.after(ANSWER_WITHIN_MS);
        self.ask_whether_there();
    }

    /// Something nobody asked for.
    fn noticed(&mut self, notice: Notice) {
        match self.phase {
            Phase::Live if self.outputs.len() >= UNSENT_MAX => {
                self.end(Some("resource-constraint"), true);
            }
            Phase::Live => self.pass_on(notice),
            Phase::Joining if self.early.len() < EARLY_MAX => self.early.push(notice),
            Phase::Joining => self.end(Some("resource-constraint"), true),
            _ => {}
        }
    }

    fn pass_on(&mut self, notice: Notice) {
        match notice {
            Notice::Wake(delivery) if delivery.entry.conversation.peers().is_none() => {}
            Notice::Wake(delivery) if !self.is_available => {
                self.deliveries.heard_of(&delivery.entry.conversation, delivery.entry.seq);
            }
            Notice::Wake(delivery) => {
                if let Some(delivery) = self.deliveries.wake(delivery) {
                    self.deliver(&delivery);
                }
            }
            Notice::Presence(view) => self.tell_presence(&view),
            Notice::Contact(view) => self.tell_contact(&view),
            Notice::Typing { conversation, from } => self.tell_typing(&conversation, &from),
            // No client has a way to take a notification back that it was not given by id.
            Notice::Withdraw(ids) => self.command(Command::Withdrawn(ids), Waiting::Nothing),
            Notice::ReadMarker { .. } => {}
            Notice::Unresponsive => self.is_unresponsive = true,
            Notice::Bye { reason, .. } => self.end(Some(condition_of(reason)), true),
        }
    }

    /// The answer to one of this stream's commands.
    fn replied(&mut self, id: RequestId, result: Result<Reply, Reject>) {
        let Some(waiting) = self.pending.remove(&id) else { return };
        if self.phase != Phase::Closed {
            self.answered(waiting, result);
        }
    }

    /// Ends the stream: its error if there is one, its end tag, the lanes hear of it, the socket
    /// goes.
    pub(crate) fn end(&mut self, condition: Option<&'static str>, is_socket_open: bool) {
        let left = self.phase;
        if !self.moved(Event::End) {
            return;
        }
        if is_socket_open {
            if let Some(condition) = condition {
                let error = Element::new(ns::STREAM_ERRORS, condition);
                self.send(&Element::new(ns::STREAM, "error").holding(error));
            }
            self.send_footer();
        }
        if left.is_known_to_lanes() {
            self.command(Command::Lost, Waiting::Nothing);
        }
        if is_socket_open {
            self.outputs.push_back(Output::Close { linger_ms: limits::LINGER_MS });
        }
        self.pending.clear();
        self.deliveries = Deliveries::default();
        self.unread = BytesMut::new();
        self.archive = None;
        self.login = None;
    }

    /// Moves on, if the table allows it.
    pub(crate) fn moved(&mut self, event: Event) -> bool {
        let next = self.phase.next(event);
        self.phase = next.unwrap_or(self.phase);
        next.is_some()
    }

    pub(crate) fn send(&mut self, element: &Element) {
        let mut out = BytesMut::with_capacity(256);
        element.write(&mut out);
        self.outputs.push_back(Output::Send(out.freeze()));
    }

    pub(crate) fn send_text(&mut self, text: String) {
        self.outputs.push_back(Output::Send(Bytes::from(text)));
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Gives a command to the lanes; what its answer is for is remembered.
    pub(crate) fn command(&mut self, command: Command, waiting: Waiting) {
        self.last_request = self.last_request.wrapping_add(1);
        let id = RequestId(self.last_request);
        self.pending.insert(id, waiting);
        self.output(Output::Command(id, command));
    }

    /// An id nobody can guess, 128 bits in base64url.
    pub(crate) fn fresh_id(&mut self) -> String {
        self.ids += 1;
        let mac = Hmac::<Sha256>::new_from_slice(self.seed.expose());
        let mac = mac.expect("HMAC takes keys of any length").chain_update(self.ids.to_be_bytes());
        URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16])
    }
}

/// The lanes end the connection: its word in XMPP (RFC 6120 §4.9.3).
fn condition_of(reason: nightjar_model::ByeReason) -> &'static str {
    use nightjar_model::ByeReason;
    match reason {
        ByeReason::Replaced => "conflict",
        ByeReason::Kicked | ByeReason::Expired => "not-authorized",
        ByeReason::Drain => "system-shutdown",
        ByeReason::Slow => "resource-constraint",
        _ => "undefined-condition",
    }
}
