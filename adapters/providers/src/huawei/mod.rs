//! Huawei's Push Kit, v1 and v2 of its API.

pub(crate) mod codes;
mod config;
mod message;
pub(crate) mod receipts;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome, PushRequest};
use tokio::sync::Semaphore;

pub use self::config::HuaweiConfig;
use self::message::Options;
use self::receipts::ReceiptKey;
use crate::bearer::Bearers;
use crate::clock::wall_now;
use crate::config::Table;
use crate::transport::HttpClient;
use crate::{
    AnswerFuture, Provider, ProviderConfigError, Receipt, ReceiptError, ReceiptRequest, answers,
    oauth,
};

pub(crate) const BASE_URL: &str = "https://push-api.cloud.huawei.com";
const TOKEN_URL: &str = "https://oauth-login.cloud.huawei.com/oauth2/v2/token";

/// What to do about a missing class, in HarmonyOS' table too.
pub(crate) const CLASS_ADVICE: &str = "set it to \"IM\" and apply for the right to classify \
     messages in the console: without a class a chat is capped and silent like marketing";

/// An access token, which lives for an hour, is replaced this long before it ends.
const REFRESH_EARLY: Duration = Duration::from_secs(5 * 60);
/// Requests of one credential under way at once; further ones wait for their turn.
const IN_FLIGHT_MAX: usize = 256;

/// One app of Huawei's Push Kit.
pub struct Huawei {
    send_url: Uri,
    token_url: Uri,
    /// What buys an access token: the app's id and its secret.
    credentials: Secret<String>,
    options: Options,
    receipt_key: Option<ReceiptKey>,
    bearers: Bearers,
    http: HttpClient,
    turns: Semaphore,
}

impl Huawei {
    /// Checks the options. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &HuaweiConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "huawei", name };
        table.path_word("app_id", &config.app_id)?;
        table.required("app_secret", config.app_secret.expose(), "take it from the console")?;
        table.required("category", &config.category, CLASS_ADVICE)?;
        let path = match &config.project_id {
            Some(id) => {
                table.path_word("project_id", id)?;
                format!("/v2/{id}/messages:send")
            }
            None => format!("/v1/{}/messages:send", config.app_id),
        };
        let credentials = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &config.app_id)
            .append_pair("client_secret", config.app_secret.expose())
            .finish();
        Ok(Self {
            send_url: table.url("base_url", config.base_url.as_deref(), BASE_URL, &path)?,
            token_url: table.url("token_url", config.token_url.as_deref(), TOKEN_URL, "")?,
            credentials: Secret::new(credentials),
            options: Options {
                category: config.category.clone(),
                channel_id: config.channel_id.clone(),
                badge_class: config.badge_class.clone(),
                receipt_id: config.receipt_id.clone(),
            },
            receipt_key: ReceiptKey::new(&config.receipt_user, &config.receipt_secret),
            bearers: Bearers::new(REFRESH_EARLY),
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    /// Sends, and again without a part that was refused; the reason tells the operator.
    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        let mut body = message::body(request, &self.options, wall_now());
        let mut refused = None;
        loop {
            if message::is_too_large(&body, request) {
                return Answer::new(Outcome::TooLarge, "payload_too_large");
            }
            let bytes = Bytes::from(body.to_string());
            let buy = || oauth::buy(&self.http, &self.token_url, self.credentials.expose().clone());
            let send = |bearer| self.send(request, bearer, bytes.clone());
            let answer = self.bearers.authorised(buy, send).await;
            match codes::part(&answer.reason) {
                Some(part) if message::take_out(&mut body, part) => {
                    refused = Some((part, answer.reason));
                }
                _ => return codes::mention(answer, refused),
            }
        }
    }

    async fn send(&self, request: &PushRequest, bearer: HeaderValue, body: Bytes) -> Answer {
        let json = HeaderValue::from_static("application/json; charset=UTF-8");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer), (CONTENT_TYPE, json)]);
        match self.http.post(&self.send_url, headers, body).await {
            Ok((head, body)) => answer(request, &head.headers, head.status, &body),
            Err(error) => error.answer(),
        }
    }
}

/// The answer a reply stands for; HarmonyOS' are read the same.
pub(crate) fn answer(
    request: &PushRequest,
    headers: &HeaderMap,
    status: StatusCode,
    body: &[u8],
) -> Answer {
    let token = &request.binding.token;
    let verdict = codes::judge(status, body, token);
    if verdict.outcome == Outcome::Delivered {
        let vendor = answers::vendor(verdict.request_id.as_bytes(), token);
        return Answer { vendor, ..Answer::new(Outcome::Delivered, "accepted") };
    }
    Answer {
        scope: verdict.scope,
        vendor: answers::vendor(body, token),
        retry_after_ms: answers::retry_after_ms(headers),
        ..Answer::new(verdict.outcome, answers::reason(verdict.word.as_deref(), status))
    }
}

impl Provider for Huawei {
    fn name(&self) -> &'static str {
        "huawei"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }

    fn receipts(
        &self,
        request: &ReceiptRequest<'_>,
        now: WallMs,
    ) -> Result<Vec<Receipt>, ReceiptError> {
        let key = self.receipt_key.as_ref().ok_or(ReceiptError::NotOffered)?;
        receipts::read(key, request, now)
    }
}
