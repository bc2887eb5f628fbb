//! Xiaomi's Mi Push.
//!
//! Xiaomi asks for no token: the key of the app stands in every request. A withdrawal is a message
//! that only a running app gets; there is no request that takes a notification off the screen.

mod codes;
mod config;
mod doubts;
mod message;
mod receipts;

#[cfg(test)]
mod tests;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri};
use nightjar_model::{Secret, WallMs};
use nightjar_push::{Answer, Outcome, PushRequest};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::doubts::Doubts;
use crate::clock::wall_now;
use crate::config::Table;
use crate::form::{self, Form};
use crate::transport::{HttpClient, Origin};
use crate::{
    AnswerFuture, Provider, ProviderConfigError, Receipt, ReceiptError, ReceiptRequest, answers,
};

pub use config::XiaomiConfig;

const BASE_URL: &str = "https://api.xmpush.xiaomi.com";
const SEND_PATH: &str = "/v3/message/regid";
/// Requests of one app under way at once. Xiaomi takes 500 a second of the smallest one.
const IN_FLIGHT_MAX: usize = 64;

/// One app at Xiaomi.
pub struct Xiaomi {
    config: XiaomiConfig,
    send_url: Uri,
    authorization: HeaderValue,
    http: HttpClient,
    turns: Semaphore,
    doubts: Doubts,
}

impl Xiaomi {
    /// Checks the keys. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &XiaomiConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "xiaomi", name };
        let base = Origin::parse(config.base_url.as_deref().unwrap_or(BASE_URL))
            .map_err(|reason| table.error("base_url", reason))?;
        let send_url = base.uri(SEND_PATH).map_err(|reason| table.error("base_url", reason))?;
        table.required("app_secret", config.app_secret.expose(), "take it from the console")?;
        table.required("package_name", &config.package_name, "name the app's package")?;
        let channel = "register a private message channel in the console and name it here: \
                       outside of one, phones show a few messages a day";
        table.required("channel_id", &config.channel_id, channel)?;
        table.receipt_url(config.receipt_url.as_deref(), usize::MAX)?;
        let mut authorization =
            HeaderValue::from_str(&format!("key={}", config.app_secret.expose()))
                .map_err(|_| table.error("app_secret", "holds characters no secret has"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            config: config.clone(),
            send_url,
            authorization,
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
            doubts: Doubts::default(),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        let mut form = message::form(&self.config, request, wall_now());
        let token = &request.binding.token;
        let (code, refused) = self.send(&form, token).await;
        if !code.is_some_and(|code| codes::RECEIPT_CODES.contains(&code)) {
            return refused;
        }
        for field in message::RECEIPT_FIELDS {
            form.remove(field);
        }
        let (_, mut answer) = self.send(&form, token).await;
        if answer.outcome == Outcome::Delivered {
            // A message without a receipt is better than none; the operator finds out by this.
            answer.reason = format!("accepted without receipt: {}", refused.reason);
        }
        answer
    }

    async fn send(&self, form: &Form, token: &Secret<String>) -> (Option<i64>, Answer) {
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, self.authorization.clone()),
            (CONTENT_TYPE, form::CONTENT_TYPE),
        ]);
        let (head, body) = match self.http.post(&self.send_url, headers, form.encode()).await {
            Ok(answered) => answered,
            Err(error) => return (None, error.answer()),
        };
        let code = codes::code(&body);
        let answer = codes::judge(head.status, &body, token, wall_now());
        let mut answer = answers::heeding(&head.headers, answer);
        if code == Some(codes::NOT_FOUND) {
            if self.doubts.not_found(token, Instant::now()) {
                answer.outcome = Outcome::TokenInvalid;
            }
        } else if answer.outcome == Outcome::Delivered {
            self.doubts.found(token);
        }
        (code, answer)
    }
}

impl Provider for Xiaomi {
    fn name(&self) -> &'static str {
        "xiaomi"
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
