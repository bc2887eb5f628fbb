//! Errors of the API: `{"error":{"code","message","retry"}}` and a status.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use nightjar_model::{IdError, Reject};
use nightjar_push::FieldError;
use serde_json::json;

/// A refused request, with more than the reject's own words where there is more to say.
#[derive(Debug)]
pub(crate) struct ApiError {
    reject: Reject,
    detail: Option<String>,
}

impl ApiError {
    pub(crate) fn with(reject: Reject, detail: impl Into<String>) -> Self {
        Self { reject, detail: Some(detail.into()) }
    }
}

impl From<Reject> for ApiError {
    fn from(reject: Reject) -> Self {
        Self { reject, detail: None }
    }
}

impl From<IdError> for ApiError {
    fn from(error: IdError) -> Self {
        Self::with(Reject::BadRequest, error.to_string())
    }
}

impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        Self::with(Reject::BadRequest, error.to_string())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let reject = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Reject::TooLarge,
            _ => Reject::BadRequest,
        };
        Self::with(reject, rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::with(Reject::BadRequest, rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::with(Reject::BadRequest, rejection.body_text())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.reject.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
        let message = self.detail.unwrap_or_else(|| self.reject.message().to_owned());
        let body = json!({"error": {
            "code": self.reject.name(),
            "message": message,
            "retry": self.reject.retry(),
        }});
        (status, Json(body)).into_response()
    }
}

/// What every handler answers.
pub(crate) type ApiResult = Result<Response, ApiError>;

/// A reply of a kind the handler did not ask for cannot come; if it does, it is our fault.
pub(crate) fn unexpected() -> ApiError {
    Reject::Internal.into()
}

/// No such route.
pub(crate) async fn unknown_route() -> ApiError {
    ApiError::with(Reject::UnknownCommand, "no such route; /openapi.json lists them")
}
