//! The server under every vendor that speaks HTTP/1.1 or HTTP/2 with prior knowledge.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::record::header_map;
use crate::script::{End, Scripts};
use crate::{Record, Recorded, Script, Token};

/// The most bytes of a request a server reads.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Where the record can be read as JSON; it is not recorded itself.
const RECORD_PATH: &str = "/_requests";

/// What one vendor's page says.
pub(crate) trait Vendor: Debug + Send + Sync + 'static {
    /// Whether a path is where authorisation comes from.
    fn is_fetch(&self, path: &str) -> bool;

    /// The device token a request is for; empty for a request that has none.
    fn token(&self, request: &Recorded) -> String;

    /// The signed token a request shows, if its signature is right.
    fn signed(&self, _request: &Recorded) -> Option<Token> {
        None
    }

    /// What the real service answers.
    fn answer(&self, request: &Recorded) -> Script;
}

#[derive(Debug)]
struct Inner {
    vendor: Arc<dyn Vendor>,
    sends: Record,
    fetches: Record,
    send_scripts: Scripts,
    fetch_scripts: Scripts,
}

/// A vendor on loopback: what all of them can do. Stops when it is dropped.
#[derive(Debug)]
pub struct VendorServer {
    address: SocketAddr,
    inner: Arc<Inner>,
    /// Holds the accepting task, which holds the connections.
    _tasks: JoinSet<()>,
}

impl VendorServer {
    /// Listens for `vendor`.
    pub(crate) async fn start(vendor: Arc<dyn Vendor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("the socket is bound");
        let inner = Arc::new(Inner {
            vendor,
            sends: Record::default(),
            fetches: Record::default(),
            send_scripts: Scripts::default(),
            fetch_scripts: Scripts::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&inner)));
        Self { address, inner, _tasks: tasks }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every message sent so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.inner.sends.all()
    }

    /// Every fetch of an authorisation so far.
    #[must_use]
    pub fn token_requests(&self) -> Vec<Recorded> {
        self.inner.fetches.all()
    }

    /// Waits until there are `n` messages.
    pub async fn wait_for(&self, n: usize) -> Vec<Recorded> {
        self.wait_until(|requests| requests.len() >= n).await
    }

    /// Waits until `holds` of all messages.
    pub async fn wait_until(&self, holds: impl FnMut(&[Recorded]) -> bool) -> Vec<Recorded> {
        self.inner.sends.wait_until(holds).await
    }

    /// Waits until there are `n` fetches of an authorisation.
    pub async fn wait_for_token_requests(&self, n: usize) -> Vec<Recorded> {
        self.inner.fetches.wait_until(|requests| requests.len() >= n).await
    }

    /// The next message for `token` that has no earlier script is answered so; `*` is any token.
    pub fn answer(&self, token: &str, script: Script) {
        self.inner.send_scripts.once(token, script);
    }

    /// Every message for `token` is answered so; `*` is any token.
    pub fn answer_always(&self, token: &str, script: Script) {
        self.inner.send_scripts.always(token, script);
    }

    /// The next fetch of an authorisation is answered so.
    pub fn answer_token(&self, script: Script) {
        self.inner.fetch_scripts.once("*", script);
    }

    /// Lets go what [`Script::held`] holds, now and later.
    pub fn release(&self) {
        self.inner.send_scripts.release();
        self.inner.fetch_scripts.release();
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    while let Ok((tcp, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let inner = Arc::clone(&inner);
        let connection = number;
        number += 1;
        connections.spawn(async move {
            let service =
                service_fn(move |request| answer(Arc::clone(&inner), connection, request));
            // A connection that breaks is what a test asked for, or shows in what it waits for.
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(tcp), service).await;
        });
    }
}

async fn answer(
    inner: Arc<Inner>,
    connection: usize,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(io::Error::other)?;
    let request = inner.recorded(connection, &head, body.to_bytes().to_vec());
    if request.method == "GET" && request.path == RECORD_PATH {
        let body = inner.told().to_string();
        return Ok(Response::new(Full::new(body.into())));
    }
    let (record, scripts) = match inner.vendor.is_fetch(&request.path) {
        true => (&inner.fetches, &inner.fetch_scripts),
        false => (&inner.sends, &inner.send_scripts),
    };
    record.push(request.clone());
    let script = scripts.next(&request.token);
    if let Some(script) = &script {
        scripts.wait(script.before).await;
        if script.end == End::Drop {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    // A scripted 200 without a body means: whatever is right.
    let script = match script {
        Some(script) if script.status != 200 || !script.body.is_empty() => script,
        _ => inner.vendor.answer(&request),
    };
    let mut response = Response::builder().status(script.status);
    for (name, value) in &script.headers {
        response = response.header(name, value);
    }
    let response = response.body(Full::new(script.body.into()));
    Ok(response.expect("scripts hold headers that exist"))
}

impl Inner {
    fn told(&self) -> Value {
        json!({ "requests": self.sends.told(), "token_requests": self.fetches.told() })
    }

    fn recorded(&self, connection: usize, head: &request::Parts, body: Vec<u8>) -> Recorded {
        let mut request = Recorded {
            at: SystemTime::now(),
            connection,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            headers: header_map(&head.headers),
            body,
            token: String::new(),
            signed: None,
        };
        request.token = self.vendor.token(&request);
        request.signed = self.vendor.signed(&request);
        request
    }
}

/// The first of an array of tokens.
pub(crate) fn first_token(tokens: &Value) -> String {
    tokens[0].as_str().unwrap_or_default().to_owned()
}

/// Whether an object has no other keys than these.
pub(crate) fn only(value: &Value, keys: &[&str]) -> bool {
    value.as_object().is_some_and(|object| object.keys().all(|key| keys.contains(&key.as_str())))
}

/// The number of `86400s`.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    text.strip_suffix('s')?.parse().ok()
}

/// The code of a rule, and what it is about.
pub(crate) type Broken = (&'static str, &'static str);

/// The first rule that does not hold.
pub(crate) fn first_broken<const N: usize>(
    rules: [(bool, &'static str, &'static str); N],
) -> Option<Broken> {
    let broken = rules.into_iter().find(|(holds, ..)| !holds);
    broken.map(|(_, code, about)| (code, about))
}

/// Whether an optional field is as it must be where it is there.
pub(crate) fn absent_or(value: &Value, is_right: impl Fn(&Value) -> bool) -> bool {
    value.is_null() || is_right(value)
}

/// Whether a value is a text with something in it.
pub(crate) fn filled(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// Values that are one of these words.
pub(crate) fn one_of(words: &[&str]) -> impl Fn(&Value) -> bool {
    |value| value.as_str().is_some_and(|word| words.contains(&word))
}

/// Values that are whole numbers within a range.
pub(crate) fn within(range: RangeInclusive<i64>) -> impl Fn(&Value) -> bool {
    move |value| value.as_i64().is_some_and(|number| range.contains(&number))
}

/// Whether a form buys an access token with these (RFC 6749 §4.4), its fields in any order.
pub(crate) fn buys_with_credentials(
    form: &BTreeMap<String, String>,
    client_id: &str,
    client_secret: &str,
) -> bool {
    let expected = [
        ("client_id", client_id),
        ("client_secret", client_secret),
        ("grant_type", "client_credentials"),
    ];
    form.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected)
}
