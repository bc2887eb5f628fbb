//! The run of an extension or a worker that a push woke: HTTP and the shared file around
//! [`nightjar_client_core::fetch`].

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use nightjar_client_core::fetch::{Fetch, FetchInput, FetchOutput, PushSession};
use nightjar_client_core::{LedgerAnswer, LedgerOrder, defaults};
use nightjar_model::NotificationId;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::ledger::LedgerFile;
use crate::transport::{Address, Connector};

pub use nightjar_client_core::fetch::{Alert, Content, Push, Quiet};

/// The largest answer that is read: twenty messages and what is around them.
const ANSWER_BYTES_MAX: usize = 2 << 20;

/// The notifications of the system this runs on.
pub trait Screen: Send {
    /// Posts a notification; false if that failed.
    fn post(&mut self, alert: &Alert) -> impl Future<Output = bool> + Send;
    /// Takes notifications off the screen, where they are on it.
    fn withdraw(&mut self, ids: &[NotificationId]) -> impl Future<Output = ()> + Send;
    /// Sets the number on the app's icon.
    fn set_badge(&mut self, unread: u64);
}

/// Where the server's HTTP API is, and how to reach it.
#[derive(Debug, Clone)]
pub struct Api {
    /// `http://` or `https://`.
    pub server: Address,
    /// How to get there.
    pub connector: Connector,
}

/// Does what a push asks for: looks it up, posts what came besides it, takes back what has to go,
/// and tells the server. The answer is for the system: what to show for the push itself. It comes
/// within 25 seconds; any number of runs may go on, in one process or in several, beside the app.
pub async fn fetch(
    push: Push,
    api: &Api,
    ledger: &LedgerFile,
    screen: &mut impl Screen,
) -> Content {
    let mut clock = Clock::start();
    let now = clock.now();
    // Whoever is not signed in is asked nothing else.
    let session = match ledger.answer(LedgerOrder::Session, now.wall).await {
        LedgerAnswer::Session(session) => session.map(|session| *session),
        // The file is busy or broken: that is no reason to show nothing.
        _ => return Content::Original,
    };
    let mut machine = Fetch::start(push, session.as_ref(), now);
    let mut open = VecDeque::new();
    if let Some(kib) = memory_kib() {
        machine.handle(FetchInput::Memory(kib), clock.now().mono);
    }
    loop {
        while let Some(output) = machine.poll() {
            open.push_back(output);
        }
        let Some(output) = open.pop_front() else {
            // Every output is answered at once, so that only a fault of ours leads here.
            return Content::Quiet(Quiet::NothingToShow);
        };
        let until = machine.wait_until();
        let input = match output {
            FetchOutput::Done(content) => return content,
            FetchOutput::SetBadge(unread) => {
                screen.set_badge(unread);
                continue;
            }
            other => {
                let left_ms = until.map_or(defaults::FETCH_END_MS, |at| at.since(clock.now().mono));
                let carried = carry_out(other, api, ledger, screen, session.as_ref(), clock.now());
                timeout(Duration::from_millis(left_ms), carried)
                    .await
                    .unwrap_or(FetchInput::Timeout)
            }
        };
        machine.handle(input, clock.now().mono);
    }
}

/// What this process holds in memory; `None` where the system does not say.
fn memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

async fn carry_out(
    output: FetchOutput,
    api: &Api,
    ledger: &LedgerFile,
    screen: &mut impl Screen,
    session: Option<&PushSession>,
    now: nightjar_model::Now,
) -> FetchInput {
    match output {
        FetchOutput::Ledger(order) => FetchInput::Ledger(ledger.answer(order, now.wall).await),
        FetchOutput::Get(path) => api.ask(Method::GET, &path, None, session).await,
        FetchOutput::Tell(path, body) => api.ask(Method::POST, path, Some(body), session).await,
        FetchOutput::Post(alert) => match screen.post(&alert).await {
            true => FetchInput::Posted(alert.id().clone()),
            false => FetchInput::NotPosted(alert.id().clone()),
        },
        FetchOutput::Withdraw(ids) => {
            screen.withdraw(&ids).await;
            FetchInput::Removed(ids)
        }
        FetchOutput::SetBadge(_) | FetchOutput::Done(_) => FetchInput::Timeout,
    }
}

impl Api {
    /// One request over a connection of its own, which shares nothing with the app's.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        session: Option<&PushSession>,
    ) -> FetchInput {
        let answered = match session {
            Some(session) => self.try_ask(method, path, body, session).await,
            None => None,
        };
        let Some((status, body)) = answered else { return FetchInput::NotAnswered };
        FetchInput::Answered { status, body }
    }

    async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        session: &PushSession,
    ) -> Option<(u16, Bytes)> {
        let within = Duration::from_millis(defaults::FETCH_MS);
        let stream = self.connector.stream(&self.server, within).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.server.authority())
            .header(AUTHORIZATION, format!("Bearer {}", session.push_token.expose()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .ok()?;
        let answer = sender.send_request(request).await.ok()?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
        connection.abort();
        Some((status, body.to_bytes()))
    }
}
