//! OPPO's form of a push.

use nightjar_model::WallMs;
use nightjar_push::{Alert, PushRequest};
use serde_json::{Map, Value, json};

use super::OppoConfig;
use crate::data;
use crate::notify_id::notify_id;
use crate::overrides::merge;
use crate::text::{Count, Limits, shown};
use crate::{lifetime, receipt_tag};

/// A title, and the text of the long style.
const LIMITS: Limits = Limits { title: 50, body: 128, count: Count::Utf16 };
/// The longest text of the standard style.
const STANDARD_BODY_MAX: usize = 50;
/// The most characters of `action_parameters`.
const PARAMETERS_CHARS_MAX: usize = 4000;
/// The longest OPPO keeps a message: ten days.
const TTL_S_MAX: u64 = 10 * 24 * 3600;
/// `target_type` of a registration id.
const REGISTRATION_ID: u8 = 2;

/// The field `message` of `unicast`.
pub(super) fn message(
    config: &OppoConfig,
    request: &PushRequest,
    alert: &Alert,
    now: WallMs,
) -> Value {
    let text = |part: &Map<String, Value>| Value::Object(part.clone()).to_string();
    let fits = |part: &Map<String, Value>| Count::Utf16.of(&text(part)) <= PARAMETERS_CHARS_MAX;
    let parameters = text(&data::fitting(&request.data, fits));
    let (title, content) = shown(alert, LIMITS);
    let is_long = Count::Utf16.of(&content) > STANDARD_BODY_MAX;
    let mut ours = json!({
        "style": if is_long { 2 } else { 1 },
        "title": title,
        "content": content,
        // A click opens the app, which finds the parameters in its intent.
        "click_action_type": 0,
        "action_parameters": parameters,
        "off_line": true,
        "off_line_ttl": lifetime::seconds(request, now, 1..=TTL_S_MAX),
        "channel_id": config.channel_id,
        "category": config.category,
        "notify_level": config.notify_level,
    });
    if let Some(nid) = &request.data.nid {
        ours["notify_id"] = notify_id(nid).into();
    }
    if let Some(mid) = request.data.mid {
        // A message with the same id is pushed to a device once.
        ours["app_message_id"] = mid.to_string().into();
        if let Some(url) = &config.receipt_url {
            let tag = receipt_tag::sign(&config.master_secret, mid, &request.binding.token);
            ours["call_back_url"] = url.as_str().into();
            ours["call_back_parameter"] = tag.into();
        }
    }
    let mut notification = Value::Object(request.overrides.clone().unwrap_or_default());
    merge(&mut notification, ours);
    json!({
        "target_type": REGISTRATION_ID,
        "target_value": request.binding.token.expose(),
        // The phone drops what is for an app that registered anew meanwhile.
        "verify_registration_id": true,
        "notification": notification,
    })
}

/// The same message without its class, for an app that has no right to it.
pub(super) fn without_class(message: &Value) -> Value {
    let mut message = message.clone();
    if let Some(notification) = message["notification"].as_object_mut() {
        let class: [&str; 2] = ["category", "notify_level"];
        *notification = std::mem::take(notification)
            .into_iter()
            .filter(|(name, _)| !class.contains(&name.as_str()))
            .collect::<Map<_, _>>();
    }
    message
}

#[cfg(test)]
mod tests {
    use nightjar_model::NotificationId;

    use super::*;
    use crate::oppo::tests::config;
    use crate::samples;

    fn of(request: &PushRequest) -> Value {
        let alert = request.alert.as_ref().unwrap();
        message(&config("http://127.0.0.1:9"), request, alert, WallMs(0))
    }

    #[test]
    fn a_longer_text_takes_the_long_style_and_is_cut_to_it() {
        let mut request = samples::alert("oppo");
        for (chars, style) in [(50, 1), (51, 2), (128, 2)] {
            let body = "文".repeat(chars);
            request.alert =
                Some(Alert { title: "题".repeat(51), body: body.clone(), sound: None });
            let notification = of(&request)["notification"].clone();
            assert_eq!(notification["title"], format!("{}…", "题".repeat(49)));
            assert_eq!(
                (&notification["style"], &notification["content"]),
                (&style.into(), &body.into())
            );
        }
        request.alert.as_mut().unwrap().body = "文".repeat(129);
        assert_eq!(of(&request)["notification"]["content"], format!("{}…", "文".repeat(127)));
    }

    #[test]
    fn parameters_over_4000_characters_lose_what_they_can_do_without() {
        let mut request = samples::alert("oppo");
        let id = |n| NotificationId::parse(&format!("c.{n:0250}")).unwrap();
        request.data.wd = (0..32).map(id).collect();
        let parameters = of(&request)["notification"]["action_parameters"].clone();
        let parameters = parameters.as_str().unwrap();
        assert!((3700..=PARAMETERS_CHARS_MAX).contains(&parameters.len()), "{}", parameters.len());
        assert!(parameters.contains(id(31).as_str()) && parameters.contains("lunch"));
    }

    #[test]
    fn a_sender_may_add_but_not_replace_what_is_ours() {
        let mut request = samples::alert("oppo");
        let own = json!({"category": "MARKETING", "sub_title": "mine", "notify_id": 1});
        request.overrides = own.as_object().cloned();
        let notification = of(&request)["notification"].clone();
        assert_eq!(notification["category"], "IM");
        assert_eq!(notification["sub_title"], "mine");
        assert_eq!(notification["notify_id"], 138_096_421);
    }
}
