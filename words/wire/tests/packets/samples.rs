//! One packet of everything this version says, as the corpus holds them.

use bytes::Bytes;
use nightjar_model::Reject;
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, Side, body};

/// A packet, its name in the corpus, and who reads it.
pub(crate) struct Sample {
    /// `COMMAND-PART`, the name of its two files.
    pub(crate) name: String,
    /// Who reads it: the same number is a request for one side and an answer for the other.
    pub(crate) side: Side,
    /// What it says.
    pub(crate) packet: Packet,
}

/// Larger than a JSON number that JavaScript keeps exactly.
pub(crate) const LARGE: u64 = (1 << 53) + 1;

fn text(text: &str) -> String {
    text.to_owned()
}

fn some(value: &str) -> Option<String> {
    Some(text(value))
}

fn sample(name: &str, side: Side, serial: i32, kind: Kind, body: Body) -> Sample {
    let packet = Packet { serial, kind, code: 0, body };
    Sample { name: format!("{}-{name}", kind.name()), side, packet }
}

/// A client's request.
fn request(kind: Kind, body: Body) -> Sample {
    sample("request", Side::Server, 7, kind, body)
}

/// The answer to a client's request.
fn answer(kind: Kind, body: Body) -> Sample {
    sample("answer", Side::Client, 7, kind, body)
}

/// A packet of the server that nobody answers.
fn told(kind: Kind, body: Body) -> Sample {
    sample("told", Side::Client, 0, kind, body)
}

/// A packet of a client that nobody answers.
fn said(kind: Kind, body: Body) -> Sample {
    sample("said", Side::Server, 0, kind, body)
}

fn reject(kind: Kind, reject: Reject) -> Sample {
    let packet = Packet::reject(7, kind, reject);
    Sample { name: format!("{}-reject", kind.name()), side: Side::Client, packet }
}

/// Everything, in the order of the commands.
pub(crate) fn all() -> Vec<Sample> {
    [session(), messages(), places(), lists(), contacts(), pushes(), rejects()]
        .into_iter()
        .flatten()
        .collect()
}

fn session() -> Vec<Sample> {
    let hello = body::Hello {
        token: text("a.b.c"),
        device_id: text("phone-1"),
        platform: text("ios"),
        app_state: text("background"),
        resume: some("resume-token"),
        sync: some("v1.9"),
        client: some("example 1.0"),
        protocol: Some(1),
        grace_ms: Some(-1),
        heartbeat_s: None,
    };
    let limits = body::Limits {
        packet_bytes: 1 << 20,
        content_bytes: 64 << 10,
        unacked_messages: 256,
        requests_in_flight: 64,
        handshakes_per_s: 5_000,
    };
    let welcome = body::HelloAnswer {
        uid: text("bob"),
        session: text("s-1"),
        resume: text("resume-token-2"),
        resumed: true,
        server_time: 1_790_000_000_000,
        heartbeat_s: 30,
        ack_deadline_ms: 5_000,
        limits: Some(limits),
        unread: 3,
        bv: LARGE,
        push_token_scope: some("push"),
    };
    let state = body::AppState {
        state: text("background"),
        grace_ms: Some(25_000),
        conversation: some("d:alice:bob"),
        order: 12,
        heartbeat_s: None,
    };
    let bye = body::Bye {
        reason: text("drain"),
        reconnect_after_ms: Some(1_500),
        redirect: some("nightjar+tls://other.example:5222"),
        text: some("the server goes away"),
    };
    vec![
        request(Kind::Hello, Body::Hello(hello)),
        answer(Kind::Hello, Body::HelloAnswer(Box::new(welcome))),
        request(Kind::Ping, Body::Empty),
        answer(Kind::Ping, Body::Empty),
        sample("request-of-the-server", Side::Client, SERVER_SERIAL_MIN, Kind::Ping, Body::Empty),
        sample("answer-of-the-client", Side::Server, SERVER_SERIAL_MIN, Kind::Ping, Body::Empty),
        request(Kind::AppState, Body::AppState(state)),
        answer(Kind::AppState, Body::Empty),
        said(Kind::Bye, Body::Bye(body::Bye { reason: text("background"), ..Default::default() })),
        told(Kind::Bye, Body::Bye(bye)),
        request(Kind::Logout, Body::Logout(body::Logout { unbind: Some(false) })),
        answer(Kind::Logout, Body::Empty),
    ]
}

/// A message with content as nobody's serialiser would write it.
fn message() -> body::Message {
    body::Message {
        message_id: text("019a0000-0000-7000-8000-000000000001"),
        conversation: text("g:crew"),
        seq: 41,
        from: text("alice"),
        client_msg_id: text("c-1"),
        at: 1_790_000_000_000,
        content: Bytes::from_static(
            br#"{ "type":"text" ,"text":"\u0047r\u00fc\u00dfe \ud83d\ude00","n":1.50e+2 }"#,
        ),
        alert: true,
        pushed: true,
    }
}

fn send(content: &'static str) -> body::Send {
    body::Send {
        to: Some(body::To { user: some("bob"), ..Default::default() }),
        client_msg_id: text("c-1"),
        content: Bytes::from_static(content.as_bytes()),
        push: None,
        options: None,
    }
}

fn messages() -> Vec<Sample> {
    let rich = body::Send {
        to: Some(body::To { group: some("crew"), ..Default::default() }),
        push: Some(body::Push {
            title: some("Title"),
            body: some("Body"),
            sound: some("chime"),
            silent: true,
            data: Some(Bytes::from_static(br#"{"thread" : 7}"#)),
        }),
        options: Some(body::Options {
            persist: Some(true),
            online_only: Some(false),
            expires_at: Some(1_790_000_060_000),
            mentions: vec![text("bob"), text("all")],
        }),
        ..send(r#"{"type":"text","text":"hello"}"#)
    };
    let to_all = body::Send {
        // In JSON this is "all".
        options: Some(body::Options { mentions: vec![String::new()], ..Default::default() }),
        ..send(r#"{"type":"text","text":"everybody"}"#)
    };
    let sent = body::SendAnswer {
        message_id: text("019a0000-0000-7000-8000-000000000001"),
        conversation: text("g:crew"),
        seq: 41,
        at: 1_790_000_000_000,
        duplicate: true,
    };
    let typing = |to, conversation, from| Body::Typing(body::Typing { to, conversation, from });
    let to = body::To { room: some("lobby"), ..Default::default() };
    let deliver = body::Deliver { messages: vec![message(), body::Message::default()] };
    let binary = body::Message { content: Bytes::from_static(b"\x00\xff sealed"), ..message() };
    let deliver_binary = body::Deliver { messages: vec![binary] };
    let status = body::PresenceStatus { status: text("away"), text: some("at lunch") };
    let look = body::Presence {
        subscribe: vec![text("alice"), text("carol")],
        unsubscribe: vec![text("dave")],
        set: Some(status.clone()),
        users: Vec::new(),
    };
    let seen = vec![
        body::PresenceUser {
            uid: text("alice"),
            online: true,
            last_seen: None,
            status: Some(status),
        },
        body::PresenceUser {
            uid: text("carol"),
            online: false,
            last_seen: Some(1_790_000_000_000),
            status: None,
        },
    ];
    let edit = body::Edit {
        conversation: text("g:crew"),
        seq: 41,
        content: Bytes::from_static(br#"{"type":"text","text":"hello all"}"#),
    };
    let react = body::React {
        conversation: text("g:crew"),
        seq: 41,
        emoji: text("\u{1f44d}"),
        remove: true,
    };
    let named = |name: &str, packet: Sample| Sample { name: text(name), ..packet };
    vec![
        request(Kind::Send, Body::Send(send(r#"{"type":"text","text":"hello"}"#))),
        named("send-with-push-and-options", request(Kind::Send, Body::Send(rich))),
        named("send-to-all", request(Kind::Send, Body::Send(to_all))),
        answer(Kind::Send, Body::SendAnswer(sent)),
        told(Kind::Deliver, Body::Deliver(deliver)),
        named("deliver-binary", told(Kind::Deliver, Body::Deliver(deliver_binary))),
        said(Kind::Typing, typing(Some(to), None, None)),
        told(Kind::Typing, typing(None, some("g:crew"), some("alice"))),
        request(Kind::Presence, Body::Presence(look)),
        answer(Kind::Presence, Body::PresenceAnswer(body::PresenceAnswer { users: seen.clone() })),
        told(Kind::Presence, Body::Presence(body::Presence { users: seen, ..Default::default() })),
        request(Kind::Recall, Body::Recall(body::Recall { conversation: text("g:crew"), seq: 41 })),
        request(Kind::Edit, Body::Edit(edit)),
        answer(Kind::Edit, Body::SeqAnswer(body::SeqAnswer { seq: 43 })),
        request(Kind::React, Body::React(react)),
        answer(Kind::React, Body::SeqAnswer(body::SeqAnswer { seq: 44 })),
        answer(Kind::Recall, Body::SeqAnswer(body::SeqAnswer { seq: 42 })),
    ]
}

fn places() -> Vec<Sample> {
    let item = |conversation: &str, stored, surfaced| body::AckItem {
        conversation: text(conversation),
        stored,
        surfaced,
    };
    let items = vec![
        item("d:alice:bob", Some(9), Some(7)),
        item("g:crew", Some(LARGE), None),
        item("g:other", None, Some(u64::MAX)),
    ];
    let marker =
        body::ReadMarker { conversation: text("d:alice:bob"), seq: 9, unread: 2, bv: u64::MAX };
    let read = body::Read { conversation: text("d:alice:bob"), seq: 9 };
    vec![
        said(Kind::Ack, Body::Ack(body::Ack { items })),
        request(Kind::Read, Body::Read(read)),
        answer(Kind::Read, Body::ReadAnswer(body::ReadAnswer { unread: 2, bv: LARGE })),
        told(Kind::ReadMarker, Body::ReadMarker(marker)),
    ]
}

fn contact(blocked: Option<bool>) -> body::Contact {
    body::Contact { uid: text("carol"), state: text("accepted"), ver: 3, blocked }
}

fn contacts() -> Vec<Sample> {
    let change = |uid: &str, action: &str, contact| {
        Body::ContactChange(body::ContactChange { uid: text(uid), action: text(action), contact })
    };
    vec![
        request(Kind::Contact, change("carol", "request", None)),
        answer(Kind::Contact, Body::ContactAnswer(body::ContactAnswer { ver: LARGE })),
        told(Kind::Contact, change("", "", Some(contact(Some(true))))),
    ]
}

fn lists() -> Vec<Sample> {
    let conversation = body::Conversation {
        conversation: text("g:crew"),
        kind: text("group"),
        peer: None,
        name: some("Crew"),
        head_seq: 42,
        read_seq: 40,
        unread: 1,
        mentions: 1,
        last: Some(message()),
    };
    let changed = body::SyncAnswer {
        conversations: vec![conversation, body::Conversation::default()],
        contacts: vec![contact(None)],
        groups: vec![body::Group {
            id: text("crew"),
            name: text("Crew"),
            role: text("owner"),
            ver: 4,
        }],
        profiles: vec![body::Profile {
            uid: text("alice"),
            name: some("Alice"),
            avatar: some("https://example.org/a.png"),
            ver: 5,
        }],
        removed: vec![body::Removed { kind: text("group"), id: text("old"), ver: 6 }],
        next: text("v1.10"),
        more: true,
    };
    let history = body::History {
        conversation: text("g:crew"),
        after: Some(0),
        before: Some(u64::MAX),
        limit: Some(50),
    };
    let page = body::HistoryAnswer { messages: vec![message()], head_seq: 42 };
    let member = |uid: &str, role: &str| body::Member { uid: text(uid), role: text(role), ver: 1 };
    let members = body::MembersAnswer {
        members: vec![member("alice", "owner"), member("bob", "member")],
        removed: vec![text("carol")],
        next: text("7"),
    };
    vec![
        request(Kind::Sync, Body::Sync(body::Sync { since: some("v1.9"), limit: Some(100) })),
        answer(Kind::Sync, Body::SyncAnswer(changed)),
        request(Kind::History, Body::History(history)),
        answer(Kind::History, Body::HistoryAnswer(page)),
        request(
            Kind::Members,
            Body::Members(body::Members { group: text("crew"), since: some("7") }),
        ),
        answer(Kind::Members, Body::MembersAnswer(members)),
    ]
}

fn pushes() -> Vec<Sample> {
    let bind = body::BindPush {
        provider: text("apns"),
        credential: text("main"),
        token: text("00ff"),
        locale: some("de-AT"),
        environment: some("sandbox"),
    };
    let unbind = body::UnbindPush { provider: text("apns"), credential: text("main") };
    let ids = || vec![text("m.019a0000-0000-7000-8000-000000000001"), text("c.g:crew")];
    let withdraw = Body::Withdraw(body::Withdraw { notification_ids: ids() });
    let metrics = vec![body::Metric { name: text("connect_time_ms"), value: 250, count: 2 }];
    let report = body::Report { arrived: ids(), clicked: ids(), dismissed: ids(), metrics };
    let serial = SERVER_SERIAL_MIN + 1;
    vec![
        request(Kind::BindPush, Body::BindPush(bind)),
        answer(Kind::BindPush, Body::Empty),
        request(Kind::UnbindPush, Body::UnbindPush(unbind)),
        answer(Kind::UnbindPush, Body::Empty),
        sample("request-of-the-server", Side::Client, serial, Kind::Withdraw, withdraw),
        sample("answer-of-the-client", Side::Server, serial, Kind::Withdraw, Body::Empty),
        said(Kind::Report, Body::Report(report)),
    ]
}

/// A refused request of each command that has an answer.
/// Commands that were offered after others of higher numbers, in the order they came: the reject
/// that stands beside a command in the corpus stays the same.
const LATER: [Kind; 4] = [Kind::Presence, Kind::Edit, Kind::React, Kind::Contact];

fn rejects() -> Vec<Sample> {
    let kinds = Kind::ALL.iter().copied();
    let kinds = kinds.filter(|kind| kind.answer() != "" && !LATER.contains(kind)).chain(LATER);
    kinds.zip(Reject::ALL.into_iter().cycle()).map(|(kind, why)| reject(kind, why)).collect()
}
