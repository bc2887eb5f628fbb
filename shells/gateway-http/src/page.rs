//! The console page: files from the binary, under a strict policy.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Uri};

use crate::Api;
use crate::error::unknown_route;

/// One file of the page.
#[derive(Debug, Clone, Copy)]
pub struct PageFile {
    /// Its path on the server, `/` for the page itself.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// A file of the page, or an error that says where to look.
pub(crate) async fn file(State(api): State<Api>, method: Method, uri: Uri) -> Response {
    let found = api.page.iter().find(|file| file.path == uri.path());
    let Some(file) = found.filter(|_| method == Method::GET || method == Method::HEAD) else {
        return unknown_route().await.into_response();
    };
    let headers = [
        (CONTENT_TYPE, file.content_type),
        (CONTENT_SECURITY_POLICY, api.csp),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, file.bytes).into_response()
}
