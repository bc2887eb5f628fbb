//! What push services answer: RFC 8030, and the words of those that say more.

use http::StatusCode;
use nightjar_push::Outcome;
use serde::Deserialize;

use crate::answers::by_status;

/// What is done before an answer is given. Each happens once per push; the second answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: the answer stands.
    Report,
    /// Send again with a new signature.
    Resign,
    /// Send again to `Location`, if that is the same origin.
    Move,
}

/// One line of the table. The first that fits holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) status: u16,
    /// What the body says; empty is whatever it says.
    pub(super) says: &'static str,
    /// The outcome once [`Step`] has been taken.
    pub(super) outcome: Outcome,
    pub(super) step: Step,
}

const fn row(status: u16, says: &'static str, outcome: Outcome, step: Step) -> Row {
    Row { status, says, outcome, step }
}

/// RFC 8030 §5 and §7, RFC 8292 §4. The words are those of Mozilla, Google and Apple for a
/// subscription that was made with another key of ours: new keys make every old one useless.
pub(super) const ROWS: &[Row] = {
    use Outcome::{ConfigError, Delivered, Reject, Retry, Throttled, TokenInvalid, TooLarge};
    use Step::{Move, Report, Resign};
    &[
        row(200, "", Delivered, Report),
        row(201, "", Delivered, Report),
        row(202, "", Delivered, Report),
        row(204, "", Delivered, Report),
        row(301, "", Reject, Move),
        row(308, "", Reject, Move),
        row(400, "VapidPkHashMismatch", TokenInvalid, Report),
        row(400, "", Reject, Report),
        row(401, "public key mismatch", TokenInvalid, Report),
        row(401, "", ConfigError, Resign),
        row(403, "VapidPkHashMismatch", TokenInvalid, Report),
        row(403, "do not correspond to the credentials", TokenInvalid, Report),
        row(403, "", ConfigError, Resign),
        row(404, "", TokenInvalid, Report),
        row(410, "", TokenInvalid, Report),
        row(413, "", TooLarge, Report),
        row(429, "", Throttled, Report),
        row(500, "", Retry, Report),
        row(502, "", Retry, Report),
        row(503, "", Retry, Report),
        // ntfy, a distributor of UnifiedPush, for a quota.
        row(507, "", Throttled, Report),
    ]
};

/// The outcome and the step for an answer.
pub(super) fn judge(status: StatusCode, body: &[u8]) -> (Outcome, Step) {
    let text = String::from_utf8_lossy(body);
    let fits = |row: &&Row| row.status == status.as_u16() && text.contains(row.says);
    match ROWS.iter().find(fits) {
        Some(row) => (row.outcome, row.step),
        None => (by_status(status), Step::Report),
    }
}

/// Apple's and Mozilla's words for what is wrong.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    reason: Option<String>,
    errno: Option<u32>,
}

/// The service's own name for what is wrong, if it has one.
pub(super) fn word(body: &[u8]) -> Option<String> {
    let error: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    error.reason.or_else(|| error.errno.map(|errno| format!("errno_{errno}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let line = |row: &Row| {
            let (outcome, step) = (row.outcome.as_str(), format!("{:?}", row.step));
            format!("{} {:<37} {outcome:<14} {step}", row.status, row.says)
        };
        let lines: Vec<String> = ROWS.iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn an_unknown_status_is_judged_by_its_class_and_no_redirect_is_a_delivery() {
        let outcome = |status: u16| judge(StatusCode::from_u16(status).unwrap(), b"<html>").0;
        assert_eq!([418, 599].map(outcome), [Outcome::Reject, Outcome::Retry]);
        assert_eq!([302, 303, 307].map(outcome), [Outcome::Retry; 3]);
    }

    #[test]
    fn services_have_their_own_words() {
        let mozilla = br#"{"code":410,"errno":106,"error":"","message":"no such user"}"#;
        assert_eq!(word(mozilla).as_deref(), Some("errno_106"));
        assert_eq!(word(br#"{"reason":"BadJwtToken"}"#).as_deref(), Some("BadJwtToken"));
        assert_eq!(word(b"<html>"), None);
    }
}
