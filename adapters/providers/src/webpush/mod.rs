//! Web Push (RFC 8030, 8291, 8292) and UnifiedPush, which is the same since its endpoints are.
//!
//! An endpoint is a URL a stranger chose: it is asked only within [`Reach`], and what it answers
//! is about its own subscription, never about the whole credential.

mod config;
mod encryption;
mod request;
mod statuses;
mod subscription;
mod vapid;

#[cfg(test)]
mod tests;

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, Uri, response};
use nightjar_model::Secret;
use nightjar_push::{Answer, Outcome, PushRequest, Scope};
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use self::request::Prepared;
use self::statuses::{Step, judge, word};
use self::vapid::Vapid;
use crate::clock::wall_now;
use crate::config::Table;
use crate::transport::{ANSWER_WITHIN, HttpClient, Origin, Reach, origin_of};
use crate::{AnswerFuture, KeyFile, Provider, ProviderConfigError, answers};

pub use config::{UnifiedPushConfig, WebPushConfig};

/// Requests of one credential under way at once; further ones wait for their turn.
const IN_FLIGHT_MAX: usize = 256;

/// Subscriptions of one key pair.
pub struct WebPush {
    name: &'static str,
    vapid: Option<Vapid>,
    /// What gets every request instead of the endpoints.
    relay: Option<Origin>,
    /// An endpoint may come without keys, and then learns only that there is something.
    may_lack_keys: bool,
    http: HttpClient,
    turns: Semaphore,
    random: SystemRandom,
}

impl WebPush {
    /// Web Push: reads the key. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(name: &str, config: &WebPushConfig) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "webpush", name };
        let vapid = vapid(table, &config.subject, &config.vapid_key_file)?;
        let base_url = config.base_url.as_deref();
        Self::with(table, Some(vapid), base_url, config.allow_private, false)
    }

    /// UnifiedPush: reads the key if there is one. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open_unified(
        name: &str,
        config: &UnifiedPushConfig,
    ) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: "unifiedpush", name };
        let vapid = match (&config.vapid_key_file, &config.subject) {
            (Some(key), Some(subject)) => Some(vapid(table, subject, key)?),
            (Some(_), None) => return Err(table.error("subject", "is needed with a key")),
            (None, _) => None,
        };
        Self::with(table, vapid, config.base_url.as_deref(), config.allow_private, true)
    }

    fn with(
        table: Table<'_>,
        vapid: Option<Vapid>,
        base_url: Option<&str>,
        allow_private: bool,
        may_lack_keys: bool,
    ) -> Result<Self, ProviderConfigError> {
        let relay = base_url.map(Origin::parse).transpose();
        let relay = relay.map_err(|reason| table.error("base_url", reason))?;
        let reach = match &relay {
            Some(_) => Reach::Named,
            None => Reach::to_strangers(allow_private),
        };
        Ok(Self {
            name: table.provider,
            vapid,
            relay,
            may_lack_keys,
            http: HttpClient::within(reach, ANSWER_WITHIN),
            turns: Semaphore::new(IN_FLIGHT_MAX),
            random: SystemRandom::new(),
        })
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        match Prepared::new(request, self.may_lack_keys, wall_now(), &self.random) {
            Ok(prepared) => self.send(request, &prepared).await,
            Err(answer) => answer,
        }
    }

    /// Sends, again where [`Step`] says so.
    async fn send(&self, request: &PushRequest, prepared: &Prepared) -> Answer {
        let Some(mut target) = self.target(&prepared.endpoint) else {
            return Answer::new(Outcome::TokenInvalid, "malformed_subscription");
        };
        let (mut rejected, mut moved) = (None, false);
        loop {
            let mut headers = prepared.headers.clone();
            let mut number = None;
            if let Some(vapid) = self.vapid.as_ref().filter(|_| prepared.is_encrypted) {
                let Ok(signed) = vapid.current(&prepared.origin, rejected) else {
                    return answers::unsignable();
                };
                headers.insert(AUTHORIZATION, signed.value);
                number = Some(signed.number);
            }
            let (head, body) = match self.http.post(&target, headers, prepared.body.clone()).await {
                Ok(answered) => answered,
                Err(error) => return error.answer(),
            };
            let (outcome, step) = judge(head.status, &body);
            match step {
                Step::Resign if rejected.is_none() && number.is_some() => {
                    rejected = number;
                    continue;
                }
                Step::Move if !moved => {
                    if let Some(next) = moved_to(&target, &head.headers) {
                        (target, moved) = (next, true);
                        continue;
                    }
                }
                Step::Report | Step::Resign | Step::Move => {}
            }
            return answer(request, prepared, &head, &body, outcome);
        }
    }

    /// Where a request for an endpoint goes.
    fn target(&self, endpoint: &Uri) -> Option<Uri> {
        let Some(relay) = &self.relay else { return Some(endpoint.clone()) };
        relay.uri(endpoint.path_and_query()?.as_str()).ok()
    }
}

fn vapid(table: Table<'_>, subject: &str, key: &KeyFile) -> Result<Vapid, ProviderConfigError> {
    let names_somebody = match subject.split_once(':') {
        Some(("mailto", address)) => address.contains('@'),
        Some(("https", rest)) => rest.starts_with("//"),
        _ => false,
    };
    if !names_somebody || !subject.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            table.error("subject", "is neither mailto:somebody@example nor an https:// URL")
        );
    }
    let pem = key.read().map_err(|reason| table.error("vapid_key_file", reason))?;
    Vapid::new(subject, pem.expose()).map_err(|reason| table.error("vapid_key_file", reason))
}

/// `Location` of the same origin: another one could be any address, and get our signature.
fn moved_to(target: &Uri, headers: &HeaderMap) -> Option<Uri> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    let next: Uri = match location.strip_prefix('/') {
        Some(rest) if !rest.starts_with('/') => {
            let origin = origin_of(target)?;
            format!("{origin}{location}").parse().ok()?
        }
        _ => location.parse().ok()?,
    };
    (origin_of(&next)? == origin_of(target)?).then_some(next)
}

fn answer(
    request: &PushRequest,
    prepared: &Prepared,
    head: &response::Parts,
    body: &[u8],
    outcome: Outcome,
) -> Answer {
    if outcome == Outcome::Delivered {
        return Answer::new(outcome, "accepted");
    }
    let scope = match outcome {
        Outcome::Throttled => Scope::Device,
        _ => Scope::Message,
    };
    // Whoever knows the endpoint may push to it: it is as secret as the whole subscription.
    let said = String::from_utf8_lossy(body).replace(request.binding.token.expose(), "***");
    let endpoint = Secret::new(prepared.endpoint.to_string());
    Answer {
        vendor: answers::vendor(said.as_bytes(), &endpoint),
        retry_after_ms: answers::retry_after_ms(&head.headers),
        ..Answer::new(outcome, answers::reason(word(body).as_deref(), head.status)).about(scope)
    }
}

impl Provider for WebPush {
    fn name(&self) -> &'static str {
        self.name
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }

    fn public_key(&self) -> Option<String> {
        self.vapid.as_ref().map(Vapid::public_key)
    }
}
