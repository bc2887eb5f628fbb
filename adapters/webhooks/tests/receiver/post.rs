//! One POST: where it may go, and what of the answer counts.

use std::error::Error;
use std::io::Read;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use futures_util::FutureExt;
use nightjar_webhooks::{PostError, Target};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::server::{Act, Server, soon};

async fn post(url: &str, allow_private: bool) -> Result<u16, PostError> {
    let target = Target::parse(url, allow_private).unwrap();
    let headers = [("webhook-id", "evt_1".to_owned())];
    soon(target.post(&headers, r#"{"id":"evt_1"}"#.into())).await.map(|status| status.as_u16())
}

#[tokio::test]
async fn a_request_has_its_path_headers_and_body() {
    let mut server = Server::start([]).await;
    assert_eq!(post(&server.url("/hook?a=1&b=%20"), true).await.unwrap(), 200);
    let request = soon(server.requests.recv()).await.unwrap();
    assert_eq!(request.line, "POST /hook?a=1&b=%20 HTTP/1.1");
    assert_eq!(request.header("host"), server.address.to_string());
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("webhook-id"), "evt_1");
    assert_eq!(request.body, r#"{"id":"evt_1"}"#);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = elsewhere.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: http://{location}/\r\ncontent-length: 0\r\n\r\n"
        );
        let mut server = Server::start([Act::Raw(answer.leak())]).await;
        assert_eq!(post(&server.url("/"), true).await.unwrap(), status);
        soon(server.requests.recv()).await.unwrap();
        assert!(server.requests.try_recv().is_err());
    }
    assert!(elsewhere.accept().now_or_never().is_none(), "nobody came");
}

#[tokio::test]
async fn private_addresses_are_refused_by_what_the_name_leads_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"] {
        let refused = post(&format!("http://{host}:{port}/"), false).await;
        match refused {
            Err(PostError::Private(_)) => {}
            // Not every resolver knows the short forms.
            Err(PostError::Resolve(_)) if !host.contains("0.0.") && !host.contains("local") => {}
            other => panic!("{host}: {other:?}"),
        }
    }
    let error = post(&format!("http://127.0.0.1:{port}/"), false).await.unwrap_err();
    assert!(matches!(error, PostError::Private(IpAddr::V4(ip)) if ip.is_loopback()), "{error}");
    assert!(listener.accept().now_or_never().is_none(), "nobody came");
    let other = post("http://169.254.169.254/latest/meta-data", false).await;
    assert!(matches!(other, Err(PostError::Private(_))), "{other:?}");
}

#[tokio::test]
async fn what_is_no_http_and_what_ends_early_is_no_answer() {
    let acts = [
        Act::Close,
        Act::Raw("nonsense\r\n\r\n"),
        Act::Raw("HTTP/1.1 200"),
        Act::Raw("HTTP/1.1 99999 Odd\r\n\r\n"),
    ];
    for act in acts {
        let server = Server::start([act.clone()]).await;
        let answer = post(&server.url("/"), true).await;
        assert!(matches!(answer, Err(PostError::Exchange(_))), "{act:?}: {answer:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let answer = post(&format!("http://{nobody}/"), true).await;
    assert!(matches!(answer, Err(PostError::Connect(_))), "{answer:?}");
}

/// More than any kernel keeps for a socket nobody reads.
const MUCH: u64 = 64 << 20;

#[tokio::test]
async fn an_endless_body_is_not_read_and_its_status_counts() {
    let act =
        Act::Endless("HTTP/1.1 200 OK\r\n\r\n", "a body without an end, and nobody reads it ");
    let mut server = Server::start([act]).await;
    assert_eq!(post(&server.url("/"), true).await.unwrap(), 200);
    assert!(soon(server.endless.recv()).await.unwrap() < MUCH, "the connection ended");
}

#[tokio::test]
async fn endless_headers_are_given_up_at_a_limit() {
    let act = Act::Endless("HTTP/1.1 200 OK\r\n", "x-more: a header that never ends the head\r\n");
    let mut server = Server::start([act]).await;
    let answer = post(&server.url("/"), true).await;
    assert!(matches!(answer, Err(PostError::Exchange(_))), "{answer:?}");
    assert!(soon(server.endless.recv()).await.unwrap() < MUCH, "the connection ended");
}

/// The clock stands still and jumps to the timeout, since nothing else can happen.
#[tokio::test(start_paused = true)]
async fn a_receiver_that_says_nothing_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let target = Target::parse(&url, true).unwrap();
    let before = tokio::time::Instant::now();
    let answer = target.post(&[], "{}".into()).await;
    assert!(matches!(answer, Err(PostError::Timeout)), "{answer:?}");
    assert_eq!(before.elapsed().as_secs(), 15);
}

/// A TLS server whose certificate nobody vouches for; it reads what comes after the handshake.
fn stranger() -> (u16, std::thread::JoinHandle<Vec<u8>>) {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], PrivateKeyDer::from(key))
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(session, stream);
        let mut heard = Vec::new();
        // The client ends the handshake with an alert.
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    (port, thread)
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_gets_no_request() {
    let (port, server) = stranger();
    let error = post(&format!("https://localhost:{port}/"), true).await.unwrap_err();
    let PostError::Connect(source) = &error else { panic!("{error:?}") };
    let reason = source.source().map_or_else(|| source.to_string(), ToString::to_string);
    assert!(source.to_string().contains("UnknownIssuer"), "{source}: {reason}");
    let heard = tokio::task::spawn_blocking(|| server.join().unwrap());
    assert_eq!(soon(heard).await.unwrap(), b"");
}

#[tokio::test]
async fn a_receiver_without_tls_gets_no_plain_request_under_https() {
    let mut server = Server::start([]).await;
    let url = server.url("/").replace("http:", "https:");
    let answer = post(&url, true).await;
    assert!(server.requests.try_recv().is_err());
    assert!(matches!(answer, Err(PostError::Connect(_))), "{answer:?}");
}
