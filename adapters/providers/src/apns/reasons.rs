//! What APNs answers mean: Apple's table, and what is done before the answer is given.

use http::StatusCode;
use nightjar_model::WallMs;
use nightjar_push::{Outcome, Scope};
use serde::Deserialize;

use crate::answers::{self, by_status};

/// What the provider does by itself when it reads an answer. Each repetition happens once per
/// push; the second answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: the answer stands.
    Report,
    /// Send again with a new key token.
    Resign,
    /// Sign no new token for a while; the answer stands.
    KeepToken,
    /// Use this connection no more; the answer stands.
    Leave,
    /// Send again on a new connection.
    Reopen,
    /// Ask the other environment, when the binding does not say which is its own.
    AskOther,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    /// The outcome once [`Step`] has been taken.
    pub(super) outcome: Outcome,
    pub(super) step: Step,
}

const fn row(status: u16, reason: &'static str, outcome: Outcome, step: Step) -> Row {
    Row { status, reason, outcome, step }
}

/// Apple, "Handling notification response errors". Reasons are matched whatever the status.
pub(super) const ROWS: &[Row] = {
    use Outcome::{AuthExpired, ConfigError, Reject, Retry, Throttled, TokenInvalid, TooLarge};
    use Step::{AskOther, KeepToken, Leave, Reopen, Report, Resign};
    &[
        row(400, "BadDeviceToken", TokenInvalid, AskOther),
        row(400, "DeviceTokenNotForTopic", TokenInvalid, Report),
        row(400, "BadTopic", ConfigError, Report),
        row(400, "MissingTopic", ConfigError, Report),
        row(400, "TopicDisallowed", ConfigError, Report),
        row(400, "TopicMismatch", ConfigError, Report),
        row(400, "FeatureNotEnabled", ConfigError, Report),
        row(400, "MissingChannelId", ConfigError, Report),
        row(400, "BadChannelId", ConfigError, Report),
        row(400, "ChannelNotRegistered", ConfigError, Report),
        row(400, "CannotCreateChannelConfig", ConfigError, Report),
        row(400, "MissingPushType", ConfigError, Report),
        row(400, "BadCollapseId", Reject, Report),
        row(400, "BadExpirationDate", Reject, Report),
        row(400, "BadMessageId", Reject, Report),
        row(400, "BadPriority", Reject, Report),
        row(400, "InvalidPushType", Reject, Report),
        row(400, "DuplicateHeaders", Reject, Report),
        row(400, "MissingDeviceToken", Reject, Report),
        row(400, "PayloadEmpty", Reject, Report),
        row(400, "IdleTimeout", Retry, Leave),
        row(403, "ExpiredProviderToken", AuthExpired, Resign),
        row(403, "InvalidProviderToken", ConfigError, Resign),
        row(403, "MissingProviderToken", ConfigError, Resign),
        row(403, "BadCertificate", ConfigError, Report),
        row(403, "BadCertificateEnvironment", ConfigError, Report),
        row(403, "Forbidden", ConfigError, Report),
        row(403, "UnrelatedKeyIdInToken", ConfigError, Reopen),
        row(403, "BadEnvironmentKeyIdInToken", ConfigError, Reopen),
        row(404, "BadPath", Reject, Report),
        row(405, "MethodNotAllowed", Reject, Report),
        row(410, "Unregistered", TokenInvalid, Report),
        row(410, "ExpiredToken", TokenInvalid, Report),
        row(413, "PayloadTooLarge", TooLarge, Report),
        row(429, "TooManyProviderTokenUpdates", Throttled, KeepToken),
        row(429, "TooManyRequests", Throttled, Report),
        row(500, "InternalServerError", Retry, Report),
        row(503, "ServiceUnavailable", Retry, Leave),
        row(503, "Shutdown", Retry, Leave),
    ]
};

/// The body of an answer that is not 200.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    pub(super) reason: Option<String>,
    /// With 410: since when the token is dead.
    timestamp: Option<u64>,
}

impl ErrorBody {
    /// Reads a body; what is not such a JSON object says nothing.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Since when the token is dead, by this answer.
    pub(super) fn dead_since(&self, status: StatusCode) -> Option<WallMs> {
        self.timestamp.filter(|_| status == StatusCode::GONE).map(WallMs)
    }
}

/// The outcome and the step for a status and a reason. A reason Apple has added since then is
/// judged by its status.
pub(super) fn judge(status: StatusCode, reason: Option<&str>) -> (Outcome, Step) {
    if status == StatusCode::OK {
        return (Outcome::Delivered, Step::Report);
    }
    if let Some(row) = ROWS.iter().find(|row| Some(row.reason) == reason) {
        return (row.outcome, row.step);
    }
    match status {
        StatusCode::GONE => (Outcome::TokenInvalid, Step::Report),
        _ => (by_status(status), Step::Report),
    }
}

/// Who has to wait. Apple: `TooManyRequests` were made consecutively to one device token.
pub(super) fn scope(outcome: Outcome, reason: Option<&str>) -> Scope {
    match reason {
        Some("TooManyRequests") => Scope::Device,
        Some("TooManyProviderTokenUpdates") => Scope::Credential,
        _ => answers::scope(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let lines: Vec<String> = ROWS
            .iter()
            .map(|row| {
                let outcome = row.outcome.as_str();
                format!("{} {:<28} {:<13} {:?}", row.status, row.reason, outcome, row.step)
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn who_has_to_wait() {
        let of = |word: &'static str, outcome| scope(outcome, Some(word));
        assert_eq!(of("TooManyRequests", Outcome::Throttled), Scope::Device);
        assert_eq!(of("TooManyProviderTokenUpdates", Outcome::Throttled), Scope::Credential);
        assert_eq!(of("InvalidProviderToken", Outcome::ConfigError), Scope::Credential);
        assert_eq!(of("ServiceUnavailable", Outcome::Retry), Scope::Message);
    }

    #[test]
    fn a_new_reason_is_judged_by_its_status() {
        let outcome =
            |status: u16| judge(StatusCode::from_u16(status).unwrap(), Some("SomethingNew")).0;
        let seen: Vec<_> = [302, 400, 403, 404, 410, 413, 418, 429, 500, 502, 503, 599]
            .iter()
            .map(|status| format!("{status} {}", outcome(*status).as_str()))
            .collect();
        insta::assert_snapshot!(seen.join("\n"));
    }

    #[test]
    fn a_body_that_is_not_json_says_nothing() {
        let body = ErrorBody::read(b"<html>gateway</html>");
        assert!(body.reason.is_none() && body.dead_since(StatusCode::GONE).is_none());
        let body = ErrorBody::read(br#"{"reason":"Unregistered","timestamp":5}"#);
        assert_eq!(body.dead_since(StatusCode::GONE), Some(WallMs(5)));
        assert_eq!(body.dead_since(StatusCode::BAD_REQUEST), None);
    }
}
