//! Who may call.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HOST,
    ORIGIN,
};
use http::{HeaderValue, Method, StatusCode, Uri};
use subtle::ConstantTimeEq;

use super::WukongApi;

/// With a manager token every call carries it in the header `token`.
pub(super) async fn manager(
    State(api): State<WukongApi>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(wanted) = &api.manager_token {
        let given = request.headers().get("token").map_or(&b""[..], HeaderValue::as_bytes);
        if !bool::from(wanted.expose().as_bytes().ct_eq(given)) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
    }
    next.run(request).await
}

/// Pages may call from anywhere if they know the manager token. Without one the listener is on
/// loopback, and a page from elsewhere must not reach it: neither by its origin nor by a name that
/// leads here.
pub(super) async fn origin(State(api): State<WukongApi>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let origin = headers.get(ORIGIN).cloned();
    if api.manager_token.is_none() {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let from = origin.as_ref().and_then(|origin| origin.to_str().ok());
        let is_local = host.is_none_or(is_loopback)
            && from.is_none_or(|from| is_loopback(from.split_once("://").map_or(from, |it| it.1)));
        if !is_local {
            return StatusCode::FORBIDDEN.into_response();
        }
    }
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers
            .insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, token"));
    }
    response
}

/// Whether a host, with or without a port, is this machine.
fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let Ok(uri) = format!("http://{host}/").parse::<Uri>() else { return false };
    let name = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for local in ["localhost", "localhost:5001", "127.0.0.1:5001", "127.0.0.1", "[::1]:5001"] {
            assert!(is_loopback(local), "{local}");
        }
        for other in ["example.com", "localhost.example.com:5001", "10.0.0.1", "null", ""] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
