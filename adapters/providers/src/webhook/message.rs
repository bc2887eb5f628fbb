//! The body of a push, and the id under which it is the same push again.

use nightjar_model::{NotificationId, WallMs};
use nightjar_push::PushRequest;
use ring::digest;
use serde_json::{Value, json};

use crate::overrides::merge;

/// Whether something is to be shown, or taken back.
fn kind(request: &PushRequest) -> &'static str {
    if request.alert.is_some() { "push.notification" } else { "push.withdrawal" }
}

/// What the sender has for the receiver, and ours over it.
pub(super) fn body(request: &PushRequest, now: WallMs) -> Value {
    let mut ours = json!({
        "type": kind(request),
        "at": now.0,
        "credential": request.binding.key.credential,
        "user": request.uid.as_str(),
        "device": request.device_id.as_str(),
        "token": request.binding.token.expose(),
        "data": request.data.to_json(),
    });
    if let Some(locale) = &request.binding.locale {
        ours["locale"] = locale.as_str().into();
    }
    if let Some(alert) = &request.alert {
        ours["title"] = alert.title.as_str().into();
        ours["body"] = alert.body.as_str().into();
        ours["sound"] = json!(alert.sound);
        ours["expires_at"] = request.data.exp.0.into();
    }
    let mut body = Value::Object(request.overrides.clone().unwrap_or_default());
    merge(&mut body, ours);
    body
}

/// The same for each try of one push to one device, by which a receiver knows what it has done
/// already: made of whom and what it is about, not of the badge of the moment.
pub(super) fn id(request: &PushRequest) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut part = |text: &str| {
        context.update(text.as_bytes());
        context.update(&[0]);
    };
    part(kind(request));
    part(&request.binding.key.credential);
    part(request.uid.as_str());
    part(request.device_id.as_str());
    match request.data.mid {
        Some(mid) => part(&mid.to_string()),
        // What was withdrawn may be shown and withdrawn again, at another place of the badge.
        None => part(&request.data.bv.to_string()),
    }
    request.data.wd.iter().map(NotificationId::as_str).for_each(part);
    let hash = context.finish();
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("push_{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_push_has_one_id_for_all_its_tries_and_no_other_has_it() {
        let alert = samples::alert("webhook");
        let mut again = alert.clone();
        again.data.badge += 1;
        again.data.bv += 1;
        again.alert.as_mut().unwrap().body = "shorter".into();
        assert_eq!(id(&alert), id(&again));

        let mut other_device = alert.clone();
        other_device.device_id = nightjar_model::DeviceId::parse("tablet").unwrap();
        let mut other_credential = alert.clone();
        other_credential.binding.key.credential = "spare".into();
        let mut later = samples::withdrawal("webhook");
        later.data.bv += 1;
        let all = [alert, other_device, other_credential, samples::withdrawal("webhook"), later];
        let ids: std::collections::BTreeSet<String> = all.iter().map(id).collect();
        assert_eq!(ids.len(), all.len());
    }
}
