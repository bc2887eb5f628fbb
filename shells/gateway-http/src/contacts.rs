//! Contacts of a user, and whom they blocked.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use nightjar_model::{Command, ContactAction, ContactView, Reject, Reply, Uid};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};

/// `GET /v1/users/{uid}/contacts`.
pub(crate) async fn list(State(api): State<Api>, Path(uid): Path<String>) -> ApiResult {
    let uid = Uid::parse(&uid)?;
    match api.handle.call(Command::Contacts { uid }).await? {
        Reply::Contacts(contacts) => {
            let contacts: Vec<_> = contacts.iter().map(contact).collect();
            Ok(Json(json!({"contacts": contacts})).into_response())
        }
        _ => Err(unexpected()),
    }
}

#[derive(Deserialize)]
pub(crate) struct ContactBody {
    state: String,
}

/// `PUT /v1/users/{uid}/contacts/{other}`: asks the other in the user's name, or makes both
/// contacts.
pub(crate) async fn put(
    State(api): State<Api>,
    Path(names): Path<(String, String)>,
    body: Result<Json<ContactBody>, JsonRejection>,
) -> ApiResult {
    let Json(ContactBody { state }) = body?;
    let action = match state.as_str() {
        "requested" => ContactAction::Request,
        "accepted" => ContactAction::Join,
        _ => {
            let detail = "state must be requested or accepted".to_owned();
            return Err(ApiError::with(Reject::BadRequest, detail));
        }
    };
    change(&api, names, action).await
}

/// `DELETE /v1/users/{uid}/contacts/{other}`.
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(names): Path<(String, String)>,
) -> ApiResult {
    change(&api, names, ContactAction::Remove).await
}

/// `PUT /v1/users/{uid}/blocked/{other}`.
pub(crate) async fn block(
    State(api): State<Api>,
    Path(names): Path<(String, String)>,
) -> ApiResult {
    change(&api, names, ContactAction::Block).await
}

/// `DELETE /v1/users/{uid}/blocked/{other}`.
pub(crate) async fn unblock(
    State(api): State<Api>,
    Path(names): Path<(String, String)>,
) -> ApiResult {
    change(&api, names, ContactAction::Unblock).await
}

async fn change(api: &Api, (uid, other): (String, String), action: ContactAction) -> ApiResult {
    let (uid, other) = (Uid::parse(&uid)?, Uid::parse(&other)?);
    match api.handle.call(Command::ContactAs { uid, other, action }).await? {
        Reply::Contact(view) => Ok(Json(contact(&view)).into_response()),
        _ => Err(unexpected()),
    }
}

fn contact(view: &ContactView) -> Value {
    json!({
        "uid": view.uid.as_str(), "state": view.state.as_str(), "blocked": view.blocked,
        "ver": view.ver,
    })
}
