//! The machine: the way in, time, and the end.

use std::collections::{BTreeSet, VecDeque};

use bytes::{Buf, BytesMut};
use nightjar_model::{
    AppStateReport, Command, ConversationId, HelloCommand, Mono, Notice, Now, Platform, Reject,
    Voice, WallMs, limits,
};
use nightjar_wkproto::{
    Cipher, Connack, Disconnect, Exchange, PACKET_BYTES_MAX, Packet, Reason, VERSION_MAX, WkError,
    next_frame, rpc,
};
use serde_json::value::RawValue;

use super::unacked::Unacked;
use super::{WkFrame, WkInput, WkLogin, WkOutput, WkPass, WkSessionConfig};
use crate::RequestId;
use crate::deliveries::Deliveries;
use crate::phase::{Event, Phase};

/// Outputs the shell has not taken above which nothing more is read.
const UNSENT_READ_MAX: usize = 128;
/// Outputs the shell has not taken above which the client counts as slow.
const UNSENT_MAX: usize = 512;
/// Requests on their way get their answers before a draining connection ends.
const DRAIN_MS: u64 = 2_000;
/// A connection without a word for so long is over; clients ping once a minute.
const IDLE_MS: u64 = 180_000;
/// While an app is busy with its first synchronisation it acknowledges nothing.
const PATIENCE_MS: u64 = 15_000;
/// How long the server reads on after its last word, so that the client reads it first.
const LINGER_MS: u64 = 2_000;

/// How a connection writes its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing came yet.
    Unknown,
    /// WKProto of this version.
    Binary(u8),
    /// JSON-RPC.
    Json,
}

/// Who waits for a reply of the lanes.
#[derive(Debug)]
pub(super) enum Waiting {
    /// The client, for its CONNACK.
    Hello,
    /// The client, for its SENDACK.
    Send(Box<super::client::Sending>),
    /// This session: entries to deliver.
    Pull(ConversationId),
    /// Nobody; it is counted all the same.
    Nobody,
}

/// A CONNECT that has no answer yet.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) login: Box<WkLogin>,
    /// The answer if all goes well.
    pub(super) connack: Connack,
    /// The `id` of a JSON-RPC call.
    pub(super) rpc_id: Option<String>,
    pub(super) early: Vec<Notice>,
}

/// One connection, from its first byte to its last.
///
/// Contract: hand in bytes only while [`WkSession::wants_input`]; after every
/// [`WkSession::handle`] take outputs with [`WkSession::poll`] until `None`.
#[derive(Debug)]
pub struct WkSession {
    pub(super) phase: Phase,
    pub(super) form: Form,
    config: WkSessionConfig,
    /// For the key exchange and for ids the client left out; never used for anything else.
    random: [u8; 48],
    pub(super) cipher: Option<Cipher>,
    /// When the time of a phase other than `Live` is over.
    until: Mono,
    pub(super) heard_at: Mono,
    /// What came and is not a whole packet yet, or waits for its turn.
    stream: BytesMut,
    outputs: VecDeque<WkOutput>,
    pub(super) pending: Vec<(RequestId, Waiting)>,
    last_id: u32,
    pub(super) deliveries: Deliveries,
    pub(super) unacked: Unacked,
    /// Conversations in which nothing was given since the user wrote last.
    pub(super) answered: BTreeSet<ConversationId>,
    /// Pulls pause until then: the lanes had no room for one.
    pub(super) pull_again_at: Option<Mono>,
    pub(super) joining: Option<Box<Joining>>,
    /// Who is in, once somebody is.
    pub(super) uid: Option<nightjar_model::Uid>,
    /// The lanes want to hear of the next packet.
    pub(super) is_unresponsive: bool,
    /// When the lanes were last told that a packet came.
    pub(super) told_heard_at: Mono,
    /// Messages the client gave no number.
    pub(super) unnamed: u64,
}

impl WkSession {
    /// A connection that was just accepted; the time for its CONNECT starts `now`. `random` is
    /// fresh for every connection.
    #[must_use]
    pub fn new(config: &WkSessionConfig, random: [u8; 48], now: Mono) -> Self {
        Self {
            phase: Phase::AwaitHello,
            form: Form::Unknown,
            config: *config,
            random,
            cipher: None,
            until: now.after(limits::HELLO_WITHIN_MS),
            heard_at: now,
            stream: BytesMut::new(),
            outputs: VecDeque::new(),
            pending: Vec::new(),
            last_id: 0,
            deliveries: Deliveries::default(),
            unacked: Unacked::default(),
            answered: BTreeSet::new(),
            pull_again_at: None,
            joining: None,
            uid: None,
            is_unresponsive: false,
            told_heard_at: Mono(0),
            unnamed: 0,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, input: WkInput<'_>, now: Now) {
        match input {
            WkInput::Bytes(bytes) => self.stream.extend_from_slice(bytes),
            WkInput::Verified(result) => self.verified(result, now.mono),
            WkInput::Reply(id, result) => self.replied(id, result, now),
            WkInput::Notice(notice) => self.noticed(notice),
            WkInput::LoggedOut { text } => self.logged_out(text),
            WkInput::Closed => self.end(Event::SocketEnded),
            WkInput::Timeout => self.time_passed(now.mono),
            WkInput::Drain => self.drain(now.mono),
        }
        self.read(now);
        self.pull();
    }

    /// What to do next; `None` when there is nothing until the next input.
    pub fn poll(&mut self) -> Option<WkOutput> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Idle connections are many; their empty queues would add up.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// When to call [`Self::handle`] with [`WkInput::Timeout`].
    #[must_use]
    pub fn wait_until(&self) -> Option<Mono> {
        match self.phase {
            Phase::Closed => None,
            Phase::Live => {
                let idle = self.heard_at.after(IDLE_MS);
                Some(self.pull_again_at.map_or(idle, |again| again.min(idle)))
            }
            _ => Some(self.until),
        }
    }

    /// Whether the connection has ended: what [`Self::poll`] still answers are last words.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether the shell may read more: not while a CONNECT is looked at, not while too many
    /// requests wait for their answer or too much waits to be written.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        let is_open = matches!(self.phase, Phase::AwaitHello | Phase::Live);
        is_open && !self.is_full() && self.outputs.len() < UNSENT_READ_MAX
    }

    fn is_full(&self) -> bool {
        let is_asked = |(_, waiting): &&(RequestId, Waiting)| !matches!(waiting, Waiting::Pull(_));
        self.pending.iter().filter(is_asked).count() >= limits::REQUESTS_IN_FLIGHT_MAX
    }

    /// Takes packets out of what came, as long as there is room for what they ask.
    fn read(&mut self, now: Now) {
        while self.wants_input() {
            match self.next_packet() {
                Ok(None) => return,
                Ok(Some((packet, rpc_id))) => self.received(packet, rpc_id, now),
                Err(_) => return self.end(Event::Broken),
            }
        }
        if self.is_over() {
            self.stream = BytesMut::new();
        }
    }

    /// The next packet, with its name for the answer where it is a call; `None` while there is
    /// no whole one. A method that is not offered is answered here.
    fn next_packet(&mut self) -> Result<Option<(Packet, Option<String>)>, WkError> {
        if self.form == Form::Unknown {
            let blank = self.stream.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.stream.advance(blank);
            self.form = match self.stream.first() {
                None => return Ok(None),
                Some(b'{') => Form::Json,
                Some(_) => Form::Binary(VERSION_MAX),
            };
        }
        let packet = match self.form {
            Form::Json => self.next_call()?,
            Form::Binary(version) => match next_frame(&mut self.stream)? {
                Some(frame) => Some((Packet::decode(frame, version)?, None)),
                None => None,
            },
            Form::Unknown => None,
        };
        if self.stream.is_empty() {
            self.stream = BytesMut::new();
        }
        Ok(packet)
    }

    fn next_call(&mut self) -> Result<Option<(Packet, Option<String>)>, WkError> {
        loop {
            let bytes = std::mem::take(&mut self.stream);
            let mut values = serde_json::Deserializer::from_slice(&bytes).into_iter::<&RawValue>();
            let found = values.next();
            let end = values.byte_offset();
            let text = match found {
                None => return Ok(None),
                Some(Err(error)) if error.is_eof() && bytes.len() <= PACKET_BYTES_MAX => {
                    self.stream = bytes;
                    return Ok(None);
                }
                Some(Err(error)) => return Err(WkError::BadJson(error.to_string())),
                Some(Ok(value)) => value.get().to_owned(),
            };
            self.stream = bytes;
            self.stream.advance(end);
            match rpc::decode(&text) {
                Ok(rpc::Call { id, packet: Some(packet) }) => return Ok(Some((packet, id))),
                // Before the client is in, what is not offered ends the connection.
                Ok(rpc::Call { id, packet: None }) if self.phase == Phase::Live => {
                    self.refuse_call(id, "this method is not offered");
                }
                Ok(_) => return Err(WkError::BadJson("connect comes first".into())),
                Err(error) if self.phase == Phase::Live => {
                    self.refuse_call(rpc::id_of(&text), &error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn refuse_call(&mut self, id: Option<String>, message: &str) {
        if let Some(id) = id {
            self.outputs.push_back(WkOutput::Send(WkFrame::Text(rpc::error(&id, message))));
        }
    }

    /// A CONNECT. What cannot be let in is answered with the reason.
    pub(super) fn said_connect(
        &mut self,
        connect: nightjar_wkproto::Connect,
        rpc_id: Option<String>,
        now: Now,
    ) {
        if let Form::Binary(_) = self.form {
            self.form = Form::Binary(connect.version.clamp(1, VERSION_MAX));
        }
        let time_diff = i64::try_from(now.wall.0).unwrap_or(i64::MAX);
        let mut connack = refusal(Reason::AuthFail);
        connack.time_diff = time_diff.saturating_sub(connect.client_timestamp);
        let login = self.let_in(connect, &mut connack);
        let rpc_id = rpc_id.or_else(|| (self.form == Form::Json).then(String::new));
        match login {
            Ok(login) if self.moved(Event::Hello) => {
                self.until = now.mono.after(limits::HELLO_WITHIN_MS);
                self.outputs.push_back(WkOutput::Verify(login.clone()));
                let early = Vec::new();
                self.joining = Some(Box::new(Joining { login, connack, rpc_id, early }));
            }
            Ok(_) => {}
            Err(reason) => {
                self.send(&Packet::Connack(refusal(reason)), rpc_id.as_deref());
                self.end(Event::Broken);
            }
        }
    }

    /// Who wants in, and what the answer says of the key exchange.
    fn let_in(
        &mut self,
        connect: nightjar_wkproto::Connect,
        connack: &mut Connack,
    ) -> Result<Box<WkLogin>, Reason> {
        if connect.version == 0 {
            return Err(Reason::UnsupportedHeader);
        }
        let uid = nightjar_model::Uid::parse(&connect.uid).map_err(|_| Reason::AuthFail)?;
        if matches!(self.form, Form::Binary(_)) {
            let exchange = Exchange::new(&connect.client_key, &self.random)
                .map_err(|_| Reason::NoClientKey)?;
            connack.server_key = exchange.server_key;
            connack.salt = exchange.salt;
            self.cipher = Some(exchange.cipher);
        }
        // A client without an install's id has one for each kind of device.
        let device_id = match connect.device_id.as_str() {
            "" => format!("wukong-{}", connect.device_flag),
            id => id.to_owned(),
        };
        Ok(Box::new(WkLogin {
            uid,
            device_id: nightjar_model::DeviceId::parse(&device_id)
                .map_err(|_| Reason::UnsupportedHeader)?,
            device_flag: connect.device_flag,
            token: nightjar_model::Secret::new(connect.token),
        }))
    }

    fn verified(&mut self, result: Result<WkPass, Reject>, now: Mono) {
        let Some(joining) = &self.joining else { return };
        let pass = match result {
            Ok(pass) => pass,
            Err(reject) => return self.refuse_connect(reject),
        };
        let login = joining.login.clone();
        if self.moved(Event::TokenGood) {
            self.until = now.after(limits::HELLO_WITHIN_MS);
            let hello = self.hello(*login, pass.issued_at);
            self.ask(Command::Hello(Box::new(hello)), Waiting::Hello);
        }
    }

    /// The protocol does not say which phone an app runs on, nor whether it is on the screen.
    fn hello(&self, login: WkLogin, token_issued_at: WallMs) -> HelloCommand {
        let (platform, is_app) = match login.device_flag {
            0 => (Platform::Android, true),
            1 => (Platform::Web, false),
            _ => (Platform::Desktop, false),
        };
        HelloCommand {
            uid: login.uid,
            device_id: login.device_id,
            platform,
            state: AppStateReport::Foreground { conversation: None },
            voice: Voice::Receipts {
                patience_ms: PATIENCE_MS,
                push_if_unread_after_s: self.config.push_if_unread_after_s.filter(|_| is_app),
            },
            resume: None,
            token_issued_at,
        }
    }

    /// A CONNECT that was refused: the connection has no other use.
    pub(super) fn refuse_connect(&mut self, reject: Reject) {
        let Some(joining) = self.joining.take() else { return };
        let connack = refusal(Reason::of(reject));
        self.send(&Packet::Connack(connack), joining.rpc_id.as_deref());
        self.end(Event::Broken);
    }

    fn time_passed(&mut self, now: Mono) {
        match self.phase {
            Phase::Live => {
                if self.pull_again_at.is_some_and(|at| at <= now) {
                    self.pull_again_at = None;
                }
                // What was read and waits for its turn is no silence.
                if self.heard_at.after(IDLE_MS) <= now && !self.is_full() {
                    self.end(Event::TimeOver);
                }
            }
            _ if now < self.until => {}
            Phase::Verifying | Phase::Joining => {
                self.refuse_connect(Reject::Busy);
            }
            Phase::AwaitHello | Phase::Draining => self.end(Event::TimeOver),
            Phase::Closed => {}
        }
    }

    /// The server goes away: nothing new is taken, what was asked is answered. The clients come
    /// back by themselves; a DISCONNECT would stop them.
    fn drain(&mut self, now: Mono) {
        if self.phase == Phase::Live && self.moved(Event::Drain) {
            self.until = now.after(DRAIN_MS);
            return self.end_if_drained();
        }
        if self.phase != Phase::Draining {
            self.end(Event::Drain);
        }
    }

    /// A draining connection ends with the last answer.
    pub(super) fn end_if_drained(&mut self) {
        let is_answered =
            self.pending.iter().all(|(_, waiting)| matches!(waiting, Waiting::Pull(_)));
        if self.phase == Phase::Draining && is_answered {
            self.end(Event::Answered);
        }
    }

    /// The client is told not to come back by itself.
    fn logged_out(&mut self, text: &str) {
        self.disconnect(text);
        self.end(Event::Bye);
    }

    pub(super) fn disconnect(&mut self, text: &str) {
        if self.form != Form::Unknown {
            let end = Disconnect { reason: Reason::Kicked, text: text.to_owned() };
            self.send(&Packet::Disconnect(end), None);
        }
    }

    /// Ends the connection: the lanes hear of it, the socket goes. Does nothing if the table says
    /// that `event` does not end this phase.
    pub(super) fn end(&mut self, event: Event) {
        let left = self.phase;
        if left.next(event) != Some(Phase::Closed) {
            return;
        }
        self.phase = Phase::Closed;
        if left.is_known_to_lanes() {
            self.ask(Command::Lost, Waiting::Nobody);
        }
        if event != Event::SocketEnded {
            let is_dead = left == Phase::Live && event == Event::TimeOver;
            let linger_ms = if is_dead { 0 } else { LINGER_MS };
            self.outputs.push_back(WkOutput::Close { linger_ms });
        }
        self.pending = Vec::new();
        self.deliveries = Deliveries::default();
        self.unacked = Unacked::default();
        self.answered = BTreeSet::new();
        self.joining = None;
    }

    /// Moves on, if the table allows it.
    pub(super) fn moved(&mut self, event: Event) -> bool {
        let next = self.phase.next(event);
        self.phase = next.unwrap_or(self.phase);
        next.is_some()
    }

    /// Writes a packet, as the answer to a call where it is one.
    pub(super) fn send(&mut self, packet: &Packet, rpc_id: Option<&str>) {
        let frame = match (self.form, rpc_id) {
            (Form::Binary(version), _) => Some(WkFrame::Binary(packet.encode(version))),
            (Form::Json, Some(id)) => Some(WkFrame::Text(rpc::answer(id, packet))),
            (Form::Json, None) => rpc::notification(packet).map(WkFrame::Text),
            (Form::Unknown, _) => None,
        };
        self.outputs.extend(frame.map(WkOutput::Send));
    }

    pub(super) fn output(&mut self, output: WkOutput) {
        self.outputs.push_back(output);
    }

    pub(super) fn ask(&mut self, command: Command, waiting: Waiting) {
        self.last_id = self.last_id.wrapping_add(1);
        let id = RequestId(self.last_id);
        self.outputs.push_back(WkOutput::Command(id, command));
        self.pending.push((id, waiting));
    }

    /// Whether the shell is too far behind for more that nobody asked for.
    pub(super) fn is_behind(&self) -> bool {
        self.outputs.len() >= UNSENT_MAX
    }

    /// An idempotency key for a message the client gave none: no two are the same.
    pub(super) fn next_client_msg_no(&mut self) -> String {
        self.unnamed += 1;
        let nonce: String = self.random[40..].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("nightjar-{nonce}-{}", self.unnamed)
    }
}

/// A CONNACK that lets nobody in holds neither key nor salt.
fn refusal(reason: Reason) -> Connack {
    Connack {
        server_version: VERSION_MAX,
        time_diff: 0,
        reason,
        server_key: String::new(),
        salt: String::new(),
        node_id: 1,
    }
}
