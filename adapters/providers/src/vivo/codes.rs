//! What vivo's answers mean: a code for the request, and what is wrong with the user.

use http::StatusCode;
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::answers;
use crate::codes::{RATE, Row, Wait, find, limit, number, row, unknown};

/// Words vivo refuses: only digits, only Latin letters, only signs, brackets, "测试".
pub(super) const WORDS_REFUSED: [i64; 2] = [10_085, 10_104];
/// A class that is unknown, or does not go with the classification.
pub(super) const CLASS_REFUSED: [i64; 2] = [10_096, 10_097];

/// Codes of a request: vivo, "server API", and other senders' lists.
pub(super) const ROWS: &[Row] = {
    use Outcome::{AuthExpired, ConfigError, Reject, Retry, TokenInvalid};
    &[
        // UNVERIFIED: the wording.
        row(10_000, "authentication failed", AuthExpired),
        row(10_040, "resources exhausted", Retry),
        row(10_054, "unusable user", TokenInvalid),
        limit(10_070, "messages of the day", Wait::UntilHour(0)),
        limit(10_071, "outside of 07:00 to 23:00", Wait::UntilHour(7)),
        // UNVERIFIED.
        limit(10_072, "too fast", RATE),
        limit(10_073, "system messages of the day", Wait::UntilHour(0)),
        row(10_085, "words refused", Reject),
        row(10_094, "app id is not that of the token", ConfigError),
        row(10_096, "unknown class", ConfigError),
        row(10_097, "class and classification differ", ConfigError),
        row(10_104, "words refused", Reject),
        limit(10_252, "lists of the day", Wait::UntilHour(0)),
        limit(10_254, "broadcasts of the day", Wait::UntilHour(0)),
        row(10_302, "illegal user", TokenInvalid),
    ]
};

/// `status` of an invalid user.
pub(super) const USER_ROWS: &[Row] = {
    use Outcome::{ConfigError, Reject, TokenInvalid};
    &[
        row(1, "unknown user", TokenInvalid),
        row(2, "uninstalled or switched off", TokenInvalid),
        row(3, "not online for 90 days", Reject),
        row(4, "not a test user", ConfigError),
    ]
};

/// Codes that are about what was asked: this message is refused.
const PARAMETERS: std::ops::RangeInclusive<i64> = 10_000..=10_999;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    result: Value,
    #[serde(rename = "taskId")]
    task_id: Value,
    #[serde(rename = "authToken")]
    auth_token: Value,
    #[serde(rename = "invalidUser")]
    invalid_user: Value,
}

/// An answer's code, and the auth token in it, if they are there.
pub(super) fn read(body: &[u8]) -> (Option<i64>, Option<Secret<String>>) {
    let read: Body = serde_json::from_slice(body).unwrap_or_default();
    let token = read.auth_token.as_str().map(|token| Secret::new(token.to_owned()));
    (number(&read.result), token)
}

/// Reads an answer. A body that is not vivo's leaves the status to judge by. Of the user vivo may
/// say something under success, too; that counts first.
pub(super) fn judge(
    status: StatusCode,
    body: &[u8],
    token: &Secret<String>,
    now: WallMs,
) -> Answer {
    let read: Body = serde_json::from_slice(body).unwrap_or_default();
    let user = match &read.invalid_user {
        Value::Array(users) => users.first().and_then(|user| number(&user["status"])),
        user => number(&user["status"]),
    };
    let answer = match (number(&read.result), user.and_then(|status| find(USER_ROWS, status))) {
        (Some(_), Some(row)) => row.answer(now),
        (Some(0), None) if status.is_success() => return accepted(&read.task_id),
        (Some(code), None) => match find(ROWS, code) {
            Some(row) => row.answer(now),
            None if PARAMETERS.contains(&code) => unknown(code, status, Outcome::Reject),
            None => unknown(code, status, Outcome::Retry),
        },
        (None, _) => answers::of_status(status),
    };
    Answer { vendor: answers::vendor(body, token), ..answer }
}

fn accepted(task_id: &Value) -> Answer {
    let number = task_id.as_u64().map(|id| id.to_string());
    answers::accepted(task_id.as_str().or(number.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables() {
        let [request, user] = [ROWS, USER_ROWS].map(crate::codes::printed);
        insta::assert_snapshot!(format!("of a request\n{request}\n\nof a user\n{user}"));
    }

    fn of(status: u16, body: &str) -> (Outcome, String) {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = judge(status, body.as_bytes(), &Secret::default(), WallMs(0));
        (answer.outcome, answer.reason)
    }

    #[test]
    fn what_is_wrong_with_the_user_counts_whatever_the_code() {
        for result in ["0", "10302", "\"10054\"", "10999"] {
            for (user, outcome) in [
                (r#"{"status":1,"userid":"t1"}"#, Outcome::TokenInvalid),
                (r#"{"status":"2","userid":156}"#, Outcome::TokenInvalid),
                (r#"[{"status":3,"userid":"t1"}]"#, Outcome::Reject),
                (r#"{"status":4}"#, Outcome::ConfigError),
            ] {
                let body = format!(r#"{{"result":{result},"invalidUser":{user}}}"#);
                assert_eq!(of(200, &body).0, outcome, "{body}");
            }
        }
        for user in ["null", "[]", "{}", r#"{"status":77}"#, "\"x\""] {
            let body = format!(r#"{{"result":0,"taskId":7,"invalidUser":{user}}}"#);
            assert_eq!(of(200, &body), (Outcome::Delivered, "accepted".into()), "{user}");
        }
    }

    #[test]
    fn what_is_not_vivos_is_judged_by_its_status() {
        for (status, outcome) in [
            (200, Outcome::Retry),
            (400, Outcome::Reject),
            (401, Outcome::AuthExpired),
            (403, Outcome::ConfigError),
            (429, Outcome::Throttled),
            (500, Outcome::Retry),
        ] {
            for body in ["", "Internet server error!", "[]", r#"{"result":null}"#] {
                assert_eq!(of(status, body), (outcome, format!("http_{status}")), "{body}");
            }
            assert_eq!(of(status, r#"{"result":777}"#), (outcome, "777 unknown".into()));
        }
        assert_eq!(of(200, r#"{"result":10055}"#), (Outcome::Reject, "10055 unknown".into()));
        assert_eq!(of(500, r#"{"result":0}"#).0, Outcome::Retry);
    }
}
