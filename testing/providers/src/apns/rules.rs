//! What the real service answers to a request it was not told about: Apple's rules for headers,
//! payload and key token.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{KEY_ID, TEAM_ID};
use crate::{Recorded, Script};

const PAYLOAD_BYTES_MAX: usize = 4096;
const COLLAPSE_ID_BYTES_MAX: usize = 64;
/// Older key tokens are refused, and so are those from the future.
const TOKEN_AGE_S_MAX: u64 = 3600;

/// The answer by the rules.
pub(super) fn answer(request: &Recorded) -> Script {
    match broken_rule(request) {
        Some((status, reason)) => Script::refuse(status, reason),
        None => Script::accept(),
    }
}

fn broken_rule(request: &Recorded) -> Option<(u16, &'static str)> {
    let kind = request.header("apns-push-type");
    let priority = request.header("apns-priority");
    if request.method != "POST" {
        Some((405, "MethodNotAllowed"))
    } else if !request.path.starts_with("/3/device/") {
        Some((404, "BadPath"))
    } else if request.token.is_empty() {
        Some((400, "MissingDeviceToken"))
    } else if let Some(reason) = broken_token(request) {
        Some((403, reason))
    } else if request.header("apns-topic").is_empty() {
        Some((400, "MissingTopic"))
    } else if !matches!(kind, "alert" | "background") {
        Some((400, "InvalidPushType"))
    } else if !matches!((kind, priority), (_, "5") | ("alert", "10" | "1")) {
        Some((400, "BadPriority"))
    } else if request.header("apns-expiration").parse::<u64>().is_err() {
        Some((400, "BadExpirationDate"))
    } else if request.header("apns-collapse-id").len() > COLLAPSE_ID_BYTES_MAX {
        Some((400, "BadCollapseId"))
    } else if !is_lower_uuid(request.header("apns-id")) {
        Some((400, "BadMessageId"))
    } else if request.body.len() > PAYLOAD_BYTES_MAX {
        Some((413, "PayloadTooLarge"))
    } else if !request.json()["aps"].is_object() {
        Some((400, "PayloadEmpty"))
    } else {
        None
    }
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
