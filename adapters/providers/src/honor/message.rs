//! Honor's form of a push.

use nightjar_model::WallMs;
use nightjar_push::{Alert, PushRequest};
use serde_json::{Map, Value, json};

use crate::lifetime;
use crate::notify_id::notify_id;
use crate::overrides::{merge, names};

/// Honor's limit for a body without its tokens; not on a page of its own, that of its family.
pub(super) const BODY_BYTES_MAX: usize = 4096;
/// The longest Honor keeps a message: 15 days.
const TTL_S_MAX: u64 = 15 * 24 * 3600;
/// The highest number a badge shows.
const BADGE_MAX: u64 = 99;
/// `clickAction.type` that opens the app.
const OPEN_APP: u8 = 3;

/// The body of `sendMessage`.
pub(super) fn body(request: &PushRequest, badge_class: Option<&str>, now: WallMs) -> Value {
    let ours = json!({
        "android": android(request, badge_class, now),
        "token": [request.binding.token.expose()],
    });
    // What the sender has for Honor lies under ours: it may add, not replace.
    let mut all = Value::Object(request.overrides.clone().unwrap_or_default());
    merge(&mut all, ours);
    all
}

/// Whether Honor would find a body too large.
pub(super) fn is_too_large(body: &Value, request: &PushRequest) -> bool {
    let token = json!(request.binding.token.expose()).to_string().len();
    body.to_string().len().saturating_sub(token) > BODY_BYTES_MAX
}

fn android(request: &PushRequest, badge_class: Option<&str>, now: WallMs) -> Value {
    let ttl_s = lifetime::seconds(request, now, 1..=TTL_S_MAX);
    let mut android = Map::new();
    android.insert("ttl".into(), format!("{ttl_s}s").into());
    android.insert("data".into(), Value::Object(request.data.to_json()).to_string().into());
    let Some(alert) = &request.alert else { return Value::Object(android) };
    android.insert("notification".into(), notification(request, alert, badge_class));
    if let Some(mid) = request.data.mid {
        android.insert("biTag".into(), mid.to_string().into());
    }
    Value::Object(android)
}

/// `importance` is the class: `NORMAL` is what people write and services say, `LOW` is marketing.
fn notification(request: &PushRequest, alert: &Alert, badge_class: Option<&str>) -> Value {
    let mut shown = json!({
        "title": alert.title,
        "body": alert.body,
        "importance": "NORMAL",
        "group": request.data.conv.as_str(),
    });
    // Where a tap leads is the sender's to say.
    if !names(request, &["android", "notification", "clickAction"]) {
        shown["clickAction"] = json!({ "type": OPEN_APP });
    }
    if let Some(nid) = &request.data.nid {
        shown["notifyId"] = notify_id(nid).into();
    }
    if let Some(class) = badge_class {
        let count = request.data.badge.min(BADGE_MAX);
        shown["badge"] = json!({ "setNum": count, "badgeClass": class });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const CLASS: Option<&str> = Some("com.example.chat.Main");

    #[test]
    fn a_message_is_kept_until_it_expires_and_fifteen_days_at_most() {
        let request = samples::alert("honor");
        let ttl = |now| body(&request, CLASS, WallMs(now))["android"]["ttl"].clone();
        let told = [ttl(samples::EXP.0 - 61_999), ttl(0), ttl(u64::MAX)];
        assert_eq!(told, ["61s", "1296000s", "1s"]);
    }

    #[test]
    fn a_badge_is_capped_and_left_out_without_its_class() {
        let mut request = samples::alert("honor");
        request.data.badge = 1000;
        let badge =
            |class| body(&request, class, WallMs(0))["android"]["notification"]["badge"].clone();
        assert_eq!(badge(CLASS), json!({ "setNum": 99, "badgeClass": CLASS }));
        assert_eq!(badge(None), Value::Null);
    }

    #[test]
    fn a_sender_may_add_to_the_message_but_not_replace_what_is_ours() {
        let mut request = samples::alert("honor");
        let own = json!({
            "token": ["another"],
            "android": { "data": "{}", "targetUserType": 1, "notification": {
                "title": "Sale", "importance": "LOW",
                "clickAction": { "type": 2, "url": "https://a.example" } } },
        });
        request.overrides = own.as_object().cloned();
        let body = body(&request, CLASS, WallMs(0));
        assert_eq!(body["token"], json!([samples::TOKEN]));
        let android = &body["android"];
        assert_eq!(android["targetUserType"], 1);
        assert!(android["data"].as_str().unwrap().contains(samples::MID));
        let shown = &android["notification"];
        assert_eq!((&shown["title"], &shown["importance"]), (&"Alice".into(), &"NORMAL".into()));
        assert_eq!(shown["clickAction"], json!({ "type": 2, "url": "https://a.example" }));
    }
}
