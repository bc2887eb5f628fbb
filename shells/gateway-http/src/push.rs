//! Pushes: what one would do, and what development mode caught.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::IntoResponse;
use nightjar_model::{Command, Reject, Reply};
use serde_json::json;

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};
use crate::messages::SendBody;

/// `POST /v1/push/explain`: who would be notified, on what, and why not; nothing is sent.
pub(crate) async fn explain(
    State(api): State<Api>,
    body: Result<Json<SendBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let (from, send) = body.parse()?;
    let command = Command::Explain { from, send: Box::new(send) };
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
