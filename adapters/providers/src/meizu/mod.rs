//! Meizu's Flyme Push.
//!
//! Every request is signed; there is nothing to renew. There is no withdrawal either: messages
//! without a notification were switched off, and what is on a screen stays there.

mod codes;
mod config;
mod message;
mod receipts;

#[cfg(test)]
mod tests;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri};
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, PushRequest};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::clock::wall_now;
use crate::config::Table;
use crate::transport::{HttpClient, Origin};
use crate::{
    AnswerFuture, Provider, ProviderConfigError, Receipt, ReceiptError, ReceiptRequest, answers,
    form,
};

pub use config::MeizuConfig;

const BASE_URL: &str = "https://server-api-push.meizu.com";
const SEND_PATH: &str = "/garcia/api/server/push/varnished/pushByPushId";
/// Requests of one app under way at once. Meizu takes 200 a second.
const IN_FLIGHT_MAX: usize = 32;
/// The longest address Meizu takes.
const RECEIPT_URL_CHARS_MAX: usize = 128;

/// One app at Meizu.
pub struct Meizu {
    config: MeizuConfig,
    send_url: Uri,
    http: HttpClient,
    turns: Semaphore,
}

impl Meizu {
    /// Checks the keys. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &MeizuConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "meizu", name };
        let base = Origin::parse(config.base_url.as_deref().unwrap_or(BASE_URL))
            .map_err(|reason| table.error("base_url", reason))?;
        let send_url = base.uri(SEND_PATH).map_err(|reason| table.error("base_url", reason))?;
        table.required("app_id", &config.app_id, "take it from the console")?;
        table.required("app_secret", config.app_secret.expose(), "take it from the console")?;
        table.receipt_url(config.receipt_url.as_deref(), RECEIPT_URL_CHARS_MAX)?;
        Ok(Self {
            config: config.clone(),
            send_url,
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let Some(alert) = &request.alert else { return answers::no_withdrawal() };
        let _turn = self.turns.acquire().await;
        let message = message::message(&self.config, request, alert, wall_now());
        self.send(&message, &request.binding.token).await
    }

    async fn send(&self, message: &Value, token: &Secret<String>) -> Answer {
        let form = message::form(&self.config, token.expose(), message);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, form::CONTENT_TYPE)]);
        match self.http.post(&self.send_url, headers, form.encode()).await {
            Ok((head, body)) => {
                let answer = codes::judge(head.status, &body, token, wall_now());
                answers::heeding(&head.headers, answer)
            }
            Err(error) => error.answer(),
        }
    }
}

impl Provider for Meizu {
    fn name(&self) -> &'static str {
        "meizu"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }

    fn receipts(
        &self,
        request: &ReceiptRequest<'_>,
        now: WallMs,
    ) -> Result<Vec<Receipt>, ReceiptError> {
        receipts::read(&self.config, request.body, now)
    }
}
