//! Huawei's page "Sending Messages" as rules. Stricter than the service in one thing: a field the
//! page does not have is an error, not ignored.

use serde_json::{Value, json};

use super::{HUAWEI_APP_ID, HUAWEI_APP_SECRET, HUAWEI_PROJECT_ID};
use crate::vendor::{
    Broken, absent_or, buys_with_credentials, filled, first_broken, one_of, only, seconds, within,
};
use crate::{Recorded, Script};

const BODY_BYTES_MAX: usize = 4096;
const TOKENS_MAX: usize = 1000;
const TTL_S_MAX: u64 = 1_296_000;
const CATEGORIES: &[&str] = &[
    "IM",
    "VOIP",
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
const MESSAGE: &[&str] = &["data", "notification", "android", "token"];
const ANDROID: &[&str] = &[
    "category",
    "collapse_key",
    "ttl",
    "urgency",
    "bi_tag",
    "receipt_id",
    "target_user_type",
    "data",
    "notification",
    "fast_app_target",
];
const NOTIFICATION: &[&str] = &[
    "title",
    "body",
    "icon",
    "color",
    "sound",
    "default_sound",
    "tag",
    "click_action",
    "channel_id",
    "notify_id",
    "group",
    "badge",
    "importance",
    "visibility",
    "when",
    "foreground_show",
    "profile_id",
    "style",
    "big_title",
    "big_body",
    "inbox_content",
    "buttons",
    "auto_cancel",
    "use_default_vibrate",
    "use_default_light",
    "vibrate_config",
    "light_settings",
    "ticker",
    "notify_summary",
    "multi_lang_key",
    "title_loc_key",
    "title_loc_args",
    "body_loc_key",
    "body_loc_args",
    "image",
];

/// Whether a request buys an access token as it should.
pub(super) fn is_purchase(request: &Recorded) -> bool {
    request.method == "POST"
        && request.header("content-type").starts_with("application/x-www-form-urlencoded")
        && buys_with_credentials(&request.form(), HUAWEI_APP_ID, HUAWEI_APP_SECRET)
}

/// The answer to one that does not.
pub(super) fn no_purchase() -> Script {
    Script::status(400)
        .json(&json!({ "error": 1101, "sub_error": 20001, "error_description": "invalid client" }))
}

/// The answer to a message without the good access token.
pub(super) fn not_authorised(request: &Recorded) -> Script {
    match request.header("authorization").starts_with("Bearer ") {
        true => coded(401, "80200003", "access token expired"),
        false => coded(401, "80200001", "Authentication error"),
    }
}

/// The answer to an authorised message.
pub(super) fn answer(request: &Recorded) -> Script {
    let paths = [
        format!("/v1/{HUAWEI_APP_ID}/messages:send"),
        format!("/v2/{HUAWEI_PROJECT_ID}/messages:send"),
    ];
    if request.method != "POST" || !paths.contains(&request.path) {
        return Script::status(404);
    }
    if !request.header("content-type").starts_with("application/json") {
        return coded(400, "80100003", "Illegal payload");
    }
    match broken_rule(&request.json()) {
        Some((code, why)) => coded(400, code, why),
        None => coded(200, "80000000", "Success"),
    }
}

fn coded(status: u16, code: &str, msg: &str) -> Script {
    let id = "163550102310000000000000001";
    Script::status(status).json(&json!({ "code": code, "msg": msg, "requestId": id }))
}

fn broken_rule(body: &Value) -> Option<Broken> {
    let message = &body["message"];
    let tokens = message["token"].as_array().map_or(&[][..], Vec::as_slice);
    let texts = |all: &[Value]| all.iter().all(|one| one.as_str().is_some_and(|t| !t.is_empty()));
    let mut sized = body.clone();
    sized["message"]["token"] = json!([]);
    let known = only(body, &["message", "validate_only"]) && only(message, MESSAGE);
    first_broken([
        ((1..=TOKENS_MAX).contains(&tokens.len()) && texts(tokens), "80300010", "token"),
        (sized.to_string().len() <= BODY_BYTES_MAX, "80300008", "more than 4096 bytes"),
        (known, "80100003", "a field that does not exist"),
    ])
    .or_else(|| of_android(message))
}

fn of_android(message: &Value) -> Option<Broken> {
    let android = &message["android"];
    let ttl_s = android["ttl"].as_str().map(seconds);
    let text = |value: &Value| value.is_string();
    let texts = ["data", "bi_tag", "receipt_id"].iter().all(|key| absent_or(&android[*key], text));
    let has_data = message["data"].is_string() || android["data"].is_string();
    let shown = &android["notification"];
    first_broken([
        (android.is_object() && only(android, ANDROID), "80100003", "android"),
        (ttl_s.is_none_or(|s| s.is_some_and(|s| s <= TTL_S_MAX)), "80100001", "ttl"),
        (ttl_s != Some(Some(0)), "80100004", "expired"),
        (absent_or(&android["collapse_key"], within(-1..=100)), "80100013", "collapse_key"),
        (absent_or(&android["category"], one_of(CATEGORIES)), "80100001", "category"),
        (absent_or(&android["urgency"], one_of(&["HIGH", "NORMAL"])), "80100001", "urgency"),
        (texts, "80100001", "a text that is none"),
        (has_data || !shown.is_null(), "80100001", "neither data nor a notification"),
    ])
    .or_else(|| if shown.is_null() { None } else { of_notification(shown) })
}

fn of_notification(shown: &Value) -> Option<Broken> {
    let filled = |key: &str| filled(&shown[key]);
    let is_id = within(0..=i64::from(i32::MAX));
    let is_big = shown["style"] != 1 || filled("big_title") && filled("big_body");
    let importance = absent_or(&shown["importance"], one_of(&["LOW", "NORMAL"]));
    first_broken([
        (shown.is_object() && only(shown, NOTIFICATION), "80100003", "notification"),
        (filled("title") && filled("body"), "80100001", "title and body are mandatory"),
        (is_click(&shown["click_action"]), "80100001", "click_action"),
        (absent_or(&shown["badge"], is_badge), "80100001", "badge"),
        (importance, "80100001", "importance"),
        (absent_or(&shown["notify_id"], is_id), "80100001", "notify_id"),
        (is_big, "80100001", "big_title and big_body"),
    ])
}

fn is_click(action: &Value) -> bool {
    let has = |key: &str, start: &str| action[key].as_str().is_some_and(|t| t.starts_with(start));
    match action["type"].as_u64() {
        Some(1) => has("intent", "") || has("action", ""),
        Some(2) => has("url", "https://"),
        Some(3) => true,
        _ => false,
    }
}

fn is_badge(badge: &Value) -> bool {
    filled(&badge["class"])
        && absent_or(&badge["add_num"], within(1..=99))
        && absent_or(&badge["set_num"], within(0..=99))
        && only(badge, &["add_num", "set_num", "class"])
}
