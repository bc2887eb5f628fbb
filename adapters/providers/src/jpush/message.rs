//! JPush's form of a push, for one registration id. Which platform that is on only JPush knows,
//! so each has its part.

use std::ops::RangeInclusive;

use nightjar_model::{Environment, WallMs};
use nightjar_push::{Alert, PushRequest};
use serde_json::{Map, Value, json};

use super::JpushConfig;
use crate::lifetime;
use crate::overrides::merge;

/// Ten days at most; 0 is only to those who are there.
const TTL_S: RangeInclusive<u64> = 0..=864_000;
/// The most a badge may be set to on Android.
const ANDROID_BADGE_MAX: u64 = 99;
/// Apple's limit for what names a notification.
const COLLAPSE_ID_BYTES_MAX: usize = 64;
/// A message of the operation of an app, which chat is; 0 would be marketing.
const CLASS_SYSTEM: u8 = 1;

/// The body of `push`: what the sender has for JPush, and ours over it. Whom it goes to is not
/// the sender's to say.
pub(super) fn body(config: &JpushConfig, request: &PushRequest, now: WallMs) -> Value {
    let extras = extras(request);
    let mut ours = json!({
        "platform": "all",
        "audience": { "registration_id": [request.binding.token.expose()] },
        "options": options(request, now),
    });
    match &request.alert {
        Some(alert) => ours["notification"] = notification(config, request, alert, &extras),
        // Goes to the running app and shows nothing.
        None => ours["message"] = json!({ "msg_content": "withdrawal", "extras": extras }),
    }
    let mut body = Value::Object(request.overrides.clone().unwrap_or_default());
    if let Some(theirs) = body.as_object_mut() {
        theirs.retain(|key, _| key != "audience" && key != "platform");
    }
    merge(&mut body, ours);
    body
}

fn options(request: &PushRequest, now: WallMs) -> Value {
    let is_production = request.binding.environment != Some(Environment::Sandbox);
    let mut options = json!({
        "time_to_live": lifetime::seconds(request, now, TTL_S),
        "apns_production": is_production,
        "classification": CLASS_SYSTEM,
    });
    let id = request.data.nid.as_ref().map(|nid| nid.as_str());
    if let Some(id) = id.filter(|id| id.len() <= COLLAPSE_ID_BYTES_MAX) {
        options["apns_collapse_id"] = id.into();
    }
    options
}

fn notification(
    config: &JpushConfig,
    request: &PushRequest,
    alert: &Alert,
    extras: &Map<String, Value>,
) -> Value {
    let badge = request.data.badge;
    let set_badge = badge.min(ANDROID_BADGE_MAX);
    let (title, body) = (&alert.title, &alert.body);
    let mut android =
        json!({ "title": title, "alert": body, "badge_set_num": set_badge, "extras": extras });
    if let Some(channel_id) = &config.channel_id {
        android["channel_id"] = channel_id.as_str().into();
    }
    json!({
        "android": android,
        "ios": {
            "alert": { "title": title, "body": body },
            "badge": badge,
            "sound": alert.sound.as_deref().unwrap_or("default"),
            "thread-id": request.data.conv.as_str(),
            "mutable-content": true,
            "extras": extras,
        },
        "hmos": {
            "title": title,
            "alert": body,
            "category": "IM",
            "badge_set_num": set_badge,
            "extras": extras,
        },
    })
}

/// The data part, every value as text.
fn extras(request: &PushRequest) -> Map<String, Value> {
    let text = |value: Value| match value {
        Value::String(text) => Value::String(text),
        other => Value::String(other.to_string()),
    };
    request.data.to_json().into_iter().map(|(key, value)| (key, text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_sender_may_add_a_vendors_class_but_not_choose_who_gets_it() {
        let config = super::super::tests::config("http://127.0.0.1:1");
        let mut request = samples::alert("jpush");
        let own = json!({
            "audience": {"all": true}, "platform": ["android"],
            "options": {"third_party_channel": {"xiaomi": {"channel_id": "130001"}}, "classification": 0},
            "notification": {"android": {"alert": "theirs", "intent": {"url": "app://chat"}}},
        });
        request.overrides = own.as_object().cloned();
        let body = body(&config, &request, WallMs(0));
        assert_eq!(body["audience"], json!({"registration_id": [samples::TOKEN]}));
        assert_eq!(
            (&body["platform"], &body["options"]["classification"]),
            (&json!("all"), &json!(1))
        );
        let channel = "/options/third_party_channel/xiaomi/channel_id";
        assert_eq!(body.pointer(channel), Some(&json!("130001")));
        let android = &body["notification"]["android"];
        assert_eq!(
            (&android["alert"], &android["intent"]["url"]),
            (&json!("Lunch?"), &json!("app://chat"))
        );
    }

    #[test]
    fn what_is_over_a_limit_is_cut_or_left_out() {
        let config = super::super::tests::config("http://127.0.0.1:1");
        let mut request = samples::alert("jpush");
        request.data.badge = 100;
        request.binding.environment = Some(Environment::Sandbox);
        let long = nightjar_model::Uid::parse(&"a".repeat(60)).unwrap();
        let group = nightjar_model::ConversationId::direct(&long, &request.uid);
        request.data.nid = Some(nightjar_model::NotificationId::conversation(&group));
        let body = body(&config, &request, WallMs(0));
        assert_eq!(body["notification"]["android"]["badge_set_num"], 99);
        assert_eq!(body["notification"]["ios"]["badge"], 100);
        assert_eq!(body["options"].get("apns_collapse_id"), None);
        assert_eq!(body["options"]["apns_production"], false);
        assert_eq!(body["options"]["time_to_live"], 864_000);
    }
}
