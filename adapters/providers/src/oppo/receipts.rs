//! What OPPO reports later: a JSON array of `{registrationIds, param, eventType, eventTime}`.
//! `param` is our own tag.

use nightjar_model::{Secret, WallMs};
use serde::Deserialize;
use serde_json::Value;

use crate::codes::number;
use crate::receipt::{RECEIPTS_MAX, Receipt, ReceiptError, ReceiptEvent};
use crate::receipt_tag;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    registration_ids: String,
    #[serde(default)]
    param: String,
    event_type: String,
    #[serde(default)]
    event_time: Value,
}

/// The receipts of a report that are ours.
pub(super) fn read(
    secret: &Secret<String>,
    body: &[u8],
    now: WallMs,
) -> Result<Vec<Receipt>, ReceiptError> {
    let entries: Vec<Entry> = serde_json::from_slice(body).map_err(|_| ReceiptError::Malformed)?;
    let targets = entries.iter().flat_map(|entry| {
        let tokens = entry.registration_ids.split(',').map(str::trim);
        tokens.filter(|token| !token.is_empty()).map(move |token| (entry, token))
    });
    let targets: Vec<_> = targets.take(RECEIPTS_MAX + 1).collect();
    if targets.len() > RECEIPTS_MAX {
        return Err(ReceiptError::TooMany);
    }
    let mut ours = receipt_tag::Ours::new(secret, now);
    for (entry, token) in targets {
        let event = match entry.event_type.as_str() {
            "push_arrive" => ReceiptEvent::Arrived,
            // UNVERIFIED: from later pages.
            "push_click" => ReceiptEvent::Clicked,
            failed @ ("regid_invalid" | "user_daily_limit") => {
                ReceiptEvent::Failed(failed.to_owned())
            }
            _ => continue,
        };
        let at = number(&entry.event_time).and_then(|ms| u64::try_from(ms).ok()).map(WallMs);
        ours.add(&entry.param, token, event, at);
    }
    ours.receipts()
}

#[cfg(test)]
mod tests {
    use nightjar_model::MessageId;
    use serde_json::json;

    use super::*;
    use crate::samples;

    const NOW: WallMs = WallMs(1_730_000_000_000);

    fn secret() -> Secret<String> {
        Secret::new("master secret".into())
    }

    fn entry(event: &str, ids: &str) -> Value {
        let mid = MessageId::parse(samples::MID).unwrap();
        let param = receipt_tag::sign(&secret(), mid, &Secret::new(samples::TOKEN.into()));
        json!({
            "messageId": "m1", "appId": "1", "taskId": "m1", "registrationIds": ids,
            "eventTime": "1729999999000", "param": param, "eventType": event,
        })
    }

    fn report(entries: &[Value]) -> Result<Vec<Receipt>, ReceiptError> {
        read(&secret(), json!(entries).to_string().as_bytes(), NOW)
    }

    #[test]
    fn every_event_is_told_apart() {
        let of = |event: &str| {
            let receipts = report(&[entry(event, &format!("another, {}", samples::TOKEN))]);
            receipts.unwrap().into_iter().map(|receipt| (receipt.event, receipt.at)).next()
        };
        let at = Some(WallMs(1_729_999_999_000));
        assert_eq!(of("push_arrive"), Some((ReceiptEvent::Arrived, at)));
        assert_eq!(of("push_click"), Some((ReceiptEvent::Clicked, at)));
        for failed in ["regid_invalid", "user_daily_limit"] {
            assert_eq!(of(failed), Some((ReceiptEvent::Failed(failed.into()), at)));
        }
        assert_eq!(of("something_new"), None);
    }

    #[test]
    fn foreign_malformed_and_endless_reports_are_refused() {
        assert_eq!(report(&[entry("push_arrive", "another")]), Err(ReceiptError::Forged));
        for body in ["", "{}", "[1]", r#"[{"param":"x"}]"#] {
            let refused = read(&secret(), body.as_bytes(), NOW);
            assert_eq!(refused, Err(ReceiptError::Malformed), "{body}");
        }
        let ids = vec![samples::TOKEN; RECEIPTS_MAX + 1].join(",");
        assert_eq!(report(&[entry("push_arrive", &ids)]), Err(ReceiptError::TooMany));
        assert_eq!(report(&[]), Ok(Vec::new()));
    }
}
