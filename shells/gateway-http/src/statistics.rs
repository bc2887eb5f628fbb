//! What providers report of pushes, and what is counted of them.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, RawQuery, State};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::HeaderMap;
use jiff::civil::{Date, date};
use jiff::{Span, Unit};
use nightjar_model::{BindingKey, Command, Reject, Reply, Statistic, limits};
use nightjar_providers::{ReceiptError, ReceiptRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};

/// Days of an answer that names no first one.
const DAYS: u32 = 30;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// `POST /v1/push/receipts/{provider}/{credential}`: what a vendor reports. It carries no admin
/// key: the provider's own rule says whether it is genuine.
pub(crate) async fn receipts(
    State(api): State<Api>,
    Path((provider, credential)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult {
    let key = BindingKey { provider, credential };
    let open = api.credentials.providers().get(&key).ok_or(Reject::UnknownCredential)?;
    let query = query.as_deref().unwrap_or_default();
    let request = ReceiptRequest { query, headers: &headers, body: &body };
    let receipts = open.receipts(&request, api.handle.clock.now().wall).map_err(refused)?;
    if !receipts.is_empty() {
        api.handle.call(Command::Receipts { key, receipts }).await?;
    }
    // Huawei asks for these words; the others look at the status only.
    Ok(Json(json!({"code": "0", "message": "success"})).into_response())
}

fn refused(error: ReceiptError) -> ApiError {
    let reject = match error {
        ReceiptError::NotOffered => Reject::UnknownCommand,
        ReceiptError::Forged | ReceiptError::Stale => Reject::Unauthorized,
        ReceiptError::TooMany => Reject::TooLarge,
        ReceiptError::Malformed => Reject::BadRequest,
    };
    ApiError::with(reject, error.to_string())
}

#[derive(Deserialize)]
pub(crate) struct StatisticsQuery {
    from: Option<String>,
    to: Option<String>,
}

/// `GET /v1/push/statistics?from=&to=`: by day (UTC) and credential, both days included.
pub(crate) async fn statistics(
    State(api): State<Api>,
    query: Result<Query<StatisticsQuery>, QueryRejection>,
) -> ApiResult {
    let Query(query) = query?;
    let today = u32::try_from(api.handle.clock.now().wall.0 / DAY_MS).unwrap_or(u32::MAX);
    let day = |name: &str, text: Option<String>| text.map(|text| day_of(name, &text)).transpose();
    let to = day("to", query.to)?.unwrap_or(today);
    let from = day("from", query.from)?.unwrap_or_else(|| to.saturating_sub(DAYS - 1));
    let command = Command::Statistics { from, limit: limits::STATISTICS_MAX };
    let Reply::Statistics(rows) = api.handle.call(command).await? else {
        return Err(unexpected());
    };
    let rows: Vec<Value> = rows.iter().filter(|row| row.day <= to).map(to_json).collect();
    Ok(Json(json!({"statistics": rows})).into_response())
}

fn to_json(row: &Statistic) -> Value {
    let failed: Map<String, Value> =
        row.failed.iter().map(|(reason, count)| (reason.clone(), (*count).into())).collect();
    json!({
        "day": name_of(row.day), "provider": row.key.provider, "credential": row.key.credential,
        "accepted": row.accepted, "failed": failed, "arrived": row.arrived,
        "clicked": row.clicked,
    })
}

fn epoch() -> Date {
    date(1970, 1, 1)
}

/// Days since the epoch of `2026-11-25`, or of a moment in ms.
fn day_of(name: &str, text: &str) -> Result<u32, ApiError> {
    if let Ok(ms) = text.parse::<u64>() {
        return Ok(u32::try_from(ms / DAY_MS).unwrap_or(u32::MAX));
    }
    let days = text.parse::<Date>().ok().and_then(|day| day.since((Unit::Day, epoch())).ok());
    let days = days.and_then(|span| u32::try_from(span.get_days()).ok());
    days.ok_or_else(|| {
        let text = format!("'{name}' is a day such as 2026-11-25, or a moment in ms");
        ApiError::with(Reject::BadRequest, text)
    })
}

fn name_of(day: u32) -> String {
    let later = Span::new().try_days(day).and_then(|span| epoch().checked_add(span));
    later.map_or_else(|_| day.to_string(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_named_as_people_do_and_read_back() {
        for (text, day) in [("1970-01-01", 0), ("2026-11-25", 20_782), ("2028-02-29", 21_243)] {
            assert_eq!(day_of("from", text).ok(), Some(day), "{text}");
            assert_eq!(name_of(day), text);
        }
        assert_eq!(day_of("from", "1795564800000").ok(), Some(20_782));
        for text in ["", "yesterday", "2026-13-01", "1969-12-31", "-5"] {
            assert!(day_of("from", text).is_err(), "{text}");
        }
    }
}
