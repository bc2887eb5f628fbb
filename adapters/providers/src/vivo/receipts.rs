//! What vivo reports later: a JSON object of task id to `{param, targets}`, about messages that
//! arrived. `param` is our own tag.

use std::collections::BTreeMap;

use nightjar_model::{Secret, WallMs};
use serde::Deserialize;

use crate::receipt::{RECEIPTS_MAX, Receipt, ReceiptError, ReceiptEvent};
use crate::receipt_tag;

/// Later fields are UNVERIFIED and left alone.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    param: String,
    targets: Targets,
}

/// Tokens, as a list or between commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Targets {
    Text(String),
    List(Vec<String>),
}

impl Targets {
    fn tokens(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text.split(',').map(str::trim).collect(),
            Self::List(list) => list.iter().map(String::as_str).collect(),
        }
    }
}

/// The receipts of a report that are ours.
pub(super) fn read(
    secret: &Secret<String>,
    body: &[u8],
    now: WallMs,
) -> Result<Vec<Receipt>, ReceiptError> {
    let entries: BTreeMap<String, Entry> =
        serde_json::from_slice(body).map_err(|_| ReceiptError::Malformed)?;
    let targets = entries
        .values()
        .flat_map(|entry| entry.targets.tokens().into_iter().map(move |token| (entry, token)));
    let targets: Vec<_> = targets.take(RECEIPTS_MAX + 1).collect();
    if targets.len() > RECEIPTS_MAX {
        return Err(ReceiptError::TooMany);
    }
    let mut ours = receipt_tag::Ours::new(secret, now);
    for (entry, token) in targets {
        ours.add(&entry.param, token, ReceiptEvent::Arrived, None);
    }
    ours.receipts()
}

#[cfg(test)]
mod tests {
    use nightjar_model::MessageId;
    use serde_json::{Value, json};

    use super::*;
    use crate::samples;

    const NOW: WallMs = WallMs(1_730_000_000_000);

    fn report(entries: &Value) -> Result<Vec<Receipt>, ReceiptError> {
        read(&Secret::new("secret".into()), entries.to_string().as_bytes(), NOW)
    }

    fn entry(targets: &Value) -> Value {
        let mid = MessageId::parse(samples::MID).unwrap();
        let (secret, token) = (Secret::new("secret".into()), Secret::new(samples::TOKEN.into()));
        json!({ "param": receipt_tag::sign(&secret, mid, &token), "targets": targets, "ackTime": 1 })
    }

    #[test]
    fn an_arrival_is_believed_in_both_forms() {
        for targets in
            [json!(samples::TOKEN), json!([samples::TOKEN]), json!(["x", samples::TOKEN])]
        {
            let receipts = report(&json!({ "5131": entry(&targets) })).unwrap();
            assert_eq!(receipts.len(), 1);
            assert_eq!(receipts[0].mid.to_string(), samples::MID);
            assert_eq!(receipts[0].event, ReceiptEvent::Arrived);
        }
    }

    #[test]
    fn foreign_malformed_and_endless_reports_are_refused() {
        let foreign = json!({ "5131": entry(&json!("another")) });
        assert_eq!(report(&foreign), Err(ReceiptError::Forged));
        for body in [json!([]), json!({"a": 1}), json!({"a": {"param": "x"}}), json!("x")] {
            assert_eq!(report(&body), Err(ReceiptError::Malformed), "{body}");
        }
        let many = json!({ "5131": entry(&json!(vec![samples::TOKEN; RECEIPTS_MAX + 1])) });
        assert_eq!(report(&many), Err(ReceiptError::TooMany));
    }
}
