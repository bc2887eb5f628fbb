//! Push Kit of HarmonyOS 5 and later: scenario messages, v3 of Huawei's API. What its answers mean
//! stands in `huawei/codes.rs`, as do those of v1 and v2.

mod account;
mod config;
mod message;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use nightjar_model::WallMs;
use nightjar_push::{Alert, Answer, Outcome, PushRequest};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::account::ServiceAccount;
pub use self::config::HarmonyConfig;
use self::message::Options;
use crate::bearer::Bearers;
use crate::clock::wall_now;
use crate::config::Table;
use crate::huawei::receipts::{self, ReceiptKey};
use crate::huawei::{BASE_URL, CLASS_ADVICE, answer, codes};
use crate::transport::HttpClient;
use crate::{AnswerFuture, Provider, ProviderConfigError, Receipt, ReceiptError, ReceiptRequest};

/// Which kind of message it is; 0 is a notification, and the revocation of one.
const PUSH_TYPE: HeaderName = HeaderName::from_static("push-type");
const NOTIFICATION: HeaderValue = HeaderValue::from_static("0");

/// A signed token is replaced this long before it ends.
const RESIGN_EARLY: Duration = Duration::from_secs(5 * 60);
/// Requests of one credential under way at once; further ones wait for their turn.
const IN_FLIGHT_MAX: usize = 256;
/// All revocations of one withdrawal.
const WITHDRAWN_WITHIN: Duration = Duration::from_secs(25);

/// One project of HarmonyOS' Push Kit.
pub struct Harmony {
    send_url: Uri,
    revoke_url: Uri,
    account: ServiceAccount,
    options: Options,
    receipt_key: Option<ReceiptKey>,
    bearers: Bearers,
    http: HttpClient,
    turns: Semaphore,
}

impl Harmony {
    /// Reads the service account. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &HarmonyConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "harmony", name };
        table.path_word("client_id", &config.client_id)?;
        table.required("category", &config.category, CLASS_ADVICE)?;
        let file = |reason: String| table.error("service_account_file", reason);
        let json = config.service_account_file.read().map_err(file)?;
        let account = ServiceAccount::new(json.expose()).map_err(file)?;
        if table.path_word("", &account.project_id).is_err() {
            return Err(file("holds a project_id that is none".into()));
        }
        let url = |path: &str| table.url("base_url", config.base_url.as_deref(), BASE_URL, path);
        Ok(Self {
            send_url: url(&format!("/v3/{}/messages:send", account.project_id))?,
            revoke_url: url(&format!("/v1/{}/messages:revoke", config.client_id))?,
            account,
            options: Options {
                category: config.category.clone(),
                receipt_id: config.receipt_id.clone(),
            },
            receipt_key: ReceiptKey::new(&config.receipt_user, &config.receipt_secret),
            bearers: Bearers::new(RESIGN_EARLY),
            http: HttpClient::new(),
            turns: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        match &request.alert {
            Some(alert) => self.show(request, alert).await,
            None => {
                let withdrawn = timeout(WITHDRAWN_WITHIN, self.withdraw(request)).await;
                withdrawn.unwrap_or_else(|_| Answer::new(Outcome::Retry, "timeout"))
            }
        }
    }

    /// Sends, and again without a part that was refused; the reason tells the operator.
    async fn show(&self, request: &PushRequest, alert: &Alert) -> Answer {
        let mut body = message::body(request, alert, &self.options, wall_now());
        let mut refused = None;
        loop {
            if message::is_too_large(&body, request) {
                return Answer::new(Outcome::TooLarge, "payload_too_large");
            }
            let answer = self.post(&self.send_url, request, &body).await;
            match codes::part(&answer.reason) {
                Some(part) if message::take_out(&mut body, part) => {
                    refused = Some((part, answer.reason));
                }
                _ => return codes::mention(answer, refused),
            }
        }
    }

    /// Huawei takes back one notification a request. The first that is refused decides; those
    /// before it are taken back twice when the withdrawal is tried again, which changes nothing.
    async fn withdraw(&self, request: &PushRequest) -> Answer {
        let mut last = Answer::new(Outcome::Delivered, "nothing_to_withdraw");
        for nid in &request.data.wd {
            let body = message::revocation(request, nid);
            last = self.post(&self.revoke_url, request, &body).await;
            if last.outcome != Outcome::Delivered {
                break;
            }
        }
        last
    }

    async fn post(&self, url: &Uri, request: &PushRequest, body: &Value) -> Answer {
        let body = Bytes::from(body.to_string());
        let sign = || async { self.account.sign(wall_now()) };
        let send = |bearer| self.send(url, request, bearer, body.clone());
        self.bearers.authorised(sign, send).await
    }

    async fn send(
        &self,
        url: &Uri,
        request: &PushRequest,
        bearer: HeaderValue,
        body: Bytes,
    ) -> Answer {
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (PUSH_TYPE, NOTIFICATION),
        ]);
        match self.http.post(url, headers, body).await {
            Ok((head, body)) => answer(request, &head.headers, head.status, &body),
            Err(error) => error.answer(),
        }
    }
}

impl Provider for Harmony {
    fn name(&self) -> &'static str {
        "harmony"
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
