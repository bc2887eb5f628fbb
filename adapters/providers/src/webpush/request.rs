//! Web Push's form of a push.

use std::ops::RangeInclusive;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use nightjar_model::{NotificationId, WallMs};
use nightjar_push::{Answer, DATA_VERSION, Outcome, PushRequest};
use ring::digest;
use ring::rand::SystemRandom;
use serde_json::{Value, json};

use super::encryption::{PLAINTEXT_BYTES_MAX, encrypt};
use super::subscription::{Keys, Subscription};
use crate::lifetime;
use crate::overrides::merge;

/// What Mozilla, the strictest, takes: up to thirty days.
const TTL_S: RangeInclusive<u64> = 0..=2_592_000;

/// A push ready to be sent, more than once if need be.
pub(super) struct Prepared {
    pub(super) endpoint: Uri,
    pub(super) origin: String,
    /// All but the signature.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether the endpoint is Web Push's, which wants a signature.
    pub(super) is_encrypted: bool,
}

impl Prepared {
    /// Gives a push its form, or the answer that spares the service the request. Only an endpoint
    /// of UnifiedPush may do without keys.
    pub(super) fn new(
        request: &PushRequest,
        may_lack_keys: bool,
        now: WallMs,
        random: &SystemRandom,
    ) -> Result<Self, Answer> {
        let malformed = || Answer::new(Outcome::TokenInvalid, "malformed_subscription");
        let token = request.binding.token.expose();
        let Subscription { endpoint, origin, keys } =
            Subscription::read(token).ok_or_else(malformed)?;
        let mut headers = headers(request, now);
        let body = match &keys {
            Some(keys) => {
                let aes128gcm = HeaderValue::from_static("aes128gcm");
                headers.insert(CONTENT_ENCODING, aes128gcm);
                encrypted(request, keys, random)?
            }
            None if may_lack_keys => wake_up(),
            None => return Err(malformed()),
        };
        Ok(Self { endpoint, origin, headers, body: body.into(), is_encrypted: keys.is_some() })
    }
}

fn encrypted(request: &PushRequest, keys: &Keys, random: &SystemRandom) -> Result<Vec<u8>, Answer> {
    let plaintext = payload(request).to_string();
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(Answer::new(Outcome::TooLarge, "payload_too_large"));
    }
    // The point came from outside; random bytes have not failed since the server started.
    encrypt(keys, plaintext.as_bytes(), random)
        .map_err(|_| Answer::new(Outcome::TokenInvalid, "malformed_subscription"))
}

/// What may pass through hands that can read it: that there is something, and nothing of it.
fn wake_up() -> Vec<u8> {
    json!({ "v": DATA_VERSION }).to_string().into_bytes()
}

/// What the worker reads, all of it flat: what the sender has for it, the data part over it, and
/// what is shown.
fn payload(request: &PushRequest) -> Value {
    let mut payload = Value::Object(request.overrides.clone().unwrap_or_default());
    let mut ours = request.data.to_json();
    if let Some(alert) = &request.alert {
        ours.insert("title".into(), alert.title.as_str().into());
        ours.insert("body".into(), alert.body.as_str().into());
        if let Some(sound) = &alert.sound {
            ours.insert("sound".into(), sound.as_str().into());
        }
    }
    merge(&mut payload, Value::Object(ours));
    payload
}

fn headers(request: &PushRequest, now: WallMs) -> HeaderMap {
    let urgency = if request.alert.is_some() { "high" } else { "low" };
    let octets = HeaderValue::from_static("application/octet-stream");
    let ttl = HeaderValue::from(lifetime::seconds(request, now, TTL_S));
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, octets)]);
    headers.insert(HeaderName::from_static("ttl"), ttl);
    headers.insert(HeaderName::from_static("urgency"), HeaderValue::from_static(urgency));
    if let Some(id) = replaces(request) {
        let topic = topic(id);
        let topic = HeaderValue::from_str(&topic).expect("hex digits are visible ASCII");
        headers.insert(HeaderName::from_static("topic"), topic);
    }
    headers
}

/// What a push takes the place of while it waits at the service: an alert that of the same
/// notification, a withdrawal the newest alert that it takes back.
fn replaces(request: &PushRequest) -> Option<&NotificationId> {
    request.data.nid.as_ref().or(request.data.wd.last())
}

/// The notification id in 32 characters. RFC 8030 §5.4 allows base64url; some services take only
/// letters and digits of it.
fn topic(id: &NotificationId) -> String {
    let hash = digest::digest(&digest::SHA256, id.as_str().as_bytes());
    hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn what_the_worker_reads_of_an_alert() {
        let mut request = samples::alert("webpush");
        let own = json!({"icon": "/chat.png", "title": "mine", "badge": 99});
        request.overrides = own.as_object().cloned();
        request.alert.as_mut().unwrap().sound = Some("bell".into());
        insta::assert_snapshot!(serde_json::to_string_pretty(&payload(&request)).unwrap());
    }

    #[test]
    fn a_withdrawal_waits_in_the_place_of_what_it_takes_back() {
        let of = |request| headers(&request, WallMs(0))["topic"].clone();
        let (alert, withdrawal) = (samples::alert("webpush"), samples::withdrawal("webpush"));
        assert_eq!(of(alert), of(withdrawal));
        let mut other = samples::alert("webpush");
        other.data.nid = Some(NotificationId::conversation(&other.data.conv));
        assert_ne!(of(other), of(samples::alert("webpush")));
    }

    #[test]
    fn a_body_of_more_than_4096_bytes_is_not_sent() {
        let mut request = samples::alert("webpush");
        let rest = PLAINTEXT_BYTES_MAX - payload(&request).to_string().len();
        request.alert.as_mut().unwrap().body.push_str(&"x".repeat(rest + 1));
        let keys = Keys { p256dh: [4; 65], auth: [0; 16] };
        let answer = encrypted(&request, &keys, &SystemRandom::new()).unwrap_err();
        assert_eq!(answer.outcome, Outcome::TooLarge);
        request.alert.as_mut().unwrap().body.pop();
        let answer = encrypted(&request, &keys, &SystemRandom::new()).unwrap_err();
        assert_eq!(answer.outcome, Outcome::TokenInvalid, "it fits; the point is none");
    }
}
