//! How connections end, whatever the peer does.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use nightjar_model::ByeReason;
use nightjar_session::SessionConfig;
use nightjar_wire::{Body, Kind, body};
use tokio::io::AsyncWriteExt;
use tokio_rustls::rustls::ServerConfig;

use crate::client::{Client, send};
use crate::house::{House, soon};

/// A header whose length is 4 GiB, as an unsigned reader would see it.
const HOSTILE: [u8; 16] = [0xff; 16];

#[tokio::test]
async fn the_last_frame_arrives_although_input_is_left_unread() {
    let house = House::open();
    let door = house.door(None).await;
    for _ in 0..20 {
        let mut client = Client::connect(door).await;
        client.login(&house, "alice").await;
        // Far more than the server looks at: closing now would be a reset.
        let mut flood = HOSTILE.to_vec();
        flood.resize(300_000, 0);
        client.write(&flood).await;
        client.bye(ByeReason::Protocol).await;
        // The server reads on for a while: what is written now does not fail.
        for _ in 0..50 {
            client.write(&[0; 4_096]).await;
            tokio::task::yield_now().await;
        }
    }
    house.holds(0).await;
}

#[tokio::test]
async fn input_that_keeps_coming_after_the_last_frame_does_not_hold_the_connection() {
    let house = House::open();
    let mut client = Client::connect(house.door(None).await).await;
    client.write(&HOSTILE).await;
    client.bye(ByeReason::Protocol).await;
    let (_, mut writing) = client.stream.into_split();
    let flood = tokio::spawn(async move { while writing.write_all(&[0; 4096]).await.is_ok() {} });
    house.holds(0).await;
    soon(flood).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_stays_after_the_last_frame_is_dropped() {
    let house = House::open();
    let mut client = Client::connect(house.door(None).await).await;
    client.write(&HOSTILE).await;
    client.bye(ByeReason::Protocol).await;
    house.holds(0).await;
    drop(client);
}

fn hasty() -> SessionConfig {
    SessionConfig { heartbeat_interval_s: 1, heartbeat_timeout_s: 1, ..SessionConfig::default() }
}

#[tokio::test]
async fn a_peer_that_asks_and_never_reads_is_ended_and_others_are_served() {
    let house = House::with(hasty(), 1_000);
    let door = house.door(None).await;
    let mut alice = Client::connect(door).await;
    alice.login(&house, "alice").await;
    for number in 0..40 {
        let content = format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(8_000));
        alice.ask(Kind::Send, send(number, "bob", content)).await;
    }
    let mut greedy = Client::connect(door).await;
    greedy.login(&house, "bob").await;
    house.holds(2).await;
    let history = Body::History(body::History {
        conversation: "d:alice:bob".into(),
        after: Some(0),
        before: None,
        limit: Some(200),
    });
    // Each of these asks for a third of a megabyte.
    let mut requests = Vec::new();
    for _ in 0..2_000 {
        requests.extend_from_slice(&greedy.request(Kind::History, history.clone()));
    }
    // The sockets of this machine may take some of it; the connection ends all the same.
    let (reading, mut writing) = greedy.stream.into_split();
    let asking = tokio::spawn(async move { while writing.write_all(&requests).await.is_ok() {} });
    soon(async {
        while !asking.is_finished() {
            let answer = alice.ask(Kind::Ping, Body::Empty).await;
            assert_eq!(answer.body, Body::Empty);
        }
    })
    .await;
    house.holds(1).await;
    drop(reading);
}

#[tokio::test]
async fn a_peer_that_is_silent_is_ended() {
    let house = House::with(hasty(), 1_000);
    let mut client = Client::connect(house.door(None).await).await;
    client.login(&house, "alice").await;
    house.holds(0).await;
    let ping = client.next().await.expect("it was asked first");
    assert_eq!(ping.kind, Kind::Ping);
}

#[tokio::test]
async fn a_peer_that_leaves_without_a_word_leaves_its_place() {
    let house = House::open();
    let mut client = Client::connect(house.door(None).await).await;
    client.login(&house, "alice").await;
    let mut half = Client::connect(house.door(None).await).await;
    half.write(&[0, 0, 1, 0, 0]).await;
    house.holds(2).await;
    drop((client, half));
    house.holds(0).await;
    // The lanes heard of it.
    soon(async {
        while house.handle().connections() != 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn certificate() -> Arc<ServerConfig> {
    let directory = tempfile::tempdir().unwrap();
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&cert, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    nightjar_access::server_config(&cert, &key).unwrap()
}

/// The clock stands still and jumps to the next timer once nothing else can happen: the ten
/// seconds of a handshake pass at once. The client is a thread, which the clock does not know.
#[tokio::test(start_paused = true)]
async fn a_tls_handshake_that_never_comes_is_ended() {
    let house = House::open();
    let door = house.door(Some(certificate())).await;
    let before = tokio::time::Instant::now();
    let (told, client) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(door).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut heard = Vec::new();
        told.send(stream.read_to_end(&mut heard).map(|_| heard))
    });
    let heard = client.await.unwrap();
    assert_eq!(heard.unwrap(), b"", "the server ended it and said nothing");
    assert_eq!(before.elapsed().as_secs(), 10);
    house.holds(0).await;
}
