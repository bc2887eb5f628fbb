//! A recording Push Kit of HarmonyOS 5 and later: scenario messages and their revocation.

mod rules;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use ring::signature::RSA_PSS_2048_8192_SHA256;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::RsaKey;
use crate::vendor::{Vendor, first_token};
use crate::{Recorded, Script, Token, VendorServer, jwt};

/// The project of the service account.
pub const HARMONY_PROJECT_ID: &str = "736430079244623457";
/// The app's client id.
pub const HARMONY_CLIENT_ID: &str = "6917569128000000001";

const KEY_ID: &str = "d67bd0d1b6f24f1f8b1f2f3e4a5b6c7d";
const SUB_ACCOUNT: &str = "101234567";

#[derive(Debug)]
struct Rules {
    key: RsaKey,
}

/// A Push Kit on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct HarmonyServer {
    server: VendorServer,
    directory: TempDir,
    key: RsaKey,
}

impl Deref for HarmonyServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.server
    }
}

impl HarmonyServer {
    /// Starts one with a service account.
    pub async fn start() -> Self {
        let key = RsaKey::generate();
        let server = VendorServer::start(Arc::new(Rules { key: key.clone() })).await;
        let directory = TempDir::new().expect("there is room for a key");
        let server = Self { server, directory, key };
        std::fs::write(server.service_account_file(), server.service_account().to_string())
            .expect("there is room for a key");
        server
    }

    /// The key file; removed with the server.
    #[must_use]
    pub fn service_account_file(&self) -> PathBuf {
        self.directory.path().join("private.json")
    }

    /// The TOML table `[push.harmony.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.harmony.{name}]\nbase_url = \"{}\"\nservice_account_file = '{}'\n\
             client_id = \"{HARMONY_CLIENT_ID}\"\ncategory = \"IM\"\n",
            self.base_url(),
            self.service_account_file().display()
        )
    }

    fn service_account(&self) -> Value {
        json!({
            "project_id": HARMONY_PROJECT_ID,
            "key_id": KEY_ID,
            "private_key": self.key.pem(),
            "sub_account": SUB_ACCOUNT,
            "auth_uri": "https://oauth-login.cloud.huawei.com/oauth2/v3/authorize",
            "token_uri": "https://oauth-login.cloud.huawei.com/oauth2/v3/token",
        })
    }
}

impl Vendor for Rules {
    fn is_fetch(&self, _path: &str) -> bool {
        false
    }

    fn token(&self, request: &Recorded) -> String {
        let json = request.json();
        match json["token"].is_array() {
            true => first_token(&json["token"]),
            false => first_token(&json["target"]["token"]),
        }
    }

    fn signed(&self, request: &Recorded) -> Option<Token> {
        let token = request.header("authorization").strip_prefix("Bearer ")?;
        jwt::verify(token, &RSA_PSS_2048_8192_SHA256, self.key.public())
    }

    fn answer(&self, request: &Recorded) -> Script {
        rules::answer(request)
    }
}
