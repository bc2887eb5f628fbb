//! The loop: events above the receiver's cursor, one after the other.

use std::time::Duration;

use nightjar_decider::Handle;
use nightjar_model::{Command, Reply};

use crate::post::Target;
use crate::signature::Key;

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
pub struct Sender {
    handle: Handle,
    receiver: String,
    target: Target,
    key: Key,
}

impl Sender {
    /// Sends to `target`, remembering its place under the name `receiver`.
    #[must_use]
    pub fn new(handle: Handle, receiver: String, target: Target, key: Key) -> Self {
        Self { handle, receiver, target, key }
    }

    /// Runs until the server ends.
    pub async fn run(self) {
        let mut news = self.handle.events();
        let receiver = self.receiver.clone();
        let Ok(Reply::EventCursor(mut taken)) =
            self.handle.call(Command::EventCursor { receiver }).await
        else {
            return;
        };
        loop {
            let command = Command::Events { after: taken, limit: BATCH };
            let Ok(Reply::Events(events)) = self.handle.call(command).await else { return };
            let full = events.len() == BATCH;
            for (number, json) in events {
                self.deliver(number, json).await;
                taken = number;
                let receiver = self.receiver.clone();
                let command = Command::EventsTaken { receiver, number };
                if self.handle.call(command).await.is_err() {
                    return;
                }
            }
            if !full {
                let _ = tokio::time::timeout(LOOK_EVERY, news.changed()).await;
            }
        }
    }

    /// Sends one event until it is taken.
    async fn deliver(&self, number: u64, json: String) {
        let id = format!("evt_{number}");
        let first = self.handle.clock.now().wall;
        let mut wait = WAIT_FIRST;
        loop {
            let now = self.handle.clock.now().wall;
            let timestamp_s = now.0 / 1_000;
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
            if now.0.saturating_sub(first.0) >= GIVE_UP_AFTER_MS {
                tracing::error!(%id, "webhook given up after 24 h; GET /v1/events replays it");
                return;
            }
            let jitter = wait.mul_f64(fastrand::f64() * 0.2);
            tokio::time::sleep(wait + jitter).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }
}
