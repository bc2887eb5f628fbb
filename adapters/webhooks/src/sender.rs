//! The loop: events above the receiver's cursor, one after the other.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nightjar_model::{Command, Reject, Reply};
use nightjar_outgoing::Key;
use tokio::sync::watch;

use crate::post::Target;

/// Events fetched at a time.
const BATCH: usize = 100;
/// Without a wake-up, events are looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The first wait after a failure; it doubles up to [`WAIT_MAX`].
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// An event nobody takes for so long is passed over and said so in the log.
const GIVE_UP_AFTER_MS: u64 = 24 * 3600 * 1000;

/// Sends events to one receiver.
pub struct Sender<A> {
    ask: A,
    news: watch::Receiver<u64>,
    receiver: String,
    target: Target,
    key: Key,
}

impl<A, F> Sender<A>
where
    A: Fn(Command) -> F + Send + Sync,
    F: Future<Output = Result<Reply, Reject>> + Send,
{
    /// Sends to `target`, remembering its place under the name `receiver`. `ask` gives a command to
    /// the lanes; `news` changes when new events are stored.
    pub fn new(
        ask: A,
        news: watch::Receiver<u64>,
        receiver: &str,
        target: Target,
        key: Key,
    ) -> Self {
        Self { ask, news, receiver: receiver.to_owned(), target, key }
    }

    /// Runs until the server ends.
    pub async fn run(mut self) {
        let receiver = self.receiver.clone();
        let Ok(Reply::EventCursor(mut taken)) = (self.ask)(Command::EventCursor { receiver }).await
        else {
            return;
        };
        loop {
            let command = Command::Events { after: taken, limit: BATCH };
            let Ok(Reply::Events(events)) = (self.ask)(command).await else { return };
            let full = events.len() == BATCH;
            for (number, json) in events {
                self.deliver(number, json).await;
                taken = number;
                let receiver = self.receiver.clone();
                let command = Command::EventsTaken { receiver, number };
                if (self.ask)(command).await.is_err() {
                    return;
                }
            }
            if !full {
                let _ = tokio::time::timeout(LOOK_EVERY, self.news.changed()).await;
            }
        }
    }

    /// Sends one event until it is taken.
    async fn deliver(&self, number: u64, json: String) {
        let id = format!("evt_{number}");
        let first = now_ms();
        let mut wait = WAIT_FIRST;
        loop {
            let now = now_ms();
            let timestamp_s = now / 1_000;
            let headers = [
                ("webhook-id", id.clone()),
                ("webhook-timestamp", timestamp_s.to_string()),
                ("webhook-signature", self.key.sign(&id, timestamp_s, &json)),
            ];
            match self.target.post(&headers, json.clone()).await {
                Ok(status) if status.is_success() => return,
                Ok(status) => {
                    tracing::warn!(%id, status = status.as_u16(), "webhook was not taken");
                }
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(%id, error, "webhook could not be sent");
                }
            }
            if now.saturating_sub(first) >= GIVE_UP_AFTER_MS {
                tracing::error!(%id, "webhook given up after 24 h; GET /v1/events replays it");
                return;
            }
            let jitter = wait.mul_f64(fastrand::f64() * 0.2);
            tokio::time::sleep(wait + jitter).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
