//! The access token: bought with a signed assertion, kept until shortly before it ends, fetched
//! by one sender while the others wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use nightjar_model::Secret;
use nightjar_push::{Answer, Outcome};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::account::ServiceAccount;
use crate::answers;
use crate::transport::HttpClient;

/// A token is replaced this long before it ends, so that none ends under way.
pub(super) const REFRESH_EARLY: Duration = Duration::from_secs(5 * 60);
/// What Google usually says, for an answer that does not.
const EXPIRES_IN_S: u64 = 3600;

/// A token in the form of its header.
#[derive(Clone)]
pub(super) struct Access {
    /// `Bearer <token>`, marked sensitive.
    pub(super) value: HeaderValue,
    /// Which token of this process it is: says whether a rejected one was replaced already.
    pub(super) number: u64,
    fresh_until: Instant,
}

#[derive(Default)]
struct State {
    access: Option<Access>,
    /// The last number given.
    number: u64,
    /// Why the last fetch failed, if it did.
    failure: Option<Answer>,
}

/// Keeps the token of one service account.
pub(super) struct AccessTokens {
    token_url: String,
    account: ServiceAccount,
    /// Held while fetching.
    state: Mutex<State>,
    /// Fetches that ended. Who waited while one ended shares its failure instead of fetching too.
    fetched: AtomicU64,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Secret<String>,
    expires_in: Option<u64>,
}

impl AccessTokens {
    pub(super) fn new(token_url: String, account: ServiceAccount) -> Self {
        Self { token_url, account, state: Mutex::default(), fetched: AtomicU64::new(0) }
    }

    /// The token to send with; never the one numbered `rejected`.
    pub(super) async fn current(
        &self,
        http: &HttpClient,
        rejected: Option<u64>,
    ) -> Result<Access, Answer> {
        let fetched = self.fetched.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let usable = |access: &&Access| {
            Some(access.number) != rejected && Instant::now() < access.fresh_until
        };
        if let Some(access) = state.access.as_ref().filter(usable) {
            return Ok(access.clone());
        }
        if self.fetched.load(Ordering::Acquire) != fetched
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        state.access = None;
        let result = self.fetch(http, state.number + 1).await;
        self.fetched.fetch_add(1, Ordering::AcqRel);
        state.failure = result.as_ref().err().cloned();
        let access = result?;
        state.number = access.number;
        Ok(state.access.insert(access).clone())
    }

    async fn fetch(&self, http: &HttpClient, number: u64) -> Result<Access, Answer> {
        let assertion = self.account.assertion().map_err(|_| answers::unsignable())?;
        // Both values consist of characters that a form keeps, except the colons.
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
        );
        let request = Request::post(&self.token_url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)))
            .map_err(|_| Answer::new(Outcome::ConfigError, "malformed_token_url"))?;
        let asked = Instant::now();
        let (head, body) = http
            .send(request)
            .await
            .map_err(|error| Answer::new(Outcome::Retry, format!("token_{}", error.as_str())))?;
        if head.status != StatusCode::OK {
            return Err(Answer {
                vendor: answers::vendor(&body, &Secret::default()),
                retry_after_ms: answers::retry_after_ms(&head.headers),
                ..Answer::new(refused(head.status), format!("token_http_{}", head.status.as_u16()))
            });
        }
        let malformed = || Answer::new(Outcome::Retry, "token_malformed_answer");
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| malformed())?;
        let bearer = format!("Bearer {}", answer.access_token.expose());
        let mut value = HeaderValue::from_str(&bearer).map_err(|_| malformed())?;
        value.set_sensitive(true);
        let life = Duration::from_secs(answer.expires_in.unwrap_or(EXPIRES_IN_S));
        Ok(Access { value, number, fresh_until: asked + kept(life) })
    }
}

/// How long a token is used: all but the last five minutes, or half of a short life.
fn kept(life: Duration) -> Duration {
    life.saturating_sub(REFRESH_EARLY).max(life / 2).min(Duration::from_secs(24 * 3600))
}

/// The token endpoint refuses an account or a key for good, everything else for now.
fn refused(status: StatusCode) -> Outcome {
    match status.as_u16() {
        429 => Outcome::Throttled,
        400..=499 => Outcome::ConfigError,
        _ => Outcome::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_until_five_minutes_before_its_end() {
        let kept_s = |life_s| kept(Duration::from_secs(life_s)).as_secs();
        assert_eq!([3599, 600, 400, 10, 0].map(kept_s), [3299, 300, 200, 5, 0]);
    }
}
