//! A recording Mi Push.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::vendor::Vendor;
use crate::{Recorded, Script, VendorServer};

/// The `AppSecret` of the app.
pub const XIAOMI_SECRET: &str = "xiaomi+app/secret==";
/// The app's package.
pub const XIAOMI_PACKAGE: &str = "com.example.chat";
/// Its registered channel.
pub const XIAOMI_CHANNEL: &str = "chat";
/// The one registered address for receipts.
pub const XIAOMI_RECEIPT_URL: &str = "https://chat.example/v1/push/receipts/xiaomi/main";

const PATHS: [&str; 2] = ["/v2/message/regid", "/v3/message/regid"];
/// Fields of the page that are no extra ones of the app's own.
const EXTRAS: [&str; 13] = [
    "extra.badge",
    "extra.callback",
    "extra.callback.param",
    "extra.callback.type",
    "extra.channel_id",
    "extra.channel_name",
    "extra.intent_uri",
    "extra.jobkey",
    "extra.notify_effect",
    "extra.notify_foreground",
    "extra.only_send_once",
    "extra.sound_uri",
    "extra.web_uri",
];

/// A Mi Push on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct XiaomiServer(VendorServer);

impl Deref for XiaomiServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.0
    }
}

impl XiaomiServer {
    /// Starts one.
    pub async fn start() -> Self {
        Self(VendorServer::start(Arc::new(Rules::default())).await)
    }

    /// The TOML table `[push.xiaomi.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.xiaomi.{name}]\nbase_url = \"{}\"\napp_secret = \"{XIAOMI_SECRET}\"\n\
             package_name = \"{XIAOMI_PACKAGE}\"\nchannel_id = \"{XIAOMI_CHANNEL}\"\n",
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
        request.form().remove("registration_id").unwrap_or_default()
    }

    fn answer(&self, request: &Recorded) -> Script {
        if request.method != "POST" || !PATHS.contains(&request.path.as_str()) {
            return Script::status(404).body("<html>not found</html>");
        }
        if request.header("authorization") != format!("key={XIAOMI_SECRET}") {
            return Script::xiaomi(21301, "auth failed");
        }
        match refusal(&request.form()) {
            Some((code, reason)) => Script::xiaomi(code, reason),
            None => {
                let id = self.accepted.fetch_add(1, Ordering::AcqRel);
                let data = json!({ "id": format!("sdm{id}"), "day_quota": "-1", "day_acked": "0" });
                Script::accept().json(&json!({
                    "result": "ok", "trace_id": "Xlm00", "code": 0, "data": data,
                    "description": "成功", "info": "Received push messages for 1 REGID",
                }))
            }
        }
    }
}

/// What the page says is wrong with a form.
fn refusal(form: &BTreeMap<String, String>) -> Option<(i64, &'static str)> {
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let is_number = |name: &str| field(name).parse::<u64>().is_ok();
    if field("registration_id").is_empty() {
        return Some((21305, "registration_id missing"));
    }
    if field("restricted_package_name") != XIAOMI_PACKAGE {
        return Some((22022, "package name illegal"));
    }
    match field("pass_through") {
        "0" => {}
        "1" if field("payload").is_empty() => return Some((10016, "payload missing")),
        "1" => return None,
        _ => return Some((10017, "pass_through illegal")),
    }
    let shown = |name: &str| field(name).chars().count();
    if field("title").trim().is_empty() || field("description").trim().is_empty() {
        return Some((10016, "title or description missing"));
    }
    if shown("title") >= 50 || shown("description") >= 128 {
        return Some((65009, "title or description too long"));
    }
    if field("extra.channel_id") != XIAOMI_CHANNEL {
        return Some((27001, "channel id illegal"));
    }
    if !is_number("notify_id") || !is_number("time_to_live") {
        return Some((10017, "notify_id or time_to_live illegal"));
    }
    let job_key = field("extra.jobkey");
    let in_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if job_key.len() > 12 || job_key.starts_with('_') || !job_key.chars().all(in_key) {
        return Some((10017, "jobkey illegal"));
    }
    match (field("extra.callback"), field("extra.callback.param").len()) {
        ("", _) | (XIAOMI_RECEIPT_URL, ..=64) => {}
        (XIAOMI_RECEIPT_URL, _) => return Some((65037, "callback param too long")),
        _ => return Some((65038, "callback not registered")),
    }
    let own = |(name, _): &(&String, &String)| {
        name.starts_with("extra.") && !EXTRAS.contains(&name.as_str())
    };
    (form.iter().filter(own).count() > 10).then_some((65014, "too many extras"))
}

impl Script {
    /// An error of Xiaomi's, which stands under 200.
    #[must_use]
    pub fn xiaomi(code: i64, reason: &str) -> Self {
        Self::status(200).json(&json!({
            "result": "error", "code": code, "reason": reason, "description": "失败",
            "trace_id": "Xlm00", "info": "",
        }))
    }
}
