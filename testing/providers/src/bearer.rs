//! Access tokens a server sold.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::{Recorded, Script};

/// The tokens of one vendor; the newest is good.
#[derive(Debug)]
pub(crate) struct Sold {
    good: Mutex<Option<String>>,
    number: AtomicU64,
    expires_in_s: AtomicU64,
}

impl Sold {
    pub(crate) fn new(expires_in_s: u64) -> Self {
        Self {
            good: Mutex::default(),
            number: AtomicU64::new(0),
            expires_in_s: AtomicU64::new(expires_in_s),
        }
    }

    /// Those sold from now on say they live so long.
    pub(crate) fn life_s(&self, expires_in_s: u64) {
        self.expires_in_s.store(expires_in_s, Ordering::Release);
    }

    /// None sold so far is good any more.
    pub(crate) fn revoke(&self) {
        *self.good.lock().expect("no panic while locked") = None;
    }

    /// The answer of an OAuth 2 token endpoint (RFC 6749 §5.1) with a new one.
    pub(crate) fn sell(&self) -> Script {
        let access = self.issue();
        let expires_in_s = self.expires_in_s.load(Ordering::Acquire);
        Script::accept().json(
            &json!({ "access_token": access, "expires_in": expires_in_s, "token_type": "Bearer" }),
        )
    }

    /// A new one.
    pub(crate) fn issue(&self) -> String {
        let access = format!("access-{}", self.next_number());
        *self.good.lock().expect("no panic while locked") = Some(access.clone());
        access
    }

    /// Whether this is the good one.
    pub(crate) fn is_good(&self, token: &str) -> bool {
        self.good.lock().expect("no panic while locked").as_deref() == Some(token)
    }

    /// Whether a request shows the good one.
    pub(crate) fn is_shown(&self, request: &Recorded) -> bool {
        let good = self.good.lock().expect("no panic while locked");
        let shown = request.header("authorization").strip_prefix("Bearer ");
        good.is_some() && shown == good.as_deref()
    }

    /// A number nothing else of this server has, for ids.
    pub(crate) fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::AcqRel) + 1
    }
}
