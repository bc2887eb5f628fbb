//! vivo Push, for vivo and iQOO.
//!
//! An auth token is bought with a signature. There is no badge, no sound of one's own, and no
//! message without a notification: a withdrawal is not sent.

mod codes;
mod config;
mod message;
mod receipts;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome, PushRequest};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::bearer::{Bearers, Bought};
use crate::clock::wall_now;
use crate::config::Table;
use crate::digest::md5_hex;
use crate::transport::{HttpClient, Origin};
use crate::{
    AnswerFuture, Provider, ProviderConfigError, Receipt, ReceiptError, ReceiptRequest, answers,
};

pub use config::VivoConfig;

const BASE_URL: &str = "https://api-push.vivo.com.cn";
const AUTH_PATH: &str = "/message/auth";
const SEND_PATH: &str = "/message/send";
/// `authToken`, whose case HTTP does not mind.
const AUTH_TOKEN: HeaderName = HeaderName::from_static("authtoken");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A token is good for a day; vivo asks to renew it every hour or two.
const TOKEN_USED: Duration = Duration::from_secs(3600);
/// Requests of one app under way at once. vivo takes 3000 a second of the smallest one.
const IN_FLIGHT_MAX: usize = 128;
/// The longest address vivo takes.
const RECEIPT_URL_CHARS_MAX: usize = 128;
/// The longest vivo keeps a message, by any of its pages.
const TTL_S_MAX: u64 = 7 * 24 * 3600;

/// One app at vivo.
pub struct Vivo {
    config: VivoConfig,
    auth_url: Uri,
    send_url: Uri,
    bearers: Bearers,
    http: HttpClient,
    turns: Semaphore,
}

impl Vivo {
    /// Checks the keys. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &VivoConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "vivo", name };
        let base = Origin::parse(config.base_url.as_deref().unwrap_or(BASE_URL))
            .map_err(|reason| table.error("base_url", reason))?;
        let uri = |path: &str| base.uri(path).map_err(|reason| table.error("base_url", reason));
        check(table, config)?;
        Ok(Self {
            config: config.clone(),
            auth_url: uri(AUTH_PATH)?,
            send_url: uri(SEND_PATH)?,
            bearers: Bearers::new(Duration::ZERO),
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let Some(alert) = &request.alert else { return answers::no_withdrawal() };
        let _turn = self.turns.acquire().await;
        let body = message::body(&self.config, request, alert, wall_now());
        let send = |bearer| self.send(bearer, &body, &request.binding.token);
        self.bearers.authorised(|| self.buy(), send).await
    }

    async fn buy(&self) -> Result<Bought, Answer> {
        let timestamp = wall_now().0;
        let (id, key) = (self.config.app_id.trim(), self.config.app_key.expose().trim());
        let secret = self.config.app_secret.expose().trim();
        let body = json!({
            "appId": message::app_id(&self.config),
            "appKey": key,
            "timestamp": timestamp,
            "sign": md5_hex(&format!("{id}{key}{timestamp}{secret}")),
        });
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, JSON)]);
        let (head, body) = self
            .http
            .post(&self.auth_url, headers, Bytes::from(body.to_string()))
            .await
            .map_err(|error| answers::unauthorised(error.as_str()))?;
        match codes::read(&body) {
            (Some(0), Some(token)) => Bought::new(&token, TOKEN_USED)
                .map_err(|_| answers::unauthorised("malformed_answer")),
            (Some(0), None) => Err(answers::unauthorised("malformed_answer")),
            _ => {
                let answer = codes::judge(head.status, &body, &Secret::default(), wall_now());
                Err(answers::not_sold(answers::heeding(&head.headers, answer)))
            }
        }
    }

    /// Sends; refused for its words or its class, once more without what was refused: a message
    /// that says less is better than none. The reason tells the operator.
    async fn send(&self, bearer: HeaderValue, body: &Value, token: &Secret<String>) -> Answer {
        let (code, refused) = self.post(&bearer, body, token).await;
        let (again, how) = match code {
            Some(code) if codes::WORDS_REFUSED.contains(&code) => {
                (message::reworded(&self.config, body), "in other words")
            }
            Some(code) if codes::CLASS_REFUSED.contains(&code) => {
                (message::without_class(body), "without class")
            }
            _ => return refused,
        };
        match self.post(&bearer, &again, token).await.1 {
            again if again.outcome == Outcome::Delivered => {
                Answer { reason: format!("accepted {how}: {}", refused.reason), ..again }
            }
            again => again,
        }
    }

    async fn post(
        &self,
        bearer: &HeaderValue,
        body: &Value,
        token: &Secret<String>,
    ) -> (Option<i64>, Answer) {
        let headers = HeaderMap::from_iter([(AUTH_TOKEN, bearer.clone()), (CONTENT_TYPE, JSON)]);
        match self.http.post(&self.send_url, headers, Bytes::from(body.to_string())).await {
            Ok((head, body)) => {
                let answer = codes::judge(head.status, &body, token, wall_now());
                (codes::read(&body).0, answers::heeding(&head.headers, answer))
            }
            Err(error) => (None, error.answer()),
        }
    }
}

fn check(table: Table<'_>, config: &VivoConfig) -> Result<(), ProviderConfigError> {
    table.required("app_id", &config.app_id, "take it from the console")?;
    table.required("app_key", config.app_key.expose(), "take it from the console")?;
    table.required("app_secret", config.app_secret.expose(), "take it from the console")?;
    let category = "name the class here, IM for messages of people: without one they are marketing, \
                    a few a day";
    table.required("category", &config.category, category)?;
    match config.classification {
        Some(0 | 1) => {}
        Some(_) => return Err(table.error("classification", "is neither 0 nor 1")),
        None => {
            let reason = "is missing; 1 for messages of the system, to which IM belongs";
            return Err(table.error("classification", reason));
        }
    }
    if !(message::TTL_S_MIN..=TTL_S_MAX).contains(&config.ttl_s_max) {
        return Err(table.error("ttl_s_max", "is not 60 to 604800 seconds"));
    }
    table.required(
        "safe_text",
        &config.safe_text,
        "a message whose words are refused needs others",
    )?;
    table.receipt_url(config.receipt_url.as_deref(), RECEIPT_URL_CHARS_MAX)
}

impl Provider for Vivo {
    fn name(&self) -> &'static str {
        "vivo"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }

    fn receipts(
        &self,
        request: &ReceiptRequest<'_>,
        now: WallMs,
    ) -> Result<Vec<Receipt>, ReceiptError> {
        receipts::read(&self.config.app_secret, request.body, now)
    }
}
