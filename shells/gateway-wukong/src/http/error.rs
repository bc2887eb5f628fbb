//! Errors as WuKongIM says them: 400 and `{"msg","status":400}`, or 200 with a reason.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use nightjar_model::{IdError, Reject};
use nightjar_wkproto::ChannelError;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A request that was refused.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    message: String,
    reject: Option<Reject>,
}

impl Failure {
    /// What is wrong with the request.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into(), reject: None }
    }

    /// Whether the lanes refused it so.
    pub(crate) fn is(&self, reject: Reject) -> bool {
        self.reject == Some(reject)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        // The reference knows 400 for everything; a server that cannot says so.
        let status = match reject {
            Reject::Busy | Reject::Draining | Reject::Internal => {
                StatusCode::from_u16(reject.http_status()).unwrap_or(StatusCode::BAD_REQUEST)
            }
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, message: reject.to_string(), reject: Some(reject) }
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Self {
        Self::bad(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({"msg": self.message, "status": self.status.as_u16()});
        (self.status, Json(body)).into_response()
    }
}

/// What every handler answers.
pub(crate) type Answer = Result<Response, Failure>;

/// The body as JSON, whatever its content type says: back ends are not careful about it.
pub(crate) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::bad(format!("the body: {error}")))
}

/// Done.
pub(crate) fn ok() -> Answer {
    Ok(Json(json!({"status": 200})).into_response())
}

/// An answer without an envelope.
pub(crate) fn bare(value: impl serde::Serialize) -> Answer {
    Ok(Json(value).into_response())
}

/// There is no such thing: 200 with the status inside.
pub(crate) fn not_found() -> Answer {
    bare(json!({"status": 404}))
}

/// A reply of a kind the handler did not ask for cannot come; if it does, it is our fault.
pub(crate) fn unexpected() -> Failure {
    Reject::Internal.into()
}

pub(crate) async fn unknown_route() -> Failure {
    Failure {
        status: StatusCode::NOT_FOUND,
        message: "this route is not offered; docs/wukongim.md lists those that are".into(),
        reject: None,
    }
}
