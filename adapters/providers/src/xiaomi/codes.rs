//! What Xiaomi's answers mean.

use http::StatusCode;
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::answers;
use crate::codes::{RATE, Row, Wait, find, limit, number, row, unknown, wait, without_renewal};

/// What Xiaomi refuses is the wish for a receipt; the message is in order.
pub(super) const RECEIPT_CODES: [i64; 3] = [65036, 65037, 65038];

/// Said of a token that is dead, and of a phone that is off.
pub(super) const NOT_FOUND: i64 = 65003;

/// Xiaomi, "error codes" of the server API.
pub(super) const ROWS: &[Row] = {
    use Outcome::{ConfigError, Reject, Retry, TokenInvalid, TooLarge};
    &[
        row(-1, "unknown error", Retry),
        row(1, "internal error", Retry),
        row(10001, "internal error", Retry),
        row(10002, "service suspended", Retry),
        row(10003, "remote service error", Retry),
        row(10008, "malformed parameter", Reject),
        row(10012, "illegal request", Reject),
        row(10016, "parameter missing", Reject),
        row(10017, "illegal parameter value", Reject),
        limit(10027, "too frequent", RATE),
        row(10029, "unknown device", TokenInvalid),
        row(10031, "app on the black list", ConfigError),
        limit(10034, "quota of the day used up", Wait::UntilHour(0)),
        row(10036, "forbidden", ConfigError),
        row(10037, "request expired", Retry),
        limit(10039, "too frequent", RATE),
        row(20301, "no valid token", TokenInvalid),
        row(20607, "database error", Retry),
        row(21301, "authentication failed", ConfigError),
        row(21302, "authentication failed", ConfigError),
        row(21303, "illegal app", ConfigError),
        row(21305, "parameter missing", Reject),
        row(22000, "illegal app", ConfigError),
        row(22006, "illegal app id", ConfigError),
        row(22007, "illegal app key", ConfigError),
        row(22022, "illegal package", ConfigError),
        row(22102, "notification failed", Retry),
        row(26003, "internal error", Retry),
        limit(26004, "too frequent", RATE),
        row(26006, "needs review", Reject),
        row(27001, "channel not registered", ConfigError),
        wait(NOT_FOUND, "device not found", Retry, Wait::Seconds(300)),
        row(65009, "text too long", TooLarge),
        row(65011, "malformed parameter", Reject),
        row(65014, "too many extra fields", TooLarge),
        row(65015, "extra fields too long", TooLarge),
        row(65029, "internal error", Retry),
        row(65030, "malformed parameter", Reject),
        row(65036, "receipt address too long", ConfigError),
        row(65037, "receipt parameter too long", ConfigError),
        row(65038, "receipt address not registered", ConfigError),
    ]
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    code: Value,
    data: Value,
}

/// An answer's code, if it has one.
pub(super) fn code(body: &[u8]) -> Option<i64> {
    number(&serde_json::from_slice::<Body>(body).ok()?.code)
}

/// Reads an answer. A body that is not Xiaomi's leaves the status to judge by, and 200 alone is
/// no success.
pub(super) fn judge(
    status: StatusCode,
    body: &[u8],
    token: &Secret<String>,
    now: WallMs,
) -> Answer {
    let Body { code, data } = serde_json::from_slice(body).unwrap_or_default();
    let answer = match number(&code) {
        // Not on Xiaomi's page; other senders read it.
        Some(0) if is_listed(&data["bad_regids"], token.expose()) => {
            Answer::new(Outcome::TokenInvalid, "bad_regids")
        }
        Some(0) if status.is_success() => return answers::accepted(data["id"].as_str()),
        Some(code) => find(ROWS, code)
            .map_or_else(|| unknown(code, status, Outcome::Retry), |row| row.answer(now)),
        None => answers::of_status(status),
    };
    // The key has no end that another could be fetched for.
    without_renewal(Answer { vendor: answers::vendor(body, token), ..answer })
}

/// Whether a list of tokens, an array or a text with commas, has this one.
fn is_listed(list: &Value, token: &str) -> bool {
    match list {
        Value::String(text) => text.split(',').any(|listed| listed.trim() == token),
        Value::Array(all) => all.iter().any(|listed| listed.as_str() == Some(token)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        insta::assert_snapshot!(crate::codes::printed(ROWS));
    }

    fn of(status: u16, body: &str) -> (Outcome, String) {
        let token = Secret::new("t1".to_owned());
        let status = StatusCode::from_u16(status).unwrap();
        let answer = judge(status, body.as_bytes(), &token, WallMs(0));
        (answer.outcome, answer.reason)
    }

    #[test]
    fn what_is_not_xiaomis_is_judged_by_its_status() {
        for (status, outcome) in [
            (200, Outcome::Retry),
            (302, Outcome::Retry),
            (400, Outcome::Reject),
            (401, Outcome::ConfigError),
            (403, Outcome::ConfigError),
            (413, Outcome::TooLarge),
            (429, Outcome::Throttled),
            (502, Outcome::Retry),
        ] {
            for body in ["", "<html>", "null", "[]", r#"{"code":"none"}"#] {
                assert_eq!(of(status, body), (outcome, format!("http_{status}")), "{body}");
            }
            let unknown = (outcome, "77777 unknown".to_owned());
            assert_eq!(of(status, r#"{"code":77777}"#), unknown, "{status}");
        }
    }

    #[test]
    fn a_code_counts_whatever_the_status_and_as_text_too() {
        let expected = (Outcome::ConfigError, "21301 authentication failed".to_owned());
        assert_eq!(of(200, r#"{"result":"error","code":21301}"#), expected);
        assert_eq!(of(500, r#"{"result":"error","code":"21301"}"#), expected);
        assert_eq!(of(500, r#"{"result":"ok","code":0}"#).0, Outcome::Retry);
    }

    #[test]
    fn a_token_listed_as_bad_is_dead_though_the_request_succeeded() {
        for (list, outcome) in [
            (r#""t0, t1""#, Outcome::TokenInvalid),
            (r#"["t0","t1"]"#, Outcome::TokenInvalid),
            (r#""t10,t0""#, Outcome::Delivered),
            ("[]", Outcome::Delivered),
            ("7", Outcome::Delivered),
        ] {
            let body = format!(r#"{{"code":0,"data":{{"id":"x","bad_regids":{list}}}}}"#);
            assert_eq!(of(200, &body).0, outcome, "{list}");
        }
    }
}
