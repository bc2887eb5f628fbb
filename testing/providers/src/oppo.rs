//! A recording OPPO Push with its auth endpoint.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest;
use serde_json::{Value, json};

use crate::bearer::Sold;
use crate::vendor::Vendor;
use crate::{Recorded, Script, VendorServer};

/// The `AppKey` of the app.
pub const OPPO_APP_KEY: &str = "oppo-app-key";
/// Its `MasterSecret`.
pub const OPPO_SECRET: &str = "oppo-master-secret";
/// Its registered channel.
pub const OPPO_CHANNEL: &str = "chat";
/// The one class it has a right to.
pub const OPPO_CATEGORY: &str = "IM";
/// An address for receipts.
pub const OPPO_RECEIPT_URL: &str = "https://chat.example/v1/push/receipts/oppo/main";

const AUTH_PATH: &str = "/server/v1/auth";
const SEND_PATH: &str = "/server/v1/message/notification/unicast";
/// So far may a timestamp be off.
const SKEW_MS_MAX: i64 = 10 * 60 * 1000;

/// An OPPO Push on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct OppoServer {
    server: VendorServer,
    rules: Arc<Rules>,
}

impl Deref for OppoServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.server
    }
}

impl OppoServer {
    /// Starts one.
    pub async fn start() -> Self {
        let rules = Arc::new(Rules { sold: Sold::new(24 * 3600), ahead_ms: AtomicI64::new(0) });
        let server = VendorServer::start(Arc::clone(&rules) as Arc<dyn Vendor>).await;
        Self { server, rules }
    }

    /// The TOML table `[push.oppo.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.oppo.{name}]\nbase_url = \"{}\"\napp_key = \"{OPPO_APP_KEY}\"\n\
             master_secret = \"{OPPO_SECRET}\"\nchannel_id = \"{OPPO_CHANNEL}\"\n\
             category = \"{OPPO_CATEGORY}\"\nnotify_level = 16\n",
            self.base_url()
        )
    }

    /// No auth token issued so far is good any more.
    pub fn revoke_tokens(&self) {
        self.rules.sold.revoke();
    }

    /// The server's clock is so far ahead of that of its clients.
    pub fn clock_ahead_s(&self, seconds: i64) {
        self.rules.ahead_ms.store(seconds * 1000, Ordering::Release);
    }
}

#[derive(Debug)]
struct Rules {
    sold: Sold,
    ahead_ms: AtomicI64,
}

impl Vendor for Rules {
    fn is_fetch(&self, path: &str) -> bool {
        path == AUTH_PATH
    }

    fn token(&self, request: &Recorded) -> String {
        message(request)["target_value"].as_str().unwrap_or_default().to_owned()
    }

    fn answer(&self, request: &Recorded) -> Script {
        if request.method != "POST" {
            return Script::oppo(12, "HTTP method");
        }
        match request.path.as_str() {
            AUTH_PATH => self.issue(request),
            SEND_PATH => self.accept(request),
            _ => Script::status(404).body("<html>not found</html>"),
        }
    }
}

fn message(request: &Recorded) -> Value {
    let message = request.form().remove("message").unwrap_or_default();
    serde_json::from_str(&message).unwrap_or_default()
}

impl Rules {
    /// An auth token for a right signature of a moment not long ago.
    fn issue(&self, request: &Recorded) -> Script {
        let form = request.form();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        if field("app_key") != OPPO_APP_KEY {
            return Script::oppo(14, "Invalid App Key");
        }
        let Ok(at) = field("timestamp").parse::<i64>() else {
            return Script::oppo(18, "Missing Timestamp");
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = i64::try_from(now).unwrap_or(i64::MAX) + self.ahead_ms.load(Ordering::Acquire);
        if now.abs_diff(at) > SKEW_MS_MAX.unsigned_abs() {
            return Script::oppo(19, "Invalid Timestamp");
        }
        let signed = format!("{OPPO_APP_KEY}{}{OPPO_SECRET}", field("timestamp"));
        let hash = digest::digest(&digest::SHA256, signed.as_bytes());
        let expected: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if field("sign") != expected {
            return Script::oppo(16, "Invalid Sign");
        }
        let data = json!({ "auth_token": self.sold.issue(), "create_time": at });
        Script::accept().json(&json!({ "code": 0, "message": "Success", "data": data }))
    }

    fn accept(&self, request: &Recorded) -> Script {
        let form = request.form();
        match form.get("auth_token").map_or("", String::as_str) {
            "" => return Script::oppo(29, "Missing Auth Token"),
            token if !self.sold.is_good(token) => return Script::oppo(11, "Invalid Auth Token"),
            _ => {}
        }
        let message = message(request);
        if let Some((code, words)) = refusal(&message) {
            return Script::oppo(code, words);
        }
        let id = format!("1-1-1-{}", self.sold.next_number());
        let data = json!({ "messageId": id });
        Script::accept().json(&json!({ "code": 0, "message": "Success", "data": data }))
    }
}

/// What the pages say is wrong with a message, and what a message of a person needs besides.
fn refusal(message: &Value) -> Option<(i64, &'static str)> {
    let notification = &message["notification"];
    let text = |name: &str| notification[name].as_str().unwrap_or_default();
    let chars = |name: &str| text(name).chars().count();
    if message["target_type"] != 2 || !notification.is_object() {
        return Some((40, "Missing required arguments"));
    }
    if message["target_value"].as_str().is_none_or(str::is_empty) {
        return Some((10_000, "registration_id is illegal"));
    }
    if chars("title") == 0 || chars("content") == 0 {
        return Some((40, "Missing required arguments"));
    }
    let content_max = match notification["style"].as_u64() {
        Some(1) => 50,
        Some(2) => 128,
        _ => return Some((41, "Invalid arguments: style")),
    };
    let parameters = serde_json::from_str::<Value>(text("action_parameters"));
    let fits = chars("title") <= 50
        && chars("content") <= content_max
        && parameters.is_ok_and(|value| value.is_object())
        && chars("action_parameters") <= 4000
        && text("channel_id") == OPPO_CHANNEL
        && matches!(notification["notify_id"].as_i64(), Some(1..=0x7fff_ffff))
        && !text("app_message_id").is_empty()
        && chars("call_back_url") <= 200
        && chars("call_back_parameter") <= 100
        && (notification["off_line"] == false
            || matches!(notification["off_line_ttl"].as_u64(), Some(1..=864_000)));
    if !fits {
        return Some((41, "Invalid arguments"));
    }
    let class_is_right = matches!(
        (text("category"), notification["notify_level"].as_u64()),
        ("", None) | (OPPO_CATEGORY, None | Some(1 | 2 | 16))
    );
    (!class_is_right).then_some((67, "category or notify_level refused"))
}

impl Script {
    /// An error of OPPO's, which stands under 200.
    #[must_use]
    pub fn oppo(code: i64, words: &str) -> Self {
        Self::status(200).json(&json!({ "code": code, "message": words, "data": null }))
    }
}
