//! What Meizu reports later: a form of `cb`, a JSON object of `msgId-type` to
//! `{param, type, targets}`, and `access_token`. `param` is our own tag.

use std::collections::BTreeMap;

use nightjar_model::{Secret, WallMs};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::MeizuConfig;
use crate::codes::number;
use crate::receipt::{RECEIPTS_MAX, Receipt, ReceiptError, ReceiptEvent};
use crate::{form, receipt_tag};

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    param: String,
    #[serde(rename = "type")]
    kind: Value,
    targets: Vec<String>,
}

/// The receipts of a report that are ours.
pub(super) fn read(
    config: &MeizuConfig,
    body: &[u8],
    now: WallMs,
) -> Result<Vec<Receipt>, ReceiptError> {
    if let Some(expected) = &config.receipt_token {
        let given = form::field(body, "access_token").unwrap_or_default();
        if !is_same(expected, &given) {
            return Err(ReceiptError::Forged);
        }
    }
    let entries = form::field(body, "cb").ok_or(ReceiptError::Malformed)?;
    let entries: BTreeMap<String, Entry> =
        serde_json::from_str(&entries).map_err(|_| ReceiptError::Malformed)?;
    if entries.values().map(|entry| entry.targets.len()).sum::<usize>() > RECEIPTS_MAX {
        return Err(ReceiptError::TooMany);
    }
    let mut ours = receipt_tag::Ours::new(&config.app_secret, now);
    for entry in entries.values() {
        let event = match number(&entry.kind) {
            Some(1) => ReceiptEvent::Arrived,
            Some(2) => ReceiptEvent::Clicked,
            _ => continue,
        };
        for token in &entry.targets {
            ours.add(&entry.param, token, event.clone(), None);
        }
    }
    ours.receipts()
}

fn is_same(expected: &Secret<String>, given: &str) -> bool {
    expected.expose().as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use form_urlencoded::Serializer;
    use nightjar_model::MessageId;
    use serde_json::json;

    use super::*;
    use crate::meizu::tests::config;
    use crate::samples;

    const NOW: WallMs = WallMs(1_730_000_000_000);

    fn entry(kind: u8, targets: &[&str]) -> Value {
        let mid = MessageId::parse(samples::MID).unwrap();
        let secret = config("http://127.0.0.1:9").app_secret;
        let param = receipt_tag::sign(&secret, mid, &Secret::new(samples::TOKEN.into()));
        json!({ "param": param, "type": kind, "targets": targets })
    }

    fn report(cb: &Value, access_token: Option<&str>) -> Result<Vec<Receipt>, ReceiptError> {
        let mut form = Serializer::new(String::new());
        form.append_pair("cb", &cb.to_string());
        if let Some(token) = access_token {
            form.append_pair("access_token", token);
        }
        let receipt_token = Some(Secret::new("console token".into()));
        let config = MeizuConfig { receipt_token, ..config("http://127.0.0.1:9") };
        read(&config, form.finish().as_bytes(), NOW)
    }

    #[test]
    fn arrivals_and_clicks_are_told_apart() {
        let cb = json!({
            "NS1-1": entry(1, &[samples::TOKEN]),
            "NS1-2": entry(2, &[samples::TOKEN, "another"]),
            "NS1-9": entry(9, &[samples::TOKEN]),
        });
        let receipts = report(&cb, Some("console token")).unwrap();
        let events: Vec<_> = receipts.iter().map(|receipt| &receipt.event).collect();
        assert_eq!(events, [&ReceiptEvent::Arrived, &ReceiptEvent::Clicked]);
        assert!(receipts.iter().all(|receipt| receipt.mid.to_string() == samples::MID));
    }

    #[test]
    fn without_the_consoles_token_nothing_counts() {
        let cb = json!({ "NS1-1": entry(1, &[samples::TOKEN]) });
        for token in [None, Some(""), Some("console"), Some("console tokem")] {
            assert_eq!(report(&cb, token), Err(ReceiptError::Forged), "{token:?}");
        }
    }

    #[test]
    fn foreign_malformed_and_endless_reports_are_refused() {
        let token = Some("console token");
        let foreign = json!({ "NS1-1": entry(1, &["another"]) });
        assert_eq!(report(&foreign, token), Err(ReceiptError::Forged));
        for cb in [json!([]), json!({"a": 1}), json!({"a": {"type": 1}})] {
            assert_eq!(report(&cb, token), Err(ReceiptError::Malformed), "{cb}");
        }
        assert_eq!(report(&json!({}), token), Ok(Vec::new()));
        let many = json!({ "NS1-1": entry(1, &vec![samples::TOKEN; RECEIPTS_MAX + 1]) });
        assert_eq!(report(&many, token), Err(ReceiptError::TooMany));
    }
}
