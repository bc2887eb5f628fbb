//! What the tests against recording vendors share.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use nightjar_provider_servers::{Recorded, VendorServer};
use serde_json::{Value, json};

use crate::transport::HttpClient;

/// A request as text; what differs from run to run is left out.
pub(crate) fn golden(request: &Recorded) -> String {
    pretty(request, &request.json())
}

/// A request that is a form, as text. Fields that hold JSON are shown as that.
pub(crate) fn golden_form(request: &Recorded) -> String {
    let shown = |text: String| match serde_json::from_str(&text) {
        Ok(json @ Value::Object(_)) => json,
        _ => Value::String(text),
    };
    let fields: BTreeMap<_, _> =
        request.form().into_iter().map(|(name, text)| (name, shown(text))).collect();
    pretty(request, &json!(fields))
}

fn pretty(request: &Recorded, body: &Value) -> String {
    let mut headers = request.headers.clone();
    headers.retain(|name, _| name != "host" && name != "content-length");
    let golden = json!({
        "request": format!("{} {}", request.method, request.path),
        "headers": headers,
        "body": body,
    });
    serde_json::to_string_pretty(&golden).unwrap()
}

/// Sends a recorded request again with another JSON body, under the same headers.
pub(crate) async fn resend(
    server: &VendorServer,
    request: &Recorded,
    body: &Value,
) -> (StatusCode, Value) {
    let headers: HeaderMap = request
        .headers
        .iter()
        .filter(|(name, _)| *name != "content-length" && *name != "host")
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect();
    let url = format!("{}{}", server.base_url(), request.path).parse().unwrap();
    let body = Bytes::from(body.to_string());
    let (head, body) = HttpClient::new().post(&url, headers, body).await.unwrap();
    (head.status, serde_json::from_slice(&body).unwrap_or_default())
}

/// A JSON value without what stands at a pointer, which must be there.
pub(crate) fn without(value: &Value, pointer: &str) -> Value {
    let mut value = value.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let removed = match value.pointer_mut(parent) {
        Some(Value::Object(object)) => object.remove(key),
        Some(Value::Array(array)) => Some(array.remove(key.parse().unwrap())),
        _ => None,
    };
    assert!(removed.is_some(), "{pointer} is not there");
    value
}
