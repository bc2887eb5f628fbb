//! What a server has seen.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::Token;

/// One request.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// When its last byte had come.
    pub at: SystemTime,
    /// Which connection of this server it came on, from 0.
    pub connection: usize,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its headers, names in lower case. Of a repeated header the last.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
    /// The device token it is for; empty for a request that has none.
    pub token: String,
    /// The signed token it showed, if its signature is right.
    pub signed: Option<Token>,
}

/// The most requests that are kept; of more the older half is forgotten.
const REQUESTS_MAX: usize = 100_000;

impl Recorded {
    /// The request as JSON, for who reads the record over HTTP. A body that is no text is base64.
    pub(crate) fn told(&self) -> Value {
        let at = self.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let (kind, body) = match std::str::from_utf8(&self.body) {
            Ok(text) => ("body", text.to_owned()),
            Err(_) => ("body_base64", STANDARD.encode(&self.body)),
        };
        json!({
            "at": u64::try_from(at).unwrap_or(u64::MAX),
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "token": self.token,
            kind: body,
        })
    }

    /// A header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as a form. Of a repeated field the last.
    #[must_use]
    pub fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The body as JSON, or null.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Requests in the order they came.
#[derive(Debug)]
pub struct Record {
    requests: watch::Sender<Vec<Recorded>>,
}

impl Default for Record {
    fn default() -> Self {
        Self { requests: watch::Sender::new(Vec::new()) }
    }
}

impl Record {
    pub(crate) fn push(&self, request: Recorded) {
        self.requests.send_modify(|requests| {
            if requests.len() >= REQUESTS_MAX {
                requests.drain(..REQUESTS_MAX / 2);
            }
            requests.push(request);
        });
    }

    /// Everything so far as JSON.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.requests.borrow().iter().map(Recorded::told).collect()
    }

    /// Everything so far.
    #[must_use]
    pub fn all(&self) -> Vec<Recorded> {
        self.requests.borrow().clone()
    }

    /// Waits until `holds` of everything so far.
    pub async fn wait_until(&self, mut holds: impl FnMut(&[Recorded]) -> bool) -> Vec<Recorded> {
        let mut seen = self.requests.subscribe();
        let all = seen.wait_for(|requests| holds(requests)).await;
        all.expect("the sender is borrowed").clone()
    }
}

pub(crate) fn header_map(headers: &http::HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}
