//! OPPO Push, for OPPO, realme and OnePlus.
//!
//! An auth token is bought with a signature and stands in the form of every request. There is no
//! badge, no sound of one's own, and no message without a notification: a withdrawal is not sent.

mod codes;
mod config;
mod message;
mod receipts;
mod site;

#[cfg(test)]
mod tests;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome, PushRequest};
use serde_json::Value;
use tokio::sync::Semaphore;

use self::site::Site;
use crate::clock::wall_now;
use crate::config::Table;
use crate::form::{self, Form};
use crate::transport::HttpClient;
use crate::{
    AnswerFuture, Provider, ProviderConfigError, Receipt, ReceiptError, ReceiptRequest, answers,
};

pub use config::OppoConfig;

const CHINA_URL: &str = "https://api.push.oppomobile.com";
const ABROAD_URL: &str = "https://api-intl.push.oppomobile.com";
/// Requests of one app under way at once. OPPO takes 5000 a second of the smallest one.
const IN_FLIGHT_MAX: usize = 128;
/// The longest address OPPO takes.
const RECEIPT_URL_CHARS_MAX: usize = 200;
/// Every `notify_level` there is.
const LEVELS: [u8; 3] = [1, 2, 16];

/// One app at OPPO.
pub struct Oppo {
    config: OppoConfig,
    china: Site,
    /// `None` where the operator named the one address.
    abroad: Option<Site>,
    http: HttpClient,
    turns: Semaphore,
}

impl Oppo {
    /// Checks the keys. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &OppoConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "oppo", name };
        let site = |url: &str| Site::new(url).map_err(|reason| table.error("base_url", reason));
        let (china, abroad) = match &config.base_url {
            Some(url) => (site(url)?, None),
            None => (site(CHINA_URL)?, Some(site(ABROAD_URL)?)),
        };
        table.required("app_key", config.app_key.expose(), "take it from the console")?;
        table.required(
            "master_secret",
            config.master_secret.expose(),
            "take it from the console",
        )?;
        let channel = "register a channel in the console and name it here: Android shows nothing \
                       without one";
        table.required("channel_id", &config.channel_id, channel)?;
        let category = "apply for the class in the console and name it here, IM for messages of \
                        people: without one they are marketing, two a day";
        table.required("category", &config.category, category)?;
        if !LEVELS.contains(&config.notify_level) {
            return Err(table.error("notify_level", "is none of 1, 2 and 16"));
        }
        table.receipt_url(config.receipt_url.as_deref(), RECEIPT_URL_CHARS_MAX)?;
        Ok(Self {
            config: config.clone(),
            china,
            abroad,
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let Some(alert) = &request.alert else { return answers::no_withdrawal() };
        let _turn = self.turns.acquire().await;
        let message = message::message(&self.config, request, alert, wall_now());
        let token = &request.binding.token;
        let site = match &self.abroad {
            Some(abroad) if !is_chinese(token.expose()) => abroad,
            _ => &self.china,
        };
        let send = |bearer| self.send(site, bearer, &message, token);
        site.bearers.authorised(|| site.buy(&self.http, &self.config), send).await
    }

    /// Sends with the class; refused for that, without it: a quiet message is better than none.
    async fn send(
        &self,
        site: &Site,
        bearer: HeaderValue,
        message: &Value,
        token: &Secret<String>,
    ) -> Answer {
        let (code, refused) = self.post(site, &bearer, message, token).await;
        if code != Some(codes::CLASS_REFUSED) {
            return refused;
        }
        let message = message::without_class(message);
        match self.post(site, &bearer, &message, token).await.1 {
            again if again.outcome == Outcome::Delivered => {
                Answer { reason: format!("accepted without class: {}", refused.reason), ..again }
            }
            again => again,
        }
    }

    async fn post(
        &self,
        site: &Site,
        bearer: &HeaderValue,
        message: &Value,
        token: &Secret<String>,
    ) -> (Option<i64>, Answer) {
        let mut form = Form::default();
        form.set("message", message.to_string());
        form.set("auth_token", bearer.to_str().unwrap_or_default());
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, form::CONTENT_TYPE)]);
        match self.http.post(&site.send_url, headers, form.encode()).await {
            Ok((head, body)) => {
                let answer = codes::judge(head.status, &body, token, wall_now());
                (codes::read(&body).0, answers::heeding(&head.headers, answer))
            }
            Err(error) => (None, error.answer()),
        }
    }
}

/// OPPO's own rule: parts between `_`; of one it is Chinese, of more where the last but one says
/// `CN`.
fn is_chinese(registration_id: &str) -> bool {
    let parts: Vec<&str> = registration_id.split('_').collect();
    matches!(parts.as_slice(), [_] | ["CN", _] | [_, "CN", _])
}

impl Provider for Oppo {
    fn name(&self) -> &'static str {
        "oppo"
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }

    fn receipts(
        &self,
        request: &ReceiptRequest<'_>,
        now: WallMs,
    ) -> Result<Vec<Receipt>, ReceiptError> {
        receipts::read(&self.config.master_secret, request.body, now)
    }
}
