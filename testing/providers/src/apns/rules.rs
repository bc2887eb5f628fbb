//! What the real service answers to a request it was not told about: Apple's rules for headers,
//! payload and key token.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{KEY_ID, TEAM_ID};
use crate::{Recorded, Script};

const COLLAPSE_ID_BYTES_MAX: usize = 64;
/// Older key tokens are refused, and so are those from the future.
const TOKEN_AGE_S_MAX: u64 = 3600;

/// The answer by the rules. Who is known by a certificate shows no token.
pub(super) fn answer(request: &Recorded, is_known: bool) -> Script {
    match broken_rule(request, is_known) {
        Some((status, reason)) => Script::refuse(status, reason),
        None => Script::accept(),
    }
}

fn broken_rule(request: &Recorded, is_known: bool) -> Option<(u16, &'static str)> {
    let kind = request.header("apns-push-type");
    let priority = request.header("apns-priority");
    if request.method != "POST" {
        Some((405, "MethodNotAllowed"))
    } else if !request.path.starts_with("/3/device/") {
        Some((404, "BadPath"))
    } else if request.token.is_empty() {
        Some((400, "MissingDeviceToken"))
    } else if let Some(reason) = broken_token(request).filter(|_| !is_known) {
        Some((403, reason))
    } else if request.header("apns-topic").is_empty() {
        Some((400, "MissingTopic"))
    } else if !matches!(kind, "alert" | "background" | "voip" | "liveactivity") {
        Some((400, "InvalidPushType"))
    } else if !fits(kind, request.header("apns-topic")) {
        Some((400, "BadTopic"))
    } else if !matches!(priority, "5" | "10" | "1") || (kind == "background" && priority != "5") {
        Some((400, "BadPriority"))
    } else if request.header("apns-expiration").parse::<u64>().is_err() {
        Some((400, "BadExpirationDate"))
    } else if request.header("apns-collapse-id").len() > COLLAPSE_ID_BYTES_MAX {
        Some((400, "BadCollapseId"))
    } else if !is_lower_uuid(request.header("apns-id")) {
        Some((400, "BadMessageId"))
    } else if request.body.len() > payload_bytes_max(kind) {
        Some((413, "PayloadTooLarge"))
    } else if !request.json()["aps"].is_object() || !says_what_changed(kind, &request.json()) {
        Some((400, "PayloadEmpty"))
    } else {
        None
    }
}

/// Calls and activities have topics of their own.
fn fits(kind: &str, topic: &str) -> bool {
    match kind {
        "voip" => topic.ends_with(".voip"),
        "liveactivity" => topic.ends_with(".push-type.liveactivity"),
        _ => !topic.ends_with(".voip") && !topic.ends_with(".push-type.liveactivity"),
    }
}

fn payload_bytes_max(kind: &str) -> usize {
    if kind == "voip" { 5120 } else { 4096 }
}

fn says_what_changed(kind: &str, body: &Value) -> bool {
    let aps = &body["aps"];
    kind != "liveactivity"
        || aps["timestamp"].is_u64() && aps["event"].is_string() && aps["content-state"].is_object()
}

fn broken_token(request: &Recorded) -> Option<&'static str> {
    if request.header("authorization").is_empty() {
        return Some("MissingProviderToken");
    }
    let Some(token) = &request.signed else { return Some("InvalidProviderToken") };
    let known = token.header["alg"] == "ES256"
        && token.header["kid"] == KEY_ID
        && token.claims["iss"] == TEAM_ID;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let issued_s = token.claims["iat"].as_u64();
    match issued_s {
        Some(issued_s) if known && now_s.abs_diff(issued_s) <= TOKEN_AGE_S_MAX => None,
        Some(_) if known => Some("ExpiredProviderToken"),
        _ => Some("InvalidProviderToken"),
    }
}

fn is_lower_uuid(text: &str) -> bool {
    let shape = |(at, c): (usize, char)| match at {
        8 | 13 | 18 | 23 => c == '-',
        _ => c.is_ascii_digit() || ('a'..='f').contains(&c),
    };
    text.len() == 36 && text.chars().enumerate().all(shape)
}
