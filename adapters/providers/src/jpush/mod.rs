//! JPush (Aurora), which hands messages on to the vendors of China.
//!
//! Its keys do not end; there is nothing to renew. It has no receipts here: its callbacks name
//! messages by its own ids.

mod codes;
mod config;
mod message;

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri};
use nightjar_model::Secret;
use nightjar_push::{Answer, PushRequest};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::clock::wall_now;
use crate::config::Table;
use crate::transport::{HttpClient, Origin};
use crate::{AnswerFuture, Provider, ProviderConfigError};

pub use config::JpushConfig;

const BASE_URL: &str = "https://api.jpush.cn";
const SEND_PATH: &str = "/v3/push";
/// Requests of one app under way at once. JPush takes ten a second of a free app.
const IN_FLIGHT_MAX: usize = 32;

/// One app at JPush.
pub struct Jpush {
    config: JpushConfig,
    send_url: Uri,
    authorization: HeaderValue,
    http: HttpClient,
    turns: Semaphore,
}

impl Jpush {
    /// Checks the keys. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &JpushConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "jpush", name };
        let base = Origin::parse(config.base_url.as_deref().unwrap_or(BASE_URL))
            .map_err(|reason| table.error("base_url", reason))?;
        let send_url = base.uri(SEND_PATH).map_err(|reason| table.error("base_url", reason))?;
        let (key, secret) = (config.app_key.expose(), config.master_secret.expose());
        table.required("app_key", key, "take it from the console")?;
        table.required("master_secret", secret, "take it from the console")?;
        let pair = STANDARD.encode(format!("{key}:{secret}"));
        let mut authorization =
            HeaderValue::from_str(&format!("Basic {pair}")).expect("base64 is visible ASCII");
        authorization.set_sensitive(true);
        Ok(Self {
            config: config.clone(),
            send_url,
            authorization,
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        let body = message::body(&self.config, request, wall_now());
        self.send(&body, &request.binding.token).await
    }

    async fn send(&self, body: &Value, token: &Secret<String>) -> Answer {
        let json = HeaderValue::from_static("application/json");
        let headers = [(AUTHORIZATION, self.authorization.clone()), (CONTENT_TYPE, json)];
        let body = Bytes::from(body.to_string());
        match self.http.post(&self.send_url, HeaderMap::from_iter(headers), body).await {
            Ok((head, body)) => {
                codes::judge((head.status, &head.headers), &body, token, wall_now())
            }
            Err(error) => error.answer(),
        }
    }
}

impl Provider for Jpush {
    fn name(&self) -> &'static str {
        "jpush"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }
}
