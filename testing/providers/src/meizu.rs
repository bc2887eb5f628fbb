//! A recording Flyme Push.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::vendor::Vendor;
use crate::{Recorded, Script, VendorServer};

/// The number of the app.
pub const MEIZU_APP_ID: &str = "100999";
/// The secret that signs.
pub const MEIZU_SECRET: &str = "meizu-secret";
/// The registered address for receipts.
pub const MEIZU_RECEIPT_URL: &str = "https://chat.example/v1/push/receipts/meizu/main";

const PATH: &str = "/garcia/api/server/push/varnished/pushByPushId";

/// A Flyme Push on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct MeizuServer(VendorServer);

impl Deref for MeizuServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.0
    }
}

impl MeizuServer {
    /// Starts one.
    pub async fn start() -> Self {
        Self(VendorServer::start(Arc::new(Rules::default())).await)
    }

    /// The TOML table `[push.meizu.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.meizu.{name}]\nbase_url = \"{}\"\napp_id = \"{MEIZU_APP_ID}\"\n\
             app_secret = \"{MEIZU_SECRET}\"\n",
            self.base_url()
        )
    }
}

#[derive(Debug, Default)]
struct Rules {
    accepted: AtomicU64,
}

impl Vendor for Rules {
    fn is_fetch(&self, _: &str) -> bool {
        false
    }

    fn token(&self, request: &Recorded) -> String {
        request.form().remove("pushIds").unwrap_or_default()
    }

    fn answer(&self, request: &Recorded) -> Script {
        if request.method != "POST" || request.path != PATH {
            return Script::status(404).body("<html>not found</html>");
        }
        match refusal(request) {
            Some(code) => Script::meizu(code, &"".into()),
            None => {
                let id = self.accepted.fetch_add(1, Ordering::AcqRel);
                let body = json!({
                    "code": "200", "message": "", "value": {}, "msgId": format!("NS{id}"),
                });
                Script::accept().json(&body)
            }
        }
    }
}

/// What the page says is wrong with a request.
fn refusal(request: &Recorded) -> Option<&'static str> {
    let mut form = request.form();
    let sign = form.remove("sign").unwrap_or_default();
    if form.get("appId").map(String::as_str) != Some(MEIZU_APP_ID) {
        return Some("110000");
    }
    // Every other field by name, then the secret.
    let signed: String = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let expected = Md5::digest(format!("{signed}{MEIZU_SECRET}").as_bytes());
    let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("pushIds").is_empty() || field("messageJson").is_empty() {
        return Some("110004");
    }
    if sign != expected {
        return Some("1006");
    }
    let Ok(message) = serde_json::from_str::<Value>(field("messageJson")) else {
        return Some("1005");
    };
    (!is_right(&message)).then_some("1005")
}

/// Whether a message is as the page wants it, and carries what a message of a person needs.
fn is_right(message: &Value) -> bool {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let bar = &message["noticeBarInfo"];
    let time = &message["pushTimeInfo"];
    let key = message["advanceInfo"]["notifyKey"].as_str().unwrap_or_default();
    let in_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let extra = &message["extra"];
    let receipt_is_right = match (extra.is_null(), extra["callback"].as_str()) {
        (true, _) => true,
        (_, Some(url)) => {
            url == MEIZU_RECEIPT_URL
                && extra["callback.param"].as_str().is_none_or(|param| param.len() <= 64)
                && matches!(extra["callback.type"].as_u64(), None | Some(1..=3))
        }
        (_, None) => false,
    };
    (1..=32).contains(&length(&bar["title"]))
        && (1..=100).contains(&length(&bar["content"]))
        && bar["noticeMsgType"] == 1
        && (time["offLine"] == 0 || matches!(time["validTime"].as_u64(), Some(1..=72)))
        && matches!(message["clickTypeInfo"]["clickType"].as_u64(), None | Some(0..=2))
        && message["clickTypeInfo"]["parameters"].is_object()
        && key.len() <= 8
        && key.chars().all(in_key)
        && receipt_is_right
}

impl Script {
    /// An answer of Meizu's: a code of the request, and what stands in `value`.
    #[must_use]
    pub fn meizu(code: &str, value: &Value) -> Self {
        Self::status(200)
            .json(&json!({ "code": code, "message": "its words", "value": value, "redirect": "" }))
    }
}
