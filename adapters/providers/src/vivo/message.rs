//! vivo's form of a push.

use nightjar_model::WallMs;
use nightjar_push::{Alert, PushRequest};
use serde_json::{Map, Value, json};

use super::VivoConfig;
use crate::data;
use crate::notify_id::{notify_id, short_key};
use crate::overrides::merge;
use crate::text::{Count, Limits, fit, shown};
use crate::{lifetime, receipt_tag};

/// "20 Chinese characters or 40 letters", and 50 or 100.
const LIMITS: Limits = Limits { title: 40, body: 100, count: Count::HalfWidths };
/// The shortest vivo keeps a message.
pub(super) const TTL_S_MIN: u64 = 60;
/// The most pairs and characters, names included, of `clientCustomMap`.
const CUSTOM_PAIRS_MAX: usize = 10;
const CUSTOM_CHARS_MAX: usize = 1024;
/// `notifyType`: rings and vibrates.
const RING_AND_VIBRATE: u8 = 4;
/// `skipType`: a click opens the app.
const OPEN_APP: u8 = 1;

/// The body of `message/send`.
pub(super) fn body(
    config: &VivoConfig,
    request: &PushRequest,
    alert: &Alert,
    now: WallMs,
) -> Value {
    let custom = data::fitting(&request.data, |part| fits(&texts(part)));
    let (title, content) = shown(alert, LIMITS);
    let token = &request.binding.token;
    let mut ours = json!({
        "appId": app_id(config),
        "regId": token.expose(),
        "notifyType": RING_AND_VIBRATE,
        "title": title,
        "content": content,
        "timeToLive": lifetime::seconds(request, now, TTL_S_MIN..=config.ttl_s_max),
        "skipType": OPEN_APP,
        "networkType": -1,
        "classification": config.classification,
        "category": config.category,
        "clientCustomMap": texts(&custom),
        "pushMode": 0,
    });
    if let Some(nid) = &request.data.nid {
        ours["notifyId"] = notify_id(nid).into();
    }
    if let Some(mid) = request.data.mid {
        // vivo takes a request once: the same message for another device is another request.
        ours["requestId"] = short_key(&format!("{mid} {}", token.expose()), 40).into();
        if config.receipt_url.is_some() || config.receipt_id.is_some() {
            let tag = receipt_tag::sign(&config.app_secret, mid, token);
            ours["extra"] = match &config.receipt_id {
                Some(id) => json!({ "callback.id": id, "callback.param": tag }),
                None => json!({ "callback": config.receipt_url, "callback.param": tag }),
            };
        }
    }
    let mut body = Value::Object(request.overrides.clone().unwrap_or_default());
    merge(&mut body, ours);
    body
}

/// Consoles show a number, and vivo compares it with that of the auth token.
pub(super) fn app_id(config: &VivoConfig) -> Value {
    config.app_id.parse::<u64>().map_or_else(|_| config.app_id.as_str().into(), Value::from)
}

/// The data part, every value as text: a string as it is, anything else as JSON.
fn texts(part: &Map<String, Value>) -> Map<String, Value> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    part.iter().map(|(name, value)| (name.clone(), text(value).into())).collect()
}

fn fits(pairs: &Map<String, Value>) -> bool {
    let chars = |(name, value): (&String, &Value)| {
        Count::Utf16.of(name) + Count::Utf16.of(value.as_str().unwrap_or_default())
    };
    pairs.len() <= CUSTOM_PAIRS_MAX && pairs.iter().map(chars).sum::<usize>() <= CUSTOM_CHARS_MAX
}

/// The same message in words vivo does not refuse: who it is from, as far as that has none of the
/// signs it refuses, and the safe text. It is another request, so it has another number.
pub(super) fn reworded(config: &VivoConfig, body: &Value) -> Value {
    let title = body["title"].as_str().unwrap_or_default().replace("测试", "");
    let name: String = title.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
    let title = match name.trim() {
        "" => config.safe_text.clone(),
        name => format!("{name} {}", config.safe_text),
    };
    let mut body = body.clone();
    body["title"] = fit(&title, LIMITS.title, LIMITS.count).into();
    body["content"] = fit(&config.safe_text, LIMITS.body, LIMITS.count).into();
    if let Some(request_id) = body["requestId"].as_str() {
        body["requestId"] = format!("{request_id}-safe").into();
    }
    body
}

/// The same message without its class.
pub(super) fn without_class(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("category");
    }
    body
}

#[cfg(test)]
mod tests {
    use nightjar_model::NotificationId;

    use super::*;
    use crate::samples;
    use crate::vivo::tests::config;

    fn of(request: &PushRequest) -> Value {
        let alert = request.alert.as_ref().unwrap();
        body(&config("http://127.0.0.1:9"), request, alert, WallMs(0))
    }

    #[test]
    fn a_text_is_cut_to_half_widths() {
        let mut request = samples::alert("vivo");
        let alert = request.alert.as_mut().unwrap();
        (alert.title, alert.body) = ("题".repeat(21), "文".repeat(51));
        let cut = of(&request);
        assert_eq!(cut["title"], format!("{}…", "题".repeat(19)));
        assert_eq!(cut["content"], format!("{}…", "文".repeat(49)));
        let alert = request.alert.as_mut().unwrap();
        (alert.title, alert.body) = ("t".repeat(40), "b".repeat(101));
        let cut = of(&request);
        assert_eq!(
            (cut["title"].as_str(), cut["content"].as_str().map(str::len)),
            (Some("t".repeat(40).as_str()), Some(98 + "…".len()))
        );
    }

    #[test]
    fn the_senders_keys_go_where_ten_pairs_or_1024_characters_are_too_few() {
        let with = |custom: Value, withdrawn: usize| {
            let mut request = samples::alert("vivo");
            request.data.custom = Some(custom.to_string());
            let id = |n| NotificationId::parse(&format!("m.{n:036}")).unwrap();
            request.data.wd = (0..withdrawn).map(id).collect();
            of(&request)["clientCustomMap"].clone()
        };
        assert_eq!(with(json!({"a": 1, "b": "x"}), 0)["a"], "1");
        assert_eq!(with(json!({"a": 1, "b": 2, "c": 3}), 0).get("a"), None);
        assert_eq!(with(json!({ "a": "文".repeat(900) }), 0).get("a"), None);
        let many = with(json!({}), 32);
        let named: Vec<String> = serde_json::from_str(many["wd"].as_str().unwrap()).unwrap();
        assert!((10..32).contains(&named.len()), "{}", named.len());
        assert_eq!(named.last(), Some(&format!("m.{:036}", 31)));
    }

    #[test]
    fn a_message_for_two_devices_is_two_requests_and_the_same_one_twice_is_one() {
        let id = |token: &str| of(&samples::alert_to("vivo", token))["requestId"].clone();
        assert_eq!(id("a"), id("a"));
        assert_ne!(id("a"), id("b"));
        assert!(id("a").as_str().unwrap().len() <= 64);
    }

    #[test]
    fn a_safe_text_names_the_sender_without_what_vivo_refuses() {
        let config = config("http://127.0.0.1:9");
        for (title, expected) in [
            ("Alice", "Alice 您收到一条新消息"),
            ("[测试] {Bob}", "Bob 您收到一条新消息"),
            ("!!", "您收到一条新消息"),
            ("一二三四五六七八九十一二", "一二三四五六七八九十一二 您收到一条新…"),
        ] {
            let body = json!({"title": title, "content": "123", "requestId": "r"});
            let safe = json!({
                "title": expected, "content": "您收到一条新消息", "requestId": "r-safe",
            });
            assert_eq!(reworded(&config, &body), safe);
        }
    }

    #[test]
    fn a_sender_may_add_but_not_replace_what_is_ours() {
        let mut request = samples::alert("vivo");
        let own = json!({
            "category": "MARKETING", "pushMode": 1, "profileId": "p",
            "clientCustomMap": {"badge": "999"},
        });
        request.overrides = own.as_object().cloned();
        let body = of(&request);
        assert_eq!((&body["category"], &body["pushMode"]), (&"IM".into(), &0.into()));
        assert_eq!(
            (&body["profileId"], &body["clientCustomMap"]["badge"]),
            (&"p".into(), &"3".into())
        );
    }
}
