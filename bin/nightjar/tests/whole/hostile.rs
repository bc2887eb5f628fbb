//! What a stranger can do with a socket: each has its named error or limit, and two users go on
//! chatting meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nightjar_whole::{Acks, Device, Login, Packets, Server, Way, text_to_user, within};
use nightjar_wire::{Body, Header, Kind, Packet, body};

use crate::setup;

/// A hello has to be whole by then.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// A message between the two who chat, on a machine that has other things to do.
const CHAT_WITHIN: Duration = Duration::from_secs(2);

/// A pause between two of their messages: people type.
const TYPING: Duration = Duration::from_millis(20);

/// Alice and Bob, who chat for as long as an attack goes on.
struct Chat {
    alice: Device,
    bob: Device,
    said: AtomicUsize,
}

impl Chat {
    async fn start(server: &Server) -> Self {
        let alice = Login::new("alice", "laptop").to(server).await;
        let bob = Login::new("bob", "laptop").acks(Acks::Surfaced).to(server).await;
        Self { alice, bob, said: AtomicUsize::new(0) }
    }

    /// Every message arrives while `attack` goes on, and a few more when it is over.
    async fn during<T>(&self, attack: impl Future<Output = T>) -> T {
        let is_over = AtomicBool::new(false);
        let attack = async {
            let result = attack.await;
            is_over.store(true, Ordering::Relaxed);
            result
        };
        let chat = async {
            while !is_over.load(Ordering::Relaxed) {
                self.exchange().await;
                tokio::time::sleep(TYPING).await;
            }
            for _ in 0..5 {
                self.exchange().await;
            }
        };
        tokio::join!(attack, chat).0
    }

    async fn exchange(&self) {
        let n = self.said.fetch_add(1, Ordering::Relaxed) + 1;
        let since = Instant::now();
        self.alice.say("bob", &format!("message {n}")).await;
        self.bob
            .wait_for(&format!("message {n}"), |seen| (seen.messages().count() >= n).then_some(()))
            .await;
        assert!(since.elapsed() <= CHAT_WITHIN, "message {n} took {:?}", since.elapsed());
    }
}

/// A packet with any header and body.
fn raw(length: i32, serial: i32, command: i32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Header { length, serial, command, code: 0 }.put(&mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

/// A packet whose length is right.
fn packet(serial: i32, command: i32, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(16 + body.len()).expect("a small packet");
    raw(length, serial, command, body)
}

fn reason(packet: &Packet) -> (&str, &str) {
    match &packet.body {
        Body::Bye(bye) => (&bye.reason, bye.text.as_deref().unwrap_or_default()),
        other => panic!("no bye but {other:?}"),
    }
}

fn error(packet: &Packet) -> (i32, &str) {
    match &packet.body {
        Body::Error(error) => {
            (packet.code, error.error.as_ref().map_or("", |error| error.code.as_str()))
        }
        other => panic!("no error but {other:?}"),
    }
}

/// A connection that said a good hello.
async fn greeted(server: &Server, way: Way) -> Packets {
    let mut packets = Packets::connect(server, way).await;
    let hello = body::Hello {
        token: server.api().token("mallory").await,
        device_id: "phone".to_owned(),
        platform: "cli".to_owned(),
        app_state: "foreground".to_owned(),
        ..body::Hello::default()
    };
    packets.send(&Packet::request(1, Kind::Hello, Body::Hello(hello))).await;
    let answer = packets.next().await.expect("an answer");
    assert!(matches!(answer.body, Body::HelloAnswer(_)), "{answer:?}");
    packets
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_told_and_ended() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let mut silent = Packets::connect(&server, Way::Tcp).await;
    let mut web = Packets::connect(&server, Way::Binary).await;
    let since = Instant::now();
    let (silent, web) = chat.during(async { tokio::join!(silent.rest(), web.rest()) }).await;
    let elapsed = since.elapsed();
    assert!(elapsed + Duration::from_millis(200) >= HELLO_WITHIN, "{elapsed:?}");
    assert!(elapsed <= HELLO_WITHIN + Duration::from_secs(2), "{elapsed:?}");
    for rest in [silent, web] {
        assert_eq!(rest.len(), 1, "{rest:?}");
        let (reason, text) = reason(&rest[0]);
        assert_eq!(reason, "protocol");
        assert!(text.contains("no whole hello came within 10 s"), "{text}");
    }
}

#[tokio::test]
async fn half_a_header_and_a_dripping_hello_have_the_same_ten_seconds() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let mut half = Packets::connect(&server, Way::Tcp).await;
    let mut dripping = Packets::connect(&server, Way::Tcp).await;
    half.send_bytes(&[0, 0, 0, 100, 0, 0, 0, 1]).await;
    let Packets { reading, writing } = &mut dripping;
    let drip = async {
        for byte in packet(1, 1, &[0; 4_000]) {
            if writing.send_bytes(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let attack = async {
        let ended = tokio::select! {
            () = drip => None,
            packet = reading.next() => packet,
        };
        (half.rest().await, ended)
    };
    let (half, dripping) = chat.during(attack).await;
    assert_eq!(reason(&half[0]).0, "protocol");
    assert_eq!(reason(&dripping.expect("a bye")).0, "protocol");
}

#[tokio::test]
async fn a_length_that_no_packet_may_have_is_named() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    // 4 GiB less one, 2 GiB, one byte too many, and less than a header.
    for length in [-1, i32::MAX, (1 << 20) + 1, 15, 0, i32::MIN] {
        let mut packets = Packets::connect(&server, Way::Tcp).await;
        packets.send_bytes(&raw(length, 1, 1, &[])).await;
        let rest = chat.during(packets.rest()).await;
        assert_eq!(rest.len(), 1, "{length}: {rest:?}");
        let (reason, text) = reason(&rest[0]);
        assert_eq!(reason, "protocol", "{length}");
        assert!(text.contains("length"), "{length}: {text}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_a_bad_token() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let good = server.api().token("mallory").await;
    let (head, _) = good.rsplit_once('.').expect("a token has three parts");
    let none =
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJpYXRfbXMiOjAsImlhdCI6MCwiZXhwIjo5OTk5OTk5OTk5fQ.";
    for token in ["", "x", "x.y.z", &format!("{head}.AAAA"), none, &"x".repeat(9_000)] {
        let login = Login::new("mallory", "phone").token(token);
        let refused = chat.during(login.try_to(&server)).await.expect_err("a wrong token");
        assert_eq!(refused.error.code, "bad_token", "{token}");
        assert_eq!(refused.bye.expect("a bye").reason, "protocol");
    }
}

#[tokio::test]
async fn a_token_for_one_device_opens_no_session_of_another() {
    let server = setup().start().await;
    let body = serde_json::json!({"device_id": "phone"});
    let answer = server.api().post("/v1/users/bob/tokens", body).await.good();
    let token = answer["token"].as_str().expect("a token");
    Login::new("bob", "phone").token(token).to(&server).await;
    let refused = Login::new("bob", "laptop").token(token).try_to(&server).await;
    assert_eq!(refused.expect_err("another device").error.code, "bad_token");
}

#[tokio::test]
async fn a_token_whose_time_is_over_has_expired() {
    let server = setup().start().await;
    let body = serde_json::json!({"ttl_s": 1});
    let answer = server.api().post("/v1/users/bob/tokens", body).await.good();
    let token = answer["token"].as_str().expect("a token").to_owned();
    let refused = async {
        loop {
            match Login::new("bob", "phone").token(&token).try_to(&server).await {
                Ok(_) => {}
                Err(refused) => return refused,
            }
        }
    };
    let refused = within("the token to expire", refused).await;
    assert_eq!(refused.error.code, "token_expired");
    assert_eq!(refused.bye.expect("a bye").reason, "expired");
}

#[tokio::test]
async fn more_hellos_than_an_address_may_say_are_limited_and_told_to_come_back() {
    let server = setup().with("[limits]\nhandshakes_per_s = 20").start().await;
    let chat = Chat::start(&server).await;
    let token = server.api().token("mallory").await;
    let attack = async {
        let mut limited = 0;
        for n in 0..100 {
            let login = Login::new("mallory", &format!("phone{}", n % 8)).token(&token);
            if let Err(refused) = login.try_to(&server).await {
                assert_eq!(refused.error.code, "rate_limited");
                assert!(refused.error.retry);
                assert_eq!(refused.bye.expect("a bye").reason, "slow");
                limited += 1;
            }
        }
        limited
    };
    let limited = chat.during(attack).await;
    assert!(limited > 0, "none of 100 in a row was limited");
    // And a second later the same address may again.
    let again = async {
        while Login::new("mallory", "late").token(&token).try_to(&server).await.is_err() {}
    };
    within("a hello that is taken", again).await;
}

#[tokio::test]
async fn wrong_tokens_count_as_hellos_too() {
    let server = setup().with("[limits]\nhandshakes_per_s = 10").start().await;
    let guess = async {
        loop {
            let login = Login::new("mallory", "phone").token("a.b.c");
            let refused = login.try_to(&server).await.expect_err("a wrong token");
            if refused.error.code == "rate_limited" {
                return;
            }
            assert_eq!(refused.error.code, "bad_token");
        }
    };
    within("guesses to be limited", guess).await;
}

#[tokio::test]
async fn an_unknown_command_is_named_and_the_connection_goes_on() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let mut packets = greeted(&server, Way::Tcp).await;
    for command in [99, 0, -5, 24] {
        packets.send_bytes(&packet(7, command, b"anything")).await;
        let header = within("an answer", packets.reading.next_header()).await;
        let header = header.expect("an answer");
        assert_eq!((header.serial, header.command, header.code), (7, command, 4), "{command}");
    }
    packets.send(&Packet::request(8, Kind::Ping, Body::Empty)).await;
    let pong = chat.during(packets.next()).await.expect("the connection goes on");
    assert_eq!((pong.serial, pong.kind), (8, Kind::Ping));
}

#[tokio::test]
async fn an_unknown_command_before_the_hello_ends_the_connection() {
    let server = setup().start().await;
    let mut packets = Packets::connect(&server, Way::Tcp).await;
    packets.send_bytes(&packet(0, 99, &[])).await;
    let rest = packets.rest().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(reason(&rest[0]).0, "protocol");
}

#[tokio::test]
async fn the_first_packet_must_be_hello_and_only_the_first() {
    let server = setup().start().await;
    let mut early = Packets::connect(&server, Way::Tcp).await;
    early.send(&Packet::request(3, Kind::Ping, Body::Empty)).await;
    let rest = early.rest().await;
    assert_eq!(error(&rest[0]), (6, "hello_expected"));
    assert_eq!(reason(&rest[1]).0, "protocol");

    let mut twice = greeted(&server, Way::Tcp).await;
    let hello = Body::Hello(body::Hello::default());
    twice.send(&Packet::request(2, Kind::Hello, hello)).await;
    let rest = twice.rest().await;
    assert_eq!(error(&rest[0]), (6, "hello_expected"));
    assert_eq!(reason(&rest[1]).0, "protocol");
}

#[tokio::test]
async fn a_future_version_is_refused_with_the_highest_that_would_do() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let mut packets = Packets::connect(&server, Way::Tcp).await;
    let hello = body::Hello { protocol: Some(2), ..body::Hello::default() };
    packets.send(&Packet::request(1, Kind::Hello, Body::Hello(hello))).await;
    let rest = chat.during(packets.rest()).await;
    assert_eq!(error(&rest[0]), (8, "unsupported_version"));
    let Body::Error(body) = &rest[0].body else { panic!("no error") };
    let detail = body.error.as_ref().expect("an error");
    assert!(detail.message.contains('1') && !detail.retry, "{detail:?}");
    assert_eq!(reason(&rest[1]).0, "protocol");
}

#[tokio::test]
async fn a_body_of_garbage_is_a_bad_frame() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let garbage: Vec<u8> = (0..200).map(|n: u8| n.wrapping_mul(37) | 0x80).collect();
    let mut before = Packets::connect(&server, Way::Tcp).await;
    before.send_bytes(&packet(1, 1, &garbage)).await;
    let mut after = greeted(&server, Way::Tcp).await;
    after.send_bytes(&packet(2, 4, &garbage)).await;
    for packets in [&mut before, &mut after] {
        let rest = chat.during(packets.rest()).await;
        assert_eq!(error(&rest[0]), (1, "bad_frame"));
        assert_eq!(reason(&rest[1]).0, "protocol");
    }
}

#[tokio::test]
async fn a_serial_nobody_may_choose_is_a_bad_frame() {
    let server = setup().start().await;
    let mut packets = greeted(&server, Way::Tcp).await;
    packets.send_bytes(&packet(-1, 2, &[])).await;
    let rest = packets.rest().await;
    assert_eq!(reason(&rest[0]).0, "protocol");
    assert!(reason(&rest[0]).1.contains("serial"));
}

#[tokio::test]
async fn an_ack_of_what_was_never_given_acknowledges_nothing() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let mallory = Login::new("mallory", "phone").acks(Acks::Nothing).to(&server).await;
    let first = chat.alice.say("mallory", "one").await;
    mallory.messages(1).await;
    for seq in [1_u64 << 63, u64::MAX, u64::MAX - 1, 2] {
        let item = body::AckItem {
            conversation: first.conversation.clone(),
            stored: Some(seq),
            surfaced: Some(seq),
        };
        let ack = body::Ack { items: vec![item] };
        mallory.write(Packet::one_way(Kind::Ack, Body::Ack(ack)));
    }
    chat.during(mallory.ask(Kind::Ping, Body::Empty)).await.expect("a pong");
    // What came later is still owed: nothing beyond the first was acknowledged.
    let second = chat.alice.say("mallory", "two").await;
    assert_eq!(mallory.messages(2).await[1].message_id, second.message_id);
    drop(mallory);
    let again = Login::new("mallory", "phone").to(&server).await;
    assert_eq!(again.messages(1).await[0].message_id, second.message_id);
    assert_eq!(server.api().badge("mallory").await.0, 2, "an ack reads nothing");
}

#[tokio::test]
async fn a_read_beyond_the_end_reads_to_the_end() {
    let server = setup().start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let bob = Login::new("bob", "laptop").to(&server).await;
    let first = alice.say("bob", "one").await;
    bob.messages(1).await;
    assert_eq!(bob.read(&first.conversation, u64::MAX).await.0, 0);
    alice.say("bob", "two").await;
    assert_eq!(server.api().badge("bob").await.0, 1);
}

#[tokio::test]
async fn a_client_that_never_reads_costs_a_window_and_gets_everything_when_it_does() {
    const MESSAGES: usize = 600;
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let mallory = Login::new("mallory", "phone").to(&server).await;
    let carol = Login::new("carol", "laptop").to(&server).await;
    mallory.freeze();
    // More than 20 MiB: far beyond the window and what two kernels buffer.
    let text = "x".repeat(40_000);
    let flood = async {
        for _ in 0..MESSAGES {
            carol.say("mallory", &text).await;
        }
    };
    chat.during(flood).await;
    mallory.thaw();
    let mut delivered = chat.during(mallory.messages(MESSAGES)).await;
    delivered.truncate(MESSAGES);
    let seqs: Vec<u64> = delivered.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=MESSAGES as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_not_read_any_more() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    let carol = Login::new("carol", "laptop").to(&server).await;
    let mut send = text_to_user("mallory", "");
    send.content = format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(60_000)).into();
    for n in 0..20 {
        let send = body::Send { client_msg_id: format!("long-{n}"), ..send.clone() };
        carol.send(send).await.expect("it is taken");
    }
    let mut packets = greeted(&server, Way::Tcp).await;
    let conversation = carol.say("mallory", "the last").await.conversation;
    let history = body::History { conversation, limit: Some(200), ..body::History::default() };
    // A server that went on reading would queue these answers, a megabyte each.
    let asking = async {
        for serial in 2..2_000 {
            let request = Packet::request(serial, Kind::History, Body::History(history.clone()));
            packets.send(&request).await;
        }
    };
    let attack = tokio::time::timeout(Duration::from_secs(3), asking);
    let _ = chat.during(attack).await;
    let bytes = resident_bytes(&server);
    assert!(bytes < 400 << 20, "{} MiB", bytes >> 20);
}

/// What the server's process keeps in memory.
fn resident_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

#[tokio::test]
async fn a_text_message_that_is_not_a_packet_is_told_so() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    for text in ["hello?", "", "[]", "{}", r#"{"serial":1}"#, r#"{"command":5}"#] {
        let mut packets = Packets::connect(&server, Way::Json).await;
        packets.send_text(text).await;
        let rest = chat.during(packets.rest()).await;
        assert_eq!(rest.len(), 1, "{text}: {rest:?}");
        assert_eq!(reason(&rest[0]).0, "protocol", "{text}");
    }
}

#[tokio::test]
async fn a_websocket_message_above_a_mebibyte_is_too_large() {
    let server = setup().start().await;
    let chat = Chat::start(&server).await;
    for way in [Way::Binary, Way::Json] {
        let mut packets = greeted(&server, way).await;
        let large = "x".repeat((1 << 20) + 1);
        match way {
            Way::Json => packets.send_text(&large).await,
            _ => packets.send_bytes(large.as_bytes()).await,
        }
        let rest = chat.during(packets.rest()).await;
        assert_eq!(rest.len(), 1, "{way:?}: {rest:?}");
        assert_eq!(reason(&rest[0]).0, "protocol", "{way:?}");
        assert!(reason(&rest[0]).1.contains("limit"), "{way:?}: {:?}", rest[0]);
    }
}

#[tokio::test]
async fn content_above_its_limit_is_too_large_and_the_connection_goes_on() {
    let server = setup().start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let content = |bytes: usize| {
        let frame = r#"{"type":"text","text":""}"#.len();
        format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(bytes - frame))
    };
    let mut send = text_to_user("bob", "");
    send.content = content((64 << 10) + 1).into();
    assert_eq!(alice.send(send.clone()).await.expect_err("too much").code, "too_large");
    send.content = content(64 << 10).into();
    alice.send(send.clone()).await.expect("exactly the limit");
    for content in ["", "text", "[1]", "{", r#"{"type":"text""#] {
        let send = body::Send {
            client_msg_id: format!("bad {content}"),
            content: content.as_bytes().to_vec().into(),
            ..send.clone()
        };
        assert_eq!(alice.send(send).await.expect_err(content).code, "bad_request", "{content}");
    }
}
