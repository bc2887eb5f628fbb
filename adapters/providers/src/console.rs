//! Provider `console`: keeps the newest pushes in memory, for development.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use nightjar_model::WallMs;
use nightjar_push::{Answer, Outcome, PushRequest};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::wall_now;
use crate::{AnswerFuture, Provider};

/// How many pushes a [`Console`] keeps unless told otherwise.
pub const CONSOLE_PUSHES_MAX: usize = 500;

/// One push as `GET /v1/dev/pushes` lists it. A withdrawal has no `mid`, `nid`, `title` or
/// `body`, and `data.wd` names what it takes back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConsolePush {
    /// When it was caught.
    pub at: u64,
    /// Whose device.
    pub uid: String,
    /// Which device.
    pub device_id: String,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mid: Option<String>,
    /// The notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nid: Option<String>,
    /// Place in the conversation.
    pub seq: u64,
    /// First line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The absolute unread total.
    pub badge: u64,
    /// Its version.
    pub bv: u64,
    /// The whole data part.
    pub data: Map<String, Value>,
}

/// Catches pushes instead of sending them.
#[derive(Debug)]
pub struct Console {
    pushes_max: usize,
    pushes: Mutex<VecDeque<ConsolePush>>,
}

impl Default for Console {
    fn default() -> Self {
        Self::new(CONSOLE_PUSHES_MAX)
    }
}

impl Console {
    /// An empty console that keeps the newest `pushes_max`.
    #[must_use]
    pub fn new(pushes_max: usize) -> Self {
        Self { pushes_max, pushes: Mutex::default() }
    }

    /// The pushes it holds, oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<ConsolePush> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn keep(&self, push: ConsolePush) {
        let mut pushes = self.pushes.lock().unwrap_or_else(PoisonError::into_inner);
        pushes.push_back(push);
        while pushes.len() > self.pushes_max {
            pushes.pop_front();
        }
    }
}

fn caught(request: &PushRequest, at: WallMs) -> ConsolePush {
    let (title, body) =
        request.alert.as_ref().map(|alert| (alert.title.clone(), alert.body.clone())).unzip();
    ConsolePush {
        at: at.0,
        uid: request.uid.to_string(),
        device_id: request.device_id.to_string(),
        mid: request.data.mid.map(|mid| mid.to_string()),
        nid: request.data.nid.as_ref().map(|nid| nid.as_str().to_owned()),
        seq: request.data.seq,
        title,
        body,
        badge: request.data.badge,
        bv: request.data.bv,
        data: request.data.to_json(),
    }
}

impl Provider for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        self.keep(caught(request, wall_now()));
        Box::pin(std::future::ready(Answer::new(Outcome::Delivered, "caught")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[tokio::test]
    async fn an_alert_and_a_withdrawal_look_as_the_interface_says() {
        let console = Console::default();
        for request in [samples::alert("console"), samples::withdrawal("console")] {
            assert_eq!(console.push(&request).await.outcome, Outcome::Delivered);
        }
        let mut pushes = console.recent();
        for push in &mut pushes {
            assert!(push.at > 1_700_000_000_000);
            push.at = 1;
        }
        insta::assert_snapshot!(serde_json::to_string_pretty(&pushes).unwrap());
    }

    #[tokio::test]
    async fn only_the_newest_are_kept() {
        let console = Console::new(2);
        for seq in 1..=3 {
            let mut request = samples::alert("console");
            request.data.seq = seq;
            console.push(&request).await;
        }
        let kept: Vec<u64> = console.recent().iter().map(|push| push.seq).collect();
        assert_eq!(kept, [2, 3]);
    }
}
