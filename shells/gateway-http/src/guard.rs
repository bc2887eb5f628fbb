//! Who may call: the admin key, and in development mode only pages of this very server.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, ORIGIN};
use http_body_util::BodyExt;
use nightjar_model::{Reject, limits};

use crate::error::ApiError;
use crate::{Api, BODY_BYTES_MAX};

/// Marks a listener as development mode: loopback only, Host and Origin checked.
#[derive(Debug, Clone, Copy)]
pub struct Development;

/// What a request carries as `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Lets a request through that carries an admin key.
pub(crate) async fn admin_key(State(api): State<Api>, request: Request, next: Next) -> Response {
    match bearer(request.headers()).and_then(|key| api.admin.name_of(key)) {
        Some(_) => next.run(request).await,
        None => ApiError::from(Reject::Unauthorized).into_response(),
    }
}

/// The same outside development mode; in development mode anybody on this machine may read.
pub(crate) async fn admin_key_outside_development(
    state: State<Api>,
    request: Request,
    next: Next,
) -> Response {
    if state.development.is_some() {
        return next.run(request).await;
    }
    admin_key(state, request, next).await
}

/// Refuses a body above the limit, but reads on first, for as long as after a `bye`: input that
/// nobody read would reset the connection, and the answer with it.
pub(crate) async fn body_limit(request: Request, next: Next) -> Response {
    let bytes = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let bytes = bytes.and_then(|text| text.parse::<usize>().ok());
    if bytes.is_none_or(|bytes| bytes <= BODY_BYTES_MAX) {
        return next.run(request).await;
    }
    let mut body = request.into_body();
    let to_its_end = async { while let Some(Ok(_)) = body.frame().await {} };
    let linger = Duration::from_millis(limits::LINGER_MS);
    // Whoever sends more than that may lose the answer.
    let _ = tokio::time::timeout(linger, to_its_end).await;
    ApiError::from(Reject::TooLarge).into_response()
}

/// Refuses requests that a page of another site made the browser send: their Host names that
/// site (DNS rebinding) or their Origin does.
pub(crate) async fn host_and_origin(
    State(Development): State<Development>,
    request: Request,
    next: Next,
) -> Response {
    if is_ours(&request) {
        return next.run(request).await;
    }
    let text = "development mode answers only to pages of this server on localhost";
    ApiError::with(Reject::Forbidden, text).into_response()
}

fn is_ours(request: &Request) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header(HOST).or_else(|| request.uri().authority().map(|a| a.as_str()));
    let origin_is_ours = header(ORIGIN).is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host)
    });
    host.is_some_and(is_loopback) && origin_is_ours
}

/// Whether an authority (`host` or `host:port`) names this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for ours in ["localhost", "localhost:7300", "127.0.0.1:7300", "[::1]:7300", "127.0.0.1"] {
            assert!(is_loopback(ours), "{ours}");
        }
        for theirs in ["example.com", "localhost.example.com:7300", "10.0.0.1:7300", ""] {
            assert!(!is_loopback(theirs), "{theirs}");
        }
    }
}
