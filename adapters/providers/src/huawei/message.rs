//! Huawei's form of a push.

use nightjar_model::WallMs;
use nightjar_push::{Alert, PushRequest};
use serde_json::{Map, Value, json};

use super::codes::Part;
use crate::lifetime;
use crate::notify_id::notify_id;
use crate::overrides::{merge, names};

/// Huawei's limit for a body without its tokens.
pub(super) const BODY_BYTES_MAX: usize = 4096;
/// The longest Huawei keeps a message: 15 days.
const TTL_S_MAX: u64 = 15 * 24 * 3600;
/// The highest number a badge shows.
const BADGE_MAX: u64 = 99;
/// `click_action.type` that opens the app.
const OPEN_APP: u8 = 3;

/// What of a message the configuration says.
pub(super) struct Options {
    pub(super) category: String,
    pub(super) channel_id: Option<String>,
    pub(super) badge_class: Option<String>,
    pub(super) receipt_id: Option<String>,
}

/// The body of `messages:send`.
pub(super) fn body(request: &PushRequest, options: &Options, now: WallMs) -> Value {
    let message = json!({
        "android": android(request, options, now),
        "token": [request.binding.token.expose()],
    });
    // What the sender has for Huawei lies under ours: it may add, not replace. Whom it goes to is
    // not theirs to say.
    let mut all = Value::Object(request.overrides.clone().unwrap_or_default());
    merge(&mut all, message);
    if let Some(message) = all.as_object_mut() {
        message.retain(|key, _| key != "topic" && key != "condition");
    }
    json!({ "message": all })
}

/// Whether Huawei would find a body too large.
pub(super) fn is_too_large(body: &Value, request: &PushRequest) -> bool {
    let token = json!(request.binding.token.expose()).to_string().len();
    body.to_string().len().saturating_sub(token) > BODY_BYTES_MAX
}

/// Takes a part that Huawei refused out of a body; false if there is none.
pub(super) fn take_out(body: &mut Value, part: Part) -> bool {
    let (object, key) = match part {
        Part::Receipt => ("/message/android", "receipt_id"),
        Part::Urgency => ("/message/android", "urgency"),
        Part::Image => ("/message/android/notification", "image"),
    };
    let object = body.pointer_mut(object).and_then(Value::as_object_mut);
    object.is_some_and(|object| object.remove(key).is_some())
}

fn android(request: &PushRequest, options: &Options, now: WallMs) -> Value {
    let ttl_s = lifetime::seconds(request, now, 1..=TTL_S_MAX);
    let mut android = Map::new();
    android.insert("ttl".into(), format!("{ttl_s}s").into());
    android.insert("data".into(), Value::Object(request.data.to_json()).to_string().into());
    let Some(alert) = &request.alert else {
        android.insert("urgency".into(), "NORMAL".into());
        return Value::Object(android);
    };
    android.insert("category".into(), options.category.as_str().into());
    android.insert("notification".into(), notification(request, alert, options));
    if let Some(mid) = request.data.mid {
        android.insert("bi_tag".into(), mid.to_string().into());
    }
    if let Some(id) = &options.receipt_id {
        android.insert("receipt_id".into(), id.as_str().into());
    }
    Value::Object(android)
}

/// Nothing collapses while it waits for a phone that is off: Huawei has a hundred collapse keys
/// for all conversations of an app, and two that shared one would lose a message. `notify_id`
/// replaces on the screen.
fn notification(request: &PushRequest, alert: &Alert, options: &Options) -> Value {
    let mut shown = json!({
        "title": alert.title,
        "body": alert.body,
        "importance": "NORMAL",
        "group": request.data.conv.as_str(),
    });
    // Where a tap leads, and a sound that only the override names, are the sender's to say.
    let is_theirs = |key| names(request, &["android", "notification", key]);
    if !is_theirs("click_action") {
        shown["click_action"] = json!({ "type": OPEN_APP });
    }
    match &alert.sound {
        Some(sound) => {
            shown["sound"] = sound.as_str().into();
            shown["default_sound"] = false.into();
        }
        None if !is_theirs("sound") => shown["default_sound"] = true.into(),
        None => {}
    }
    if let Some(nid) = &request.data.nid {
        shown["notify_id"] = notify_id(nid).into();
    }
    if let Some(channel) = &options.channel_id {
        shown["channel_id"] = channel.as_str().into();
    }
    if let Some(class) = &options.badge_class {
        shown["badge"] = json!({ "set_num": request.data.badge.min(BADGE_MAX), "class": class });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn options() -> Options {
        Options {
            category: "IM".into(),
            channel_id: Some("chat".into()),
            badge_class: Some("com.example.chat.Main".into()),
            receipt_id: Some("RCP1".into()),
        }
    }

    #[test]
    fn a_message_is_kept_until_it_expires_and_fifteen_days_at_most() {
        let request = samples::alert("huawei");
        let ttl = |now| {
            let body = body(&request, &options(), WallMs(now));
            body["message"]["android"]["ttl"].as_str().unwrap().to_owned()
        };
        assert_eq!(ttl(samples::EXP.0 - 61_999), "61s");
        assert_eq!(ttl(0), "1296000s");
        assert_eq!(ttl(u64::MAX), "1s");
    }

    #[test]
    fn a_badge_is_capped_and_left_out_without_its_class() {
        let mut request = samples::alert("huawei");
        request.data.badge = 1000;
        let badge = |options: &Options| {
            let body = body(&request, options, WallMs(0));
            body["message"]["android"]["notification"]["badge"].clone()
        };
        let class = "com.example.chat.Main";
        assert_eq!(badge(&options()), json!({ "set_num": 99, "class": class }));
        assert_eq!(badge(&Options { badge_class: None, ..options() }), Value::Null);
    }

    #[test]
    fn a_sender_may_add_to_the_message_but_not_replace_what_is_ours() {
        let mut request = samples::alert("huawei");
        let own = json!({
            "token": ["another"], "topic": "news", "condition": "all",
            "android": { "category": "MARKETING", "data": "{}", "notification": {
                "title": "Sale", "click_action": { "type": 1, "intent": "#Intent;end" },
                "sound": "/raw/bell", "image": "https://example.com/a.png" } },
        });
        request.overrides = own.as_object().cloned();
        let body = body(&request, &options(), WallMs(0));
        let message = &body["message"];
        assert_eq!(message["token"], json!([samples::TOKEN]));
        assert_eq!((message.get("topic"), message.get("condition")), (None, None));
        assert_eq!(message["android"]["category"], "IM");
        let data: Value =
            serde_json::from_str(message["android"]["data"].as_str().unwrap()).unwrap();
        assert_eq!(data["badge"], request.data.badge);
        let shown = &message["android"]["notification"];
        assert_eq!(shown["title"], "Alice");
        assert_eq!(shown["click_action"], json!({ "type": 1, "intent": "#Intent;end" }));
        assert_eq!((&shown["sound"], shown.get("default_sound")), (&json!("/raw/bell"), None));
        assert_eq!(shown["image"], "https://example.com/a.png");
    }

    #[test]
    fn the_limit_counts_the_body_without_its_token() {
        let mut request = samples::alert_to("huawei", &"t".repeat(BODY_BYTES_MAX));
        let mut is_large = |chars: usize| {
            request.alert.as_mut().unwrap().body = "x".repeat(chars);
            is_too_large(&body(&request, &options(), WallMs(0)), &request)
        };
        assert!(!is_large(1000));
        assert!(is_large(BODY_BYTES_MAX));
        let fits = (0..BODY_BYTES_MAX).rev().find(|chars| !is_large(*chars)).unwrap();
        let mut last = samples::alert_to("huawei", "");
        last.alert.as_mut().unwrap().body = "x".repeat(fits);
        let last = body(&last, &options(), WallMs(0));
        assert_eq!(last.to_string().len() - r#""""#.len(), BODY_BYTES_MAX);
    }

    #[test]
    fn what_was_refused_is_taken_out_once() {
        let mut body = body(&samples::alert("huawei"), &options(), WallMs(0));
        assert!(take_out(&mut body, Part::Receipt));
        assert_eq!(body["message"]["android"].get("receipt_id"), None);
        assert!(!take_out(&mut body, Part::Receipt));
        assert!(!take_out(&mut body, Part::Image));
    }
}
