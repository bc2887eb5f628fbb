//! What Xiaomi reports later: a form whose field `data` is a JSON object, message id to
//! `{param, type, targets, timestamp}`. Nothing is signed, so `param` is our own tag.

use std::collections::BTreeMap;

use nightjar_model::{Secret, WallMs};
use serde::Deserialize;
use serde_json::Value;

use crate::codes::number;
use crate::form;
use crate::receipt::{RECEIPTS_MAX, Receipt, ReceiptError, ReceiptEvent};
use crate::receipt_tag;

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    param: String,
    #[serde(rename = "type")]
    kind: Value,
    targets: String,
    #[serde(default)]
    timestamp: Value,
}

/// The receipts of a report that are ours. What else the app's key was used for is left out; a
/// report of nothing else is forged.
pub(super) fn read(
    app_secret: &Secret<String>,
    body: &[u8],
    now: WallMs,
) -> Result<Vec<Receipt>, ReceiptError> {
    let data = form::field(body, "data").ok_or(ReceiptError::Malformed)?;
    let entries: BTreeMap<String, Entry> =
        serde_json::from_str(&data).map_err(|_| ReceiptError::Malformed)?;
    let targets = entries.values().flat_map(|entry| {
        let tokens = entry.targets.split(',').map(str::trim).filter(|token| !token.is_empty());
        tokens.map(move |token| (entry, token))
    });
    let targets: Vec<_> = targets.take(RECEIPTS_MAX + 1).collect();
    if targets.len() > RECEIPTS_MAX {
        return Err(ReceiptError::TooMany);
    }
    let mut ours = receipt_tag::Ours::new(app_secret, now);
    for (entry, token) in targets {
        let at = number(&entry.timestamp).and_then(|ms| u64::try_from(ms).ok()).map(WallMs);
        for event in events(number(&entry.kind)) {
            ours.add(&entry.param, token, event, at);
        }
    }
    ours.receipts()
}

/// What a `type` says; nothing of what is not known.
fn events(kind: Option<i64>) -> Vec<ReceiptEvent> {
    let failed = |why: &str| vec![ReceiptEvent::Failed(why.to_owned())];
    match kind {
        Some(1) => vec![ReceiptEvent::Arrived],
        Some(2) => vec![ReceiptEvent::Clicked],
        Some(3) => vec![ReceiptEvent::Arrived, ReceiptEvent::Clicked],
        Some(16) => failed("16 token invalid"),
        Some(32) => failed("32 push switched off on the device"),
        Some(64) => failed("64 filtered"),
        Some(128) => failed("128 limit of the day"),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use form_urlencoded::Serializer;
    use nightjar_model::MessageId;
    use serde_json::json;

    use super::*;
    use crate::samples;

    const NOW: WallMs = WallMs(1_730_000_000_000);

    fn secret() -> Secret<String> {
        Secret::new("app secret".into())
    }

    fn tag() -> String {
        let mid = MessageId::parse(samples::MID).unwrap();
        receipt_tag::sign(&secret(), mid, &Secret::new(samples::TOKEN.into()))
    }

    fn entry(kind: impl Into<Value>) -> Value {
        let kind = kind.into();
        json!({"param": tag(), "type": kind, "targets": samples::TOKEN, "timestamp": 1_729_999_999_000_u64})
    }

    fn report(data: &Value) -> Result<Vec<Receipt>, ReceiptError> {
        let form = Serializer::new(String::new()).append_pair("data", &data.to_string()).finish();
        read(&secret(), form.as_bytes(), NOW)
    }

    #[test]
    fn every_kind_of_receipt_is_told_apart() {
        let mut told = Vec::new();
        for kind in [1, 2, 3, 16, 32, 64, 128] {
            let receipts = report(&json!({ "slm1": entry(kind) })).unwrap();
            let found = receipts.iter().all(|receipt| {
                receipt.mid.to_string() == samples::MID
                    && receipt.token.expose() == samples::TOKEN
                    && receipt.at == Some(WallMs(1_729_999_999_000))
            });
            assert!(found, "{receipts:?}");
            let events: Vec<_> = receipts.into_iter().map(|receipt| receipt.event).collect();
            told.push(format!("{kind:>4} {events:?}"));
        }
        insta::assert_snapshot!(told.join("\n"));
        assert_eq!(report(&json!({ "slm1": entry("1") })).unwrap().len(), 1);
        assert_eq!(report(&json!({ "slm1": entry(512) })), Ok(Vec::new()));
    }

    #[test]
    fn what_is_not_ours_is_left_out_and_nothing_but_it_refused() {
        let mut foreign = entry(1);
        foreign["param"] = "news".into();
        let mut another = entry(1);
        another["targets"] = "another-token".into();
        let mixed = json!({ "a": foreign, "b": another, "c": entry(2) });
        assert_eq!(report(&mixed).unwrap().len(), 1);
        for lone in [&mixed["a"], &mixed["b"]] {
            assert_eq!(report(&json!({ "a": lone })), Err(ReceiptError::Forged));
        }
    }

    #[test]
    fn what_is_no_report_is_refused_and_so_is_too_much_of_it() {
        for body in ["", "data", "data=", "data=%5B%5D", "data=%7B%22a%22%3A1%7D", "{}", "\u{1}"] {
            let refused = read(&secret(), body.as_bytes(), NOW);
            assert_eq!(refused, Err(ReceiptError::Malformed), "{body:?}");
        }
        let mut many = entry(1);
        many["targets"] = vec![samples::TOKEN; RECEIPTS_MAX + 1].join(",").into();
        assert_eq!(report(&json!({ "a": many })), Err(ReceiptError::TooMany));
    }
}
