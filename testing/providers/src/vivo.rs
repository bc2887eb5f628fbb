//! A recording vivo Push with its auth endpoint.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::bearer::Sold;
use crate::vendor::Vendor;
use crate::{Recorded, Script, VendorServer};

/// The number of the app.
pub const VIVO_APP_ID: u64 = 10_004;
/// Its `AppKey`.
pub const VIVO_APP_KEY: &str = "25509283-3767-4b9e-83fe-b6e55ac6243e";
/// Its `AppSecret`.
pub const VIVO_SECRET: &str = "vivo-app-secret";
/// An address for receipts.
pub const VIVO_RECEIPT_URL: &str = "https://chat.example/v1/push/receipts/vivo/main";

const AUTH_PATH: &str = "/message/auth";
const SEND_PATH: &str = "/message/send";
/// So far may a timestamp be off.
const SKEW_MS_MAX: u64 = 10 * 60 * 1000;
/// Stands for every number of a single field, which are not public.
const PARAMETER: i64 = 10_050;
/// Classes of the system, some of them.
const SYSTEM: [&str; 4] = ["IM", "ACCOUNT", "ORDER", "SUBSCRIPTION"];
/// Classes of the operator.
const OPERATOR: [&str; 4] = ["NEWS", "CONTENT", "MARKETING", "SOCIAL"];

/// A vivo Push on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct VivoServer {
    server: VendorServer,
    rules: Arc<Rules>,
}

impl Deref for VivoServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.server
    }
}

impl VivoServer {
    /// Starts one.
    pub async fn start() -> Self {
        let rules = Arc::new(Rules { sold: Sold::new(24 * 3600), ahead_ms: AtomicI64::new(0) });
        let server = VendorServer::start(Arc::clone(&rules) as Arc<dyn Vendor>).await;
        Self { server, rules }
    }

    /// The TOML table `[push.vivo.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.vivo.{name}]\nbase_url = \"{}\"\napp_id = {VIVO_APP_ID}\n\
             app_key = \"{VIVO_APP_KEY}\"\napp_secret = \"{VIVO_SECRET}\"\ncategory = \"IM\"\n\
             classification = 1\n",
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
        request.json()["regId"].as_str().unwrap_or_default().to_owned()
    }

    fn answer(&self, request: &Recorded) -> Script {
        let is_json = request.header("content-type").starts_with("application/json");
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", AUTH_PATH) if is_json => self.issue(&request.json()),
            ("POST", SEND_PATH) if is_json => self.accept(request),
            _ => Script::status(404).body("<html>not found</html>"),
        }
    }
}

impl Rules {
    /// An auth token for a right signature of a moment not long ago.
    fn issue(&self, body: &Value) -> Script {
        let at = body["timestamp"].as_i64().unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = i64::try_from(now).unwrap_or(i64::MAX) + self.ahead_ms.load(Ordering::Acquire);
        if body["appId"] != VIVO_APP_ID || body["appKey"] != VIVO_APP_KEY {
            return Script::vivo(10_201, "appId or appKey");
        }
        if now.abs_diff(at) > SKEW_MS_MAX {
            return Script::vivo(10_203, "timestamp");
        }
        let signed = format!("{VIVO_APP_ID}{VIVO_APP_KEY}{at}{VIVO_SECRET}");
        let hash = Md5::digest(signed.as_bytes());
        let expected: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        if body["sign"] != expected {
            return Script::vivo(10_202, "sign");
        }
        let body = json!({ "result": 0, "desc": "请求成功", "authToken": self.sold.issue() });
        Script::accept().json(&body)
    }

    fn accept(&self, request: &Recorded) -> Script {
        if !self.sold.is_good(request.header("authtoken")) {
            return Script::vivo(10_000, "权限认证失败");
        }
        match refusal(&request.json()) {
            Some((code, words)) => Script::vivo(code, words),
            None => {
                let id = self.sold.next_number().to_string();
                let body = json!({ "result": 0, "desc": "请求成功", "taskId": id });
                Script::accept().json(&body)
            }
        }
    }
}

/// What the page says is wrong with a message, and what a message of a person needs besides.
fn refusal(body: &Value) -> Option<(i64, &'static str)> {
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    if body["appId"] != VIVO_APP_ID {
        return Some((10_094, "appId is not that of the token"));
    }
    if text("regId").is_empty() {
        return Some((10_302, "regId"));
    }
    if !fields_are_right(body) {
        return Some((PARAMETER, "a field is missing or wrong"));
    }
    let (system, operator) =
        (SYSTEM.contains(&text("category")), OPERATOR.contains(&text("category")));
    match (text("category"), body["classification"].as_u64()) {
        (category, _) if !category.is_empty() && !system && !operator => {
            return Some((10_096, "category"));
        }
        ("", Some(0 | 1)) => {}
        (_, Some(1)) if system => {}
        (_, Some(0)) if operator => {}
        _ => return Some((10_097, "category and classification")),
    }
    let refused = ["title", "content"].iter().any(|name| are_refused(text(name)));
    refused.then_some((10_085, "title or content"))
}

fn fields_are_right(body: &Value) -> bool {
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let width = |name: &str| text(name).chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
    let fits = |name: &str, max: usize| (1..=max).contains(&width(name));
    let within = |name: &str, from: u64, to: u64| {
        body[name].as_u64().is_some_and(|number| (from..=to).contains(&number))
    };
    let custom = body["clientCustomMap"].as_object();
    let custom_is_right = custom.is_some_and(|pairs| {
        let chars = |text: &str| text.chars().count();
        let values: Option<usize> = pairs.values().map(|value| value.as_str().map(chars)).sum();
        let names: usize = pairs.keys().map(|name| chars(name)).sum();
        pairs.len() <= 10 && values.is_some_and(|values| values + names <= 1024)
    });
    let extra = &body["extra"];
    fits("title", 40)
        && fits("content", 100)
        && fits("requestId", 64)
        && within("notifyType", 1, 4)
        && within("skipType", 1, 4)
        && within("notifyId", 1, 0x7fff_ffff)
        && within("timeToLive", 60, 86_400)
        && custom_is_right
        && extra["callback"].as_str().is_none_or(|url| url.chars().count() <= 128)
        && extra["callback.param"].as_str().is_none_or(|param| param.chars().count() <= 64)
}

/// Words that are refused in formal mode.
fn are_refused(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit())
        || text.chars().all(|c| c.is_ascii_alphabetic())
        || !text.chars().any(char::is_alphanumeric)
        || text.contains("测试")
        || text.contains(['{', '}', '[', ']'])
}

impl Script {
    /// An error of vivo's, which stands under 200.
    #[must_use]
    pub fn vivo(result: i64, desc: &str) -> Self {
        Self::status(200).json(&json!({ "result": result, "desc": desc }))
    }
}
