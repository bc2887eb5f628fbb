//! What Huawei reports of messages it took, receipts v1 and v2, and how it proves that it is
//! Huawei.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nightjar_model::{MessageId, Secret, WallMs};
use ring::hmac;
use serde::Deserialize;

use crate::{Receipt, ReceiptError, ReceiptEvent, ReceiptRequest};

/// Who signed, when, and a number used once.
const SIGNATURE_HEADER: &str = "x-huawei-callback-id";
/// How far the moment of a signature may lie from ours.
const SIGNED_WITHIN_MS: u64 = 5 * 60 * 1000;
/// Huawei's own limit of statuses in a report.
const STATUSES_MAX: usize = 100;
/// The most signatures that are remembered. What is forgotten is refused as too old.
const SIGNATURES_MAX: usize = 4096;

/// What the console knows of the receipt address.
pub(crate) struct ReceiptKey {
    user: String,
    /// The secret as text, and what it is the base64 of: those of today are, older ones are not.
    keys: Vec<hmac::Key>,
    taken: Mutex<Taken>,
}

/// The reports taken of late, so that one that was overheard counts once.
#[derive(Default)]
struct Taken {
    signatures: BTreeSet<(u64, String)>,
    /// Nothing signed up to here is taken any more.
    floor: u64,
}

impl ReceiptKey {
    /// The key; `None` without a secret.
    pub(crate) fn new(user: &Option<String>, secret: &Option<Secret<String>>) -> Option<Self> {
        let secret = secret.as_ref()?.expose();
        let decoded = STANDARD.decode(secret).ok();
        let keys = [Some(secret.clone().into_bytes()), decoded];
        let key = |bytes: Vec<u8>| hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Some(Self {
            user: user.clone().unwrap_or_default(),
            keys: keys.into_iter().flatten().map(key).collect(),
            taken: Mutex::default(),
        })
    }

    /// Whether a signed report is to be taken; `false` for one that was.
    fn admit(&self, signature: &Signature<'_>, now: WallMs) -> Result<bool, ReceiptError> {
        let text = [signature.timestamp, signature.nonce, &self.user].concat();
        let value = STANDARD.decode(signature.value).map_err(|_| ReceiptError::Forged)?;
        let is_right = |key| hmac::verify(key, text.as_bytes(), &value).is_ok();
        if !self.keys.iter().any(is_right) {
            return Err(ReceiptError::Forged);
        }
        let at: u64 = signature.timestamp.parse().map_err(|_| ReceiptError::Malformed)?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0.abs_diff(at) > SIGNED_WITHIN_MS || at <= taken.floor {
            return Err(ReceiptError::Stale);
        }
        let is_new = taken.signatures.insert((at, signature.nonce.to_owned()));
        if taken.signatures.len() > SIGNATURES_MAX
            && let Some((oldest, _)) = taken.signatures.pop_first()
        {
            taken.floor = oldest;
        }
        Ok(is_new)
    }
}

/// `timestamp=…; nonce=…; value=…`
#[derive(Default)]
struct Signature<'a> {
    timestamp: &'a str,
    nonce: &'a str,
    value: &'a str,
}

impl<'a> Signature<'a> {
    fn parse(text: &'a str) -> Self {
        let mut signature = Self::default();
        for (name, value) in text.split(';').filter_map(|part| part.trim().split_once('=')) {
            match name {
                "timestamp" => signature.timestamp = value,
                "nonce" => signature.nonce = value,
                "value" => signature.value = value,
                _ => {}
            }
        }
        signature
    }
}

#[derive(Deserialize)]
struct Report {
    statuses: Vec<Status>,
}

/// One message on one device. Version 1 says `status`, version 2 `deliveryStatus`.
#[derive(Deserialize)]
struct Status {
    token: Secret<String>,
    #[serde(rename = "biTag", alias = "bi_tag", default)]
    tag: String,
    status: Option<u64>,
    timestamp: Option<u64>,
    #[serde(rename = "deliveryStatus")]
    delivery: Option<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    result: u64,
    timestamp: Option<u64>,
}

/// Why a message is not shown, by Huawei's number.
const RESULTS: &[(u64, &str)] = &[
    (2, "app uninstalled"),
    (5, "token of another device"),
    (6, "notifications switched off"),
    (10, "device inactive for 30 days"),
    (14, "network of the device"),
    (15, "replaced in the queue"),
    (22, "another user of the device"),
    (31, "target of a tap missing"),
    (51, "device locked since it started"),
    (102, "too frequent"),
    (144, "another profile"),
    (188, "app could not be started"),
    (191, "badge not set"),
    (256, "too frequent"),
    (259, "content refused"),
];
const ARRIVED: u64 = 0;
/// The app does not run, and the message waits for it: there will be another report.
const WAITS: u64 = 27;

/// Reads a report. What has no signature, as the console's test call, is taken and says nothing.
pub(crate) fn read(
    key: &ReceiptKey,
    request: &ReceiptRequest<'_>,
    now: WallMs,
) -> Result<Vec<Receipt>, ReceiptError> {
    let Some(signature) = request.headers.get(SIGNATURE_HEADER) else { return Ok(Vec::new()) };
    let signature = signature.to_str().map_err(|_| ReceiptError::Malformed)?;
    let is_new = key.admit(&Signature::parse(signature), now)?;
    let report: Report =
        serde_json::from_slice(request.body).map_err(|_| ReceiptError::Malformed)?;
    if report.statuses.len() > STATUSES_MAX {
        return Err(ReceiptError::TooMany);
    }
    Ok(report.statuses.into_iter().filter(|_| is_new).filter_map(receipt).collect())
}

/// `None` for what waits, and for a message that was not tagged by us.
fn receipt(status: Status) -> Option<Receipt> {
    let (result, at) = match status.delivery {
        Some(delivery) => (delivery.result, delivery.timestamp.or(status.timestamp)),
        None => (status.status?, status.timestamp),
    };
    let event = match result {
        ARRIVED => ReceiptEvent::Arrived,
        WAITS => return None,
        other => {
            let known = RESULTS.iter().find(|(number, _)| *number == other);
            let word = known.map_or_else(|| format!("result {other}"), |(_, word)| (*word).into());
            ReceiptEvent::Failed(word)
        }
    };
    let mid = MessageId::parse(&status.tag).ok()?;
    Some(Receipt { mid, token: status.token, event, at: at.map(WallMs) })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use nightjar_provider_servers::huawei_signature;
    use serde_json::{Value, json};

    use super::*;
    use crate::samples::{MID, TOKEN};

    const NOW: u64 = 1_795_622_400_000;
    /// The base64 of `a receipt secret`.
    const SECRET: &str = "YSByZWNlaXB0IHNlY3JldA==";

    fn key(secret: &str) -> ReceiptKey {
        ReceiptKey::new(&Some("nightjar".into()), &Some(Secret::new(secret.into()))).unwrap()
    }

    fn told(key: &ReceiptKey, signature: Option<&str>, body: &Value) -> Answer {
        let headers = signature.map(|text| HeaderValue::from_str(text).unwrap());
        let headers: HeaderMap = headers
            .into_iter()
            .map(|value| (http::HeaderName::from_static(SIGNATURE_HEADER), value))
            .collect();
        let body = body.to_string();
        let request = ReceiptRequest { query: "", headers: &headers, body: body.as_bytes() };
        read(key, &request, WallMs(NOW))
    }

    type Answer = Result<Vec<Receipt>, ReceiptError>;

    fn signed(secret: &[u8], at: u64, nonce: &str) -> String {
        huawei_signature(secret, at, nonce, "nightjar")
    }

    fn report(statuses: usize) -> Value {
        let status = json!({ "token": TOKEN, "biTag": MID, "status": 0, "timestamp": 5 });
        json!({ "statuses": vec![status; statuses] })
    }

    #[test]
    fn both_versions_are_read_and_what_is_not_ours_is_left_out() {
        let status = |tag: &str, status: u64| {
            json!({ "appid": "1", "token": TOKEN, "biTag": tag, "status": status,
                    "timestamp": 5, "requestId": "r" })
        };
        let second = |result: u64| {
            json!({ "token": TOKEN, "pushType": 0, "biTag": MID, "appPackageName": "com.example",
                    "deliveryStatus": { "result": result, "timestamp": 6 } })
        };
        let body = json!({ "statuses": [
            status(MID, 0), status(MID, 2), status(MID, 27), status(MID, 999), status("", 0),
            status("somebody else's", 0), second(0), second(6),
            json!({ "token": TOKEN, "biTag": MID, "formStatus": {} }),
        ] });
        let receipts =
            told(&key(SECRET), Some(&signed(SECRET.as_bytes(), NOW, "n")), &body).unwrap();
        assert!(
            receipts.iter().all(|one| one.mid.to_string() == MID && one.token.expose() == TOKEN)
        );
        let events: Vec<_> =
            receipts.iter().map(|one| (one.event.clone(), one.at.unwrap().0)).collect();
        let failed = |word: &str| ReceiptEvent::Failed(word.into());
        assert_eq!(
            events,
            [
                (ReceiptEvent::Arrived, 5),
                (failed("app uninstalled"), 5),
                (failed("result 999"), 5),
                (ReceiptEvent::Arrived, 6),
                (failed("notifications switched off"), 6),
            ]
        );
    }

    #[test]
    fn a_secret_signs_as_text_or_as_what_it_is_the_base64_of() {
        for bytes in [SECRET.as_bytes(), b"a receipt secret"] {
            let taken = told(&key(SECRET), Some(&signed(bytes, NOW, "n")), &report(1));
            assert_eq!(taken.unwrap().len(), 1);
        }
    }

    #[test]
    fn a_report_that_does_not_prove_itself_is_refused() {
        let good = signed(SECRET.as_bytes(), NOW, "n");
        for (header, why) in [
            (signed(b"another", NOW, "n"), ReceiptError::Forged),
            (good.replace("nonce=n", "nonce=m"), ReceiptError::Forged),
            (good.replace("value=", "value=AAAA"), ReceiptError::Forged),
            (huawei_signature(SECRET.as_bytes(), NOW, "n", "mallory"), ReceiptError::Forged),
            ("timestamp=1".into(), ReceiptError::Forged),
            (String::new(), ReceiptError::Forged),
            (signed(SECRET.as_bytes(), NOW - SIGNED_WITHIN_MS - 1, "n"), ReceiptError::Stale),
            (signed(SECRET.as_bytes(), NOW + SIGNED_WITHIN_MS + 1, "n"), ReceiptError::Stale),
        ] {
            assert_eq!(told(&key(SECRET), Some(&header), &report(1)), Err(why), "{header}");
        }
    }

    #[test]
    fn a_report_is_of_huaweis_form_and_of_a_hundred_statuses_at_most() {
        let answer =
            |body: &Value| told(&key(SECRET), Some(&signed(SECRET.as_bytes(), NOW, "n")), body);
        assert_eq!(answer(&report(100)).unwrap().len(), 100);
        assert_eq!(answer(&report(101)), Err(ReceiptError::TooMany));
        for body in [json!(null), json!({}), json!({ "statuses": [{}] }), json!({ "statuses": 1 })]
        {
            assert_eq!(answer(&body), Err(ReceiptError::Malformed), "{body}");
        }
    }

    #[test]
    fn the_consoles_test_call_has_no_signature_and_changes_nothing() {
        assert_eq!(told(&key(SECRET), None, &report(1)), Ok(Vec::new()));
        assert_eq!(told(&key(SECRET), None, &json!("hello")), Ok(Vec::new()));
    }

    #[test]
    fn a_report_counts_once_and_what_was_forgotten_not_at_all() {
        let key = key(SECRET);
        let take = |at, nonce: &str| {
            told(&key, Some(&signed(SECRET.as_bytes(), at, nonce)), &report(1)).map(|all| all.len())
        };
        assert_eq!([take(NOW, "n"), take(NOW, "n"), take(NOW, "m")], [Ok(1), Ok(0), Ok(1)]);
        assert_eq!(take(NOW - 2, "old"), Ok(1));
        for n in 3..SIGNATURES_MAX {
            assert_eq!(take(NOW - 1, &n.to_string()), Ok(1));
        }
        assert_eq!(take(NOW - 2, "old"), Ok(0));
        assert_eq!(take(NOW + 1, "one too many"), Ok(1));
        assert_eq!(take(NOW - 2, "old"), Err(ReceiptError::Stale));
    }
}
