//! The ways to connect mean the same; JSON is checked as text, without the product's own reader.

use std::sync::Arc;

use nightjar_whole::{Acks, Certificate, Login, Packets, Server, Way, within};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::setup;

/// Writes a text message and reads the next one.
async fn exchange(packets: &mut Packets, packet: Value) -> Value {
    packets.send_text(&packet.to_string()).await;
    next(packets).await
}

async fn next(packets: &mut Packets) -> Value {
    let text = nightjar_whole::within("a text", packets.reading.next_text()).await;
    serde_json::from_str(&text.expect("the connection is open")).expect("JSON")
}

async fn json_hello(server: &Server, uid: &str, device_id: &str) -> (Packets, Value) {
    let token = server.api().token(uid).await;
    let mut packets = Packets::connect(server, Way::Json).await;
    let hello = json!({"serial": 1, "command": "hello", "code": 0, "body": {
        "token": token, "device_id": device_id, "platform": "web", "app_state": "foreground",
        "client": "a test", "nobody_knows": {"this": 1},
    }});
    let answer = exchange(&mut packets, hello).await;
    (packets, answer)
}

#[tokio::test]
async fn two_people_chat_over_text_messages() {
    let server = setup().start().await;
    let (mut bob, hello) = json_hello(&server, "bob", "tab").await;
    assert_eq!(
        (&hello["serial"], &hello["command"], &hello["code"]),
        (&json!(1), &json!("hello"), &json!(0))
    );
    let body = &hello["body"];
    assert_eq!((&body["uid"], &body["resumed"]), (&json!("bob"), &json!(false)));
    assert_eq!((&body["heartbeat_s"], &body["ack_deadline_ms"]), (&json!(30), &json!(5000)));
    for name in ["session", "resume", "server_time", "unread", "bv"] {
        assert!(!body[name].is_null(), "no '{name}' in {body}");
    }
    assert_eq!(body["limits"]["packet_bytes"], 1 << 20);
    assert_eq!(body["limits"]["handshakes_per_s"], 5_000);

    let (mut alice, _) = json_hello(&server, "alice", "tab").await;
    let content = json!({"type": "text", "text": "größer 👋", "n": 9_007_199_254_740_993_u64});
    let sent = exchange(
        &mut alice,
        json!({"serial": 7, "command": "send", "body": {
            "to": {"user": "bob"}, "client_msg_id": "mine", "content": content,
        }}),
    )
    .await;
    assert_eq!(
        (&sent["serial"], &sent["command"], &sent["code"]),
        (&json!(7), &json!("send"), &json!(0))
    );
    assert_eq!((&sent["body"]["seq"], &sent["body"]["duplicate"]), (&json!(1), &json!(false)));

    let delivered = next(&mut bob).await;
    assert_eq!((&delivered["serial"], &delivered["command"]), (&json!(0), &json!("deliver")));
    let message = &delivered["body"]["messages"][0];
    assert_eq!(message["content"], content);
    assert_eq!((&message["from"], &message["client_msg_id"]), (&json!("alice"), &json!("mine")));
    assert_eq!((&message["alert"], &message["pushed"]), (&json!(true), &json!(false)));
    for name in ["message_id", "conversation", "seq", "at"] {
        assert_eq!(message[name], sent["body"][name], "{name}");
    }
    let conversation = &message["conversation"];
    let ack = json!({"serial": 0, "command": "ack", "body": {"items": [
        {"conversation": conversation, "stored": 1, "surfaced": 1},
    ]}});
    bob.send_text(&ack.to_string()).await;
    let read =
        json!({"serial": 2, "command": "read", "body": {"conversation": conversation, "seq": 1}});
    let answer = exchange(&mut bob, read).await;
    assert_eq!(answer["body"]["unread"], 0);
    let sync = exchange(&mut bob, json!({"serial": 3, "command": "sync"})).await;
    let summary = &sync["body"]["conversations"][0];
    assert_eq!((&summary["kind"], &summary["peer"]), (&json!("direct"), &json!("alice")));
    assert_eq!((&summary["head_seq"], &summary["read_seq"]), (&json!(1), &json!(1)));
    assert_eq!(summary["last"]["content"], content);
    let unknown = exchange(&mut bob, json!({"serial": 4, "command": "fly", "body": {}})).await;
    assert_eq!(
        (&unknown["serial"], &unknown["command"], &unknown["code"]),
        (&json!(4), &json!("fly"), &json!(4))
    );
    assert_eq!(unknown["body"]["error"]["code"], "unknown_command");
    let refused = exchange(
        &mut bob,
        json!({"serial": 5, "command": "send", "body": {
            "to": {"user": "alice"}, "client_msg_id": "x", "content": "no object",
        }}),
    )
    .await;
    assert_eq!(refused["body"]["error"]["code"], "bad_request");
    let all = exchange(
        &mut bob,
        json!({"serial": 6, "command": "send", "body": {
            "to": {"user": "alice"}, "client_msg_id": "y", "content": {"type": "x"},
            "options": {"mentions": "all"},
        }}),
    )
    .await;
    assert_eq!(all["body"]["error"]["code"], "forbidden");
}

#[tokio::test]
async fn every_way_to_connect_carries_the_same_chat() {
    let server = setup().with_tls(Certificate::generate()).start().await;
    let ways = [Way::Tls, Way::Binary, Way::Json];
    let mut devices = Vec::new();
    for (n, way) in ways.into_iter().enumerate() {
        let login = Login::new("bob", &format!("device{n}")).over(way).acks(Acks::Surfaced);
        devices.push(login.to(&server).await);
    }
    let alice = Login::new("alice", "laptop").over(Way::Tls).to(&server).await;
    for text in ["one", "two", "three"] {
        alice.say("bob", text).await;
    }
    let first = devices[0].messages(3).await;
    for device in &devices[1..] {
        assert_eq!(device.messages(3).await, first);
    }
    // The sender's other devices see it, and nobody is alerted there.
    let sent = devices[0].say("alice", "back").await;
    let own = devices[1].messages(4).await;
    assert_eq!((own[3].seq, own[3].alert), (sent.seq, false));
    assert_eq!(devices[0].seen().messages().count(), 3, "the sender got a delivery of its own");
}

#[tokio::test]
async fn a_listener_with_a_certificate_speaks_tls_only() {
    let server = setup().with_tls(Certificate::generate()).start().await;
    let mut plain = Packets::connect(&server, Way::Tcp).await;
    plain.send_bytes(&[0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0]).await;
    let nothing = nightjar_whole::within("the end", plain.reading.ends()).await;
    assert!(nothing, "a packet came in the clear");
}

#[tokio::test]
async fn a_session_is_resumed_by_its_token_once() {
    let server = setup().start().await;
    let first = Login::new("bob", "phone").to(&server).await;
    assert!(!first.hello.resumed);
    let resume = first.hello.resume.clone();
    drop(first);
    let second = Login::new("bob", "phone").resume(&resume).to(&server).await;
    assert!(second.hello.resumed);
    assert_ne!(second.hello.resume, resume);
    let third = Login::new("bob", "phone").resume(&resume).to(&server).await;
    assert!(!third.hello.resumed, "a resume token works once");
    assert_ne!(third.hello.session, second.hello.session);
}

#[tokio::test]
async fn a_silent_connection_is_pinged_and_ended_when_nobody_answers() {
    let server = setup().with("[heartbeat]\ninterval_s = 1\ntimeout_s = 1").start().await;
    let alive = Login::new("alice", "laptop").to(&server).await;
    let frozen = Login::new("bob", "phone").to(&server).await;
    assert_eq!(alive.hello.heartbeat_s, 1);
    let api = server.api();
    frozen.freeze();
    let gone = async { while api.device("bob", "phone").await["app_state"] != "offline" {} };
    nightjar_whole::within("the frozen one to be offline", gone).await;
    assert!(!alive.has_ended());
    assert_eq!(api.device("alice", "laptop").await["app_state"], "foreground");
}

#[tokio::test]
async fn a_renewed_certificate_is_served_and_open_connections_go_on() {
    let server = setup().with_tls(Certificate::generate()).start().await;
    let old = server.setup().certificate().expect("a certificate");
    let alice = Login::new("alice", "laptop").over(Way::Tls).to(&server).await;
    assert!(shakes_hands(&server, old.client()).await);
    let new = old.renew();
    server.hang_up();
    let served = async { while !shakes_hands(&server, Arc::clone(&new)).await {} };
    within("the new certificate to be served", served).await;
    assert!(!shakes_hands(&server, old.client()).await, "the old one is served no more");
    alice.say("bob", "still here").await;
    // Half of a pair changes nothing, and is said.
    std::fs::write(old.key_file(), "no key").expect("there is room for a file");
    server.hang_up();
    let told = async { while !server.log().contains("the old one stays") {} };
    within("the log to say so", told).await;
    assert!(shakes_hands(&server, new).await);
    alice.say("bob", "and here").await;
}

/// Whether a TLS handshake by this client's trust succeeds.
async fn shakes_hands(server: &Server, client: Arc<ClientConfig>) -> bool {
    let tcp = TcpStream::connect(server.native()).await.expect("the listener is there");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(client).connect(name, tcp).await.is_ok()
}
