//! A recording receiver of signed webhooks, which verifies as standardwebhooks.com says.

use std::ops::Deref;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::json;

use crate::vendor::Vendor;
use crate::{Recorded, Script, VendorServer};

/// The secret of the receiver, in its text form.
pub const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// How wrong a clock may be.
const TOLERANCE_S: u64 = 300;

#[derive(Debug)]
struct Rules {
    key: Vec<u8>,
}

/// A receiver on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct WebhookServer(VendorServer);

impl Deref for WebhookServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.0
    }
}

impl WebhookServer {
    /// Starts one.
    pub async fn start() -> Self {
        let key = STANDARD.decode(&WEBHOOK_SECRET["whsec_".len()..]).expect("it is base64");
        Self(VendorServer::start(Arc::new(Rules { key })).await)
    }

    /// Where requests go.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/push?bridge=1", self.base_url())
    }

    /// The TOML table `[push.webhook.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.webhook.{name}]\nurl = \"{}\"\nsecret = \"{WEBHOOK_SECRET}\"\n\
             allow_private = true\n",
            self.url()
        )
    }
}

impl Rules {
    fn is_genuine(&self, request: &Recorded) -> bool {
        let (id, timestamp) = (request.header("webhook-id"), request.header("webhook-timestamp"));
        let Ok(sent_s) = timestamp.parse::<u64>() else { return false };
        let now_s = request.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if id.is_empty() || now_s.abs_diff(sent_s) > TOLERANCE_S {
            return false;
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let signed = [format!("{id}.{timestamp}.").as_bytes(), &request.body].concat();
        request.header("webhook-signature").split(' ').any(|one| {
            let signature = one.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            signature.is_some_and(|signature| hmac::verify(&key, &signed, &signature).is_ok())
        })
    }
}

impl Vendor for Rules {
    fn is_fetch(&self, _: &str) -> bool {
        false
    }

    fn token(&self, request: &Recorded) -> String {
        request.json()["token"].as_str().unwrap_or_default().to_owned()
    }

    fn answer(&self, request: &Recorded) -> Script {
        if !self.is_genuine(request) {
            return Script::status(401).json(&json!({ "error": "the signature is wrong" }));
        }
        Script::status(200).json(&json!({ "outcome": "delivered" }))
    }
}
