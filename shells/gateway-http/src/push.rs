//! Pushes: what one would do, and what development mode caught.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use nightjar_model::{Command, Reject, Reply, WallMs};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};
use crate::messages::SendBody;

/// `POST /v1/push/explain`: who would be notified, on what, and why not; nothing is sent.
pub(crate) async fn explain(
    State(api): State<Api>,
    body: Result<Json<SendBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let at = body.at.map(WallMs);
    let (from, send) = body.parse()?;
    let command = Command::Explain { from, send: Box::new(send), at };
    let Reply::Explain(lines) = api.handle.call(command).await? else {
        return Err(unexpected());
    };
    let devices: Vec<_> = lines
        .iter()
        .map(|line| {
            let mut answer = json!({
                "uid": line.uid.as_str(),
                "device_id": line.device_id.as_ref().map(|id| id.as_str()),
                "decision": line.decision,
                "reason": line.reason,
            });
            if let Some(until) = line.until {
                answer["until"] = until.0.into();
            }
            if let Some(title) = &line.title {
                answer["title"] = title.as_str().into();
            }
            if let Some(body) = &line.body {
                answer["body"] = body.as_str().into();
            }
            answer
        })
        .collect();
    Ok(Json(json!({"devices": devices})).into_response())
}

#[derive(Deserialize)]
pub(crate) struct OutcomesQuery {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    /// The newest so many instead.
    last: Option<usize>,
}

/// `GET /v1/push/outcomes?after=&limit=` or `?last=`: what providers answered, one row an attempt.
pub(crate) async fn outcomes(
    State(api): State<Api>,
    query: Result<Query<OutcomesQuery>, QueryRejection>,
) -> ApiResult {
    let Query(query) = query?;
    let command = match query.last {
        Some(limit) => Command::Outcomes { after: None, limit },
        None => Command::Outcomes { after: Some(query.after), limit: query.limit.unwrap_or(100) },
    };
    let Reply::Outcomes(rows) = api.handle.call(command).await? else {
        return Err(unexpected());
    };
    let next = rows.last().map_or(query.after, |(number, _)| *number);
    let outcomes: Vec<Box<RawValue>> =
        rows.into_iter().filter_map(|(_, json)| RawValue::from_string(json).ok()).collect();
    Ok(Json(json!({"outcomes": outcomes, "next": next})).into_response())
}

/// `GET /v1/dev/pushes`: what the `console` provider caught, in development mode.
pub(crate) async fn dev_pushes(State(api): State<Api>) -> ApiResult {
    match &api.console {
        Some(console) => Ok(Json(json!({"pushes": console.recent()})).into_response()),
        None => {
            let text = "pushes are only caught in development mode";
            Err(ApiError::with(Reject::UnknownCommand, text))
        }
    }
}
