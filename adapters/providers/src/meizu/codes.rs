//! What Meizu's answers mean: a code for the request, and one for each token that failed. A token
//! that is not listed did not.

use http::StatusCode;
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::answers;
use crate::codes::{
    RATE, Row, Wait, find, limit, limit_device, number, row, unknown, without_renewal,
};

/// The request went through; its tokens have codes of their own.
const OK: i64 = 200;

/// Codes of a request: `MEIZUPUSH/PushAPI`, "returnCode", and the SDK's `ErrorCode`.
pub(super) const ROWS: &[Row] = {
    use Outcome::{ConfigError, Reject, Retry};
    &[
        row(500, "another failure", Retry),
        row(1001, "system error", Retry),
        row(1003, "server busy", Retry),
        row(1005, "malformed parameter", Reject),
        row(1006, "signature refused", ConfigError),
        row(110_000, "illegal app id", ConfigError),
        row(110_001, "illegal app key", ConfigError),
        row(110_004, "parameter empty", Reject),
        row(110_009, "app on the black list", ConfigError),
        limit(110_010, "too fast", RATE),
        limit(110_019, "limit of the day", Wait::UntilHour(0)),
        row(110_031, "app refused", ConfigError),
        row(110_032, "illegal task", Reject),
        row(110_033, "app refused", ConfigError),
        limit(110_051, "limit of the day", Wait::UntilHour(0)),
        row(110_053, "messages without a notification are off", ConfigError),
    ]
};

/// Codes of a token: the same page, "map", and the SDK's `PushResponseCode`.
pub(super) const TOKEN_ROWS: &[Row] = {
    use Outcome::{Reject, Retry, TokenInvalid};
    &[
        row(201, "refused", Reject),
        row(501, "database error", Retry),
        row(513, "internal error", Retry),
        limit(518, "too fast", RATE),
        row(519, "overloaded", Retry),
        limit_device(520, "more than five a minute for this device", Wait::Seconds(60)),
        row(110_002, "not subscribed", TokenInvalid),
        row(110_003, "illegal push id", TokenInvalid),
        row(110_005, "alias not subscribed", TokenInvalid),
        row(110_010, "switched off on the device", TokenInvalid),
        limit_device(110_011, "public messages of the day", Wait::UntilHour(0)),
    ]
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    code: Value,
    value: Value,
    #[serde(rename = "msgId")]
    msg_id: Value,
}

/// Reads an answer. A body that is not Meizu's leaves the status to judge by.
pub(super) fn judge(
    status: StatusCode,
    body: &[u8],
    token: &Secret<String>,
    now: WallMs,
) -> Answer {
    let read: Body = serde_json::from_slice(body).unwrap_or_default();
    let of = |rows, code| {
        find(rows, code)
            .map_or_else(|| unknown(code, status, Outcome::Retry), |row| row.answer(now))
    };
    let answer = match number(&read.code) {
        Some(OK) if status.is_success() => match failure(&read.value, token.expose()) {
            Some(code) => of(TOKEN_ROWS, code),
            None => return answers::accepted(read.msg_id.as_str()),
        },
        Some(code) => of(ROWS, code),
        None => answers::of_status(status),
    };
    without_renewal(Answer { vendor: answers::vendor(body, token), ..answer })
}

/// The code under which the token is listed.
fn failure(value: &Value, token: &str) -> Option<i64> {
    let lists = |listed: &Value| match listed {
        Value::Array(tokens) => tokens.iter().any(|listed| listed.as_str() == Some(token)),
        one => one.as_str() == Some(token),
    };
    let (code, _) = value.as_object()?.iter().find(|(_, listed)| lists(listed))?;
    // A code that is no number is still a failure.
    Some(code.trim().parse().unwrap_or(-1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables() {
        let [request, token] = [ROWS, TOKEN_ROWS].map(crate::codes::printed);
        insta::assert_snapshot!(format!("of a request\n{request}\n\nof a token\n{token}"));
    }

    fn of(status: u16, body: &str) -> (Outcome, String) {
        let status = StatusCode::from_u16(status).unwrap();
        let token = Secret::new("t1".to_owned());
        let answer = judge(status, body.as_bytes(), &token, WallMs(0));
        (answer.outcome, answer.reason)
    }

    #[test]
    fn only_the_list_that_names_the_token_counts() {
        let value = |value: &str| of(200, &format!(r#"{{"code":"200","value":{value}}}"#));
        assert_eq!(value("{}").0, Outcome::Delivered);
        assert_eq!(value(r#""""#).0, Outcome::Delivered);
        assert_eq!(value(r#"{"110003":["t0","t10"]}"#).0, Outcome::Delivered);
        let (dead, reason) = value(r#"{"519":["t0"],"110003":["t0","t1"]}"#);
        assert_eq!((dead, reason.as_str()), (Outcome::TokenInvalid, "110003 illegal push id"));
        assert_eq!(value(r#"{"519":"t1"}"#).0, Outcome::Retry);
        assert_eq!(value(r#"{"777":["t1"]}"#), (Outcome::Retry, "777 unknown".into()));
        assert_eq!(value(r#"{"new":["t1"]}"#).0, Outcome::Retry);
    }

    #[test]
    fn what_is_not_meizus_is_judged_by_its_status() {
        for (status, outcome) in [
            (200, Outcome::Retry),
            (400, Outcome::Reject),
            (401, Outcome::ConfigError),
            (429, Outcome::Throttled),
            (502, Outcome::Retry),
        ] {
            for body in ["", "<html>", "[]", r#"{"code":"ok"}"#, r#"{"value":{}}"#] {
                assert_eq!(of(status, body), (outcome, format!("http_{status}")), "{body}");
            }
            assert_eq!(of(status, r#"{"code":777}"#).0, outcome, "{status}");
        }
        assert_eq!(of(500, r#"{"code":"200","value":{}}"#).0, Outcome::Retry);
        assert_eq!(of(500, r#"{"code":1006}"#).0, Outcome::ConfigError);
    }
}
