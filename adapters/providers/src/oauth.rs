//! Access tokens of an OAuth 2 token endpoint (RFC 6749 §5), as Google, Huawei and Honor sell them.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use nightjar_model::Secret;
use nightjar_push::{Answer, Outcome, Scope};
use serde::Deserialize;

use crate::answers;
use crate::bearer::Bought;
use crate::transport::HttpClient;

/// What all three usually say, for an answer that does not.
const EXPIRES_IN_S: u64 = 3600;

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Secret<String>,
    expires_in: Option<u64>,
}

/// Buys a token with a form whose values are encoded already.
pub(crate) async fn buy(http: &HttpClient, url: &Uri, form: String) -> Result<Bought, Answer> {
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
    let (head, body) = http
        .post(url, headers, Bytes::from(form))
        .await
        .map_err(|error| unbought(format!("token_{}", error.as_str())))?;
    if head.status != StatusCode::OK {
        return Err(Answer {
            vendor: answers::vendor(&body, &Secret::default()),
            retry_after_ms: answers::retry_after_ms(&head.headers),
            outcome: refused(head.status),
            ..unbought(format!("token_http_{}", head.status.as_u16()))
        });
    }
    let malformed = || unbought("token_malformed_answer");
    let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| malformed())?;
    let value = Secret::new(format!("Bearer {}", answer.access_token.expose()));
    let life = Duration::from_secs(answer.expires_in.unwrap_or(EXPIRES_IN_S));
    Bought::new(&value, life).map_err(|_| malformed())
}

/// Without a token nothing is pushed: no request left, and none can.
fn unbought(reason: impl Into<String>) -> Answer {
    Answer::unsent(reason).about(Scope::Credential)
}

/// A token endpoint refuses an account or a key for good, everything else for now.
fn refused(status: StatusCode) -> Outcome {
    match status.as_u16() {
        429 => Outcome::Throttled,
        400..=499 => Outcome::ConfigError,
        _ => Outcome::Retry,
    }
}
