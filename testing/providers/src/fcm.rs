//! A recording FCM with its token endpoint.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::keys::RsaKey;
use crate::record::header_map;
use crate::script::{End, Scripts};
use crate::{Record, Recorded, Script, jwt};

/// The project of the service account.
pub const PROJECT_ID: &str = "nightjar-test";

const CLIENT_EMAIL: &str = "push@nightjar-test.example";
const TOKEN_PATH: &str = "/token";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// The most bytes of a request the server reads.
const BODY_BYTES_MAX: usize = 64 << 10;

#[derive(Debug)]
struct Inner {
    key: RsaKey,
    sends: Record,
    fetches: Record,
    send_scripts: Scripts,
    fetch_scripts: Scripts,
    /// The access token that is good now.
    access: Mutex<Option<String>>,
    issued: AtomicU64,
    expires_in_s: AtomicU64,
}

/// An FCM on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct FcmServer {
    address: SocketAddr,
    directory: TempDir,
    inner: Arc<Inner>,
    /// Holds the accepting task, which holds the connections.
    _tasks: JoinSet<()>,
}

impl FcmServer {
    /// Starts one with a service account.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("the socket is bound");
        let inner = Arc::new(Inner {
            key: RsaKey::generate(),
            sends: Record::default(),
            fetches: Record::default(),
            send_scripts: Scripts::default(),
            fetch_scripts: Scripts::default(),
            access: Mutex::default(),
            issued: AtomicU64::new(0),
            expires_in_s: AtomicU64::new(3599),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&inner)));
        let directory = TempDir::new().expect("there is room for a key");
        let server = Self { address, directory, inner, _tasks: tasks };
        std::fs::write(server.service_account_file(), server.service_account().to_string())
            .expect("there is room for a key");
        server
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where access tokens come from; the service account names it too.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.base_url())
    }

    /// The key file; removed with the server.
    #[must_use]
    pub fn service_account_file(&self) -> PathBuf {
        self.directory.path().join("service-account.json")
    }

    /// The TOML table `[push.fcm.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.fcm.{name}]\nbase_url = \"{}\"\nservice_account_file = '{}'\n",
            self.base_url(),
            self.service_account_file().display()
        )
    }

    fn service_account(&self) -> Value {
        json!({
            "type": "service_account",
            "project_id": PROJECT_ID,
            "private_key_id": "0123456789abcdef",
            "private_key": self.inner.key.pem(),
            "client_email": CLIENT_EMAIL,
            "client_id": "1",
            "token_uri": self.token_url(),
        })
    }

    /// Every message sent so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.inner.sends.all()
    }

    /// Every fetch of an access token so far.
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

    /// Waits until there are `n` fetches of an access token.
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

    /// The next fetch of an access token is answered so.
    pub fn answer_token(&self, script: Script) {
        self.inner.fetch_scripts.once("*", script);
    }

    /// Access tokens issued from now on say they live so long.
    pub fn token_life_s(&self, expires_in_s: u64) {
        self.inner.expires_in_s.store(expires_in_s, Ordering::Release);
    }

    /// No access token issued so far is good any more.
    pub fn revoke_tokens(&self) {
        *self.inner.access.lock().expect("no panic while locked") = None;
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
    let recorded = inner.recorded(connection, &head, body.to_bytes().to_vec());
    let is_fetch = recorded.path == TOKEN_PATH;
    let (record, scripts) = match is_fetch {
        true => (&inner.fetches, &inner.fetch_scripts),
        false => (&inner.sends, &inner.send_scripts),
    };
    let token = recorded.token.clone();
    record.push(recorded.clone());
    let script = scripts.next(&token);
    if let Some(script) = &script {
        scripts.wait(script.before).await;
        if script.end == End::Drop {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
    // A scripted 200 without a body means: whatever is right.
    let script = match script {
        Some(script) if script.status != 200 || !script.body.is_empty() => script,
        _ if is_fetch => inner.issue(&recorded),
        _ => inner.accept(&recorded),
    };
    let mut response = Response::builder().status(script.status);
    for (name, value) in &script.headers {
        response = response.header(name, value);
    }
    let response = response.body(Full::new(script.body.into()));
    Ok(response.expect("scripts hold headers that exist"))
}

impl Inner {
    fn recorded(&self, connection: usize, head: &request::Parts, body: Vec<u8>) -> Recorded {
        let form = String::from_utf8_lossy(&body);
        let assertion = form.split('&').find_map(|pair| pair.strip_prefix("assertion="));
        let public = self.key.public();
        let signed =
            assertion.and_then(|jwt| jwt::verify(jwt, &RSA_PKCS1_2048_8192_SHA256, public));
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        Recorded {
            at: SystemTime::now(),
            connection,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            headers: header_map(&head.headers),
            token: json["message"]["token"].as_str().unwrap_or_default().to_owned(),
            body,
            signed,
        }
    }

    /// An access token for a right assertion.
    fn issue(&self, request: &Recorded) -> Script {
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&";
        let right = request.signed.as_ref().is_some_and(|token| {
            let life = token.claims["exp"].as_u64().zip(token.claims["iat"].as_u64());
            token.header["alg"] == "RS256"
                && token.claims["iss"] == CLIENT_EMAIL
                && token.claims["aud"] == AUDIENCE
                && token.claims["scope"] == SCOPE
                && life.is_some_and(|(end, start)| end > start && end - start <= 3600)
        });
        if !right || !request.body.starts_with(grant.as_bytes()) {
            return Script::status(400).json(&json!({ "error": "invalid_grant" }));
        }
        let number = self.issued.fetch_add(1, Ordering::AcqRel) + 1;
        let access = format!("access-{number}");
        *self.access.lock().expect("no panic while locked") = Some(access.clone());
        let expires_in_s = self.expires_in_s.load(Ordering::Acquire);
        Script::accept().json(
            &json!({ "access_token": access, "expires_in": expires_in_s, "token_type": "Bearer" }),
        )
    }

    /// What the real service answers to a message.
    fn accept(&self, request: &Recorded) -> Script {
        let access = self.access.lock().expect("no panic while locked").clone();
        let shown = request.header("authorization").strip_prefix("Bearer ");
        let message = &request.json()["message"];
        let text = |value: &Value| value.is_string();
        let data_is_text = message["data"].as_object().is_none_or(|data| data.values().all(text));
        if access.is_none() || shown != access.as_deref() {
            Script::google(401, "UNAUTHENTICATED", "Request had invalid credentials.")
        } else if request.path != format!("/v1/projects/{PROJECT_ID}/messages:send") {
            Script::google(404, "NOT_FOUND", "Requested entity was not found.")
        } else if request.method != "POST" || request.token.is_empty() || !data_is_text {
            Script::fcm(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "Invalid JSON payload.")
        } else {
            let id = self.issued.fetch_add(1, Ordering::AcqRel);
            Script::accept()
                .json(&json!({ "name": format!("projects/{PROJECT_ID}/messages/{id}") }))
        }
    }
}
