//! What an app's extension or worker asks when a push woke it: the one route of a push-scoped
//! token.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use http::HeaderMap;
use nightjar_model::{Command, FetchCommand, MessageId, Reject, Reply, Secret, limits};
use serde::Deserialize;
use serde_json::json;

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};
use crate::guard::bearer;

#[derive(Deserialize)]
pub(crate) struct FetchQuery {
    ids: String,
    /// Empty is none: extensions fill in a fixed address.
    since: Option<String>,
}

/// `GET /v1/fetch?ids=&since=`: the messages of a push, read-only.
pub(crate) async fn fetch(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<FetchQuery>, QueryRejection>,
) -> ApiResult {
    let token = bearer(&headers).ok_or(Reject::Unauthorized)?;
    let now = api.handle.clock.now().wall;
    let claims = api.tokens.verify_for_push(&Secret::new(token.to_owned()), now)?;
    let Query(FetchQuery { ids, since }) = query?;
    let ids: Vec<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
    if ids.len() > limits::FETCH_MAX {
        let text = format!("'ids' names at most {} messages", limits::FETCH_MAX);
        return Err(ApiError::with(Reject::BadRequest, text));
    }
    let since = since.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    let since = since.map_err(|_| ApiError::with(Reject::BadRequest, "'since' is no seq"))?;
    let fetch = FetchCommand {
        uid: claims.uid,
        device_id: claims.device_id,
        token_issued_at: claims.issued_at,
        ids: ids.into_iter().map(MessageId::parse).collect::<Result<_, _>>()?,
        since,
    };
    match api.handle.call(Command::Fetch(fetch)).await? {
        Reply::Fetched(view) => {
            let messages: Vec<_> = view
                .entries
                .iter()
                .map(|(entry, alert)| nightjar_wire::message(entry, *alert, true))
                .collect();
            let withdraw: Vec<_> = view.withdraw.iter().map(|nid| nid.as_str()).collect();
            Ok(Json(json!({
                "messages": messages, "unread": view.unread, "bv": view.bv, "withdraw": withdraw,
            }))
            .into_response())
        }
        _ => Err(unexpected()),
    }
}
