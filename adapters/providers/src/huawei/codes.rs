//! What the answers of Huawei's Push Kit mean, for all versions of its API.

use http::StatusCode;
use nightjar_model::Secret;
use nightjar_push::{Answer, Outcome, Scope};
use serde::Deserialize;
use serde_json::Value;

use crate::answers::{self, by_status};

/// A part of a message that Huawei may refuse while the rest is well: it is sent again without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Which receipt address is told.
    Receipt,
    /// A priority that needs a right.
    Urgency,
    /// A picture.
    Image,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Urgency => "urgency",
            Self::Image => "image",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// `code` of the answer.
    pub(crate) code: &'static str,
    /// What Huawei means by it, shortly.
    pub(crate) meaning: &'static str,
    /// Of the request without `without`, if there is one to take out.
    pub(crate) outcome: Outcome,
    /// Who has to wait.
    pub(crate) scope: Scope,
    /// What is taken out before the request is sent again.
    pub(crate) without: Option<Part>,
}

/// About one message.
const fn row(code: &'static str, meaning: &'static str, outcome: Outcome) -> Row {
    Row { code, meaning, outcome, scope: Scope::Message, without: None }
}

/// About the app and its keys.
const fn app(code: &'static str, meaning: &'static str, outcome: Outcome) -> Row {
    Row { code, meaning, outcome, scope: Scope::Credential, without: None }
}

const fn partly(code: &'static str, meaning: &'static str, part: Part) -> Row {
    let (outcome, scope) = (Outcome::ConfigError, Scope::Message);
    Row { code, meaning, outcome, scope, without: Some(part) }
}

const OK: &str = "80000000";
const PARTIAL: &str = "80100000";
const ALL_INVALID: &str = "80300007";
const REVOKE_PARTIAL: &str = "80100020";

/// Huawei, "Error Codes" of the downlink API and of HarmonyOS' scenario messages. The answers that
/// name tokens, [`PARTIAL`], [`REVOKE_PARTIAL`] and [`ALL_INVALID`], are judged by what they say of
/// the one token. What may be the fault of one odd token holds no other up.
pub(crate) const ROWS: &[Row] = {
    use Outcome::{
        AuthExpired, ConfigError, Delivered, Reject, Retry, Throttled, TokenInvalid, TooLarge,
    };
    &[
        row(OK, "accepted", Delivered),
        row("80000001", "internal error of a revocation", Retry),
        row("80100001", "wrong parameter", Reject),
        row("80100002", "a synchronous message needs one token", Reject),
        row("80100003", "wrong structure", Reject),
        row("80100004", "expired before it was sent", Reject),
        row("80100013", "wrong collapse key", Reject),
        row("80100016", "sensitive words", Reject),
        row("80100017", "too many topic tasks", Throttled),
        row("80100018", "wrong signature of a reviewer", Reject),
        partly("80100022", "picture not reviewed", Part::Image),
        app("80200001", "not authorised", AuthExpired),
        app("80200003", "access token expired", AuthExpired),
        app("80200005", "JWT expired", AuthExpired),
        row("80300002", "the app may not push to this token", ConfigError),
        row(ALL_INVALID, "token invalid", TokenInvalid),
        row("80300008", "body over 4096 bytes", TooLarge),
        row("80300010", "too many tokens or none", Reject),
        partly("80300011", "no right to high priority", Part::Urgency),
        partly("80300013", "receipt address cannot be used", Part::Receipt),
        row("80300017", "tokens of several apps", Reject),
        row("80300028", "token of another app", ConfigError),
        app("80300029", "too many test messages", Throttled),
        row("80300030", "too many tokens of a test message", Reject),
        row("80300032", "revocation without token or notifyId", Reject),
        app("80300036", "JWT lives longer than a day", ConfigError),
        app("80300037", "app under a penalty", ConfigError),
        app("80600003", "OAuth service failed", Retry),
        row("81000001", "internal error", Retry),
    ]
};

/// Why a token is listed as illegal; v1 and v2 do not say, HarmonyOS lists the tokens by cause.
pub(crate) const CAUSES: &[(&str, Outcome, Scope)] = {
    use Outcome::{ConfigError, Reject, TokenInvalid};
    use Scope::{Credential, Message};
    &[
        ("tokenFormatError", TokenInvalid, Message),
        ("tokenPlatformNotSupport", TokenInvalid, Message),
        ("noRight", TokenInvalid, Message),
        ("noPushTypeRight", ConfigError, Message),
        ("notSupportPlayVoice", ConfigError, Message),
        ("appinfoError", ConfigError, Credential),
        ("atomicUnableSendUnsubscribedMsg", ConfigError, Message),
        ("noRightToSendThisLiveNotificationEvent", ConfigError, Message),
        ("disableSendHuaweiMsgBecauseOfPenalty", ConfigError, Credential),
        ("countryNotSupport", Reject, Message),
        ("differentImgVerifyPolicy", Reject, Message),
    ]
};

/// The answer as it comes; `code` is text, and a number from what is not Huawei itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    code: Value,
    msg: Value,
    #[serde(rename = "requestId")]
    request_id: String,
}

/// The meaning of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    /// Who has to wait.
    pub(crate) scope: Scope,
    /// Huawei's word for it: the code, or the cause it lists the token under.
    pub(crate) word: Option<String>,
    /// Huawei's id of the request.
    pub(crate) request_id: String,
}

/// Reads an answer to a request for one token. A body that is not Huawei's leaves the status to
/// judge by, and so does a code that is not in the table; neither is ever a success.
pub(crate) fn judge(status: StatusCode, body: &[u8], token: &Secret<String>) -> Verdict {
    let Envelope { code, msg, request_id } = serde_json::from_slice(body).unwrap_or_default();
    let verdict = |(outcome, scope), word| Verdict { outcome, scope, word, request_id };
    let code = match code {
        Value::String(code) if !code.is_empty() => code,
        Value::Number(code) => code.to_string(),
        _ => return verdict(of_status(status), None),
    };
    if matches!(code.as_str(), PARTIAL | ALL_INVALID | REVOKE_PARTIAL) {
        let (outcome, scope, word) = of_token(code, &msg, token);
        return verdict((outcome, scope), Some(word));
    }
    match ROWS.iter().find(|row| row.code == code) {
        Some(row) => verdict((row.outcome, row.scope), Some(code)),
        None => verdict(of_status(status), Some(code)),
    }
}

/// What to take out before a request with this answer is sent again.
pub(crate) fn part(word: &str) -> Option<Part> {
    ROWS.iter().find(|row| row.code == word)?.without
}

/// An answer that also says what was taken out for it, and why.
pub(crate) fn mention(answer: Answer, refused: Option<(Part, String)>) -> Answer {
    match refused {
        Some((part, code)) if answer.outcome == Outcome::Delivered => {
            Answer { reason: format!("accepted without {}: {code}", part.as_str()), ..answer }
        }
        _ => answer,
    }
}

/// HTTP statuses as Huawei uses them: 503 is its flow control.
fn of_status(status: StatusCode) -> (Outcome, Scope) {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => (Outcome::Throttled, Scope::Credential),
        status => {
            let outcome = by_status(status);
            (outcome, answers::scope(outcome))
        }
    }
}

/// What an answer that lists tokens says of ours. `msg` is JSON in a text: an array of tokens, or
/// an object of such arrays by cause.
fn of_token(code: String, msg: &Value, token: &Secret<String>) -> (Outcome, Scope, String) {
    let list: Value = match msg {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        other => other.clone(),
    };
    let ours = Value::from(token.expose().as_str());
    let holds = |tokens: &Value| tokens.as_array().is_some_and(|all| all.contains(&ours));
    let listed = list.get("illegal_tokens").or_else(|| list.get("illegalTokens"));
    let outcome = match listed {
        Some(Value::Object(causes)) => match causes.iter().find(|(_, tokens)| holds(tokens)) {
            Some((cause, _)) => return of_cause(cause),
            None => not_listed(&code, &list),
        },
        Some(tokens) if holds(tokens) => Outcome::TokenInvalid,
        Some(Value::Array(_)) => not_listed(&code, &list),
        // Who lists nothing means all; of a partial answer to one token that is nothing to go by.
        _ if code == ALL_INVALID => Outcome::TokenInvalid,
        _ => Outcome::Retry,
    };
    (outcome, Scope::Message, code)
}

/// Where some tokens are refused and ours is not among them, ours was taken; where all are, it is
/// one of them, whatever the list says.
fn not_listed(code: &str, list: &Value) -> Outcome {
    match code {
        ALL_INVALID => Outcome::TokenInvalid,
        _ if list["success"] == 0 => Outcome::Retry,
        _ => Outcome::Delivered,
    }
}

/// A cause that is new says nothing about the token, which stays.
fn of_cause(cause: &str) -> (Outcome, Scope, String) {
    let known = CAUSES.iter().find(|(name, ..)| *name == cause);
    let (_, outcome, scope) = known.copied().unwrap_or(("", Outcome::Reject, Scope::Message));
    (outcome, scope, cause.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tables() {
        let row = |row: &Row| {
            let again =
                row.without.map_or(String::new(), |part| format!(" again without {part:?}"));
            let (outcome, scope) = (row.outcome.as_str(), format!("{:?}", row.scope));
            let line = format!("{} {:<38} {outcome:<13} {scope:<10}{again}", row.code, row.meaning);
            line.trim_end().to_owned()
        };
        let cause = |(cause, outcome, scope): &(&str, Outcome, Scope)| {
            format!("{cause:<40} {:<13} {scope:?}", outcome.as_str())
        };
        let rows: Vec<String> = ROWS.iter().map(row).collect();
        let causes: Vec<String> = CAUSES.iter().map(cause).collect();
        insta::assert_snapshot!(format!("{}\n\n{}", rows.join("\n"), causes.join("\n")));
    }

    fn read(status: u16, body: &Value) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        judge(status, body.to_string().as_bytes(), &Secret::new("mine".into()))
    }

    fn outcome(status: u16, body: &Value) -> Outcome {
        read(status, body).outcome
    }

    #[test]
    fn every_row_holds_whatever_the_status_and_also_as_a_number() {
        for row in ROWS.iter().filter(|row| row.code != ALL_INVALID) {
            let number: u64 = row.code.parse().unwrap();
            for status in [200, 400, 500] {
                assert_eq!(outcome(status, &json!({ "code": row.code })), row.outcome, "{row:?}");
                assert_eq!(outcome(status, &json!({ "code": number })), row.outcome, "{row:?}");
            }
        }
    }

    #[test]
    fn what_is_not_huaweis_is_judged_by_its_status() {
        for (status, expected) in [
            (200, Outcome::Retry),
            (400, Outcome::Reject),
            (401, Outcome::AuthExpired),
            (404, Outcome::ConfigError),
            (413, Outcome::TooLarge),
            (429, Outcome::Throttled),
            (500, Outcome::Retry),
            (502, Outcome::Retry),
            (503, Outcome::Throttled),
        ] {
            let status_code = StatusCode::from_u16(status).unwrap();
            let page = judge(status_code, b"<html>gateway</html>", &Secret::default());
            assert_eq!((page.outcome, page.word), (expected, None), "{status}");
            assert_eq!(outcome(status, &json!({ "code": "80999999" })), expected, "{status}");
            assert_eq!(outcome(status, &json!({ "code": null, "msg": 1 })), expected, "{status}");
        }
    }

    #[test]
    fn a_list_of_tokens_is_read_for_ours() {
        let listing =
            |tokens: Value| json!({ "success": 1, "failure": 1, "illegal_tokens": tokens });
        let answer = |code: &str, msg: Value| outcome(200, &json!({ "code": code, "msg": msg }));
        for (tokens, partial, all) in [
            (json!(["mine"]), Outcome::TokenInvalid, Outcome::TokenInvalid),
            (json!(["other"]), Outcome::Delivered, Outcome::TokenInvalid),
            (json!([]), Outcome::Delivered, Outcome::TokenInvalid),
            (json!("mine"), Outcome::Retry, Outcome::TokenInvalid),
        ] {
            let text = Value::from(listing(tokens.clone()).to_string());
            assert_eq!(answer(PARTIAL, text), partial, "{tokens}");
            assert_eq!(answer(PARTIAL, listing(tokens.clone())), partial, "{tokens}");
            assert_eq!(answer(ALL_INVALID, listing(tokens.clone())), all, "{tokens}");
        }
        assert_eq!(answer(PARTIAL, json!("not JSON")), Outcome::Retry);
        assert_eq!(answer(ALL_INVALID, json!("not JSON")), Outcome::TokenInvalid);
    }

    #[test]
    fn a_cause_says_whether_it_is_the_tokens_fault() {
        let answer = |causes: Value| {
            let msg = json!({ "success": 1, "failure": 1, "illegalTokens": causes }).to_string();
            read(200, &json!({ "code": PARTIAL, "msg": msg, "requestId": "r" }))
        };
        for (cause, expected, scope) in CAUSES {
            let mut causes = json!({ "tokenFormatError": ["other"] });
            causes[*cause] = json!(["mine"]);
            let verdict = answer(causes);
            assert_eq!((verdict.outcome, verdict.scope), (*expected, *scope));
            assert_eq!(verdict.word.as_deref(), Some(*cause));
            assert_eq!(verdict.request_id, "r");
        }
        assert_eq!(answer(json!({ "newCause": ["mine"] })).outcome, Outcome::Reject);
        assert_eq!(answer(json!({ "noRight": ["other"] })).outcome, Outcome::Delivered);
        assert_eq!(answer(json!({})).outcome, Outcome::Delivered);
        let none = json!({ "success": 0, "failure": 1, "illegalTokens": {} });
        assert_eq!(outcome(200, &json!({ "code": PARTIAL, "msg": none })), Outcome::Retry);
    }
}
