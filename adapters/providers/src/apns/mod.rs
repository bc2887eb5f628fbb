//! Apple Push Notification service, with a signed token or a client certificate.

mod auth;
mod channel;
mod kind;
mod link;
mod reasons;
mod request;
mod token;

#[cfg(test)]
mod tests;

use http::{HeaderValue, StatusCode};
use nightjar_model::Environment;
use nightjar_push::{Answer, Outcome, PushRequest};
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use self::auth::Auth;
use self::channel::{Channel, ChannelError};
use self::link::Reply;
use self::reasons::{ErrorBody, Step, judge, scope};
use self::request::Prepared;
use crate::config::Table;
use crate::transport::{ALPN_H2, Connector, Origin, public_roots};
use crate::{AnswerFuture, ApnsConfig, Provider, ProviderConfigError, answers};

pub use kind::ApnsKind;

const PRODUCTION_URL: &str = "https://api.push.apple.com";
const SANDBOX_URL: &str = "https://api.sandbox.push.apple.com";

/// Requests of one credential under way at once; further ones wait for their turn.
const IN_FLIGHT_MAX: usize = 1000;
/// How often one push moves to a new connection because the old one did not process it.
const MOVES_MAX: u32 = 3;

/// One APNs key or certificate for one kind of pushes to one app.
pub struct Apns {
    kind: ApnsKind,
    topic: HeaderValue,
    environment: Environment,
    auth: Auth,
    production: Channel,
    sandbox: Channel,
    /// Both environments are the operator's one server.
    one_server: bool,
    turns: Semaphore,
    random: SystemRandom,
}

impl Apns {
    /// Reads key or certificate. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] names the option that cannot be used.
    pub fn open(
        kind: ApnsKind,
        name: &str,
        config: &ApnsConfig,
    ) -> Result<Self, ProviderConfigError> {
        let urls = match &config.base_url {
            Some(url) => [url.as_str(), url.as_str()],
            None => [PRODUCTION_URL, SANDBOX_URL],
        };
        Self::with_servers((kind, name), config, urls, public_roots())
    }

    fn with_servers(
        (kind, name): (ApnsKind, &str),
        config: &ApnsConfig,
        urls: [&str; 2],
        roots: rustls::RootCertStore,
    ) -> Result<Self, ProviderConfigError> {
        let table = Table { provider: kind.provider(), name };
        let topic = kind.topic(&config.topic);
        let topic = topic.ok_or_else(|| table.error("topic", "is not a bundle id"))?;
        let (auth, identity) = Auth::new(table, config)?;
        let connector = Connector::trusting(roots, &[ALPN_H2], identity)
            .map_err(|reason| table.error("cert_file", reason))?;
        let channel = |url: &str| {
            let origin = Origin::parse(url).map_err(|reason| table.error("base_url", reason))?;
            Ok(Channel::new(origin, connector.clone()))
        };
        Ok(Self {
            kind,
            topic,
            environment: config.environment,
            auth,
            production: channel(urls[0])?,
            sandbox: channel(urls[1])?,
            one_server: urls[0] == urls[1],
            turns: Semaphore::new(IN_FLIGHT_MAX),
            random: SystemRandom::new(),
        })
    }

    fn channel(&self, environment: Environment) -> &Channel {
        match environment {
            // One server for both.
            Environment::Sandbox if !self.one_server => &self.sandbox,
            _ => &self.production,
        }
    }

    async fn deliver(&self, request: &PushRequest) -> Answer {
        let _turn = self.turns.acquire().await;
        let prepared = match Prepared::new(request, self.kind, &self.topic, &self.random) {
            Ok(prepared) => prepared,
            Err(answer) => return answer,
        };
        let environment = request.binding.environment.unwrap_or(self.environment);
        let answer = self.send(request, &prepared, environment).await;
        let unknown = request.binding.environment.is_none() && !self.one_server;
        if !(unknown && judge(StatusCode::BAD_REQUEST, Some(&answer.reason)).1 == Step::AskOther) {
            return answer;
        }
        let other = match environment {
            Environment::Production => Environment::Sandbox,
            Environment::Sandbox => Environment::Production,
        };
        match self.send(request, &prepared, other).await {
            delivered if delivered.outcome == Outcome::Delivered => delivered,
            _ => answer,
        }
    }

    /// Sends to one environment, again where [`Step`] or [`ChannelError::Unprocessed`] say so.
    async fn send(
        &self,
        request: &PushRequest,
        prepared: &Prepared,
        environment: Environment,
    ) -> Answer {
        let channel = self.channel(environment);
        let (mut moves, mut resigned, mut reopened) = (0, false, false);
        loop {
            let Ok(bearer) = self.auth.current() else { return answers::unsignable() };
            let (reply, link) = match channel.exchange(prepared, bearer.as_ref()).await {
                Ok(answered) => answered,
                Err(ChannelError::Unprocessed) if moves < MOVES_MAX => {
                    moves += 1;
                    continue;
                }
                Err(error) => return error.answer(),
            };
            let error = ErrorBody::read(&reply.body);
            let (outcome, step) = judge(reply.head.status, error.reason.as_deref());
            match step {
                Step::Resign if !resigned => {
                    resigned = true;
                    match self.auth.replace(bearer.as_ref()) {
                        Ok(true) => continue,
                        Ok(false) => {}
                        Err(_) => return answers::unsignable(),
                    }
                }
                Step::Reopen if !reopened => {
                    reopened = true;
                    link.retire();
                    continue;
                }
                Step::Leave => link.retire(),
                Step::KeepToken => self.auth.hold(),
                Step::Report | Step::AskOther | Step::Resign | Step::Reopen => {}
            }
            return answer(request, prepared, &reply, &error, outcome);
        }
    }
}

fn answer(
    request: &PushRequest,
    prepared: &Prepared,
    reply: &Reply,
    error: &ErrorBody,
    outcome: Outcome,
) -> Answer {
    let status = reply.head.status;
    if outcome == Outcome::Delivered {
        let vendor = prepared.apns_id.clone();
        return Answer { vendor, ..Answer::new(outcome, "accepted") };
    }
    Answer {
        scope: scope(outcome, error.reason.as_deref()),
        vendor: answers::vendor(&reply.body, &request.binding.token),
        retry_after_ms: answers::retry_after_ms(&reply.head.headers),
        dead_since: error.dead_since(status),
        ..Answer::new(outcome, answers::reason(error.reason.as_deref(), status))
    }
}

impl Provider for Apns {
    fn name(&self) -> &'static str {
        self.kind.provider()
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> AnswerFuture<'a> {
        Box::pin(self.deliver(request))
    }
}
