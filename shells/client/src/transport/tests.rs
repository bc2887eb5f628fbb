//! Against real listeners on loopback: plain, TLS and WebSockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use nightjar_client_core::defaults;
use nightjar_model::limits::PACKET_BYTES_MAX;
use nightjar_wire::{Header, WireError};
use rcgen::{CertifiedKey, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::stream::PacketStream;
use super::{Address, Closed, ConnectError, Connection, Connector, QUEUED_BYTES_MAX, TrustError};

const PATIENCE: Duration = Duration::from_secs(20);

/// A packet of so many bytes, filled with its serial.
fn packet(serial: i32, length: usize) -> Bytes {
    let mut bytes = vec![serial as u8; length];
    bytes[..4].copy_from_slice(&(length as i32).to_be_bytes());
    bytes[4..8].copy_from_slice(&serial.to_be_bytes());
    bytes[8..12].copy_from_slice(&4_i32.to_be_bytes());
    bytes[12..16].copy_from_slice(&0_i32.to_be_bytes());
    bytes.into()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn try_connect(address: &str, ca: Option<&Path>) -> Result<Connection, ConnectError> {
    let address: Address = address.parse().unwrap();
    Connector::new(ca).unwrap().connect(&address, PATIENCE).await
}

/// Both ends of a plain connection.
async fn plain() -> (Connection, TcpStream) {
    let (listener, at) = listener().await;
    let address = at.to_string();
    let (connection, accepted) = tokio::join!(try_connect(&address, None), listener.accept());
    (connection.unwrap(), accepted.unwrap().0)
}

/// Both ends of a WebSocket.
async fn websocket() -> (Connection, WebSocketStream<TcpStream>) {
    let (listener, at) = listener().await;
    let accept = async { accept_async(listener.accept().await.unwrap().0).await.unwrap() };
    let address = format!("http://{at}");
    let (connection, socket) = tokio::join!(try_connect(&address, None), accept);
    (connection.unwrap(), socket)
}

/// Sends each message back as it came.
async fn echo_messages<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocketStream<S>) {
    let (mut sink, mut stream) = socket.split();
    while let Some(Ok(message)) = stream.next().await {
        if message.is_close() || sink.send(message).await.is_err() {
            return;
        }
    }
}

async fn echo_bytes<S: AsyncRead + AsyncWrite>(stream: S) {
    let (mut from, mut to) = tokio::io::split(stream);
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

struct Tls {
    acceptor: TlsAcceptor,
    folder: tempfile::TempDir,
}

impl Tls {
    fn new() -> Self {
        let CertifiedKey::<KeyPair> { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), cert.pem()).unwrap();
        Self { acceptor: Arc::new(config).into(), folder }
    }

    fn ca_file(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// Packets of every size there and back.
async fn packets_go_there_and_back(mut connection: Connection) {
    let sizes = [16, 17, 4096, 4097, 70_000, PACKET_BYTES_MAX, 16];
    let sent: Vec<Bytes> = (1..).zip(sizes).map(|(serial, size)| packet(serial, size)).collect();
    for packet in &sent {
        connection.queue(packet.clone()).unwrap();
    }
    assert!(connection.is_writing());
    for packet in &sent {
        let received = connection.receive().await.unwrap();
        assert!(received == *packet, "{:?}", Header::parse(&received));
    }
    assert!(!connection.is_writing());
    connection.close().await;
}

#[tokio::test]
async fn packets_go_there_and_back_over_tcp() {
    let (connection, stream) = plain().await;
    let server = tokio::spawn(echo_bytes(stream));
    packets_go_there_and_back(connection).await;
    server.await.unwrap();
}

#[tokio::test]
async fn packets_go_there_and_back_over_tls() {
    let tls = Tls::new();
    let (listener, at) = listener().await;
    let acceptor = tls.acceptor.clone();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        echo_bytes(acceptor.accept(stream).await.unwrap()).await;
    });
    let address = format!("nightjar+tls://localhost:{}", at.port());
    let connection = try_connect(&address, Some(&tls.ca_file())).await.unwrap();
    packets_go_there_and_back(connection).await;
    server.await.unwrap();
}

#[tokio::test]
async fn packets_go_there_and_back_over_a_websocket() {
    let (connection, socket) = websocket().await;
    let server = tokio::spawn(echo_messages(socket));
    packets_go_there_and_back(connection).await;
    server.await.unwrap();
}

#[tokio::test]
async fn packets_go_there_and_back_over_a_websocket_in_tls() {
    let tls = Tls::new();
    let (listener, at) = listener().await;
    let acceptor = tls.acceptor.clone();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        echo_messages(accept_async(stream).await.unwrap()).await;
    });
    let address = format!("wss://localhost:{}", at.port());
    let connection = try_connect(&address, Some(&tls.ca_file())).await.unwrap();
    packets_go_there_and_back(connection).await;
    server.await.unwrap();
}

#[tokio::test]
async fn a_dropped_receive_loses_no_byte() {
    // In memory, so that each byte is surely there when the next receive is given up.
    let (mut server, stream) = tokio::io::duplex(PACKET_BYTES_MAX);
    let mut connection = Connection { carrier: Box::new(PacketStream::new(stream)) };
    for packet in [packet(1, 40), packet(2, 16), packet(3, 300)] {
        for byte in &packet {
            assert!(connection.receive().now_or_never().is_none());
            server.write_all(&[*byte]).await.unwrap();
        }
        assert_eq!(connection.receive().now_or_never().unwrap().unwrap(), packet);
    }
}

#[tokio::test]
async fn who_does_not_read_fills_a_bounded_queue_and_gets_all_of_it_later() {
    let (mut connection, mut server) = plain().await;
    let mut queued = 0;
    let refused = loop {
        // What the kernel takes makes room; it is bounded, too.
        let _ = connection.flush().now_or_never();
        match connection.queue(packet(queued + 1, PACKET_BYTES_MAX)) {
            Ok(()) => queued += 1,
            Err(closed) => break closed,
        }
        assert!(queued < 1_000, "the queue has no end");
    };
    assert!(matches!(refused, Closed::Behind), "{refused}");
    assert!(queued as usize >= QUEUED_BYTES_MAX / PACKET_BYTES_MAX);
    assert!(connection.flush().now_or_never().is_none());

    let read = async {
        let mut bytes = vec![0; PACKET_BYTES_MAX];
        for serial in 1..=queued {
            server.read_exact(&mut bytes).await.unwrap();
            assert!(bytes == packet(serial, PACKET_BYTES_MAX), "packet {serial}");
        }
    };
    let (flushed, ()) = tokio::join!(connection.flush(), read);
    flushed.unwrap();
    assert!(!connection.is_writing());
}

#[tokio::test]
async fn closing_sends_what_was_queued_whatever_was_not_read() {
    let (mut connection, mut server) = plain().await;
    // Unread input would make the kernel answer with a reset that takes the last packet along.
    server.write_all(&packet(1, 100_000)).await.unwrap();
    connection.queue(packet(2, 300_000)).unwrap();
    let read = async {
        let mut bytes = Vec::new();
        server.read_to_end(&mut bytes).await.unwrap();
        drop(server);
        bytes
    };
    let ((), bytes) = tokio::join!(connection.close(), read);
    assert!(bytes == packet(2, 300_000), "{} bytes came", bytes.len());
}

#[tokio::test]
async fn closing_a_websocket_says_so() {
    let (mut connection, mut socket) = websocket().await;
    connection.queue(packet(1, 20)).unwrap();
    let read = async move {
        let mut messages = Vec::new();
        while let Some(message) = socket.next().await {
            messages.push(message.unwrap());
        }
        messages
    };
    let ((), messages) = tokio::join!(connection.close(), read);
    assert_eq!(messages, [Message::Binary(packet(1, 20)), Message::Close(None)]);
}

#[tokio::test]
async fn a_server_that_never_ends_does_not_hold_a_close_up() {
    let (connection, server) = plain().await;
    tokio::time::timeout(PATIENCE, connection.close()).await.unwrap();
    drop(server);
}

#[tokio::test]
async fn the_end_of_a_stream_and_what_is_no_packet_have_names() {
    let half = packet(1, 40).slice(..39);
    for (bytes, is_expected) in [
        (Bytes::new(), (|closed| matches!(closed, Closed::Ended)) as fn(Closed) -> bool),
        (half, |closed| matches!(closed, Closed::NoPacket(WireError::Truncated))),
        (Bytes::from_static(&[0, 0, 0, 15]), |closed| {
            matches!(closed, Closed::NoPacket(WireError::BadLength { length: 15 }))
        }),
        (Bytes::from_static(b"HTTP/1.1 400 Bad Request"), |closed| {
            matches!(closed, Closed::NoPacket(WireError::BadLength { .. }))
        }),
    ] {
        let (mut connection, mut server) = plain().await;
        server.write_all(&bytes).await.unwrap();
        drop(server);
        let closed = connection.receive().await.unwrap_err();
        let text = format!("{closed:?}");
        assert!(is_expected(closed), "{bytes:?}: {text}");
    }
}

#[tokio::test]
async fn what_came_before_the_end_is_received_though_nothing_can_be_written() {
    // In memory, so that writing surely fails before all is read.
    let (mut server, stream) = tokio::io::duplex(PACKET_BYTES_MAX);
    let mut connection = Connection { carrier: Box::new(PacketStream::new(stream)) };
    server.write_all(&packet(1, 20)).await.unwrap();
    server.write_all(&packet(2, 20)).await.unwrap();
    drop(server);
    connection.queue(packet(3, 20)).unwrap();
    assert!(matches!(connection.flush().await, Err(Closed::Broken(_))));
    assert_eq!(connection.receive().await.unwrap(), packet(1, 20));
    assert_eq!(connection.receive().await.unwrap(), packet(2, 20));
    let closed = connection.receive().await.unwrap_err();
    assert!(matches!(closed, Closed::Ended), "{closed:?}");
}

#[tokio::test]
async fn a_text_message_and_one_over_the_limit_are_refused() {
    let (mut connection, mut socket) = websocket().await;
    socket.send(Message::Text("{}".into())).await.unwrap();
    let closed = connection.receive().await.unwrap_err();
    assert!(matches!(closed, Closed::Text), "{closed:?}");

    let (mut connection, mut socket) = websocket().await;
    let send = async {
        // The client may hang up before all of it is written.
        let _ = socket.send(Message::Binary(vec![0; PACKET_BYTES_MAX + 1].into())).await;
    };
    let receive = async move { connection.receive().await.unwrap_err() };
    let (closed, ()) = tokio::join!(receive, send);
    assert!(matches!(closed, Closed::NoPacket(WireError::TooLarge)), "{closed:?}");
}

#[tokio::test]
async fn a_websocket_that_is_closed_or_cut_has_ended() {
    let (mut connection, mut socket) = websocket().await;
    socket.send(Message::Ping(Bytes::new())).await.unwrap();
    socket.send(Message::Binary(packet(1, 20))).await.unwrap();
    socket.close(None).await.unwrap();
    assert_eq!(connection.receive().await.unwrap(), packet(1, 20));
    let closed = connection.receive().await.unwrap_err();
    assert!(matches!(closed, Closed::Ended), "{closed:?}");

    let (mut connection, socket) = websocket().await;
    drop(socket);
    let closed = connection.receive().await.unwrap_err();
    assert!(matches!(closed, Closed::Ended), "{closed:?}");
}

// No connection.

#[tokio::test]
async fn a_port_nobody_listens_on_cannot_be_reached() {
    let (listener, at) = listener().await;
    drop(listener);
    let error = try_connect(&at.to_string(), None).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("nightjar://{at} cannot be reached"));
}

#[tokio::test]
async fn a_silent_server_ends_the_attempt_at_its_deadline() {
    let (listener, at) = listener().await;
    for way in ["nightjar+tls", "ws", "wss"] {
        let address: Address = format!("{way}://{at}").parse().unwrap();
        let connector = Connector::new(None).unwrap();
        let error = connector.connect(&address, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, ConnectError::TooSlow { within_ms: 50, .. }), "{way}: {error:?}");
    }
    drop(listener);
}

/// The clock stands still, so it jumps to the next deadline at once.
#[tokio::test(start_paused = true)]
async fn an_address_that_opens_and_says_nothing_does_not_take_the_whole_attempt() {
    let (listener, at) = listener().await;
    let address: Address = format!("nightjar+tls://{at}").parse().unwrap();
    let connector = Connector::new(None).unwrap();
    let within = Duration::from_millis(defaults::CONNECT_MS);
    let error = connector.connect(&address, within).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    drop(listener);
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_or_of_another_name_is_refused() {
    let tls = Tls::new();
    let ca_file = tls.ca_file();
    for (host, ca_file) in [("localhost", None), ("127.0.0.1", Some(&*ca_file))] {
        let (listener, at) = listener().await;
        let acceptor = tls.acceptor.clone();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(stream).await.is_err());
        });
        let address = format!("nightjar+tls://{host}:{}", at.port());
        let error = try_connect(&address, ca_file).await.unwrap_err();
        assert!(matches!(error, ConnectError::Tls { .. }), "{host}: {error:?}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_page_instead_of_a_websocket_is_named() {
    let (listener, at) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        let mut request = String::new();
        let _ = stream.read_to_string(&mut request).await;
        request
    });
    let error = try_connect(&format!("http://{at}"), None).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ConnectError::WebSocket { .. }), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("404"), "{source}");
    let request = server.await.unwrap();
    assert!(request.starts_with("GET /v1/ws HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("Host: {at}\r\n")), "{request}");
}

#[test]
fn files_without_certificates_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let error = Connector::new(Some(&file)).unwrap_err();
    assert!(matches!(error, TrustError::File { .. }), "{error:?}");
    std::fs::write(&file, "not PEM").unwrap();
    let error = Connector::new(Some(&file)).unwrap_err();
    assert!(matches!(error, TrustError::Empty { .. }), "{error:?}");
    let noise = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&file, noise).unwrap();
    let error = Connector::new(Some(&file)).unwrap_err();
    assert!(matches!(error, TrustError::Certificate { .. }), "{error:?}");
}
