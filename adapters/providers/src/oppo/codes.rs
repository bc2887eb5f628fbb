//! What OPPO's answers mean.

use http::StatusCode;
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::answers;
use crate::codes::{RATE, Row, Wait, find, limit, number, row, unknown};

/// The app has no right to the class it named.
pub(super) const CLASS_REFUSED: i64 = 67;

/// OPPO, "common return codes" and "interface return codes", and the SDK's `ErrorCode`.
pub(super) const ROWS: &[Row] = {
    use Outcome::{AuthExpired, ConfigError, Delivered, Reject, Retry, TokenInvalid};
    &[
        limit(-2, "flow control", RATE),
        row(-1, "service unavailable", Retry),
        row(11, "auth token refused", AuthExpired),
        row(12, "HTTP method refused", Reject),
        limit(13, "too many calls", RATE),
        row(14, "illegal app key", ConfigError),
        row(15, "app key missing", ConfigError),
        row(16, "illegal signature", ConfigError),
        row(17, "signature missing", ConfigError),
        row(18, "timestamp refused: check this clock", ConfigError),
        row(19, "timestamp refused: check this clock", ConfigError),
        row(20, "method, version or encoding refused", Reject),
        row(21, "method, version or encoding refused", Reject),
        row(22, "method, version or encoding refused", Reject),
        row(23, "method, version or encoding refused", Reject),
        row(24, "method, version or encoding refused", Reject),
        row(25, "method, version or encoding refused", Reject),
        row(26, "address on the black list", ConfigError),
        row(27, "access denied", ConfigError),
        row(28, "app disabled", ConfigError),
        row(29, "auth token missing", AuthExpired),
        row(30, "no right to push", ConfigError),
        row(31, "data not found", Reject),
        // It is there: an earlier attempt, whose answer was lost, brought it.
        row(32, "duplicate", Delivered),
        limit(33, "messages of the day", Wait::UntilHour(0)),
        limit(34, "pictures of the day", Wait::UntilHour(0)),
        row(40, "argument missing", Reject),
        row(41, "illegal argument", Reject),
        row(51, "illegal picture", Reject),
        limit(55, "too frequent", RATE),
        row(59, "no right to the action", ConfigError),
        row(CLASS_REFUSED, "class or level refused", ConfigError),
        row(10_000, "malformed registration id", TokenInvalid),
        row(10_001, "not subscribed", TokenInvalid),
        row(10_002, "alias refused", TokenInvalid),
        row(10_003, "alias refused", TokenInvalid),
    ]
};

/// Business errors that the page does not list: this message is refused.
const BUSINESS: std::ops::RangeInclusive<i64> = 10_000..=20_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    code: Value,
    data: Value,
}

/// The parts of an answer: its code, if it has one, and what stands in `data`, which may be JSON
/// as text.
pub(super) fn read(body: &[u8]) -> (Option<i64>, Value) {
    let Body { code, data } = serde_json::from_slice(body).unwrap_or_default();
    let inner = data.as_str().and_then(|text| serde_json::from_str(text).ok());
    (number(&code), inner.unwrap_or(data))
}

/// Reads an answer. A body that is not OPPO's leaves the status to judge by.
pub(super) fn judge(
    status: StatusCode,
    body: &[u8],
    token: &Secret<String>,
    now: WallMs,
) -> Answer {
    let (code, data) = read(body);
    let answer = match code {
        Some(0) if status.is_success() => return answers::accepted(data["messageId"].as_str()),
        Some(code) => match find(ROWS, code) {
            Some(row) => row.answer(now),
            None if BUSINESS.contains(&code) => unknown(code, status, Outcome::Reject),
            None => unknown(code, status, Outcome::Retry),
        },
        None => answers::of_status(status),
    };
    Answer { vendor: answers::vendor(body, token), ..answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        insta::assert_snapshot!(crate::codes::printed(ROWS));
    }

    fn of(status: u16, body: &str) -> (Outcome, String) {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = judge(status, body.as_bytes(), &Secret::default(), WallMs(0));
        (answer.outcome, answer.reason)
    }

    #[test]
    fn what_is_not_oppos_is_judged_by_its_status() {
        for (status, outcome) in [
            (200, Outcome::Retry),
            (400, Outcome::Reject),
            (401, Outcome::AuthExpired),
            (403, Outcome::ConfigError),
            (429, Outcome::Throttled),
            (500, Outcome::Retry),
        ] {
            for body in ["", "<html>", "[]", r#"{"code":"no"}"#] {
                assert_eq!(of(status, body), (outcome, format!("http_{status}")), "{body}");
            }
            assert_eq!(of(status, r#"{"code":777}"#), (outcome, "777 unknown".into()));
        }
        assert_eq!(of(200, r#"{"code":12345}"#), (Outcome::Reject, "12345 unknown".into()));
        assert_eq!(of(503, r#"{"code":12345}"#).0, Outcome::Retry);
        assert_eq!(of(503, r#"{"code":0}"#).0, Outcome::Retry);
        assert_eq!(of(200, r#"{"code":"0","data":{}}"#).0, Outcome::Delivered);
    }

    #[test]
    fn data_may_be_json_as_text() {
        let (code, data) = read(br#"{"code":0,"data":"{\"auth_token\":\"a\"}"}"#);
        assert_eq!((code, data["auth_token"].as_str()), (Some(0), Some("a")));
    }
}
