//! The loop of one receiver: events above its cursor, several under way, one of each user.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use nightjar_model::{Command, Reject, Reply};
use nightjar_outgoing::Key;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::event::Event;
use crate::post::{PostError, Target};
use crate::state::{Pace, State};
use crate::window::Window;

/// Events fetched at a time.
const BATCH: usize = 100;
/// Requests at one receiver at a time.
const IN_FLIGHT_MAX: usize = 8;
/// Without a wake-up, events are looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// An event nobody takes for so long is passed over and said so in the log.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Gives a command to the lanes.
pub type Ask = Arc<dyn Fn(Command) -> AskFuture + Send + Sync>;
/// What the lanes answer, later.
pub type AskFuture = Pin<Box<dyn Future<Output = Result<Reply, Reject>> + Send>>;

/// Sends events to one receiver.
pub(crate) struct Sender {
    pub(crate) ask: Ask,
    /// Changes when new events are stored.
    pub(crate) news: watch::Receiver<u64>,
    /// Its place is remembered under this name.
    pub(crate) receiver: String,
    /// Empty is all of them.
    pub(crate) types: BTreeSet<String>,
    pub(crate) post: Arc<Post>,
}

/// Where events go, and how the receiver fares.
pub(crate) struct Post {
    pub(crate) target: Target,
    pub(crate) key: Key,
    pub(crate) state: State,
    turns: Semaphore,
}

impl Post {
    pub(crate) fn new(target: Target, key: Key) -> Self {
        Self { target, key, state: State::default(), turns: Semaphore::new(IN_FLIGHT_MAX) }
    }
}

impl Sender {
    /// Runs until the server ends, or the lanes do.
    pub(crate) async fn run(mut self) {
        let receiver = self.receiver.clone();
        let cursor = (self.ask)(Command::EventCursor { receiver }).await;
        let Ok(Reply::EventCursor(mut known)) = cursor else { return };
        let (mut window, mut under_way) = (Window::default(), JoinSet::new());
        loop {
            let Some(fetched) = self.fetch(&mut window, &mut known).await else { return };
            while let Some(event) = window.next() {
                let post = Arc::clone(&self.post);
                under_way.spawn(async move {
                    post.deliver(&event).await;
                    (event.number, event.user)
                });
            }
            if let Some(number) = window.advance() {
                let receiver = self.receiver.clone();
                if (self.ask)(Command::EventsTaken { receiver, number }).await.is_err() {
                    return;
                }
                // There may be room for more.
                continue;
            }
            if fetched == BATCH && !window.is_full() {
                continue;
            }
            tokio::select! {
                Some(Ok((number, user))) = under_way.join_next() => window.done(number, &user),
                _ = tokio::time::timeout(LOOK_EVERY, self.news.changed()) => {}
            }
        }
    }

    /// Fills the window; answers how many came, `None` when the lanes have ended.
    async fn fetch(&self, window: &mut Window, known: &mut u64) -> Option<usize> {
        if window.is_full() {
            return Some(0);
        }
        let command = Command::Events { after: *known, limit: BATCH };
        let Ok(Reply::Events(events)) = (self.ask)(command).await else { return None };
        let count = events.len();
        for (number, json) in events {
            if number > *known + 1 {
                let lost = number - *known - 1;
                tracing::error!(
                    webhook = self.receiver,
                    lost,
                    "events were not taken before they were too old to be kept"
                );
            }
            *known = number;
            let event = Event::read(number, json);
            let is_wanted = self.types.is_empty() || self.types.contains(&event.kind);
            window.add(event, is_wanted);
        }
        Some(count)
    }
}

impl Post {
    /// Sends one event until it is taken.
    async fn deliver(&self, event: &Event) {
        let id = format!("evt_{}", event.number);
        let first = Instant::now();
        let mut own = Pace::default();
        loop {
            let answer = self.once(&id, &event.json).await;
            let is_receivers = match &answer {
                Ok(status) if status.is_success() => {
                    self.state.taken(now_ms());
                    return;
                }
                Ok(status) => is_receivers(*status),
                Err(_) => true,
            };
            let reason = reason(&answer);
            tracing::warn!(%id, reason, "webhook was not taken");
            self.state.refused(now_ms(), reason, is_receivers);
            if first.elapsed() >= GIVE_UP_AFTER {
                tracing::error!(%id, "webhook given up after 24 h; GET /v1/events replays it");
                return;
            }
            tokio::time::sleep(own.next()).await;
        }
    }

    /// One try, once the receiver is not left alone any more.
    async fn once(&self, id: &str, json: &str) -> Result<StatusCode, PostError> {
        let _turn = self.turns.acquire().await;
        self.state.pause().await;
        let timestamp_s = now_ms() / 1_000;
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp_s.to_string()),
            ("webhook-signature", self.key.sign(id, timestamp_s, json)),
        ];
        self.target.post(&headers, json.to_owned()).await
    }
}

/// Whether an answer is about the receiver rather than about one event: then it is left alone
/// for a while, whatever waits.
fn is_receivers(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::NOT_FOUND
        )
}

fn reason(answer: &Result<StatusCode, PostError>) -> String {
    match answer {
        Ok(status) => format!("it answered {}", status.as_u16()),
        Err(error) => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
