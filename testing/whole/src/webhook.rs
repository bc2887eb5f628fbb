//! A webhook receiver with its own reading of the Standard Webhooks scheme.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ring::hmac;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{ms_since_epoch, within};

/// 32 bytes that sign, as the scheme writes them.
const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
/// The most bytes of an event the receiver reads.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How far a timestamp may be off; the scheme's own advice.
const TOLERANCE_S: u64 = 300;

/// One event as it was sent.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it had come.
    pub at: SystemTime,
    /// `webhook-id`.
    pub id: String,
    /// Whether the signature is right and the timestamp recent.
    pub is_genuine: bool,
    /// Whether it was answered with 200.
    pub was_taken: bool,
    /// The body.
    pub json: Value,
}

impl Event {
    /// The type of the event.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap_or_default()
    }
}

/// A receiver on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    inner: Arc<Inner>,
    /// Holds the accepting task, which holds the connections.
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Inner {
    events: watch::Sender<Vec<Event>>,
    takes: AtomicBool,
}

impl Receiver {
    /// Starts one that takes every event.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("the socket is bound");
        let inner =
            Arc::new(Inner { events: watch::Sender::default(), takes: AtomicBool::new(true) });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&inner)));
        Self { address, inner, _tasks: tasks }
    }

    /// The section `[webhooks]` that leads here.
    #[must_use]
    pub fn config(&self) -> String {
        format!(
            "[webhooks]\nurl = \"{}\"\nsecret = \"{}\"\nallow_private = true\n",
            self.url(),
            self.secret()
        )
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What it verifies events with.
    #[must_use]
    pub fn secret(&self) -> String {
        format!("whsec_{}", STANDARD.encode(SECRET))
    }

    /// From now on events are answered with 503.
    pub fn refuse(&self) {
        self.inner.takes.store(false, Ordering::SeqCst);
    }

    /// From now on events are taken.
    pub fn take(&self) {
        self.inner.takes.store(true, Ordering::SeqCst);
    }

    /// Every event so far, refused ones too.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.inner.events.borrow().clone()
    }

    /// Waits until `holds` of every event so far, and answers all of them.
    ///
    /// # Panics
    /// When it does not hold in time.
    pub async fn wait_until(&self, what: &str, holds: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let mut events = self.inner.events.subscribe();
        let all = within(what, events.wait_for(|events| holds(events))).await;
        all.expect("the sender is borrowed").clone()
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let inner = Arc::clone(&inner);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&inner), request));
            let http = hyper::server::conn::http1::Builder::new();
            // A connection that breaks shows in what is waited for.
            let _ = http.serve_connection(TokioIo::new(tcp), service).await;
        });
    }
}

async fn answer(
    inner: Arc<Inner>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let whole = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let bytes = whole.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let was_taken = inner.takes.load(Ordering::SeqCst);
    let event = Event {
        at: SystemTime::now(),
        id: header(&head.headers, "webhook-id").to_owned(),
        is_genuine: is_genuine(&head.headers, &bytes),
        was_taken,
        json: serde_json::from_slice(&bytes).unwrap_or_default(),
    };
    inner.events.send_modify(|events| events.push(event));
    let status = if was_taken { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let response = Response::builder().status(status).body(Full::default());
    Ok(response.expect("a status is a whole response"))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// One of the signatures, separated by spaces, is `v1,` and base64 of HMAC-SHA256 over
/// `id.timestamp.body`.
fn is_genuine(headers: &HeaderMap, body: &[u8]) -> bool {
    let (id, timestamp) = (header(headers, "webhook-id"), header(headers, "webhook-timestamp"));
    let now_s = ms_since_epoch(SystemTime::now()) / 1_000;
    let is_recent = timestamp.parse::<u64>().is_ok_and(|s| s.abs_diff(now_s) <= TOLERANCE_S);
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signatures = header(headers, "webhook-signature").split(' ');
    let mut candidates =
        signatures.filter_map(|text| STANDARD.decode(text.strip_prefix("v1,")?).ok());
    !id.is_empty()
        && is_recent
        && candidates.any(|signature| hmac::verify(&key, &signed, &signature).is_ok())
}
