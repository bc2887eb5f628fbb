//! The same conversation over every door.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use nightjar_model::ByeReason;
use nightjar_wire::{Body, Kind, Packet, Side};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::client::{Client, hello, send};
use crate::house::{House, soon};

const HELLO: &str = r#"{"type":"text","text":"hello"}"#;

/// A certificate for `localhost`, and a client that trusts it.
fn tls() -> (Arc<ServerConfig>, TlsConnector) {
    let directory = tempfile::tempdir().unwrap();
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&cert, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    let server = nightjar_access::server_config(&cert, &key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&cert).unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, TlsConnector::from(Arc::new(client)))
}

#[tokio::test]
async fn a_message_goes_from_tcp_to_tls_and_the_server_says_goodbye() {
    let house = House::open();
    let (config, connector) = tls();
    let mut alice = Client::connect(house.door(None).await).await;
    let address = house.door(Some(config)).await;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = soon(TcpStream::connect(address)).await.unwrap();
    let mut bob = Client::over(soon(connector.connect(name, stream)).await.unwrap());
    alice.login(&house, "alice").await;
    bob.login(&house, "bob").await;
    let sent = alice.ask(Kind::Send, send(1, "bob", HELLO.into())).await;
    assert!(matches!(&sent.body, Body::SendAnswer(sent) if sent.seq == 1), "{sent:?}");
    let Some(Packet { body: Body::Deliver(deliver), .. }) = bob.next().await else {
        panic!("a delivery")
    };
    assert_eq!(deliver.messages[0].content, HELLO);
    house.handle().drain();
    alice.bye(ByeReason::Drain).await;
    bob.bye(ByeReason::Drain).await;
    drop((alice, bob));
    house.holds(0).await;
}

#[tokio::test]
async fn a_packet_in_single_bytes_is_a_packet() {
    let house = House::open();
    let mut alice = Client::connect(house.door(None).await).await;
    alice.stream.set_nodelay(true).unwrap();
    let request = alice.request(Kind::Hello, hello(&house, "alice"));
    for byte in &request {
        alice.write(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    let answer = alice.next().await.unwrap();
    assert!(matches!(answer.body, Body::HelloAnswer(_)), "{answer:?}");
}

#[tokio::test]
async fn a_websocket_speaks_both_forms() {
    let house = House::open();
    let url = format!("ws://{}/v1/ws", house.web_door().await);
    let (mut alice, _) = soon(tokio_tungstenite::connect_async(&url)).await.unwrap();
    let (mut bob, _) = soon(tokio_tungstenite::connect_async(&url)).await.unwrap();
    let packet = Packet::request(1, Kind::Hello, hello(&house, "alice"));
    alice.send(Message::Text(packet.to_json().into())).await.unwrap();
    let Some(Ok(Message::Text(text))) = soon(alice.next()).await else { panic!("a text") };
    let answer = Packet::decode_json(&text, Side::Client).unwrap();
    assert!(matches!(answer.body, Body::HelloAnswer(_)), "{answer:?}");
    let packet = Packet::request(1, Kind::Hello, hello(&house, "bob"));
    bob.send(Message::Binary(packet.to_bytes())).await.unwrap();
    let Some(Ok(Message::Binary(bytes))) = soon(bob.next()).await else { panic!("bytes") };
    assert!(Packet::decode(&bytes, Side::Client).is_ok());
    let packet = Packet::request(2, Kind::Send, send(1, "bob", HELLO.into()));
    alice.send(Message::Text(packet.to_json().into())).await.unwrap();
    let Some(Ok(Message::Binary(bytes))) = soon(bob.next()).await else { panic!("bytes") };
    let deliver = Packet::decode(&bytes, Side::Client).unwrap();
    assert!(matches!(&deliver.body, Body::Deliver(one) if one.messages[0].content == HELLO));
}

#[tokio::test]
async fn a_websocket_message_above_the_limit_is_told_so() {
    let house = House::open();
    let url = format!("ws://{}/v1/ws", house.web_door().await);
    let (mut client, _) = soon(tokio_tungstenite::connect_async(&url)).await.unwrap();
    let huge = Message::Binary(vec![0; (1 << 20) + 1].into());
    // The server may end the connection while this is being written.
    let _ = soon(client.send(huge)).await;
    let mut said = Vec::new();
    while let Some(Ok(message)) = soon(client.next()).await {
        match message {
            Message::Binary(bytes) => said.push(Packet::decode(&bytes, Side::Client).unwrap()),
            Message::Close(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let Some(Packet { body: Body::Bye(bye), .. }) = said.last() else { panic!("{said:?}") };
    assert_eq!(bye.reason, ByeReason::Protocol.as_str());
    drop(client);
    house.holds(0).await;
}

#[tokio::test]
async fn above_the_limit_of_connections_one_finds_no_room_and_the_others_stay() {
    let house = House::with(Default::default(), 2);
    let (door, web) = (house.door(None).await, house.web_door().await);
    let mut alice = Client::connect(door).await;
    alice.login(&house, "alice").await;
    let mut bob = Client::connect(door).await;
    bob.login(&house, "bob").await;
    let mut third = Client::connect(door).await;
    assert!(third.next().await.is_none(), "it is closed at once");
    let refused = soon(tokio_tungstenite::connect_async(format!("ws://{web}/v1/ws"))).await;
    match refused {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 503),
        other => panic!("{other:?}"),
    }
    drop(bob);
    house.holds(1).await;
    let mut carol = Client::connect(door).await;
    carol.login(&house, "carol").await;
    assert!(matches!(alice.ask(Kind::Ping, Body::Empty).await.body, Body::Empty));
}
