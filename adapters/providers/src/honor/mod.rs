//! Honor Push.

mod codes;
mod config;
mod message;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome, PushRequest};
use tokio::sync::Semaphore;

use self::codes::{FAILED, Verdict};
pub use self::config::HonorConfig;
use crate::bearer::Bearers;
use crate::clock::wall_now;
use crate::config::Table;
use crate::huawei::receipts::{self, ReceiptKey};
use crate::transport::HttpClient;
use crate::{
    AnswerFuture, Provider, ProviderConfigError, Receipt, ReceiptError, ReceiptRequest, answers,
    oauth,
};

const BASE_URL: &str = "https://push-api.cloud.honor.com";
const TOKEN_URL: &str = "https://iam.developer.honor.com/auth/token";

/// When a request was made, ms. Honor demands it.
const TIMESTAMP: HeaderName = HeaderName::from_static("timestamp");

/// An access token, which lives for an hour, is replaced this long before it ends.
const REFRESH_EARLY: Duration = Duration::from_secs(5 * 60);
/// Requests of one credential under way at once; further ones wait for their turn.
const IN_FLIGHT_MAX: usize = 256;

/// One app of Honor Push.
pub struct Honor {
    send_url: Uri,
    token_url: Uri,
    /// What buys an access token.
    credentials: Secret<String>,
    badge_class: Option<String>,
    receipt_key: Option<ReceiptKey>,
    bearers: Bearers,
    http: HttpClient,
    turns: Semaphore,
}

impl Honor {
    /// Checks the options. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &HonorConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "honor", name };
        let advice = "take that of the push service from the console, not the app's";
        table.path_word("app_id", &config.app_id)?;
        table.required("client_id", &config.client_id, advice)?;
        table.required("client_secret", config.client_secret.expose(), advice)?;
        let credentials = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &config.client_id)
            .append_pair("client_secret", config.client_secret.expose())
            .finish();
        let path = format!("/api/v1/{}/sendMessage", config.app_id);
        Ok(Self {
            send_url: table.url("base_url", config.base_url.as_deref(), BASE_URL, &path)?,
            token_url: table.url("token_url", config.token_url.as_deref(), TOKEN_URL, "")?,
            credentials: Secret::new(credentials),
            badge_class: config.badge_class.clone(),
            receipt_key: ReceiptKey::new(&config.receipt_user, &config.receipt_secret),
            bearers: Bearers::new(REFRESH_EARLY),
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    /// Sends; where Honor only says that it failed, once more, and then gives the message up.
    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        let body = message::body(request, self.badge_class.as_deref(), wall_now());
        if message::is_too_large(&body, request) {
            return Answer::new(Outcome::TooLarge, "payload_too_large");
        }
        let body = Bytes::from(body.to_string());
        let first = self.attempt(request, &body).await;
        if first.reason != FAILED {
            return first;
        }
        let second = self.attempt(request, &body).await;
        match second.reason.as_str() {
            FAILED => Answer { outcome: Outcome::Reject, ..second },
            _ => second,
        }
    }

    async fn attempt(&self, request: &PushRequest, body: &Bytes) -> Answer {
        let buy = || oauth::buy(&self.http, &self.token_url, self.credentials.expose().clone());
        let send = |bearer| self.send(request, bearer, body.clone());
        self.bearers.authorised(buy, send).await
    }

    async fn send(&self, request: &PushRequest, bearer: HeaderValue, body: Bytes) -> Answer {
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8")),
            (TIMESTAMP, HeaderValue::from(wall_now().0)),
        ]);
        let (head, body) = match self.http.post(&self.send_url, headers, body).await {
            Ok(answered) => answered,
            Err(error) => return error.answer(),
        };
        let token = &request.binding.token;
        let Verdict { outcome, scope, word, request_id } = codes::judge(head.status, &body, token);
        if outcome == Outcome::Delivered {
            let vendor = answers::vendor(request_id.as_bytes(), token);
            return Answer { vendor, ..Answer::new(outcome, "accepted") };
        }
        Answer {
            scope,
            vendor: answers::vendor(&body, token),
            retry_after_ms: answers::retry_after_ms(&head.headers),
            ..Answer::new(outcome, answers::reason(word.as_deref(), head.status))
        }
    }
}

impl Provider for Honor {
    fn name(&self) -> &'static str {
        "honor"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }

    /// Honor's page is not public; its receipts are read as Huawei's, whose form they had when the
    /// two parted.
    fn receipts(
        &self,
        request: &ReceiptRequest<'_>,
        now: WallMs,
    ) -> Result<Vec<Receipt>, ReceiptError> {
        let key = self.receipt_key.as_ref().ok_or(ReceiptError::NotOffered)?;
        receipts::read(key, request, now)
    }
}
