//! APNs' form of a push.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Version};
use nightjar_model::{NotificationId, WallMs};
use nightjar_push::{Alert, Answer, Outcome, PushRequest};
use ring::digest;
use ring::error::Unspecified;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use super::ApnsKind;
use super::token::Bearer;
use crate::answers;
use crate::clock::wall_now;
use crate::overrides::merge;
use crate::transport::Origin;

/// Apple's limit for `apns-collapse-id`.
const COLLAPSE_ID_BYTES_MAX: usize = 64;

/// A push ready to be sent to either environment, more than once if need be.
pub(super) struct Prepared {
    /// `/3/device/<token>`.
    path: String,
    headers: HeaderMap,
    pub(super) payload: Bytes,
    /// Our `apns-id`, which Apple echoes.
    pub(super) apns_id: String,
}

impl Prepared {
    /// Gives a push its form, or the answer that spares Apple the request.
    pub(super) fn new(
        request: &PushRequest,
        kind: ApnsKind,
        topic: &HeaderValue,
        random: &SystemRandom,
    ) -> Result<Self, Answer> {
        let path = device_path(request.binding.token.expose())
            .ok_or_else(|| Answer::new(Outcome::TokenInvalid, "malformed_token"))?;
        let payload = payload(request, kind)?.to_string();
        if payload.len() > kind.payload_bytes_max() {
            return Err(Answer::new(Outcome::TooLarge, "payload_too_large"));
        }
        let apns_id = new_uuid(random).map_err(|_| answers::unsignable())?;
        let mut headers = kind_headers(request, kind);
        headers.insert(HeaderName::from_static("apns-topic"), topic.clone());
        // Explicit even when it is 0: without the header APNs keeps a push for as long as it likes.
        headers.insert(
            HeaderName::from_static("apns-expiration"),
            HeaderValue::from(request.data.exp.0 / 1000),
        );
        headers.insert(HeaderName::from_static("apns-id"), ascii(&apns_id));
        Ok(Self { path, headers, payload: payload.into(), apns_id })
    }

    /// The head of the request for one attempt.
    pub(super) fn head(
        &self,
        origin: &Origin,
        bearer: Option<&Bearer>,
    ) -> Result<Request<()>, http::Error> {
        let mut request = Request::post(origin.url(&self.path)).version(Version::HTTP_2).body(())?;
        *request.headers_mut() = self.headers.clone();
        if let Some(bearer) = bearer {
            request.headers_mut().insert(AUTHORIZATION, bearer.value.clone());
        }
        Ok(request)
    }
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("UUIDs, checked ids and hex digits are visible ASCII")
}

/// `None` for a token no device can have. Apple may change its length and form at any time, so
/// whatever can stand in a path segment is sent.
fn device_path(token: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:".contains(c);
    (!token.is_empty() && token.chars().all(allowed)).then(|| format!("/3/device/{token}"))
}

fn kind_headers(request: &PushRequest, kind: ApnsKind) -> HeaderMap {
    let alert = request.alert.is_some() && kind == ApnsKind::Alert;
    let (kind, priority) = match kind {
        ApnsKind::Alert if alert => ("alert", "10"),
        // Apple refuses a background push with priority 10.
        ApnsKind::Alert => ("background", "5"),
        ApnsKind::Voip => ("voip", "10"),
        ApnsKind::LiveActivity => ("liveactivity", "10"),
    };
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(HeaderName::from_static("apns-push-type"), HeaderValue::from_static(kind));
    headers.insert(HeaderName::from_static("apns-priority"), HeaderValue::from_static(priority));
    if let (true, Some(nid)) = (alert, &request.data.nid) {
        headers.insert(HeaderName::from_static("apns-collapse-id"), ascii(&collapse_id(nid)));
    }
    headers
}

/// The notification id itself where Apple takes it. The id of a storm may be longer or hold
/// letters beyond ASCII: then a hash stands for it, and the app finds the id in the data part.
fn collapse_id(nid: &NotificationId) -> String {
    let text = nid.as_str();
    if text.len() <= COLLAPSE_ID_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("c.{hex}")
}

/// What the sender has for APNs, the data part at top level over it, and ours in `aps` last: no
/// key of the sender replaces one of ours.
fn payload(request: &PushRequest, kind: ApnsKind) -> Result<Value, Answer> {
    let mut payload = Value::Object(request.overrides.clone().unwrap_or_default());
    let mut ours = request.data.to_json();
    let aps = match (kind, &request.alert) {
        (ApnsKind::Alert, Some(alert)) => alert_aps(request, alert),
        (ApnsKind::Alert, None) => json!({ "content-available": 1 }),
        (ApnsKind::Voip, Some(alert)) => {
            json!({ "alert": { "title": alert.title, "body": alert.body } })
        }
        (ApnsKind::LiveActivity, Some(_)) => activity_aps(&payload, wall_now())?,
        // A call must be reported and an activity must change: neither can pass in silence.
        (ApnsKind::Voip | ApnsKind::LiveActivity, None) => return Err(answers::no_withdrawal()),
    };
    ours.insert("aps".into(), aps);
    merge(&mut payload, Value::Object(ours));
    Ok(payload)
}

/// The sender says what an activity shows; Apple wants to know what it does and when that was.
fn activity_aps(theirs: &Value, now: WallMs) -> Result<Value, Answer> {
    let theirs = &theirs["aps"];
    if !theirs["content-state"].is_object() {
        return Err(Answer::new(Outcome::Reject, "content_state_missing"));
    }
    let event = theirs["event"].as_str().unwrap_or("update");
    Ok(json!({ "timestamp": now.0 / 1000, "event": event }))
}

fn alert_aps(request: &PushRequest, alert: &Alert) -> Value {
    let mut aps = json!({
        "alert": { "title": alert.title, "body": alert.body },
        "badge": request.data.badge,
        "mutable-content": 1,
        "thread-id": request.data.conv.as_str(),
    });
    // A sound that only the override names is played; ours would be the default.
    let named = request.overrides.as_ref().and_then(|own| own.get("aps")?.get("sound"));
    if alert.sound.is_some() || named.is_none() {
        aps["sound"] = alert.sound.as_deref().unwrap_or("default").into();
    }
    aps
}

fn new_uuid(random: &SystemRandom) -> Result<String, Unspecified> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

#[cfg(test)]
mod tests {
    use nightjar_model::{ConversationId, Uid};

    use super::*;
    use crate::samples;

    fn prepared(request: &PushRequest) -> Result<Prepared, Answer> {
        let topic = HeaderValue::from_static("com.example");
        Prepared::new(request, ApnsKind::Alert, &topic, &SystemRandom::new())
    }

    #[test]
    fn a_payload_over_4096_bytes_is_not_sent() {
        let mut request = samples::alert("apns");
        let max = ApnsKind::Alert.payload_bytes_max();
        let rest = max - prepared(&request).unwrap().payload.len();
        request.alert.as_mut().unwrap().body.push_str(&"x".repeat(rest));
        assert_eq!(prepared(&request).unwrap().payload.len(), max);
        request.alert.as_mut().unwrap().body.push('x');
        assert_eq!(prepared(&request).err().unwrap().outcome, Outcome::TooLarge);
    }

    #[test]
    fn a_token_that_cannot_stand_in_a_path_is_not_sent() {
        for token in ["", "a/b", "a b", "a?b", "é"] {
            let answer = prepared(&samples::alert_to("apns", token)).err().unwrap();
            assert_eq!(answer.outcome, Outcome::TokenInvalid, "{token:?}");
        }
    }

    #[test]
    fn a_collapse_id_is_the_notification_id_unless_apple_would_refuse_it() {
        let storm = |a: &str, b: &str| {
            let (a, b) = (Uid::parse(a).unwrap(), Uid::parse(b).unwrap());
            NotificationId::conversation(&ConversationId::direct(&a, &b))
        };
        assert_eq!(collapse_id(&storm("alice", "bob")), "c.d:alice:bob");
        let long = collapse_id(&storm(&"a".repeat(60), "bob"));
        let other = collapse_id(&storm(&"a".repeat(61), "bob"));
        assert!(long.len() <= COLLAPSE_ID_BYTES_MAX && long != other);
        assert!(collapse_id(&storm("алиса", "bob")).is_ascii());
    }
}
