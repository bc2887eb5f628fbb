//! What a server answers with.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

/// One scripted answer.
#[derive(Debug, Clone)]
pub struct Script {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) before: Before,
    pub(crate) end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Delay(Duration),
    Held,
    /// Never answers.
    Silent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answer,
    /// Answers, then says GOAWAY; the streams under way are finished. APNs only.
    GoAway,
    /// Closes the connection instead of answering.
    Drop,
}

impl Script {
    /// Any answer.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { status, headers, body, before: Before::Nothing, end: End::Answer }
    }

    /// What the real service answers when all is well. Whatever FCM's success needs is added by
    /// its server.
    #[must_use]
    pub fn accept() -> Self {
        Self::status(200)
    }

    /// An APNs error: `{"reason": …}`.
    #[must_use]
    pub fn refuse(status: u16, reason: &str) -> Self {
        Self::status(status).json(&json!({ "reason": reason }))
    }

    /// An FCM error of the general kind: `{"error": {"status": …}}`.
    #[must_use]
    pub fn google(status: u16, word: &str, message: &str) -> Self {
        let error = json!({ "code": status, "status": word, "message": message });
        Self::status(status).json(&json!({ "error": error }))
    }

    /// An FCM error with its own code: `details[].errorCode`.
    #[must_use]
    pub fn fcm(status: u16, word: &str, code: &str, message: &str) -> Self {
        let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        let details = [json!({ "@type": kind, "errorCode": code })];
        let error =
            json!({ "code": status, "status": word, "message": message, "details": details });
        Self::status(status).json(&json!({ "error": error }))
    }

    /// No answer, ever.
    #[must_use]
    pub fn silent() -> Self {
        Self { before: Before::Silent, ..Self::accept() }
    }

    /// The connection is closed instead of an answer.
    #[must_use]
    pub fn drop_connection() -> Self {
        Self { end: End::Drop, ..Self::accept() }
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With APNs' `timestamp` beside the reason, in ms.
    #[must_use]
    pub fn timestamp_ms(self, ms: u64) -> Self {
        let mut body: Value = serde_json::from_slice(&self.body).unwrap_or_else(|_| json!({}));
        body["timestamp"] = ms.into();
        self.json(&body)
    }

    /// Not before this time has passed.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.before = Before::Delay(delay);
        self
    }

    /// Not before the server's `release`.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.before = Before::Held;
        self
    }

    /// Followed by GOAWAY. APNs only.
    #[must_use]
    pub fn then_go_away(mut self) -> Self {
        self.end = End::GoAway;
        self
    }
}

/// The scripts of a server, by token; `*` is any token.
#[derive(Debug)]
pub(crate) struct Scripts {
    once: Mutex<BTreeMap<String, VecDeque<Script>>>,
    always: Mutex<BTreeMap<String, Script>>,
    released: watch::Sender<bool>,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            once: Mutex::default(),
            always: Mutex::default(),
            released: watch::Sender::new(false),
        }
    }
}

impl Scripts {
    pub(crate) fn once(&self, token: &str, script: Script) {
        let mut once = self.once.lock().expect("no panic while locked");
        once.entry(token.to_owned()).or_default().push_back(script);
    }

    pub(crate) fn always(&self, token: &str, script: Script) {
        self.always.lock().expect("no panic while locked").insert(token.to_owned(), script);
    }

    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }

    /// The next script for `token`: its own before `*`, those used once before the others.
    pub(crate) fn next(&self, token: &str) -> Option<Script> {
        let mut once = self.once.lock().expect("no panic while locked");
        let always = self.always.lock().expect("no panic while locked");
        [token, "*"].into_iter().find_map(|key| {
            let next = once.get_mut(key).and_then(VecDeque::pop_front);
            next.or_else(|| always.get(key).cloned())
        })
    }

    /// Waits as the script says.
    pub(crate) async fn wait(&self, before: Before) {
        match before {
            Before::Nothing => {}
            Before::Delay(delay) => tokio::time::sleep(delay).await,
            Before::Silent => std::future::pending().await,
            Before::Held => {
                let mut released = self.released.subscribe();
                released.wait_for(|released| *released).await.expect("the sender is borrowed");
            }
        }
    }
}
