//! What an app's extension or worker asks and tells when a push woke it: the two routes of a
//! push-scoped token.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode};
use nightjar_access::PushClaims;
use nightjar_model::{
    Command, FetchCommand, FetchedCommand, MessageId, NotificationId, Reject, Reply, Secret, limits,
};
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
    let claims = claims(&api, &headers)?;
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

#[derive(Deserialize)]
pub(crate) struct FetchedBody {
    #[serde(default)]
    surfaced: Vec<String>,
    #[serde(default)]
    arrived: Vec<String>,
    #[serde(default)]
    withdrawn: Vec<String>,
}

/// `POST /v1/fetch/ack`: what the extension did, by notification id.
pub(crate) async fn ack(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Result<Json<FetchedBody>, JsonRejection>,
) -> ApiResult {
    let claims = claims(&api, &headers)?;
    let Json(FetchedBody { surfaced, arrived, withdrawn }) = body?;
    let fetched = FetchedCommand {
        uid: claims.uid,
        device_id: claims.device_id,
        token_issued_at: claims.issued_at,
        surfaced: ids("surfaced", &surfaced)?,
        arrived: ids("arrived", &arrived)?,
        withdrawn: ids("withdrawn", &withdrawn)?,
    };
    match api.handle.call(Command::Fetched(fetched)).await? {
        Reply::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        _ => Err(unexpected()),
    }
}

fn ids(field: &str, texts: &[String]) -> Result<Vec<NotificationId>, ApiError> {
    if texts.len() > limits::FETCH_MAX {
        let text = format!("'{field}' names at most {} notifications", limits::FETCH_MAX);
        return Err(ApiError::with(Reject::BadRequest, text));
    }
    Ok(texts.iter().map(|id| NotificationId::parse(id)).collect::<Result<_, _>>()?)
}

fn claims(api: &Api, headers: &HeaderMap) -> Result<PushClaims, ApiError> {
    let token = bearer(headers).ok_or(Reject::Unauthorized)?;
    let now = api.handle.clock.now().wall;
    Ok(api.tokens.verify_for_push(&Secret::new(token.to_owned()), now)?)
}
