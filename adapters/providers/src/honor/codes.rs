//! What Honor's answers mean.
//!
//! Honor's own table of errors is on no public page. What is known is the form of an answer, its
//! lists of tokens, and that the codes are of the family of Huawei's, from which Honor parted; so
//! the order is: lists, `sendResult`, the code's line, the code's family, the HTTP status.

use http::StatusCode;
use nightjar_model::Secret;
use nightjar_push::{Outcome, Scope};
use serde::Deserialize;
use serde_json::Value;

use crate::answers::{self, by_status};

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// `code` of the answer, or how it begins.
    pub(super) code: &'static str,
    pub(super) meaning: &'static str,
    pub(super) outcome: Outcome,
    /// Who has to wait.
    pub(super) scope: Scope,
}

/// About one message.
const fn row(code: &'static str, meaning: &'static str, outcome: Outcome) -> Row {
    Row { code, meaning, outcome, scope: Scope::Message }
}

/// About the app and its keys.
const fn app(code: &'static str, meaning: &'static str, outcome: Outcome) -> Row {
    Row { code, meaning, outcome, scope: Scope::Credential }
}

/// The list of tokens that failed, which says neither why nor for how long.
pub(super) const FAILED: &str = "failTokens";

/// Codes of success: which one it is differs from sender to sender.
pub(super) const ACCEPTED: &[&str] = &["200", "0", "80000000"];

/// The first line that fits holds: whole codes stand before families.
pub(super) const ROWS: &[Row] = {
    use Outcome::{AuthExpired, ConfigError, Reject, Retry, Throttled, TokenInvalid, TooLarge};
    &[
        row("80300007", "all tokens invalid", TokenInvalid),
        row("80300008", "body too large", TooLarge),
        row("80300010", "too many tokens or none", Reject),
        row("80300002", "no right to push to this token", ConfigError),
        row("81000001", "internal error", Retry),
        app("8020", "not authorised, or expired", AuthExpired),
        row("801", "wrong parameter", Reject),
        row("413", "body too large", TooLarge),
        app("401", "not authorised, or expired", AuthExpired),
        app("403", "no right", ConfigError),
        app("404", "no such app", ConfigError),
        app("429", "too fast", Throttled),
        app("503", "too fast", Throttled),
    ]
};

/// The form of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    code: Value,
    data: Option<Data>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    send_result: Option<bool>,
    request_id: String,
    fail_tokens: Option<Vec<String>>,
    expire_tokens: Option<Vec<String>>,
}

/// The meaning of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) scope: Scope,
    /// Honor's word for it: the code, or the list the token is on.
    pub(super) word: Option<String>,
    pub(super) request_id: String,
}

/// Reads an answer to a request for one token.
pub(super) fn judge(status: StatusCode, body: &[u8], token: &Secret<String>) -> Verdict {
    let Envelope { code, data } = serde_json::from_slice(body).unwrap_or_default();
    let code = match code {
        Value::String(code) if !code.is_empty() => Some(code),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    };
    let data = data.unwrap_or_default();
    let holds = |list: &Option<Vec<String>>| list.iter().flatten().any(|one| one == token.expose());
    let (outcome, scope, word) = if holds(&data.expire_tokens) {
        (Outcome::TokenInvalid, Scope::Message, Some("expireTokens".into()))
    } else if holds(&data.fail_tokens) {
        (Outcome::Retry, Scope::Message, Some(FAILED.into()))
    } else {
        let (outcome, scope) = of_code(status, code.as_deref(), data.send_result);
        (outcome, scope, code)
    };
    Verdict { outcome, scope, word, request_id: data.request_id }
}

/// A code of success needs a status of success and `sendResult`, where it is there, to be true.
fn of_code(status: StatusCode, code: Option<&str>, send_result: Option<bool>) -> (Outcome, Scope) {
    let is_accepted = code.is_some_and(|code| ACCEPTED.contains(&code));
    match send_result {
        Some(true) if status.is_success() => return (Outcome::Delivered, Scope::Message),
        None if is_accepted && status.is_success() => return (Outcome::Delivered, Scope::Message),
        Some(false) if is_accepted => return (Outcome::Retry, Scope::Message),
        _ => {}
    }
    let is_family = |row: &Row| matches!(row.code, "8020" | "801");
    let fits = |row: &&Row| match (code, is_family(row)) {
        (Some(code), true) => code.len() == 8 && code.starts_with(row.code),
        (Some(code), false) => code == row.code,
        (None, _) => false,
    };
    match ROWS.iter().find(fits) {
        Some(row) => (row.outcome, row.scope),
        None if status == StatusCode::SERVICE_UNAVAILABLE => {
            (Outcome::Throttled, Scope::Credential)
        }
        None => {
            let outcome = by_status(status);
            (outcome, answers::scope(outcome))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table() {
        let line = |row: &Row| {
            let (outcome, scope) = (row.outcome.as_str(), row.scope);
            format!("{:<8} {:<32} {outcome:<13} {scope:?}", row.code, row.meaning)
        };
        let lines: Vec<String> = ROWS.iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    fn read(status: u16, body: &str) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        judge(status, body.as_bytes(), &Secret::new("mine".into()))
    }

    fn outcome(status: u16, body: &Value) -> Outcome {
        read(status, &body.to_string()).outcome
    }

    #[test]
    fn every_row_holds_as_a_text_and_as_a_number_and_under_200() {
        for row in ROWS {
            let code = format!("{:0<8}", row.code);
            let code = if row.code.starts_with("80") { code } else { row.code.to_owned() };
            let number: u64 = code.parse().unwrap();
            for status in [200, 400, 500] {
                assert_eq!(outcome(status, &json!({ "code": code })), row.outcome, "{row:?}");
                assert_eq!(outcome(status, &json!({ "code": number })), row.outcome, "{row:?}");
            }
        }
    }

    #[test]
    fn the_send_result_decides_whatever_code_means_success() {
        for code in [json!(200), json!("200"), json!(0), json!("80000000"), json!("new")] {
            let answer = |result: Value| {
                let data = json!({ "sendResult": result, "requestId": "r", "failTokens": [] });
                outcome(200, &json!({ "code": code, "message": "m", "data": data }))
            };
            assert_eq!(answer(json!(true)), Outcome::Delivered, "{code}");
            assert_eq!(answer(json!(false)), Outcome::Retry, "{code}");
        }
        assert_eq!(outcome(200, &json!({ "code": 200 })), Outcome::Delivered);
        assert_eq!(outcome(500, &json!({ "code": 200 })), Outcome::Retry);
        let data = json!({ "sendResult": true });
        assert_eq!(outcome(503, &json!({ "code": 200, "data": data })), Outcome::Throttled);
    }

    #[test]
    fn the_lists_are_read_for_our_token_first() {
        let answer = |list: &str, token: &str| {
            let mut data = json!({ "sendResult": true, "requestId": "r" });
            data[list] = json!([token]);
            read(200, &json!({ "code": 200, "data": data }).to_string())
        };
        let expired = answer("expireTokens", "mine");
        assert_eq!(
            (expired.outcome, expired.word.as_deref()),
            (Outcome::TokenInvalid, Some("expireTokens"))
        );
        let failed = answer("failTokens", "mine");
        assert_eq!((failed.outcome, failed.word.as_deref()), (Outcome::Retry, Some("failTokens")));
        for list in ["expireTokens", "failTokens"] {
            let other = answer(list, "other");
            assert_eq!((other.outcome, other.request_id.as_str()), (Outcome::Delivered, "r"));
        }
    }

    #[test]
    fn what_is_not_honors_is_judged_by_its_status() {
        for (status, expected) in [
            (200, Outcome::Retry),
            (400, Outcome::Reject),
            (401, Outcome::AuthExpired),
            (403, Outcome::ConfigError),
            (404, Outcome::ConfigError),
            (413, Outcome::TooLarge),
            (429, Outcome::Throttled),
            (502, Outcome::Retry),
            (503, Outcome::Throttled),
        ] {
            assert_eq!(read(status, "<html>gateway</html>").outcome, expected, "{status}");
            assert_eq!(outcome(status, &json!({ "code": "80999999" })), expected, "{status}");
            assert_eq!(outcome(status, &json!({ "code": 8011 })), expected, "{status}");
        }
    }
}
