//! A recording APNs.

mod front;
mod rules;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use ring::signature::ECDSA_P256_SHA256_FIXED;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::front::Front;
use crate::keys::EcKey;
use crate::raw::{self, GoAwayPlan};
use crate::record::header_map;
use crate::script::{End, Scripts};
use crate::{Record, Recorded, Script, jwt};

/// The team the server knows.
pub const TEAM_ID: &str = "TEAM567890";
/// The key the server knows.
pub const KEY_ID: &str = "KEY4567890";
/// A topic for configurations; the server takes any.
pub const TOPIC: &str = "com.example.chat";

/// The most bytes of a request the server reads.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What was seen of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionSeen {
    /// Streams open now.
    pub open: usize,
    /// The most streams open at once before the first was answered with 200.
    pub open_max_before_success: usize,
    /// The most streams open at once.
    pub open_max: usize,
    /// A request was answered with 200.
    pub succeeded: bool,
}

#[derive(Debug)]
struct Inner {
    key: EcKey,
    record: Record,
    scripts: Scripts,
    connections: Mutex<Vec<ConnectionSeen>>,
    plans: Mutex<VecDeque<GoAwayPlan>>,
    streams_max: u32,
    /// Certificates stand for tokens.
    knows_certificates: bool,
}

/// An APNs on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct ApnsServer {
    address: SocketAddr,
    directory: TempDir,
    inner: Arc<Inner>,
    /// Where TLS is spoken, and who vouches for it.
    front: Option<(SocketAddr, Front)>,
    /// Holds the accepting task, which holds the connections.
    _tasks: JoinSet<()>,
}

impl ApnsServer {
    /// Starts one with a new key.
    pub async fn start() -> Self {
        Self::with(1000, false).await
    }

    /// Starts one that speaks TLS and knows its clients by their certificates.
    pub async fn with_certificates() -> Self {
        Self::with(1000, true).await
    }

    /// Starts one that allows `streams_max` streams on a connection.
    pub async fn with_streams_max(streams_max: u32) -> Self {
        Self::with(streams_max, false).await
    }

    async fn with(streams_max: u32, knows_certificates: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("the socket is bound");
        let directory = TempDir::new().expect("there is room for a key");
        let key = EcKey::generate();
        std::fs::write(directory.path().join("AuthKey.p8"), key.pem()).expect("room for a key");
        let inner = Arc::new(Inner {
            key,
            record: Record::default(),
            scripts: Scripts::default(),
            connections: Mutex::default(),
            plans: Mutex::default(),
            streams_max,
            knows_certificates,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&inner)));
        let mut front = None;
        if knows_certificates {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
            let outside = listener.local_addr().expect("the socket is bound");
            let tls = Front::new(directory.path());
            tasks.spawn(Front::run(tls.acceptor(), listener, address));
            front = Some((outside, tls));
        }
        Self { address, directory, inner, front, _tasks: tasks }
    }

    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT` for clients with certificates.
    #[must_use]
    pub fn base_url(&self) -> String {
        match &self.front {
            Some((outside, _)) => format!("https://localhost:{}", outside.port()),
            None => format!("http://{}", self.address),
        }
    }

    /// Who vouches for the server, DER; only of one with certificates.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        self.front.as_ref().map(|(_, front)| front.authority.as_ref())
    }

    /// The certificate of the client the server knows, PEM, and its key.
    #[must_use]
    pub fn client_files(&self) -> [PathBuf; 2] {
        [front::CERT_FILE, front::KEY_FILE].map(|name| self.directory.path().join(name))
    }

    /// The `.p8` file of the key the server knows; removed with the server.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.directory.path().join("AuthKey.p8")
    }

    /// A folder for further files of the test; removed with the server.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The TOML table `[push.apns.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.apns.{name}]\nbase_url = \"{}\"\nteam_id = \"{TEAM_ID}\"\nkey_id = \"{KEY_ID}\"\n\
             key_file = '{}'\ntopic = \"{TOPIC}\"\nenvironment = \"production\"\n",
            self.base_url(),
            self.key_file().display()
        )
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.inner.record.all()
    }

    /// Waits until there are `n` requests.
    pub async fn wait_for(&self, n: usize) -> Vec<Recorded> {
        self.wait_until(|requests| requests.len() >= n).await
    }

    /// Waits until `holds` of all requests.
    pub async fn wait_until(&self, holds: impl FnMut(&[Recorded]) -> bool) -> Vec<Recorded> {
        self.inner.record.wait_until(holds).await
    }

    /// The next request for `token` that has no earlier script is answered so; `*` is any token.
    pub fn answer(&self, token: &str, script: Script) {
        self.inner.scripts.once(token, script);
    }

    /// Every request for `token` is answered so; `*` is any token.
    pub fn answer_always(&self, token: &str, script: Script) {
        self.inner.scripts.always(token, script);
    }

    /// Lets go what [`Script::held`] holds, now and later.
    pub fn release(&self) {
        self.inner.scripts.release();
    }

    /// The next connection runs this plan and is not recorded.
    pub fn next_connection(&self, plan: GoAwayPlan) {
        self.inner.plans.lock().expect("no panic while locked").push_back(plan);
    }

    /// What was seen of each recorded connection.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionSeen> {
        self.inner.connections.lock().expect("no panic while locked").clone()
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let plan = inner.plans.lock().expect("no panic while locked").pop_front();
        let inner = Arc::clone(&inner);
        connections.spawn(async move {
            // A connection that breaks is what a test asked for, or shows in what it waits for.
            match plan {
                Some(plan) => drop(raw::serve(tcp, plan).await),
                None => drop(serve(tcp, inner).await),
            }
        });
    }
}

async fn serve(tcp: TcpStream, inner: Arc<Inner>) -> Result<(), h2::Error> {
    let number = {
        let mut connections = inner.connections.lock().expect("no panic while locked");
        connections.push(ConnectionSeen::default());
        connections.len() - 1
    };
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(inner.streams_max)
        .handshake::<_, Bytes>(tcp)
        .await?;
    let (ends, mut ended) = mpsc::unbounded_channel();
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(stream) => {
                    let (request, respond) = stream?;
                    inner.opened(number);
                    streams.spawn(answer(Arc::clone(&inner), number, request, respond, ends.clone()));
                }
                None => return Ok(()),
            },
            Some(end) = ended.recv() => match end {
                End::Answer => {}
                End::GoAway => connection.graceful_shutdown(),
                End::Drop => return Ok(()),
            },
        }
    }
}

async fn answer(
    inner: Arc<Inner>,
    connection: usize,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    ends: mpsc::UnboundedSender<End>,
) {
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else { return inner.closed(connection, false) };
    let recorded = inner.recorded(connection, &head, body);
    let script = inner.scripts.next(&recorded.token);
    let script = script.unwrap_or_else(|| rules::answer(&recorded, inner.knows_certificates));
    let apns_id = recorded.header("apns-id").to_owned();
    inner.record.push(recorded);
    tokio::select! {
        () = inner.scripts.wait(script.before) => {}
        _ = std::future::poll_fn(|cx| respond.poll_reset(cx)) => {
            return inner.closed(connection, false);
        }
    }
    inner.closed(connection, script.status == 200 && script.end != End::Drop);
    if script.end != End::Drop {
        let mut response = Response::builder().status(script.status).header("apns-id", apns_id);
        for (name, value) in &script.headers {
            response = response.header(name, value);
        }
        let response = response.body(()).expect("scripts hold headers that exist");
        if let Ok(mut stream) = respond.send_response(response, script.body.is_empty())
            && !script.body.is_empty()
        {
            let _ = stream.send_data(script.body.into(), true);
        }
    } else {
        respond.send_reset(Reason::CANCEL);
    }
    let _ = ends.send(script.end);
}

async fn read(mut stream: RecvStream) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk.ok()?;
        let _ = stream.flow_control().release_capacity(chunk.len());
        body.extend_from_slice(&chunk);
        if body.len() > BODY_BYTES_MAX {
            return None;
        }
    }
    Some(body)
}

impl Inner {
    fn recorded(&self, connection: usize, head: &http::request::Parts, body: Vec<u8>) -> Recorded {
        let headers = header_map(&head.headers);
        let bearer = headers.get("authorization").and_then(|text| text.strip_prefix("bearer "));
        let signed =
            bearer.and_then(|jwt| jwt::verify(jwt, &ECDSA_P256_SHA256_FIXED, self.key.public()));
        let path = head.uri.path().to_owned();
        Recorded {
            at: SystemTime::now(),
            connection,
            method: head.method.to_string(),
            token: path.strip_prefix("/3/device/").unwrap_or_default().to_owned(),
            path,
            headers,
            body,
            signed,
        }
    }

    fn opened(&self, connection: usize) {
        let seen = &mut self.connections.lock().expect("no panic while locked")[connection];
        seen.open += 1;
        seen.open_max = seen.open_max.max(seen.open);
        if !seen.succeeded {
            seen.open_max_before_success = seen.open_max_before_success.max(seen.open);
        }
    }

    fn closed(&self, connection: usize, success: bool) {
        let seen = &mut self.connections.lock().expect("no panic while locked")[connection];
        seen.open -= 1;
        seen.succeeded |= success;
    }
}
