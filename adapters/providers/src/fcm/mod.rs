//! Firebase Cloud Messaging, HTTP v1.

mod account;
mod codes;
mod message;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use nightjar_push::{Answer, Outcome, PushRequest};
use tokio::sync::Semaphore;

use self::account::ServiceAccount;
use crate::bearer::{Bearers, Bought};
use crate::clock::wall_now;
use crate::config::Table;
use crate::transport::{HttpClient, Origin};
use crate::{AnswerFuture, FcmConfig, Provider, ProviderConfigError, answers, oauth};

const BASE_URL: &str = "https://fcm.googleapis.com";

/// An access token is replaced this long before it ends.
const REFRESH_EARLY: Duration = Duration::from_secs(5 * 60);
/// Requests of one credential under way at once; further ones wait for their turn.
const IN_FLIGHT_MAX: usize = 256;

/// One Firebase project.
pub struct Fcm {
    send_url: Uri,
    token_url: Uri,
    account: ServiceAccount,
    bearers: Bearers,
    http: HttpClient,
    turns: Semaphore,
}

impl Fcm {
    /// Reads the service account. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &FcmConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "fcm", name };
        let base = Origin::parse(config.base_url.as_deref().unwrap_or(BASE_URL))
            .map_err(|reason| table.error("base_url", reason))?;
        let file = |reason: String| table.error("service_account_file", reason);
        let json = config.service_account_file.read().map_err(file)?;
        let account = ServiceAccount::new(json.expose()).map_err(file)?;
        let token_url = match (&config.token_url, &account.token_uri) {
            (Some(url), _) => Origin::parse(url).map_err(|e| table.error("token_url", e))?,
            (None, Some(uri)) => Origin::parse(uri).map_err(|e| file(format!("token_uri {e}")))?,
            (None, None) => return Err(file("holds no token_uri, and token_url is unset".into())),
        };
        let send_url = base
            .uri(&format!("/v1/projects/{}/messages:send", account.project_id))
            .map_err(|reason| table.error("base_url", reason))?;
        let token_url = token_url.uri("").map_err(|reason| table.error("token_url", reason))?;
        Ok(Self {
            send_url,
            token_url,
            account,
            bearers: Bearers::new(REFRESH_EARLY),
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        let Some(body) = message::body(request, wall_now()) else {
            return Answer::new(Outcome::TooLarge, "payload_too_large");
        };
        let body = Bytes::from(body.to_string());
        let send = |bearer| self.send(request, bearer, body.clone());
        self.bearers.authorised(|| self.buy(), send).await
    }

    async fn buy(&self) -> Result<Bought, Answer> {
        let assertion = self.account.assertion().map_err(|_| answers::unsignable())?;
        // Both values consist of characters that a form keeps, except the colons.
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
        );
        oauth::buy(&self.http, &self.token_url, form).await
    }

    async fn send(&self, request: &PushRequest, bearer: HeaderValue, body: Bytes) -> Answer {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer), (CONTENT_TYPE, json)]);
        match self.http.post(&self.send_url, headers, body).await {
            Ok((head, body)) => answer(request, &head.headers, head.status, &body),
            Err(error) => error.answer(),
        }
    }
}

fn answer(request: &PushRequest, headers: &HeaderMap, status: StatusCode, body: &[u8]) -> Answer {
    let verdict = codes::judge(status, body);
    if verdict.outcome == Outcome::Delivered {
        let vendor = verdict.name.unwrap_or_default();
        return Answer { vendor, ..Answer::new(Outcome::Delivered, "accepted") };
    }
    Answer {
        scope: codes::scope(verdict.outcome, verdict.code.as_deref()),
        vendor: answers::vendor(body, &request.binding.token),
        retry_after_ms: answers::retry_after_ms(headers),
        ..Answer::new(verdict.outcome, answers::reason(verdict.code.as_deref(), status))
    }
}

impl Provider for Fcm {
    fn name(&self) -> &'static str {
        "fcm"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }
}
