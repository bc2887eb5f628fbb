//! Users, their tokens, their unread.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use nightjar_model::{
    Command, DeviceId, PasswordKeys, Reject, Reply, ScramKeys, Secret, Uid, limits,
};
use serde::Deserialize;
use serde_json::json;

use crate::Api;
use crate::error::{ApiError, ApiResult, unexpected};

/// The longest password taken.
const PASSWORD_BYTES_MAX: usize = 1_024;

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
        serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?
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

/// A password, or the keys another server kept of it.
#[derive(Deserialize)]
pub(crate) struct PasswordBody {
    password: Option<Secret<String>>,
    scram: Option<ScramBody>,
}

/// By hash; at least one of them.
#[derive(Deserialize)]
struct ScramBody {
    sha1: Option<ScramKeysBody>,
    sha256: Option<ScramKeysBody>,
}

/// Bytes in base64 (RFC 5802 calls them so).
#[derive(Deserialize)]
struct ScramKeysBody {
    salt: String,
    iterations: u32,
    stored_key: Secret<String>,
    server_key: Secret<String>,
}

/// `PUT /v1/users/{uid}/password`: replaces it; makes the user if there is none.
pub(crate) async fn put_password(
    State(api): State<Api>,
    Path(uid): Path<String>,
    body: Result<Json<PasswordBody>, JsonRejection>,
) -> ApiResult {
    let Json(PasswordBody { password, scram }) = body?;
    let uid = Uid::parse(&uid)?;
    let keys = match (password, scram) {
        (Some(password), None) if password.expose().len() <= PASSWORD_BYTES_MAX => {
            api.passwords.keys(password).await.map_err(|error| bad(error.to_string()))?
        }
        (Some(_), None) => return Err(bad(format!("password is over {PASSWORD_BYTES_MAX} bytes"))),
        (None, Some(ScramBody { sha1: None, sha256: None })) => {
            return Err(bad("scram holds neither sha1 nor sha256".to_owned()));
        }
        (None, Some(ScramBody { sha1, sha256 })) => PasswordKeys {
            sha1: sha1.map(|keys| keys_of("sha1", 20, &keys)).transpose()?,
            sha256: sha256.map(|keys| keys_of("sha256", 32, &keys)).transpose()?,
        },
        _ => return Err(bad("give either password or scram".to_owned())),
    };
    match api.handle.call(Command::PutPassword { uid, keys: Box::new(keys) }).await? {
        Reply::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        _ => Err(unexpected()),
    }
}

fn keys_of(hash: &str, key_bytes: usize, body: &ScramKeysBody) -> Result<ScramKeys, ApiError> {
    let decode = |name: &str, text: &str| {
        STANDARD.decode(text).map_err(|_| bad(format!("scram.{hash}.{name} is not base64")))
    };
    let key = |name: &str, text: &Secret<String>| match decode(name, text.expose())? {
        key if key.len() == key_bytes => Ok(Secret::new(key)),
        _ => Err(bad(format!("scram.{hash}.{name} does not have {key_bytes} bytes"))),
    };
    let salt = decode("salt", &body.salt)?;
    let (salts, rounds) = (
        limits::SALT_BYTES_MIN..=limits::SALT_BYTES_MAX,
        limits::ITERATIONS_MIN..=limits::ITERATIONS_MAX,
    );
    if !salts.contains(&salt.len()) || !rounds.contains(&body.iterations) {
        return Err(bad(format!(
            "scram.{hash}: a salt has {} to {} bytes, iterations are {} to {}",
            salts.start(),
            salts.end(),
            rounds.start(),
            rounds.end()
        )));
    }
    Ok(ScramKeys {
        salt,
        iterations: body.iterations,
        stored_key: key("stored_key", &body.stored_key)?,
        server_key: key("server_key", &body.server_key)?,
    })
}

fn bad(detail: String) -> ApiError {
    ApiError::with(Reject::BadRequest, detail)
}
