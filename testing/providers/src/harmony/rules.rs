//! Huawei's pages "Scenario-based messages" and "Revoking a message" as rules. Stricter than the
//! service in one thing: a field the pages do not have is an error, not ignored.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{HARMONY_CLIENT_ID, HARMONY_PROJECT_ID, KEY_ID, SUB_ACCOUNT};
use crate::vendor::{Broken, absent_or, filled, first_broken, one_of, only, within};
use crate::{Recorded, Script};

const AUDIENCE: &str = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";
const BODY_BYTES_MAX: usize = 4096;
const TOKENS_MAX: usize = 1000;
const TTL_S_MAX: i64 = 1_296_000;
const TAG_BYTES_MAX: usize = 64;
/// A signed token that says it lives longer is refused.
const LIFE_S_MAX: u64 = 24 * 3600;
const CATEGORIES: &[&str] = &[
    "IM",
    "VOIP",
    "MISS_CALL",
    "SUBSCRIPTION",
    "TRAVEL",
    "HEALTH",
    "WORK",
    "ACCOUNT",
    "EXPRESS",
    "FINANCE",
    "DEVICE_REMINDER",
    "MAIL",
    "MARKETING",
];
const OPTIONS: &[&str] =
    &["testMessage", "ttl", "biTag", "receiptId", "collapseKey", "backgroundMode"];
const NOTIFICATION: &[&str] = &[
    "category",
    "title",
    "body",
    "clickAction",
    "image",
    "style",
    "inboxContent",
    "notifyId",
    "appMessageId",
    "profileId",
    "badge",
    "sound",
    "soundDuration",
    "foregroundShow",
];

/// The answer to any request.
pub(super) fn answer(request: &Recorded) -> Script {
    let send = format!("/v3/{HARMONY_PROJECT_ID}/messages:send");
    let revoke = format!("/v1/{HARMONY_CLIENT_ID}/messages:revoke");
    let is_send = request.path == send;
    if request.method != "POST" || !is_send && request.path != revoke {
        return Script::status(404);
    }
    if let Some((code, why)) = broken_token(request) {
        return coded(401, code, why);
    }
    let kind = request.header("push-type");
    let is_json = request.header("content-type").starts_with("application/json");
    let body = request.json();
    let broken = first_broken([
        (is_json, "80100003", "content type"),
        (kind == "0" || !is_send && kind == "2", "80100001", "push-type"),
    ])
    .or_else(|| if is_send { of_message(&body) } else { of_revocation(&body) });
    match broken {
        Some((code, why)) => coded(400, code, why),
        None => coded(200, "80000000", "Success"),
    }
}

fn coded(status: u16, code: &str, msg: &str) -> Script {
    let id = "170367510900000000000001";
    Script::status(status).json(&json!({ "code": code, "msg": msg, "requestId": id }))
}

fn broken_token(request: &Recorded) -> Option<Broken> {
    let Some(token) = &request.signed else { return Some(("80200001", "Authentication error")) };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (iat, exp) = (token.claims["iat"].as_u64(), token.claims["exp"].as_u64());
    let known = token.header["alg"] == "PS256"
        && token.header["kid"] == KEY_ID
        && token.header["typ"] == "JWT"
        && token.claims["iss"] == SUB_ACCOUNT
        && token.claims["aud"] == AUDIENCE;
    let life_s = exp.zip(iat).and_then(|(exp, iat)| exp.checked_sub(iat));
    first_broken([
        (known && life_s.is_some(), "80200001", "Authentication error"),
        (life_s <= Some(LIFE_S_MAX), "80300036", "the JWT lives longer than a day"),
        (exp > Some(now_s), "80200005", "JWT expired"),
    ])
}

fn is_tokens(tokens: &Value) -> bool {
    tokens.as_array().is_some_and(|all| {
        (1..=TOKENS_MAX).contains(&all.len())
            && all.iter().all(|one| one.as_str().is_some_and(|text| !text.is_empty()))
    })
}

fn of_message(body: &Value) -> Option<Broken> {
    let mut sized = body.clone();
    sized["target"]["token"] = json!([]);
    let known = only(body, &["payload", "target", "pushOptions"])
        && only(&body["target"], &["token"])
        && only(&body["payload"], &["notification"]);
    let options = &body["pushOptions"];
    let tag = |tag: &Value| tag.as_str().is_some_and(|tag| tag.len() <= TAG_BYTES_MAX);
    let shown = &body["payload"]["notification"];
    let notify_id = absent_or(&shown["notifyId"], within(-1..=i64::from(i32::MAX)));
    first_broken([
        (is_tokens(&body["target"]["token"]), "80300010", "token"),
        (sized.to_string().len() <= BODY_BYTES_MAX, "80300008", "more than 4096 bytes"),
        (known, "80100003", "a field that does not exist"),
        (absent_or(options, |options| only(options, OPTIONS)), "80100003", "pushOptions"),
        (absent_or(&options["ttl"], within(1..=TTL_S_MAX)), "80100001", "ttl"),
        (absent_or(&options["biTag"], tag), "80100001", "biTag"),
        (absent_or(&options["collapseKey"], within(-1..=100)), "80100013", "collapseKey"),
        (only(shown, NOTIFICATION), "80100003", "notification"),
        (one_of(CATEGORIES)(&shown["category"]), "80100001", "category is mandatory"),
        (filled(&shown["title"]) && filled(&shown["body"]), "80100001", "title and body"),
        (is_click(&shown["clickAction"]), "80100001", "clickAction"),
        (absent_or(&shown["badge"], is_badge), "80100001", "badge"),
        (notify_id, "80100001", "notifyId"),
        (absent_or(&shown["appMessageId"], tag), "80100001", "appMessageId"),
    ])
}

fn is_click(click: &Value) -> bool {
    let leads = match click["actionType"].as_u64() {
        Some(0) => true,
        Some(1) => filled(&click["action"]) || filled(&click["uri"]),
        _ => false,
    };
    leads
        && absent_or(&click["data"], Value::is_object)
        && only(click, &["actionType", "action", "uri", "data"])
}

fn is_badge(badge: &Value) -> bool {
    only(badge, &["addNum", "setNum"])
        && absent_or(&badge["addNum"], within(1..=99))
        && absent_or(&badge["setNum"], within(0..=99))
}

fn of_revocation(body: &Value) -> Option<Broken> {
    let id = within(0..=i64::from(i32::MAX))(&body["notifyId"]);
    first_broken([
        (only(body, &["notifyId", "token"]), "80100003", "a field that does not exist"),
        (id && is_tokens(&body["token"]), "80300032", "token and notifyId are mandatory"),
    ])
}
