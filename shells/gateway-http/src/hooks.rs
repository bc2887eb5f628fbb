//! Webhooks: where events go, and how the receivers fare.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::StatusCode;
use nightjar_model::{Command, Reject, Reply, Secret, WallMs, Webhook, limits};
use nightjar_webhooks::{Fares, Hub, new_secret};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::Api;
use crate::credentials::check_name;
use crate::error::{ApiError, ApiResult, unexpected};
use crate::random::random_bytes;

/// Types of events there are.
const TYPES: &[&str] = &[
    "message.created",
    "message.offline",
    "message.unreachable",
    "push.outcome",
    "user.online",
    "user.offline",
    "device.kicked",
    "token.moved",
];

/// The webhooks of the server, and whose they are.
pub struct Webhooks {
    hub: Arc<Hub>,
    /// The one of the configuration file.
    configured: Option<Webhook>,
    /// One change at a time: what is stored and what is served stay the same.
    changing: Mutex<()>,
}

impl Webhooks {
    /// The receivers that are served, and the one of the configuration file among them.
    #[must_use]
    pub fn new(hub: Arc<Hub>, configured: Option<Webhook>) -> Arc<Self> {
        Arc::new(Self { hub, configured, changing: Mutex::default() })
    }

    fn is_configured(&self, id: &str) -> bool {
        self.configured.as_ref().is_some_and(|webhook| webhook.id == id)
    }
}

/// What operators set up, and the number of the newest event.
async fn stored(api: &Api) -> Result<(Vec<Webhook>, u64), ApiError> {
    match api.handle.call(Command::Webhooks).await? {
        Reply::Webhooks { webhooks, last_event } => Ok((webhooks, last_event)),
        _ => Err(unexpected()),
    }
}

/// Every webhook as operators see it, by id.
async fn all(api: &Api) -> Result<BTreeMap<String, Value>, ApiError> {
    let (mut webhooks, last_event) = stored(api).await?;
    let hooks = &*api.webhooks;
    webhooks.retain(|webhook| !hooks.is_configured(&webhook.id));
    webhooks.extend(hooks.configured.clone());
    let mut fares = hooks.hub.fares();
    let mut all = BTreeMap::new();
    for webhook in webhooks {
        let receiver = webhook.id.clone();
        let Reply::EventCursor(taken) = api.handle.call(Command::EventCursor { receiver }).await?
        else {
            return Err(unexpected());
        };
        let source = if hooks.is_configured(&webhook.id) { "config" } else { "api" };
        let waiting = last_event.saturating_sub(taken);
        let fares = fares.remove(&webhook.id).unwrap_or_default();
        let mut answer = json!({
            "id": webhook.id, "url": webhook.url, "secret": "***", "types": webhook.types,
            "enabled": webhook.enabled, "allow_private": webhook.allow_private, "source": source,
            "cursor": taken, "waiting": waiting, "health": health(&fares),
        });
        if source == "api" {
            answer["changed_at"] = webhook.changed_at.0.into();
        }
        all.insert(webhook.id, answer);
    }
    Ok(all)
}

fn health(fares: &Fares) -> Value {
    let mut answer = json!({"taken": fares.taken, "refused": fares.refused});
    if let Some(at) = fares.last_success_at {
        answer["last_success_at"] = at.into();
    }
    if let Some((at, reason)) = &fares.last_failure {
        answer["last_failure"] = json!({"at": at, "reason": reason});
    }
    answer
}

/// `GET /v1/webhooks`.
pub(crate) async fn list(State(api): State<Api>) -> ApiResult {
    let webhooks: Vec<Value> = all(&api).await?.into_values().collect();
    Ok(Json(json!({"webhooks": webhooks})).into_response())
}

/// `GET /v1/webhooks/{id}`.
pub(crate) async fn get(State(api): State<Api>, Path(id): Path<String>) -> ApiResult {
    let found = all(&api).await?.remove(&id).ok_or(Reject::UnknownWebhook)?;
    Ok(Json(found).into_response())
}

#[derive(Deserialize)]
pub(crate) struct WebhookBody {
    url: Option<String>,
    secret: Option<String>,
    types: Option<Vec<String>>,
    enabled: Option<bool>,
    allow_private: Option<bool>,
}

/// `POST /v1/webhooks/{id}`: sets one up, or changes what is given of it. A secret that was made
/// for the caller is in this answer and in no other.
pub(crate) async fn put(
    State(api): State<Api>,
    Path(id): Path<String>,
    body: Result<Json<WebhookBody>, JsonRejection>,
) -> ApiResult {
    let Json(body) = body?;
    check_name(&id)?;
    if api.webhooks.is_configured(&id) {
        return Err(of_file());
    }
    let _one_at_a_time = api.webhooks.changing.lock().await;
    let (webhooks, _) = stored(&api).await?;
    let old = webhooks.into_iter().find(|webhook| webhook.id == id);
    let (webhook, made) = body.over(id.clone(), old)?;
    Hub::check(&webhook)
        .await
        .map_err(|error| ApiError::with(Reject::BadRequest, error.to_string()))?;
    api.handle.call(Command::PutWebhook(Box::new(webhook.clone()))).await?;
    api.webhooks
        .hub
        .set(&webhook)
        .map_err(|error| ApiError::with(Reject::BadRequest, error.to_string()))?;
    let mut answer = all(&api).await?.remove(&id).ok_or_else(unexpected)?;
    if made {
        answer["secret"] = webhook.secret.expose().as_str().into();
    }
    Ok(Json(answer).into_response())
}

impl WebhookBody {
    /// The webhook as it is to be, and whether its secret is a new one of ours.
    fn over(self, id: String, old: Option<Webhook>) -> Result<(Webhook, bool), ApiError> {
        let bad = |text: String| ApiError::with(Reject::BadRequest, text);
        let url = self.url.or_else(|| old.as_ref().map(|old| old.url.clone()));
        let url = url.ok_or_else(|| bad("'url' is missing".into()))?;
        if url.len() > limits::WEBHOOK_URL_BYTES_MAX {
            let max = limits::WEBHOOK_URL_BYTES_MAX;
            return Err(ApiError::with(Reject::TooLarge, format!("'url' may have {max} bytes")));
        }
        let mut types = self
            .types
            .unwrap_or_else(|| old.as_ref().map(|old| old.types.clone()).unwrap_or_default());
        if let Some(unknown) = types.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
            let known = TYPES.join(", ");
            return Err(bad(format!("there is no event type '{unknown}'; known are {known}")));
        }
        types.sort();
        types.dedup();
        let given = self.secret.filter(|secret| !secret.is_empty()).map(Secret::new);
        let kept = given.or_else(|| old.as_ref().map(|old| old.secret.clone()));
        let made = kept.is_none();
        let secret = match kept {
            Some(secret) => secret,
            None => new_secret(&random_bytes()?),
        };
        let was = old.as_ref();
        let enabled = self.enabled.or(was.map(|old| old.enabled)).unwrap_or(true);
        let allow_private =
            self.allow_private.or(was.map(|old| old.allow_private)).unwrap_or(false);
        let changed_at = WallMs(0);
        Ok((Webhook { id, url, secret, types, enabled, allow_private, changed_at }, made))
    }
}

fn of_file() -> ApiError {
    let text = "the configuration file has this webhook: change it there and restart";
    ApiError::with(Reject::Exists, text)
}

/// `DELETE /v1/webhooks/{id}`.
pub(crate) async fn remove(State(api): State<Api>, Path(id): Path<String>) -> ApiResult {
    if api.webhooks.is_configured(&id) {
        return Err(of_file());
    }
    let _one_at_a_time = api.webhooks.changing.lock().await;
    // Nobody notes how far it is once it is gone.
    api.webhooks.hub.remove(&id);
    api.handle.call(Command::DeleteWebhook { id }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What receivers took and did not take, as Prometheus text.
pub(crate) fn metrics(webhooks: &Webhooks, text: &mut String) {
    const NAME: &str = "nightjar_webhook_posts_total";
    text.push_str(&format!("# TYPE {NAME} counter\n"));
    for (id, fares) in webhooks.hub.fares() {
        for (result, count) in [("taken", fares.taken), ("refused", fares.refused)] {
            text.push_str(&format!("{NAME}{{webhook=\"{id}\",result=\"{result}\"}} {count}\n"));
        }
    }
}
