//! Firebase Cloud Messaging, HTTP v1.

mod access;
mod account;
mod codes;
mod message;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, response};
use http_body_util::Full;
use nightjar_push::{Answer, Outcome, PushRequest};
use tokio::sync::Semaphore;

use self::access::{Access, AccessTokens};
use self::account::ServiceAccount;
use crate::clock::wall_now;
use crate::config::Table;
use crate::transport::{HttpClient, HttpError, Origin};
use crate::{AnswerFuture, FcmConfig, Provider, ProviderConfigError, answers};

const BASE_URL: &str = "https://fcm.googleapis.com";

/// Requests of one credential under way at once; further ones wait for their turn.
const IN_FLIGHT_MAX: usize = 256;

/// One Firebase project.
pub struct Fcm {
    send_url: Uri,
    access: AccessTokens,
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
        let json = std::fs::read(&config.service_account_file).map_err(|e| file(e.to_string()))?;
        let account = ServiceAccount::new(&json).map_err(file)?;
        let token_url = match (&config.token_url, &account.token_uri) {
            (Some(url), _) => Origin::parse(url).map_err(|e| table.error("token_url", e))?,
            (None, Some(uri)) => Origin::parse(uri).map_err(|e| file(format!("token_uri {e}")))?,
            (None, None) => return Err(file("holds no token_uri, and token_url is unset".into())),
        };
        let send_url = base
            .url(&format!("/v1/projects/{}/messages:send", account.project_id))
            .parse()
            .map_err(|_| table.error("base_url", "makes no URL with a path behind it"))?;
        Ok(Self {
            send_url,
            access: AccessTokens::new(token_url.url(""), account),
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
        let mut rejected = None;
        loop {
            let access = match self.access.current(&self.http, rejected).await {
                Ok(access) => access,
                Err(answer) => return answer,
            };
            let answer = match self.send(&access, body.clone()).await {
                Ok((head, body)) => answer(request, &head.headers, head.status, &body),
                Err(error) => return Answer::new(Outcome::Retry, error.as_str()),
            };
            if answer.outcome != Outcome::AuthExpired || rejected.is_some() {
                return answer;
            }
            rejected = Some(access.number);
        }
    }

    async fn send(
        &self,
        access: &Access,
        body: Bytes,
    ) -> Result<(response::Parts, Bytes), HttpError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.send_url.clone();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, access.value.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.http.send(request).await
    }
}

fn answer(request: &PushRequest, headers: &HeaderMap, status: StatusCode, body: &[u8]) -> Answer {
    let verdict = codes::judge(status, body);
    if verdict.outcome == Outcome::Delivered {
        let vendor = verdict.name.unwrap_or_default();
        return Answer { vendor, ..Answer::new(Outcome::Delivered, "accepted") };
    }
    let quota_wait = (verdict.outcome == Outcome::Throttled).then_some(codes::QUOTA_WAIT_MS);
    Answer {
        outcome: verdict.outcome,
        reason: answers::reason(verdict.code.as_deref(), status),
        vendor: answers::vendor(body, &request.binding.token),
        retry_after_ms: answers::retry_after_ms(headers).or(quota_wait),
        dead_since: None,
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
