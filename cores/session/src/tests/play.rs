//! The stage.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use nightjar_model::{
    Backlog, ClientMsgId, Command, ConversationId, Delivery, Entry, EntryKind, HelloReply,
    MessageId, Mono, Notice, NotificationId, Now, Reject, Reply, SentReply, Seq, SharedPackets,
    Uid, WallMs,
};
use nightjar_wire::{Body, Kind, Packet, Side, body};

use crate::{Claims, Form, Frame, Input, Output, RequestId, Session, SessionConfig};

/// One connection of bob's phone with everyone around it.
pub(super) struct Stage {
    pub(super) session: Session,
    pub(super) form: Form,
    pub(super) now: Now,
    serial: i32,
    outputs: VecDeque<Output>,
}

/// Plays it in both forms.
pub(super) fn in_both_forms(play: impl Fn(Stage)) {
    for form in [Form::Binary, Form::Json] {
        play(Stage::new(form));
    }
}

pub(super) fn hello_body() -> body::Hello {
    body::Hello {
        token: "good".into(),
        device_id: "phone".into(),
        platform: "ios".into(),
        app_state: "foreground".into(),
        ..body::Hello::default()
    }
}

pub(super) fn claims() -> Claims {
    Claims { uid: uid("bob"), device_id: None, issued_at: WallMs(7), push_token: None }
}

pub(crate) fn uid(name: &str) -> Uid {
    Uid::parse(name).unwrap()
}

/// The conversation of alice and bob.
pub(crate) fn chat() -> ConversationId {
    ConversationId::direct(&uid("alice"), &uid("bob"))
}

pub(super) fn group(n: usize) -> ConversationId {
    ConversationId::parse(&format!("g:{n}")).unwrap()
}

pub(super) fn nid(n: usize) -> NotificationId {
    NotificationId::conversation(&group(n))
}

pub(crate) fn hello_reply(backlog: Vec<Backlog>, withdraw: Vec<NotificationId>) -> Reply {
    Reply::Hello(Box::new(HelloReply {
        uid: uid("bob"),
        session: "s1".into(),
        resume: "r1".into(),
        resumed: false,
        unread: 3,
        bv: 9,
        backlog,
        withdraw,
    }))
}

pub(crate) fn entry(conversation: &ConversationId, seq: Seq, content: &str) -> Arc<Entry> {
    Arc::new(Entry {
        conversation: conversation.clone(),
        seq,
        message_id: MessageId::from_bytes([seq as u8; 16]),
        from: uid("alice"),
        client_msg_id: ClientMsgId::parse(&format!("c{seq}")).unwrap(),
        at: WallMs(1_000 + seq),
        kind: EntryKind::Message,
        ordinal: seq,
        own_ordinal: seq,
        content: Bytes::copy_from_slice(content.as_bytes()),
        sealed: false,
        recalled: false,
        push: None,
        expires_at: None,
    })
}

pub(crate) fn delivery(seq: Seq) -> Delivery {
    let entry = entry(&chat(), seq, r#"{"type":"text","text":"hi"}"#);
    Delivery { entry, alert: true, pushed: false, packets: SharedPackets::default() }
}

pub(super) fn pulled(seqs: impl IntoIterator<Item = Seq>, head_seq: Seq) -> Reply {
    let deliveries = seqs.into_iter().map(delivery).collect();
    Reply::Pulled { conversation: chat(), deliveries, head_seq }
}

pub(crate) fn sent(seq: Seq, duplicate: bool) -> Reply {
    Reply::Sent(SentReply {
        message_id: MessageId::from_bytes([1; 16]),
        conversation: chat(),
        seq,
        at: WallMs(5),
        duplicate,
    })
}

pub(super) fn send_body() -> body::Send {
    body::Send {
        to: Some(body::To { user: Some("alice".into()), ..body::To::default() }),
        client_msg_id: "c1".into(),
        content: Bytes::from_static(br#"{"type":"text","text":"yes"}"#),
        ..body::Send::default()
    }
}

pub(super) fn ack_body(stored: Seq, surfaced: Seq) -> Body {
    let (stored, surfaced) = (Some(stored), Some(surfaced));
    let item = body::AckItem { conversation: chat().to_string(), stored, surfaced };
    Body::Ack(body::Ack { items: vec![item] })
}

/// Reads what the server wrote, as a client.
pub(super) fn read(frame: &Frame) -> Packet {
    match frame {
        Frame::Binary(bytes) => Packet::decode(bytes, Side::Client),
        Frame::Text(text) => Packet::decode_json(text, Side::Client),
    }
    .unwrap_or_else(|error| panic!("{error}: {frame:?}"))
}

impl Stage {
    pub(super) fn new(form: Form) -> Self {
        let now = Now { mono: Mono(1_000), wall: WallMs(1_700_000_000_000) };
        let session = Session::new(form, &SessionConfig::default(), now.mono);
        Self { session, form, now, serial: 0, outputs: VecDeque::new() }
    }

    /// A stage whose client has joined and read the answer.
    pub(super) fn joined(mut self) -> Self {
        self.joins(Vec::new());
        self
    }

    pub(super) fn joins(&mut self, backlog: Vec<Backlog>) {
        self.asks(Kind::Hello, Body::Hello(hello_body()));
        self.shell_verifies();
        self.happens(Input::Verified(Ok(claims())));
        let (id, _) = self.lanes_get();
        self.lanes_say(id, Ok(hello_reply(backlog, Vec::new())));
        assert!(matches!(self.client_hears().body, Body::HelloAnswer(_)));
    }

    // What happens.

    pub(super) fn happens(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now);
        self.outputs.extend(std::iter::from_fn(|| self.session.poll()));
    }

    /// The client writes a packet.
    pub(super) fn writes(&mut self, packet: &Packet) {
        match self.form {
            Form::Binary => self.happens(Input::Packet(&packet.to_bytes())),
            Form::Json => self.happens(Input::Text(&packet.to_json())),
        }
    }

    /// The client sends a request; answers its serial.
    pub(super) fn asks(&mut self, kind: Kind, body: Body) -> i32 {
        self.serial += 1;
        self.writes(&Packet::request(self.serial, kind, body));
        self.serial
    }

    /// The client sends a one-way packet.
    pub(super) fn tells(&mut self, kind: Kind, body: Body) {
        self.writes(&Packet::one_way(kind, body));
    }

    pub(super) fn lanes_say(&mut self, id: RequestId, result: Result<Reply, Reject>) {
        self.happens(Input::Reply(id, result));
    }

    pub(super) fn lanes_notice(&mut self, notice: Notice) {
        self.happens(Input::Notice(notice));
    }

    pub(super) fn alice_writes(&mut self, seq: Seq) {
        self.lanes_notice(Notice::Wake(delivery(seq)));
    }

    /// Time passes; the shell wakes the session when it asked for it.
    pub(super) fn time_passes(&mut self, ms: u64) {
        let end = self.now.mono.after(ms);
        while let Some(at) = self.session.wait_until().filter(|at| *at <= end) {
            self.now.mono = self.now.mono.max(at);
            self.happens(Input::Timeout);
        }
        self.now.mono = end;
    }

    // What is seen of it.

    pub(super) fn next(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn shell_verifies(&mut self) {
        match self.next() {
            Some(Output::Verify { .. }) => {}
            other => panic!("expected Verify, got {other:?}"),
        }
    }

    pub(super) fn client_hears(&mut self) -> Packet {
        match self.next() {
            Some(Output::Send(frame)) => read(&frame),
            other => panic!("expected a packet, got {other:?}"),
        }
    }

    pub(super) fn client_hears_answer(&mut self, serial: i32) -> Body {
        let packet = self.client_hears();
        assert_eq!((packet.serial, packet.code), (serial, 0), "{packet:?}");
        packet.body
    }

    /// A refusal: its number, name and words agree.
    pub(super) fn client_hears_refusal(&mut self, serial: i32, reject: Reject) -> String {
        let packet = self.client_hears();
        assert_eq!((packet.serial, packet.code), (serial, reject.number()), "{packet:?}");
        let Body::Error(body::Error { error: Some(error) }) = packet.body else {
            panic!("{packet:?} is no refusal");
        };
        assert_eq!((&*error.code, error.retry), (reject.name(), reject.retry()));
        error.message
    }

    pub(super) fn client_hears_bye(&mut self) -> body::Bye {
        let packet = self.client_hears();
        match packet.body {
            Body::Bye(bye) => bye,
            other => panic!("expected bye, got {other:?}"),
        }
    }

    /// The places of the messages of the deliver packets that come next.
    pub(super) fn client_gets(&mut self) -> Vec<Seq> {
        let mut seqs = Vec::new();
        while let Some(Output::Send(frame)) = self.outputs.front() {
            let Body::Deliver(deliver) = read(frame).body else { break };
            seqs.extend(deliver.messages.iter().map(|message| message.seq));
            self.outputs.pop_front();
        }
        seqs
    }

    pub(super) fn lanes_get(&mut self) -> (RequestId, Command) {
        match self.next() {
            Some(Output::Command(id, command)) => (id, command),
            other => panic!("expected a command, got {other:?}"),
        }
    }

    pub(super) fn shell_gets(&mut self) -> Output {
        self.next().expect("something for the shell")
    }

    /// The last two lines of a connection the lanes know.
    pub(super) fn ends(&mut self, linger_ms: u64) {
        assert_eq!(self.lanes_get().1, Command::Lost);
        self.closes(linger_ms);
    }

    pub(super) fn closes(&mut self, linger_ms: u64) {
        assert_eq!(self.next(), Some(Output::Close { linger_ms }));
        self.nothing_more();
        assert!(!self.session.wants_input());
        assert_eq!(self.session.wait_until(), None);
    }

    pub(super) fn nothing_more(&mut self) {
        assert_eq!(self.next(), None);
    }
}
