//! What FCM answers mean.

use http::StatusCode;
use nightjar_push::{Outcome, Scope};
use serde::Deserialize;

use crate::answers::{self, by_status};

/// What an `INVALID_ARGUMENT` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The row holds whatever it is about.
    Anything,
    /// The registration token.
    Token,
    /// The size of the message.
    Size,
}

/// One line of the table. Of several lines with one code the first that fits holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) status: u16,
    /// `errorCode` of the `FcmError` detail, else the general `status` word.
    pub(super) code: &'static str,
    pub(super) about: About,
    pub(super) outcome: Outcome,
}

const fn row(status: u16, code: &'static str, about: About, outcome: Outcome) -> Row {
    Row { status, code, about, outcome }
}

/// Firebase, "`ErrorCode`" of the HTTP v1 API, and Google's general words.
pub(super) const ROWS: &[Row] = {
    use About::{Anything, Size, Token};
    use Outcome::{AuthExpired, ConfigError, Reject, Retry, Throttled, TokenInvalid, TooLarge};
    &[
        row(400, "INVALID_ARGUMENT", Token, TokenInvalid),
        row(400, "INVALID_ARGUMENT", Size, TooLarge),
        row(400, "INVALID_ARGUMENT", Anything, Reject),
        row(401, "THIRD_PARTY_AUTH_ERROR", Anything, ConfigError),
        row(401, "UNAUTHENTICATED", Anything, AuthExpired),
        row(403, "SENDER_ID_MISMATCH", Anything, TokenInvalid),
        row(403, "PERMISSION_DENIED", Anything, ConfigError),
        row(404, "UNREGISTERED", Anything, TokenInvalid),
        row(404, "NOT_FOUND", Anything, ConfigError),
        row(429, "QUOTA_EXCEEDED", Anything, Throttled),
        row(429, "RESOURCE_EXHAUSTED", Anything, Throttled),
        row(500, "INTERNAL", Anything, Retry),
        row(503, "UNAVAILABLE", Anything, Retry),
    ]
};

/// Who has to wait. Firebase: `QUOTA_EXCEEDED` is about the target of the message, Google's general
/// word about the project; `THIRD_PARTY_AUTH_ERROR` about the targets of one platform.
pub(super) fn scope(outcome: Outcome, code: Option<&str>) -> Scope {
    match code {
        Some("QUOTA_EXCEEDED") => Scope::Device,
        Some("RESOURCE_EXHAUSTED") => Scope::Credential,
        Some("THIRD_PARTY_AUTH_ERROR") => Scope::Message,
        _ => answers::scope(outcome),
    }
}

#[derive(Debug, Default, Deserialize)]
struct Envelope {
    error: Option<ErrorBody>,
    /// Of a success: the message's id.
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    status: String,
    message: String,
    details: Vec<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(rename = "@type")]
    kind: String,
    #[serde(rename = "errorCode")]
    error_code: Option<String>,
    #[serde(rename = "fieldViolations")]
    field_violations: Vec<FieldViolation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FieldViolation {
    field: String,
}

/// The meaning of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    /// FCM's word for it.
    pub(super) code: Option<String>,
    /// The id FCM gave the message.
    pub(super) name: Option<String>,
}

/// Reads an answer. A body that is not FCM's leaves the status to judge by; without a message id
/// even 200 is no success, it came from something in between.
pub(super) fn judge(status: StatusCode, body: &[u8]) -> Verdict {
    let envelope: Envelope = serde_json::from_slice(body).unwrap_or_default();
    let Some(error) = envelope.error else {
        return match envelope.name {
            Some(name) if status == StatusCode::OK => {
                Verdict { outcome: Outcome::Delivered, code: None, name: Some(name) }
            }
            _ => Verdict { outcome: by_status(status), code: None, name: None },
        };
    };
    let code = code(&error);
    let about = about(&error);
    let row = ROWS
        .iter()
        .find(|row| Some(row.code) == code && (row.about == About::Anything || row.about == about));
    let outcome = row.map_or_else(|| by_status(status), |row| row.outcome);
    Verdict { outcome, code: code.map(str::to_owned), name: None }
}

fn code(error: &ErrorBody) -> Option<&str> {
    let of_fcm = |detail: &&Detail| detail.kind.ends_with("FcmError");
    let code = error.details.iter().find(of_fcm).and_then(|detail| detail.error_code.as_deref());
    code.or(Some(error.status.as_str())).filter(|code| !code.is_empty())
}

fn about(error: &ErrorBody) -> About {
    let violations = error.details.iter().flat_map(|detail| &detail.field_violations);
    let text = error.message.to_ascii_lowercase();
    if violations.into_iter().any(|violation| violation.field == "message.token")
        || text.contains("registration token is not a valid")
    {
        About::Token
    } else if ["too big", "too large", "size", "exceed"].iter().any(|word| text.contains(word)) {
        About::Size
    } else {
        About::Anything
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let line = |row: &Row| {
            let (about, outcome) = (format!("{:?}", row.about), row.outcome.as_str());
            format!("{} {:<22} {about:<8} {outcome}", row.status, row.code)
        };
        let lines: Vec<String> = ROWS.iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    fn outcome(status: u16, body: &str) -> Outcome {
        judge(StatusCode::from_u16(status).unwrap(), body.as_bytes()).outcome
    }

    #[test]
    fn what_is_not_fcm_is_judged_by_its_status() {
        for (status, expected) in [
            (200, Outcome::Retry),
            (302, Outcome::Retry),
            (400, Outcome::Reject),
            (401, Outcome::AuthExpired),
            (403, Outcome::ConfigError),
            (404, Outcome::ConfigError),
            (429, Outcome::Throttled),
            (502, Outcome::Retry),
        ] {
            assert_eq!(outcome(status, "<html>gateway</html>"), expected, "{status}");
            let unknown = r#"{"error":{"status":"SOMETHING_NEW"}}"#;
            assert_eq!(outcome(status, unknown), expected, "{status}");
        }
    }

    #[test]
    fn an_error_under_200_is_an_error() {
        let body = r#"{"error":{"code":404,"status":"NOT_FOUND","details":[
            {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError",
             "errorCode":"UNREGISTERED"}]}}"#;
        assert_eq!(outcome(200, body), Outcome::TokenInvalid);
    }

    #[test]
    fn an_unspecified_error_is_judged_by_its_status() {
        let body = r#"{"error":{"status":"INTERNAL","details":[
            {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError",
             "errorCode":"UNSPECIFIED_ERROR"}]}}"#;
        assert_eq!([outcome(400, body), outcome(503, body)], [Outcome::Reject, Outcome::Retry]);
    }
}
