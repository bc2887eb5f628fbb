//! FCM's form of a push.

use nightjar_model::WallMs;
use nightjar_push::{Alert, PushRequest};
use serde_json::{Map, Value, json};

use crate::overrides::{merge, names};

/// Google's limit for the data and what is shown, keys included.
pub(super) const MESSAGE_BYTES_MAX: usize = 4096;
/// The longest Google keeps a message: four weeks.
const TTL_S_MAX: u64 = 28 * 24 * 3600;

/// The body of `messages:send`; `None` when it is over [`MESSAGE_BYTES_MAX`].
pub(super) fn body(request: &PushRequest, now: WallMs) -> Option<Value> {
    let data = data(request);
    let shown = request.alert.as_ref().map_or(0, |alert| alert.title.len() + alert.body.len());
    let bytes: usize =
        data.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes + shown > MESSAGE_BYTES_MAX {
        return None;
    }
    let mut message = Map::new();
    message.insert("token".into(), request.binding.token.expose().as_str().into());
    message.insert("data".into(), Value::Object(data));
    message.insert("android".into(), android(request, now));
    if let Some(alert) = &request.alert {
        let notification = json!({ "title": alert.title, "body": alert.body });
        message.insert("notification".into(), notification);
    }
    // What the sender has for FCM lies under ours: it may add, not replace. Whom it goes to is not
    // theirs to say.
    let mut all = Value::Object(request.overrides.clone().unwrap_or_default());
    merge(&mut all, Value::Object(message));
    if let Some(message) = all.as_object_mut() {
        message.retain(|key, _| key != "topic" && key != "condition");
    }
    Some(json!({ "message": all }))
}

fn android(request: &PushRequest, now: WallMs) -> Value {
    let ttl_s = (request.data.exp.0.saturating_sub(now.0) / 1000).min(TTL_S_MAX);
    let ttl = format!("{ttl_s}s");
    match &request.alert {
        Some(alert) => alert_android(request, alert, &ttl),
        None => json!({ "priority": "NORMAL", "ttl": ttl }),
    }
}

/// Only the one notification of a storm gets a collapse key. FCM keeps at most four keys a
/// device, and throttles collapsible messages to a few an hour: a key per message would lose
/// messages to a phone that is off.
fn alert_android(request: &PushRequest, alert: &Alert, ttl: &str) -> Value {
    let mut notification = json!({ "notification_count": request.data.badge });
    // A sound that only the override names is played; ours would be the default.
    let is_theirs = names(request, &["android", "notification", "sound"]);
    if alert.sound.is_some() || !is_theirs {
        notification["sound"] = alert.sound.as_deref().unwrap_or("default").into();
    }
    let mut android = json!({ "priority": "HIGH", "ttl": ttl });
    if let Some(nid) = &request.data.nid {
        notification["tag"] = nid.as_str().into();
        if nid.as_str().starts_with("c.") {
            android["collapse_key"] = nid.as_str().into();
        }
    }
    android["notification"] = notification;
    android
}

/// The data part, every value as text: a string as it is, anything else as JSON. Keys that FCM
/// keeps for itself are left out, or it would refuse the whole message.
fn data(request: &PushRequest) -> Map<String, Value> {
    let text = |value: Value| match value {
        Value::String(text) => Value::String(text),
        other => Value::String(other.to_string()),
    };
    request
        .data
        .to_json()
        .into_iter()
        .filter(|(key, _)| !is_reserved(key))
        .map(|(key, value)| (key, text(value)))
        .collect()
}

fn is_reserved(key: &str) -> bool {
    matches!(key, "from" | "message_type" | "collapse_key")
        || key.starts_with("google")
        || key.starts_with("gcm")
}

#[cfg(test)]
mod tests {
    use nightjar_model::{ConversationId, NotificationId, Uid};

    use super::*;
    use crate::samples;

    fn pretty(value: &Value) -> String {
        serde_json::to_string_pretty(value).unwrap()
    }

    #[test]
    fn an_alert() {
        insta::assert_snapshot!(pretty(&body(&samples::alert("fcm"), WallMs(0)).unwrap()));
    }

    #[test]
    fn a_withdrawal_shows_nothing() {
        insta::assert_snapshot!(pretty(&body(&samples::withdrawal("fcm"), WallMs(0)).unwrap()));
    }

    #[test]
    fn a_storm_collapses_and_its_ttl_is_what_is_left() {
        let mut request = samples::alert("fcm");
        let group = ConversationId::direct(&Uid::parse("a").unwrap(), &Uid::parse("b").unwrap());
        request.data.nid = Some(NotificationId::conversation(&group));
        let body = body(&request, WallMs(samples::EXP.0 - 61_999)).unwrap();
        assert_eq!(body["message"]["android"]["collapse_key"], "c.d:a:b");
        assert_eq!(body["message"]["android"]["notification"]["tag"], "c.d:a:b");
        assert_eq!(body["message"]["android"]["ttl"], "61s");
        let late = super::body(&request, WallMs(u64::MAX)).unwrap();
        assert_eq!(late["message"]["android"]["ttl"], "0s");
    }

    #[test]
    fn a_sender_may_add_to_the_message_but_not_replace_what_is_ours() {
        let mut request = samples::alert("fcm");
        let own = json!({
            "token": "another", "topic": "news", "data": {"badge": "999", "mine": "1"},
            "android": {"priority": "NORMAL", "notification": {"channel_id": "chat", "sound": "bell"}},
        });
        request.overrides = own.as_object().cloned();
        let body = body(&request, WallMs(0)).unwrap();
        let message = &body["message"];
        assert_eq!(message["token"], request.binding.token.expose().as_str());
        assert_eq!(message.get("topic"), None);
        assert_eq!(message["data"]["mine"], "1");
        assert_eq!(message["data"]["badge"], request.data.badge.to_string());
        assert_eq!(message["android"]["priority"], "HIGH");
        assert_eq!(message["android"]["notification"]["channel_id"], "chat");
        assert_eq!(message["android"]["notification"]["sound"], "bell");
    }

    #[test]
    fn a_message_over_4096_bytes_is_not_sent() {
        let mut request = samples::alert("fcm");
        request.alert.as_mut().unwrap().body = "x".repeat(MESSAGE_BYTES_MAX);
        assert!(body(&request, WallMs(0)).is_none());
    }
}
