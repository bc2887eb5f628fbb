//! Where clients connect, and whether the server is well.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use bytes::Bytes;
use serde_json::{Value, json};

use super::WukongApi;
use super::error::{Answer, bare, read};

fn addresses(api: &WukongApi) -> BTreeMap<&'static str, Value> {
    let text = |prefix: &str, address: Option<std::net::SocketAddr>| {
        address.map_or(String::new(), |address| format!("{prefix}{address}")).into()
    };
    let websocket = api.addresses.websocket;
    [
        ("tcp_addr", text("", api.addresses.tcp)),
        ("ws_addr", text("ws://", websocket)),
        ("wss_addr", String::new().into()),
    ]
    .into()
}

/// `GET /route?uid=`.
pub(super) async fn route(
    State(api): State<WukongApi>,
    _query: Query<BTreeMap<String, String>>,
) -> Answer {
    bare(addresses(&api))
}

/// `POST /route/batch`: there is one place for all.
pub(super) async fn route_batch(State(api): State<WukongApi>, body: Bytes) -> Answer {
    let uids: Vec<String> = read(&body)?;
    let mut place = addresses(&api);
    place.insert("uids", uids.into());
    bare([place])
}

/// `GET /health`.
pub(super) async fn health() -> Answer {
    bare(json!({"status": "ok"}))
}
