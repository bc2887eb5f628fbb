//! One of OPPO's places: its addresses, and the auth token it takes.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri};
use nightjar_model::Secret;
use nightjar_push::Answer;

use super::{OppoConfig, codes};
use crate::answers;
use crate::bearer::{Bearers, Bought};
use crate::clock::wall_now;
use crate::digest::sha256_hex;
use crate::form::{self, Form};
use crate::transport::{HttpClient, Origin};

const AUTH_PATH: &str = "/server/v1/auth";
const SEND_PATH: &str = "/server/v1/message/notification/unicast";
/// A token is good for a day; OPPO asks to renew it every hour.
const TOKEN_USED: Duration = Duration::from_secs(3600);

/// China, or the rest of the world.
pub(super) struct Site {
    auth_url: Uri,
    pub(super) send_url: Uri,
    pub(super) bearers: Bearers,
}

impl Site {
    /// Reads the address; the error says what is wrong with it.
    pub(super) fn new(base_url: &str) -> Result<Self, String> {
        let base = Origin::parse(base_url)?;
        Ok(Self {
            auth_url: base.uri(AUTH_PATH)?,
            send_url: base.uri(SEND_PATH)?,
            bearers: Bearers::new(Duration::ZERO),
        })
    }

    /// Buys an auth token.
    pub(super) async fn buy(
        &self,
        http: &HttpClient,
        config: &OppoConfig,
    ) -> Result<Bought, Answer> {
        let timestamp = wall_now().0.to_string();
        let (key, secret) = (config.app_key.expose(), config.master_secret.expose());
        let mut form = Form::default();
        form.set("app_key", key);
        form.set("sign", sha256_hex(&format!("{key}{timestamp}{secret}")));
        form.set("timestamp", timestamp);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, form::CONTENT_TYPE)]);
        let (head, body) = http
            .post(&self.auth_url, headers, form.encode())
            .await
            .map_err(|error| answers::unauthorised(error.as_str()))?;
        let (code, data) = codes::read(&body);
        match (code, data["auth_token"].as_str()) {
            (Some(0), Some(token)) => Bought::new(&Secret::new(token.to_owned()), TOKEN_USED)
                .map_err(|_| answers::unauthorised("malformed_answer")),
            (Some(0), None) => Err(answers::unauthorised("malformed_answer")),
            _ => {
                let answer = codes::judge(head.status, &body, &Secret::default(), wall_now());
                Err(answers::not_sold(answers::heeding(&head.headers, answer)))
            }
        }
    }
}
