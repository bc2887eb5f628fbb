//! For operators and their machines: health, readiness, metrics, the schema, events.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use nightjar_decider::Stats;
use nightjar_model::{Command, Reply};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::{ApiResult, unexpected};
use crate::{Api, credentials, hooks};

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the lanes answer, and the server is not going away.
pub(crate) async fn readyz(State(api): State<Api>) -> Response {
    if api.handle.is_draining() || api.handle.stats().await.is_none() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    "ready\n".into_response()
}

/// `GET /metrics`: Prometheus text.
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    let mut text = (api.metrics)();
    if let Some(Stats { counts: stats, sizes, routes }) = api.handle.stats().await {
        let (conversations, users, work, debts) = sizes;
        let connections = api.handle.connections() as u64;
        let rows: [(&str, &str, u64); 14] = [
            ("nightjar_messages_total", "counter", stats.messages),
            ("nightjar_deliveries_total", "counter", stats.deliveries),
            ("nightjar_pushes_total", "counter", stats.pushes),
            ("nightjar_silenced_total", "counter", stats.silenced),
            ("nightjar_deadlines_missed_total", "counter", stats.deadlines_missed),
            ("nightjar_work_rows_at_open", "gauge", stats.work_rows_at_open),
            ("nightjar_message_commit_rows", "gauge", stats.message_rows),
            ("nightjar_connections", "gauge", connections),
            ("nightjar_conversations_in_memory", "gauge", conversations as u64),
            ("nightjar_users_in_memory", "gauge", users as u64),
            ("nightjar_open_work", "gauge", work as u64),
            ("nightjar_debts_waiting", "gauge", debts as u64),
            ("nightjar_effects_released_total", "counter", api.handle.release().released()),
            ("nightjar_draining", "gauge", u64::from(api.handle.is_draining())),
        ];
        for (name, kind, value) in rows {
            text.push_str(&format!("# TYPE {name} {kind}\n{name} {value}\n"));
        }
        text.push_str(&credentials::routes(&routes));
    }
    credentials::metrics(api.credentials.providers(), &mut text);
    hooks::metrics(&api.webhooks, &mut text);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// `GET /native.proto`: the native protocol's schema.
pub(crate) async fn schema() -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], nightjar_wire::SCHEMA).into_response()
}

#[derive(Deserialize)]
pub(crate) struct EventsQuery {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// `GET /v1/events?after=`: replays webhook events.
pub(crate) async fn events(
    State(api): State<Api>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> ApiResult {
    let Query(query) = query?;
    let command = Command::Events { after: query.after, limit: query.limit.unwrap_or(100) };
    let Reply::Events(events) = api.handle.call(command).await? else {
        return Err(unexpected());
    };
    let next = events.last().map_or(query.after, |(number, _)| *number);
    let events: Vec<Box<RawValue>> =
        events.into_iter().filter_map(|(_, json)| RawValue::from_string(json).ok()).collect();
    Ok(Json(json!({"events": events, "next": next})).into_response())
}
