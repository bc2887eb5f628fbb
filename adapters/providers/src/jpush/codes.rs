//! What JPush's answers mean. The codes are those of its console's help and of other senders; what
//! is not listed is judged by its status.

use http::{HeaderMap, StatusCode};
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::answers;
use crate::codes::{Row, Wait, find, limit, number, row, unknown, without_renewal};

/// Seconds until the rate's window ends.
const RESET: &str = "x-rate-limit-reset";

/// `error.code` of a refusal.
pub(super) const ROWS: &[Row] = {
    use Outcome::{ConfigError, Reject, Retry, TokenInvalid, TooLarge};
    &[
        row(1000, "internal error", Retry),
        row(1001, "only POST", Reject),
        row(1002, "parameter missing", Reject),
        row(1003, "illegal parameter", Reject),
        row(1004, "keys refused", ConfigError),
        row(1005, "too long", TooLarge),
        row(1008, "illegal app key", ConfigError),
        row(1009, "unknown field", Reject),
        row(1011, "no such registration id", TokenInvalid),
        row(1020, "only HTTPS", ConfigError),
        row(1030, "internal timeout", Retry),
        // The window is a minute.
        limit(2002, "too fast", Wait::Seconds(60)),
        row(2003, "address not on the white list", ConfigError),
    ]
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<ErrorBody>,
    msg_id: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    code: Value,
}

/// Reads an answer. A body that is not JPush's leaves the status to judge by; without a message
/// id even 200 is no success, it came from something in between.
pub(super) fn judge(
    head: (StatusCode, &HeaderMap),
    body: &[u8],
    token: &Secret<String>,
    now: WallMs,
) -> Answer {
    let (status, headers) = head;
    let read: Body = serde_json::from_slice(body).unwrap_or_default();
    let code = read.error.as_ref().and_then(|error| number(&error.code));
    let answer = match (code, &read.msg_id) {
        (Some(code), _) => find(ROWS, code)
            .map_or_else(|| unknown(code, status, Outcome::Retry), |row| row.answer(now)),
        (None, Value::Null) => answers::of_status(status),
        (None, _) if read.error.is_some() => answers::of_status(status),
        (None, id) if status.is_success() => {
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            return answers::accepted(Some(&id));
        }
        (None, _) => answers::of_status(status),
    };
    let reset = headers.get(RESET).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let reset_ms = reset.filter(|_| answer.outcome == Outcome::Throttled).map(|s| s * 1000);
    let retry_after_ms = reset_ms.or(answers::retry_after_ms(headers)).or(answer.retry_after_ms);
    without_renewal(Answer { vendor: answers::vendor(body, token), retry_after_ms, ..answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        insta::assert_snapshot!(crate::codes::printed(ROWS));
    }

    #[test]
    fn what_is_not_of_the_table_is_judged_by_its_status() {
        let of = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let token = Secret::new("t1".to_owned());
            let answer = judge((status, &HeaderMap::new()), body.as_bytes(), &token, WallMs(0));
            format!("{} {} {}", answer.outcome.as_str(), answer.reason, answer.vendor)
        };
        let told = [
            of(200, r#"{"sendno":"0","msg_id":"18100287008546322"}"#),
            of(200, r#"{"sendno":0,"msg_id":18100287008546322}"#),
            of(200, r#"{"error":{"code":1011,"message":"cannot find user by this audience"}}"#),
            of(200, r#"{"msg_id":1,"error":{"code":"1003","message":"x"}}"#),
            of(200, "<html>welcome</html>"),
            of(400, r#"{"error":{"code":7777,"message":"new, for t1"}}"#),
            of(401, r#"{"error":{"code":1004}}"#),
            of(401, "<html>no</html>"),
            of(500, r#"{"error":{"message":"x"},"msg_id":5}"#),
            of(502, "<html>gateway</html>"),
        ];
        insta::assert_snapshot!(told.join("\n"));
    }
}
