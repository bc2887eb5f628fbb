//! HarmonyOS' form of a push: a notification, or its revocation.

use nightjar_model::{NotificationId, WallMs};
use nightjar_push::{Alert, PushRequest};
use serde_json::{Map, Value, json};

use crate::huawei::codes::Part;
use crate::lifetime;
use crate::notify_id::notify_id;
use crate::overrides::{merge, names};

/// Huawei's limit for a body without its tokens.
pub(super) const BODY_BYTES_MAX: usize = 4096;
/// The longest Huawei keeps a message: 15 days.
const TTL_S_MAX: u64 = 15 * 24 * 3600;
/// The highest number a badge is set to.
const BADGE_MAX: u64 = 99;
/// `clickAction.actionType` that opens the app's home.
const OPEN_APP: u8 = 0;

/// What of a message the configuration says.
pub(super) struct Options {
    pub(super) category: String,
    pub(super) receipt_id: Option<String>,
}

/// The body of `messages:send` for an alert.
pub(super) fn body(request: &PushRequest, alert: &Alert, options: &Options, now: WallMs) -> Value {
    let ours = json!({
        "payload": { "notification": notification(request, alert, options) },
        "pushOptions": push_options(request, options, now),
        "target": { "token": [request.binding.token.expose()] },
    });
    // What the sender has for HarmonyOS lies under ours: it may add, not replace. Whom it goes to
    // is not theirs to say.
    let mut all = Value::Object(request.overrides.clone().unwrap_or_default());
    if let Some(object) = all.as_object_mut() {
        object.remove("target");
    }
    merge(&mut all, ours);
    all
}

/// The body of `messages:revoke` for one notification.
pub(super) fn revocation(request: &PushRequest, nid: &NotificationId) -> Value {
    json!({ "notifyId": notify_id(nid), "token": [request.binding.token.expose()] })
}

/// Whether Huawei would find a body too large.
pub(super) fn is_too_large(body: &Value, request: &PushRequest) -> bool {
    let token = json!(request.binding.token.expose()).to_string().len();
    body.to_string().len().saturating_sub(token) > BODY_BYTES_MAX
}

/// Takes a part that Huawei refused out of a body; false if there is none.
pub(super) fn take_out(body: &mut Value, part: Part) -> bool {
    let (object, key) = match part {
        Part::Receipt => ("/pushOptions", "receiptId"),
        Part::Image => ("/payload/notification", "image"),
        Part::Urgency => return false,
    };
    let object = body.pointer_mut(object).and_then(Value::as_object_mut);
    object.is_some_and(|object| object.remove(key).is_some())
}

fn push_options(request: &PushRequest, options: &Options, now: WallMs) -> Value {
    let ttl_s = lifetime::seconds(request, now, 1..=TTL_S_MAX);
    let mut all = Map::new();
    all.insert("ttl".into(), ttl_s.into());
    if let Some(mid) = request.data.mid {
        all.insert("biTag".into(), mid.to_string().into());
    }
    if let Some(id) = &options.receipt_id {
        all.insert("receiptId".into(), id.as_str().into());
    }
    Value::Object(all)
}

fn notification(request: &PushRequest, alert: &Alert, options: &Options) -> Value {
    let mut click = json!({ "data": request.data.to_json() });
    // Where a tap leads, and a sound that only the override names, are the sender's to say.
    let is_theirs = |path: &[&str]| names(request, &[&["payload", "notification"], path].concat());
    if !is_theirs(&["clickAction", "actionType"]) {
        click["actionType"] = OPEN_APP.into();
    }
    let mut shown = json!({
        "category": options.category,
        "title": alert.title,
        "body": alert.body,
        "clickAction": click,
        "badge": { "setNum": request.data.badge.min(BADGE_MAX) },
    });
    if let Some(sound) = &alert.sound {
        shown["sound"] = sound.as_str().into();
    }
    // A request that was repeated because its answer was lost alerts once.
    if let Some(mid) = request.data.mid {
        shown["appMessageId"] = mid.to_string().into();
    }
    if let Some(nid) = &request.data.nid {
        shown["notifyId"] = notify_id(nid).into();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn options() -> Options {
        Options { category: "IM".into(), receipt_id: Some("RCP1".into()) }
    }

    fn of(request: &PushRequest, now: u64) -> Value {
        body(request, request.alert.as_ref().unwrap(), &options(), WallMs(now))
    }

    #[test]
    fn a_message_is_kept_until_it_expires_and_fifteen_days_at_most() {
        let request = samples::alert("harmony");
        let ttl = |now| of(&request, now)["pushOptions"]["ttl"].clone();
        assert_eq!([ttl(samples::EXP.0 - 61_999), ttl(0), ttl(u64::MAX)], [61, 1_296_000, 1]);
    }

    #[test]
    fn a_sender_may_add_to_the_message_but_not_replace_what_is_ours() {
        let mut request = samples::alert("harmony");
        request.data.badge = 1000;
        let own = json!({
            "target": { "token": ["another"], "topic": "news" },
            "pushOptions": { "ttl": 1, "testMessage": true },
            "payload": { "notification": {
                "category": "MARKETING", "title": "Sale", "sound": "bell.mp3",
                "clickAction": { "actionType": 1, "uri": "https://a.example", "data": { "badge": 7 } },
            } },
        });
        request.overrides = own.as_object().cloned();
        let body = of(&request, 0);
        assert_eq!(body["target"], json!({ "token": [samples::TOKEN] }));
        assert_eq!(
            (&body["pushOptions"]["ttl"], &body["pushOptions"]["testMessage"]),
            (&1_296_000.into(), &true.into())
        );
        let shown = &body["payload"]["notification"];
        assert_eq!((&shown["category"], &shown["title"]), (&"IM".into(), &"Alice".into()));
        assert_eq!(
            (&shown["sound"], &shown["badge"]),
            (&"bell.mp3".into(), &json!({ "setNum": 99 }))
        );
        assert_eq!(shown["clickAction"]["actionType"], 1);
        assert_eq!(shown["clickAction"]["uri"], "https://a.example");
        assert_eq!(shown["clickAction"]["data"]["badge"], 1000);
    }

    #[test]
    fn what_was_refused_is_taken_out_once() {
        let mut body = of(&samples::alert("harmony"), 0);
        assert!(take_out(&mut body, Part::Receipt));
        assert_eq!(body["pushOptions"].get("receiptId"), None);
        assert!(!take_out(&mut body, Part::Receipt) && !take_out(&mut body, Part::Image));
        assert!(!take_out(&mut body, Part::Urgency));
    }
}
