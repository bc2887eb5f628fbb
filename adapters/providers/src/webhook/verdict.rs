//! What a receiver's answer means: its status, unless its body says more.

use http::StatusCode;
use nightjar_model::Secret;
use nightjar_push::{Answer, Outcome, Scope};
use serde::Deserialize;

use crate::answers;

/// One line of the table: statuses from `from` to `to`. The first that fits holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) outcome: Outcome,
    pub(super) scope: Scope,
}

const fn row(from: u16, to: u16, outcome: Outcome, scope: Scope) -> Row {
    Row { from, to, outcome, scope }
}

/// The receiver is one, so what is wrong with it or too much for it is so for all.
pub(super) const ROWS: &[Row] = {
    use Outcome::{ConfigError, Delivered, Reject, Retry, Throttled, TokenInvalid, TooLarge};
    use Scope::{Credential, Message};
    &[
        row(200, 299, Delivered, Message),
        // Another address is for the operator to write down.
        row(300, 399, ConfigError, Credential),
        row(401, 401, ConfigError, Credential),
        row(403, 403, ConfigError, Credential),
        row(408, 408, Retry, Message),
        row(410, 410, TokenInvalid, Message),
        row(413, 413, TooLarge, Message),
        row(429, 429, Throttled, Credential),
        row(400, 499, Reject, Message),
        row(500, 599, Retry, Message),
    ]
};

/// What a receiver may say beside its status.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    /// A word of [`Outcome`].
    outcome: Option<String>,
    reason: Option<String>,
    retry_after_s: Option<u64>,
    /// Tokens that will never work again.
    invalid_tokens: Vec<String>,
}

/// Reads an answer. A body that is not of this form says nothing; a word that is no outcome
/// leaves the status standing, and no word makes a delivery of a refusal.
pub(super) fn judge(
    status: StatusCode,
    body: &[u8],
    token: &Secret<String>,
    retry_after_ms: Option<u64>,
) -> Answer {
    let said: Said = serde_json::from_slice(body).unwrap_or_default();
    let fits = |row: &&Row| (row.from..=row.to).contains(&status.as_u16());
    let row = ROWS.iter().find(fits);
    let (outcome, scope) =
        row.map_or((Outcome::Retry, Scope::Message), |row| (row.outcome, row.scope));
    let named = said
        .outcome
        .as_deref()
        .and_then(|word| Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word));
    let is_listed = said.invalid_tokens.contains(token.expose());
    let (outcome, scope) = match named.filter(|named| *named != Outcome::Delivered) {
        _ if is_listed => (Outcome::TokenInvalid, Scope::Message),
        Some(named) => (named, answers::scope(named)),
        None => (outcome, scope),
    };
    if outcome == Outcome::Delivered {
        return answers::accepted(None);
    }
    let word = said.reason.as_deref().or(is_listed.then_some("invalid_tokens"));
    Answer {
        vendor: answers::vendor(body, token),
        retry_after_ms: said.retry_after_s.map(|s| s.saturating_mul(1000)).or(retry_after_ms),
        ..Answer::new(outcome, answers::reason(word, status)).about(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let line = |row: &Row| {
            let scope = format!("{:?}", row.scope).to_lowercase();
            format!("{}-{}  {:<14} {scope}", row.from, row.to, row.outcome.as_str())
        };
        let lines: Vec<String> = ROWS.iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_body_says_more_than_a_status_but_never_that_a_refusal_was_a_delivery() {
        let of = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = judge(status, body.as_bytes(), &Secret::new("t1".into()), Some(9));
            let Answer { outcome, reason, retry_after_ms, .. } = answer;
            format!("{} {reason} {retry_after_ms:?}", outcome.as_str())
        };
        let told = [
            of(200, ""),
            of(200, "<html>fine</html>"),
            of(204, r#"{"outcome":"delivered"}"#),
            of(200, r#"{"outcome":"throttled","reason":"vendor_rate","retry_after_s":30}"#),
            of(200, r#"{"outcome":"delivered","invalid_tokens":["t0","t1"]}"#),
            of(200, r#"{"invalid_tokens":["t0"]}"#),
            of(200, r#"{"outcome":"excellent"}"#),
            of(200, r#"{"outcome":5}"#),
            of(500, r#"{"outcome":"delivered"}"#),
            of(500, r#"{"outcome":"reject","reason":"never"}"#),
            of(503, "<html>busy</html>"),
            of(400, r#"{"error":"no"}"#),
        ];
        insta::assert_snapshot!(told.join("\n"));
    }
}
