//! Meizu's form of a push.

use nightjar_model::WallMs;
use nightjar_push::{Alert, PushRequest};
use serde_json::{Value, json};

use super::MeizuConfig;
use crate::digest::md5_hex;
use crate::form::Form;
use crate::notify_id::short_key;
use crate::overrides::merge;
use crate::text::{Count, Limits, shown};
use crate::{lifetime, receipt_tag};

/// "1 to 32" and "1 to 100".
const LIMITS: Limits = Limits { title: 32, body: 100, count: Count::Utf16 };
const HOUR_S: u64 = 3600;
/// The longest Meizu keeps a message.
const VALID_HOURS_MAX: u64 = 72;
/// The most characters of `notifyKey`.
const NOTIFY_KEY_CHARS: usize = 8;
/// `noticeMsgType` of what one person writes to another: without the limits of public messages.
const PRIVATE: u8 = 1;

/// The field `messageJson` of an alert.
pub(super) fn message(
    config: &MeizuConfig,
    request: &PushRequest,
    alert: &Alert,
    now: WallMs,
) -> Value {
    let (title, content) = shown(alert, LIMITS);
    let seconds = lifetime::seconds(request, now, HOUR_S..=VALID_HOURS_MAX * HOUR_S);
    let mut ours = json!({
        "noticeBarInfo": {
            "noticeMsgType": PRIVATE, "noticeBarType": 0, "title": title, "content": content,
        },
        "noticeExpandInfo": { "noticeExpandType": 0 },
        // A click opens the app, which finds the parameters in its intent.
        "clickTypeInfo": { "clickType": 0, "parameters": request.data.to_json() },
        "pushTimeInfo": { "offLine": 1, "validTime": seconds.div_ceil(HOUR_S) },
        "advanceInfo": {
            "suspend": 1,
            "clearNoticeBar": 1,
            "notificationType": { "vibrate": 1, "lights": 1, "sound": 1 },
        },
    });
    if let Some(nid) = &request.data.nid {
        ours["advanceInfo"]["notifyKey"] = short_key(nid.as_str(), NOTIFY_KEY_CHARS).into();
    }
    if let (Some(url), Some(mid)) = (&config.receipt_url, request.data.mid) {
        let param = receipt_tag::sign(&config.app_secret, mid, &request.binding.token);
        // Of arrivals (1) and clicks (2).
        ours["extra"] = json!({ "callback": url, "callback.param": param, "callback.type": 3 });
    }
    let mut message = Value::Object(request.overrides.clone().unwrap_or_default());
    merge(&mut message, ours);
    message
}

/// The signed body of `pushByPushId`.
pub(super) fn form(config: &MeizuConfig, push_id: &str, message: &Value) -> Form {
    let mut form = Form::default();
    form.set("appId", &config.app_id);
    form.set("pushIds", push_id);
    form.set("messageJson", message.to_string());
    form.set("sign", sign(&form, config.app_secret.expose()));
    form
}

/// Every field as it is before it is encoded, by name, then the secret.
fn sign(form: &Form, secret: &str) -> String {
    let fields = form.fields().map(|(name, value)| format!("{name}={value}"));
    md5_hex(&(fields.collect::<String>() + secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meizu::tests::config;
    use crate::samples;

    /// From the vendor's own page on signatures (`MEIZUPUSH/PushAPI`, README).
    #[test]
    fn the_signature_is_the_published_one() {
        let mut form = Form::default();
        form.set("appId", "10000");
        form.set("pushIds", "RA50c6348036344485d01776773577c64740465480a6b");
        let message =
            r#"{"title":"title","content":"content","pushTimeInfo":{"offLine":1,"validTime":24}}"#;
        form.set("messageJson", message);
        assert_eq!(sign(&form, "<APP_SECRET>"), "ac076ff25d9900015a681cb5172aa53b");
    }

    fn of(request: &PushRequest, now: WallMs) -> Value {
        message(&config("http://127.0.0.1:9"), request, request.alert.as_ref().unwrap(), now)
    }

    #[test]
    fn a_text_is_cut_and_a_lifetime_is_whole_hours() {
        let mut request = samples::alert("meizu");
        request.alert =
            Some(Alert { title: "题".repeat(33), body: "文".repeat(101), sound: None });
        let cut = of(&request, WallMs(0));
        assert_eq!(cut["noticeBarInfo"]["title"], format!("{}…", "题".repeat(31)));
        assert_eq!(cut["noticeBarInfo"]["content"], format!("{}…", "文".repeat(99)));
        let hours = |left_s: u64| {
            let now = WallMs(samples::EXP.0 - left_s * 1000);
            of(&request, now)["pushTimeInfo"]["validTime"].clone()
        };
        assert_eq!([0, 3600, 3601, 73 * 3600].map(hours), [1, 1, 2, 72]);
    }

    #[test]
    fn a_sender_may_add_but_not_replace_what_is_ours() {
        let mut request = samples::alert("meizu");
        let own = json!({
            "noticeBarInfo": {"noticeMsgType": 0},
            "advanceInfo": {"fixDisplay": 1, "notifyKey": "mine"},
            "clickTypeInfo": {"parameters": {"badge": 999, "mine": 1}},
        });
        request.overrides = own.as_object().cloned();
        let all = of(&request, WallMs(0));
        assert_eq!(all["noticeBarInfo"]["noticeMsgType"], 1);
        assert_eq!(all["advanceInfo"]["fixDisplay"], 1);
        assert_ne!(all["advanceInfo"]["notifyKey"], "mine");
        assert_eq!(all["clickTypeInfo"]["parameters"]["badge"], 3);
        assert_eq!(all["clickTypeInfo"]["parameters"]["mine"], 1);
    }
}
