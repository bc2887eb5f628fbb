//! A recording FCM with its token endpoint.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bearer::Sold;
use crate::keys::RsaKey;
use crate::vendor::Vendor;
use crate::{Recorded, Script, Token, VendorServer, jwt};

/// The project of the service account.
pub const PROJECT_ID: &str = "nightjar-test";

const CLIENT_EMAIL: &str = "push@nightjar-test.example";
const TOKEN_PATH: &str = "/token";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

#[derive(Debug)]
struct Rules {
    key: RsaKey,
    sold: Sold,
}

/// An FCM on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct FcmServer {
    server: VendorServer,
    directory: TempDir,
    rules: Arc<Rules>,
}

impl Deref for FcmServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.server
    }
}

impl FcmServer {
    /// Starts one with a service account.
    pub async fn start() -> Self {
        let rules = Arc::new(Rules { key: RsaKey::generate(), sold: Sold::new(3599) });
        let server = VendorServer::start(Arc::clone(&rules) as Arc<dyn Vendor>).await;
        let directory = TempDir::new().expect("there is room for a key");
        let server = Self { server, directory, rules };
        std::fs::write(server.service_account_file(), server.service_account().to_string())
            .expect("there is room for a key");
        server
    }

    /// Where access tokens come from; the service account names it too.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.base_url())
    }

    /// The key file; removed with the server.
    #[must_use]
    pub fn service_account_file(&self) -> PathBuf {
        self.directory.path().join("service-account.json")
    }

    /// The TOML table `[push.fcm.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.fcm.{name}]\nbase_url = \"{}\"\nservice_account_file = '{}'\n",
            self.base_url(),
            self.service_account_file().display()
        )
    }

    fn service_account(&self) -> Value {
        json!({
            "type": "service_account",
            "project_id": PROJECT_ID,
            "private_key_id": "0123456789abcdef",
            "private_key": self.rules.key.pem(),
            "client_email": CLIENT_EMAIL,
            "client_id": "1",
            "token_uri": self.token_url(),
        })
    }

    /// Access tokens issued from now on say they live so long.
    pub fn token_life_s(&self, expires_in_s: u64) {
        self.rules.sold.life_s(expires_in_s);
    }

    /// No access token issued so far is good any more.
    pub fn revoke_tokens(&self) {
        self.rules.sold.revoke();
    }
}

impl Vendor for Rules {
    fn is_fetch(&self, path: &str) -> bool {
        path == TOKEN_PATH
    }

    fn token(&self, request: &Recorded) -> String {
        request.json()["message"]["token"].as_str().unwrap_or_default().to_owned()
    }

    fn signed(&self, request: &Recorded) -> Option<Token> {
        let form = String::from_utf8_lossy(&request.body);
        let assertion = form.split('&').find_map(|pair| pair.strip_prefix("assertion="))?;
        jwt::verify(assertion, &RSA_PKCS1_2048_8192_SHA256, self.key.public())
    }

    fn answer(&self, request: &Recorded) -> Script {
        match self.is_fetch(&request.path) {
            true => self.issue(request),
            false => self.accept(request),
        }
    }
}

impl Rules {
    /// An access token for a right assertion.
    fn issue(&self, request: &Recorded) -> Script {
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&";
        let right = request.signed.as_ref().is_some_and(|token| {
            let life = token.claims["exp"].as_u64().zip(token.claims["iat"].as_u64());
            token.header["alg"] == "RS256"
                && token.claims["iss"] == CLIENT_EMAIL
                && token.claims["aud"] == AUDIENCE
                && token.claims["scope"] == SCOPE
                && life.is_some_and(|(end, start)| end > start && end - start <= 3600)
        });
        if !right || !request.body.starts_with(grant.as_bytes()) {
            return Script::status(400).json(&json!({ "error": "invalid_grant" }));
        }
        self.sold.sell()
    }

    /// What the real service answers to a message.
    fn accept(&self, request: &Recorded) -> Script {
        let message = &request.json()["message"];
        let text = |value: &Value| value.is_string();
        let data_is_text = message["data"].as_object().is_none_or(|data| data.values().all(text));
        if !self.sold.is_shown(request) {
            Script::google(401, "UNAUTHENTICATED", "Request had invalid credentials.")
        } else if request.path != format!("/v1/projects/{PROJECT_ID}/messages:send") {
            Script::google(404, "NOT_FOUND", "Requested entity was not found.")
        } else if request.method != "POST" || request.token.is_empty() || !data_is_text {
            Script::fcm(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "Invalid JSON payload.")
        } else {
            let id = self.sold.next_number();
            Script::accept()
                .json(&json!({ "name": format!("projects/{PROJECT_ID}/messages/{id}") }))
        }
    }
}
