//! Xiaomi's form of a push.

use nightjar_model::WallMs;
use nightjar_push::{Alert, PushRequest};
use serde_json::{Map, Value};

use super::XiaomiConfig;
use crate::form::Form;
use crate::notify_id::{notify_id, short_key};
use crate::receipt_tag;
use crate::text::{Count, Limits, shown};
use crate::{data, lifetime};

/// "Shorter than 50" and "shorter than 128", each character counted once.
const LIMITS: Limits = Limits { title: 49, body: 127, count: Count::Utf16 };
/// The most bytes of `payload`. UNVERIFIED: other senders keep to it.
const PAYLOAD_BYTES_MAX: usize = 4096;
/// The longest Xiaomi keeps a message: two weeks.
const TTL_S_MAX: u64 = 14 * 24 * 3600;
/// The most characters of `extra.jobkey`.
const JOB_KEY_CHARS: usize = 12;

/// Where a receipt goes, and what it repeats.
pub(super) const RECEIPT_FIELDS: [&str; 2] = ["extra.callback", "extra.callback.param"];

/// The body of `message/regid`.
pub(super) fn form(config: &XiaomiConfig, request: &PushRequest, now: WallMs) -> Form {
    let text = |part: &Map<String, Value>| Value::Object(part.clone()).to_string();
    let part = data::fitting(&request.data, |part| text(part).len() <= PAYLOAD_BYTES_MAX);
    // What the sender has for Xiaomi lies under ours: it may add, not replace.
    let mut form = request.overrides.as_ref().map(Form::from_json).unwrap_or_default();
    form.set("registration_id", request.binding.token.expose().as_str());
    form.set("restricted_package_name", &config.package_name);
    form.set("payload", text(&part));
    let ttl_ms = lifetime::seconds(request, now, 1..=TTL_S_MAX) * 1000;
    form.set("time_to_live", ttl_ms.to_string());
    match &request.alert {
        Some(alert) => show(&mut form, config, request, alert),
        // The app gets it if it runs, and nobody sees it.
        None => form.set("pass_through", "1"),
    }
    form
}

fn show(form: &mut Form, config: &XiaomiConfig, request: &PushRequest, alert: &Alert) {
    let (title, description) = shown(alert, LIMITS);
    form.set("pass_through", "0");
    form.set("title", title);
    form.set("description", description);
    // Sound, vibration and light, as far as the channel has them.
    form.set("notify_type", "-1");
    form.set("extra.channel_id", &config.channel_id);
    // A click opens the app, which finds `payload` in its intent.
    form.set("extra.notify_effect", "1");
    // UNVERIFIED: from one other sender. A phone that does not know it counts by itself.
    form.set("extra.badge", request.data.badge.to_string());
    if let Some(sound) = &alert.sound {
        let uri = format!("android.resource://{}/raw/{sound}", config.package_name);
        form.set("extra.sound_uri", uri);
    }
    if let Some(nid) = &request.data.nid {
        form.set("notify_id", notify_id(nid).to_string());
    }
    let Some(mid) = request.data.mid else { return };
    // Of messages with one key a phone shows the first: a request that was repeated because its
    // answer was lost alerts once.
    form.set("extra.jobkey", short_key(&mid.to_string(), JOB_KEY_CHARS));
    if let Some(url) = &config.receipt_url {
        let [callback, param] = RECEIPT_FIELDS;
        form.set(callback, url);
        form.set(param, receipt_tag::sign(&config.app_secret, mid, &request.binding.token));
    }
}

#[cfg(test)]
mod tests {
    use nightjar_model::NotificationId;
    use serde_json::json;

    use super::*;
    use crate::samples;
    use crate::xiaomi::tests::config;

    fn fields(request: &PushRequest) -> Value {
        form(&config("http://127.0.0.1:9"), request, WallMs(0)).to_json()
    }

    #[test]
    fn a_text_is_cut_to_what_xiaomi_shows() {
        let mut request = samples::alert("xiaomi");
        let alert = request.alert.as_mut().unwrap();
        (alert.title, alert.body) = ("题".repeat(50), "文".repeat(128));
        let cut = fields(&request);
        assert_eq!(cut["title"], format!("{}…", "题".repeat(48)));
        assert_eq!(cut["description"], format!("{}…", "文".repeat(126)));
    }

    #[test]
    fn a_payload_over_4096_bytes_loses_what_it_can_do_without() {
        let mut request = samples::withdrawal("xiaomi");
        let id = |n| NotificationId::parse(&format!("c.{n:0250}")).unwrap();
        request.data.wd = (0..32).map(id).collect();
        let payload = fields(&request)["payload"].as_str().unwrap().to_owned();
        assert!((3800..=PAYLOAD_BYTES_MAX).contains(&payload.len()), "{}", payload.len());
        assert!(payload.contains(id(31).as_str()) && !payload.contains(id(0).as_str()));
    }

    #[test]
    fn a_sender_may_add_to_the_form_but_not_replace_what_is_ours() {
        let mut request = samples::alert("xiaomi");
        request.alert.as_mut().unwrap().sound = Some("bell".into());
        let own = json!({
            "registration_id": "another", "payload": "", "time_to_live": 1,
            "extra": {"channel_id": "marketing", "only_send_once": 1},
        });
        request.overrides = own.as_object().cloned();
        let form = fields(&request);
        assert_eq!(form["registration_id"], samples::TOKEN);
        assert_eq!(form["extra.channel_id"], "chat");
        assert_eq!(form["extra.only_send_once"], "1");
        assert_eq!(form["time_to_live"], (TTL_S_MAX * 1000).to_string());
        assert_eq!(form["extra.sound_uri"], "android.resource://com.example.chat/raw/bell");
        let payload: Value = serde_json::from_str(form["payload"].as_str().unwrap()).unwrap();
        assert_eq!(payload["nid"], request.data.nid.unwrap().as_str());
    }
}
