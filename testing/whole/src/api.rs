//! The operator's back end.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::within;

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON, or null.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The name of the error, or an empty text.
    #[must_use]
    pub fn error(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The JSON of an answer that must be a good one.
    ///
    /// # Panics
    /// When it is not.
    pub fn good(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.json()
    }
}

/// A client of the HTTP API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    address: SocketAddr,
    key: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Api {
    /// A client with this admin key, or without one.
    #[must_use]
    pub fn new(address: SocketAddr, key: Option<&str>) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, key: key.map(str::to_owned), client }
    }

    /// The same without a key, or with another.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// Any request. `headers` may replace `Host`.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case(HOST.as_str())) {
            request = request.header(HOST, self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let text = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::from(text)).expect("a request of well-formed parts");
        self.answer_to(path, request).await
    }

    async fn answer_to(&self, path: &str, request: Request<Full<Bytes>>) -> Answer {
        let response = within(path, self.client.request(request)).await;
        let (head, body) = response.expect("the server answers").into_parts();
        let bytes = within(path, body.collect()).await.expect("the whole answer").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: head.status.as_u16(), headers: head.headers, text }
    }

    /// `POST path` with a form as the body.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post_form(&self, path: &str, form: String) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}{path}", self.address))
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Full::from(form)).expect("a request of well-formed parts");
        self.answer_to(path, request).await
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], None).await
    }

    /// `POST path`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path, &[], Some(&body)).await
    }

    /// `PUT path`.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PUT, path, &[], Some(&body)).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path, &[], None).await
    }

    /// A token of a user, for any of their devices.
    pub async fn token(&self, uid: &str) -> String {
        let answer = self.post(&format!("/v1/users/{uid}/tokens"), json!({})).await.good();
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// Binds a push token to a device.
    pub async fn bind(&self, uid: &str, device_id: &str, binding: [&str; 3]) {
        let [provider, credential, token] = binding;
        let path = format!("/v1/users/{uid}/devices/{device_id}/push");
        let body = json!({"provider": provider, "credential": credential, "token": token});
        self.put(&path, body).await.good();
    }

    /// Writes a text in a user's name; the answer of `POST /v1/messages`.
    pub async fn send(&self, from: &str, to: Value, text: &str) -> Value {
        let content = json!({"type": "text", "text": text});
        let body = json!({"from": from, "to": to, "content": content});
        self.post("/v1/messages", body).await.good()
    }

    /// The recorded life of a message for one user.
    pub async fn trace(&self, message_id: &str, uid: &str) -> Vec<Value> {
        let path = format!("/v1/messages/{message_id}/trace?user={uid}");
        let answer = self.get(&path).await.good();
        answer["events"].as_array().expect("events").clone()
    }

    /// The badge of a user and its version.
    pub async fn badge(&self, uid: &str) -> (u64, u64) {
        let answer = self.get(&format!("/v1/users/{uid}/unread")).await.good();
        let number = |name: &str| answer[name].as_u64().expect("a number");
        (number("total"), number("bv"))
    }

    /// What the server says of a device, or null.
    pub async fn device(&self, uid: &str, device_id: &str) -> Value {
        let answer = self.get(&format!("/v1/users/{uid}/devices")).await.good();
        let devices = answer["devices"].as_array().expect("devices");
        devices.iter().find(|device| device["device_id"] == device_id).cloned().unwrap_or_default()
    }

    /// Everything of a conversation that a user may see, in pages.
    pub async fn whole_history(&self, conversation: &str, viewer: &str) -> Vec<Value> {
        let mut messages: Vec<Value> = Vec::new();
        loop {
            let after = messages.last().map_or(0, |last| last["seq"].as_u64().expect("a seq"));
            let path = format!(
                "/v1/conversations/{conversation}/messages?viewer={viewer}&after={after}&limit=200"
            );
            let page = self.get(&path).await.good();
            let page = page["messages"].as_array().expect("messages").clone();
            if page.is_empty() {
                return messages;
            }
            messages.extend(page);
        }
    }

    /// One metric.
    ///
    /// # Panics
    /// When there is none of this name.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no metric {name} in\n{text}"));
        value.parse().expect("a number")
    }
}
