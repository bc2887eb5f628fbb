//! Devices: what they are, where they can be pushed, sign-out by the operator.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use nightjar_model::{
    AppStateReport, Binding, BindingKey, Command, ConversationId, DeviceId, Environment, Reject,
    Reply, Secret, Uid, WallMs,
};
use serde::Deserialize;
use serde_json::json;

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};

/// `GET /v1/users/{uid}/devices`.
pub(crate) async fn list(State(api): State<Api>, Path(uid): Path<String>) -> ApiResult {
    let uid = Uid::parse(&uid)?;
    let Reply::Devices(devices) = api.handle.call(Command::Devices { uid }).await? else {
        return Err(unexpected());
    };
    let devices: Vec<_> = devices
        .iter()
        .map(|device| {
            let bindings: Vec<_> = device
                .bindings
                .iter()
                .map(|(key, token)| {
                    json!({"provider": key.provider, "credential": key.credential, "token": token})
                })
                .collect();
            json!({
                "device_id": device.device_id.as_str(),
                "platform": device.platform.map(|platform| platform.as_str()),
                "app_state": device.app_state.as_str(),
                "since": device.since.0,
                "bindings": bindings,
                "debts": device.debts,
            })
        })
        .collect();
    Ok(Json(json!({"devices": devices})).into_response())
}

#[derive(Deserialize)]
pub(crate) struct BindBody {
    provider: String,
    credential: String,
    token: String,
    locale: Option<String>,
    environment: Option<Environment>,
}

/// `PUT /v1/users/{uid}/devices/{device_id}/push`: upserts a binding.
pub(crate) async fn bind(
    State(api): State<Api>,
    Path((uid, device_id)): Path<(String, String)>,
    body: Result<Json<BindBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let command = Command::PutBinding {
        uid: Uid::parse(&uid)?,
        device_id: DeviceId::parse(&device_id)?,
        binding: Binding {
            key: BindingKey { provider: body.provider, credential: body.credential },
            token: Secret::new(body.token),
            locale: body.locale,
            environment: body.environment,
            bound_at: WallMs(0),
        },
    };
    done(&api, command).await
}

#[derive(Deserialize)]
pub(crate) struct UnbindQuery {
    provider: Option<String>,
    credential: Option<String>,
}

/// `DELETE /v1/users/{uid}/devices/{device_id}/push`: one binding, or all without a query.
pub(crate) async fn unbind(
    State(api): State<Api>,
    Path((uid, device_id)): Path<(String, String)>,
    query: Result<Query<UnbindQuery>, QueryRejection>,
) -> ApiResult {
    let Query(query) = query?;
    let key = match (query.provider, query.credential) {
        (None, None) => None,
        (Some(provider), Some(credential)) => Some(BindingKey { provider, credential }),
        _ => {
            let text = "give both provider and credential, or neither";
            return Err(ApiError::with(Reject::BadRequest, text));
        }
    };
    let command = Command::DeleteBinding {
        uid: Uid::parse(&uid)?,
        device_id: DeviceId::parse(&device_id)?,
        key,
    };
    done(&api, command).await
}

#[derive(Deserialize)]
pub(crate) struct KickBody {
    #[serde(default)]
    reason: String,
}

/// `POST /v1/users/{uid}/devices/{device_id}/kick`.
pub(crate) async fn kick(
    State(api): State<Api>,
    Path((uid, device_id)): Path<(String, String)>,
    body: Result<Json<KickBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let command = Command::Kick {
        uid: Uid::parse(&uid)?,
        device_id: DeviceId::parse(&device_id)?,
        reason: body.reason,
    };
    done(&api, command).await
}

#[derive(Deserialize)]
pub(crate) struct AppStateBody {
    state: String,
    conversation: Option<String>,
}

/// `POST /v1/users/{uid}/devices/{device_id}/app-state`.
pub(crate) async fn app_state(
    State(api): State<Api>,
    Path((uid, device_id)): Path<(String, String)>,
    body: Result<Json<AppStateBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    let conversation = body.conversation.as_deref().map(ConversationId::parse).transpose()?;
    let state = match body.state.as_str() {
        "foreground" => AppStateReport::Foreground { conversation },
        "background" => AppStateReport::Background { grace_ms: 0 },
        _ => {
            let text = "'state' is foreground or background";
            return Err(ApiError::with(Reject::BadRequest, text));
        }
    };
    let command = Command::ReportAppState {
        uid: Uid::parse(&uid)?,
        device_id: DeviceId::parse(&device_id)?,
        state,
    };
    done(&api, command).await
}

async fn done(api: &Api, command: Command) -> ApiResult {
    match api.handle.call(command).await? {
        Reply::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        _ => Err(unexpected()),
    }
}
