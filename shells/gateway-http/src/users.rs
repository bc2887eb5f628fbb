//! Users, their tokens, their unread.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use nightjar_model::{Command, DeviceId, Reply, Uid};
use serde::Deserialize;
use serde_json::json;

use crate::Api;
use crate::error::{ApiResult, unexpected};

#[derive(Deserialize)]
pub(crate) struct UserBody {
    name: Option<String>,
    avatar: Option<String>,
}

/// `PUT /v1/users/{uid}`: creates or changes a user.
pub(crate) async fn put_user(
    State(api): State<Api>,
    Path(uid): Path<String>,
    body: Result<Json<UserBody>, JsonRejection>,
) -> ApiResult {
    let Json(UserBody { name, avatar }) = body?;
    let uid = Uid::parse(&uid)?;
    match api.handle.call(Command::PutUser { uid, name, avatar }).await? {
        Reply::User(user) => Ok(Json(json!({
            "uid": user.uid.as_str(), "name": user.name, "avatar": user.avatar,
        }))
        .into_response()),
        _ => Err(unexpected()),
    }
}

#[derive(Deserialize, Default)]
pub(crate) struct TokenBody {
    device_id: Option<String>,
    ttl_s: Option<u64>,
}

/// `POST /v1/users/{uid}/tokens`: a token for a user, or for one of their devices.
pub(crate) async fn issue_token(
    State(api): State<Api>,
    Path(uid): Path<String>,
    body: bytes::Bytes,
) -> ApiResult {
    let body: TokenBody = if body.is_empty() {
        TokenBody::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            crate::error::ApiError::with(nightjar_model::Reject::BadRequest, error.to_string())
        })?
    };
    let uid = Uid::parse(&uid)?;
    let device_id = body.device_id.as_deref().map(DeviceId::parse).transpose()?;
    let now = api.handle.clock.now().wall;
    let issued = api.tokens.issue(&uid, device_id.as_ref(), body.ttl_s, now)?;
    Ok(Json(json!({"token": issued.token.expose(), "expires_at": issued.expires_at.0}))
        .into_response())
}

/// `GET /v1/users/{uid}/unread`: the badge, its version, and unread by conversation.
pub(crate) async fn unread(State(api): State<Api>, Path(uid): Path<String>) -> ApiResult {
    let uid = Uid::parse(&uid)?;
    match api.handle.call(Command::Unread { uid }).await? {
        Reply::Unread(view) => {
            let conversations: Vec<_> = view
                .conversations
                .iter()
                .map(|(id, unread, mentions)| {
                    json!({"conversation": id.as_str(), "unread": unread, "mentions": mentions})
                })
                .collect();
            Ok(Json(json!({
                "total": view.total, "bv": view.bv, "conversations": conversations,
            }))
            .into_response())
        }
        _ => Err(unexpected()),
    }
}
