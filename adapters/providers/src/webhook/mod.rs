//! A receiver of the operator's own, asked by a signed POST (the Standard Webhooks scheme).

mod config;
mod message;
mod verdict;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Uri};
use nightjar_outgoing::Key;
use nightjar_push::{Answer, Outcome, PushRequest, Scope};
use tokio::sync::Semaphore;

use crate::clock::wall_now;
use crate::config::Table;
use crate::transport::{HttpClient, HttpError, Reach, origin_of};
use crate::{AnswerFuture, Provider, ProviderConfigError, answers};

pub use config::WebhookConfig;

/// A bridge asks somebody else in turn.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Requests to one receiver under way at once; further ones wait for their turn.
const IN_FLIGHT_MAX: usize = 64;

/// One receiver.
pub struct Webhook {
    url: Uri,
    key: Key,
    http: HttpClient,
    turns: Semaphore,
}

impl Webhook {
    /// Checks address and secret. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &WebhookConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "webhook", name };
        let url: Option<Uri> = config.url.parse().ok();
        let url = url.filter(|url| origin_of(url).is_some());
        let url = url.ok_or_else(|| table.error("url", "is not an https:// or http:// URL"))?;
        if url.scheme_str() == Some("http") && !config.allow_private {
            return Err(table.error("url", "http:// needs allow_private, and a private address"));
        }
        table.required("secret", config.secret.expose(), "receivers verify requests with it")?;
        Ok(Self {
            url,
            key: Key::parse(&config.secret).map_err(|error| table.error("secret", error))?,
            http: HttpClient::within(Reach::to_strangers(config.allow_private), ANSWER_WITHIN),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        let now = wall_now();
        let body = message::body(request, now).to_string();
        let headers = self.headers(&message::id(request), now.0 / 1000, &body);
        match self.http.post(&self.url, headers, Bytes::from(body)).await {
            Ok((head, body)) => {
                let wait_ms = answers::retry_after_ms(&head.headers);
                verdict::judge(head.status, &body, &request.binding.token, wait_ms)
            }
            // The operator named the address: it is wrong for every message.
            Err(HttpError::OutOfReach) => Answer {
                outcome: Outcome::ConfigError,
                ..HttpError::OutOfReach.answer().about(Scope::Credential)
            },
            Err(error) => error.answer(),
        }
    }

    fn headers(&self, id: &str, timestamp_s: u64, body: &str) -> HeaderMap {
        let signature = self.key.sign(id, timestamp_s, body);
        let ascii = |text: &str| {
            HeaderValue::from_str(text).expect("hex, digits and base64 are visible ASCII")
        };
        HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (USER_AGENT, HeaderValue::from_static("nightjar")),
            (HeaderName::from_static("webhook-id"), ascii(id)),
            (HeaderName::from_static("webhook-timestamp"), HeaderValue::from(timestamp_s)),
            (HeaderName::from_static("webhook-signature"), ascii(&signature)),
        ])
    }
}

impl Provider for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }
}
