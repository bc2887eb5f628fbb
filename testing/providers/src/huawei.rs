//! A recording Huawei Push Kit, v1 and v2, with its token endpoint.

mod rules;

use std::ops::Deref;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::bearer::Sold;
use crate::vendor::{Vendor, first_token};
use crate::{Recorded, Script, VendorServer};

/// The app the server knows.
pub const HUAWEI_APP_ID: &str = "101234567";
/// Its project, for v2.
pub const HUAWEI_PROJECT_ID: &str = "736430079244623456";
/// Its secret; a form has to encode it.
pub const HUAWEI_APP_SECRET: &str = "a secret & =more+";

const TOKEN_PATH: &str = "/oauth2/v2/token";

#[derive(Debug)]
struct Rules {
    sold: Sold,
}

/// A Push Kit on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct HuaweiServer {
    server: VendorServer,
    rules: Arc<Rules>,
}

impl Deref for HuaweiServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.server
    }
}

impl HuaweiServer {
    /// Starts one that knows [`HUAWEI_APP_ID`].
    pub async fn start() -> Self {
        let rules = Arc::new(Rules { sold: Sold::new(3600) });
        let server = VendorServer::start(Arc::clone(&rules) as Arc<dyn Vendor>).await;
        Self { server, rules }
    }

    /// Where access tokens come from.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.base_url())
    }

    /// The TOML table `[push.huawei.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.huawei.{name}]\nbase_url = \"{}\"\ntoken_url = \"{}\"\n\
             app_id = \"{HUAWEI_APP_ID}\"\napp_secret = \"{HUAWEI_APP_SECRET}\"\n\
             category = \"IM\"\nchannel_id = \"chat\"\nbadge_class = \"com.example.chat.Main\"\n",
            self.base_url(),
            self.token_url()
        )
    }

    /// No access token sold so far is good any more.
    pub fn revoke_tokens(&self) {
        self.rules.sold.revoke();
    }
}

impl Vendor for Rules {
    fn is_fetch(&self, path: &str) -> bool {
        path == TOKEN_PATH
    }

    fn token(&self, request: &Recorded) -> String {
        first_token(&request.json()["message"]["token"])
    }

    fn answer(&self, request: &Recorded) -> Script {
        if self.is_fetch(&request.path) {
            match rules::is_purchase(request) {
                true => self.sold.sell(),
                false => rules::no_purchase(),
            }
        } else if !self.sold.is_shown(request) {
            rules::not_authorised(request)
        } else {
            rules::answer(request)
        }
    }
}

/// The header `X-HUAWEI-CALLBACK-ID` of a report, as Huawei signs it.
#[must_use]
pub fn huawei_signature(secret: &[u8], timestamp_ms: u64, nonce: &str, user: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let code = hmac::sign(&key, format!("{timestamp_ms}{nonce}{user}").as_bytes());
    let value = STANDARD.encode(code);
    format!("timestamp={timestamp_ms}; nonce={nonce}; value={value}")
}
