//! A recording Honor Push with its token endpoint.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::bearer::Sold;
use crate::vendor::{
    Broken, Vendor, absent_or, buys_with_credentials, filled, first_broken, first_token, one_of,
    only, seconds, within,
};
use crate::{Recorded, Script, VendorServer};

/// The app the server knows.
pub const HONOR_APP_ID: &str = "104400001";
/// The client id of its push service.
pub const HONOR_CLIENT_ID: &str = "220000001";
/// The client secret of its push service; a form has to encode it.
pub const HONOR_CLIENT_SECRET: &str = "another secret & more";

const TOKEN_PATH: &str = "/auth/token";
const BODY_BYTES_MAX: usize = 4096;
const TOKENS_MAX: usize = 1000;
const TTL_S_MAX: u64 = 1_296_000;
/// How wrong the clock of a request may be.
const CLOCK_MS_MAX: u64 = 10 * 60 * 1000;
const ANDROID: &[&str] = &["ttl", "biTag", "data", "targetUserType", "notification"];
const NOTIFICATION: &[&str] = &[
    "title",
    "body",
    "image",
    "clickAction",
    "importance",
    "style",
    "bigTitle",
    "bigBody",
    "when",
    "buttons",
    "badge",
    "notifyId",
    "tag",
    "group",
];

#[derive(Debug)]
struct Rules {
    sold: Sold,
}

/// An Honor Push on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct HonorServer {
    server: VendorServer,
    rules: Arc<Rules>,
}

impl Deref for HonorServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.server
    }
}

impl HonorServer {
    /// Starts one that knows [`HONOR_APP_ID`].
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

    /// The TOML table `[push.honor.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.honor.{name}]\nbase_url = \"{}\"\ntoken_url = \"{}\"\n\
             app_id = \"{HONOR_APP_ID}\"\nclient_id = \"{HONOR_CLIENT_ID}\"\n\
             client_secret = \"{HONOR_CLIENT_SECRET}\"\nbadge_class = \"com.example.chat.Main\"\n",
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
        first_token(&request.json()["token"])
    }

    fn answer(&self, request: &Recorded) -> Script {
        if self.is_fetch(&request.path) {
            return match is_purchase(request) {
                true => self.sold.sell(),
                false => Script::status(401).json(&json!({ "error": "invalid_client" })),
            };
        }
        if request.method != "POST" || request.path != format!("/api/v1/{HONOR_APP_ID}/sendMessage")
        {
            return Script::status(404);
        }
        let body = request.json();
        let is_json = request.header("content-type").starts_with("application/json");
        let broken = first_broken([
            (self.sold.is_shown(request), "80200003", "access token"),
            (is_recent(request.header("timestamp")), "80100001", "timestamp"),
            (is_json, "80100003", "content type"),
        ]);
        match broken.or_else(|| of_message(&body)) {
            Some((code, why)) => Script::status(200).json(&json!({ "code": code, "message": why })),
            None => accepted(),
        }
    }
}

fn accepted() -> Script {
    let data = json!({ "sendResult": true, "requestId": "honor-1", "failTokens": [],
                       "expireTokens": [] });
    Script::accept().json(&json!({ "code": 200, "message": "success", "data": data }))
}

fn is_purchase(request: &Recorded) -> bool {
    request.method == "POST"
        && request.header("content-type").starts_with("application/x-www-form-urlencoded")
        && buys_with_credentials(&request.form(), HONOR_CLIENT_ID, HONOR_CLIENT_SECRET)
}

fn is_recent(timestamp: &str) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let said = timestamp.parse::<u64>().ok();
    said.is_some_and(|said| u128::from(said).abs_diff(now) <= u128::from(CLOCK_MS_MAX))
}

fn of_message(body: &Value) -> Option<Broken> {
    let tokens = body["token"].as_array().map_or(&[][..], Vec::as_slice);
    let is_tokens = (1..=TOKENS_MAX).contains(&tokens.len()) && tokens.iter().all(filled);
    let mut sized = body.clone();
    sized["token"] = json!([]);
    let android = &body["android"];
    let known = only(body, &["data", "notification", "android", "token"]) && only(android, ANDROID);
    let ttl_s = android["ttl"].as_str().map(seconds);
    let has_data = body["data"].is_string() || android["data"].is_string();
    let shown = &android["notification"];
    first_broken([
        (is_tokens, "80300010", "token"),
        (sized.to_string().len() <= BODY_BYTES_MAX, "80300008", "more than 4096 bytes"),
        (known, "80100003", "a field that does not exist"),
        (ttl_s.is_none_or(|s| s.is_some_and(|s| (1..=TTL_S_MAX).contains(&s))), "80100001", "ttl"),
        (absent_or(&android["data"], Value::is_string), "80100001", "data"),
        (absent_or(&android["targetUserType"], within(0..=1)), "80100001", "targetUserType"),
        (has_data || !shown.is_null(), "80100001", "neither data nor a notification"),
    ])
    .or_else(|| if shown.is_null() { None } else { of_notification(shown) })
}

fn of_notification(shown: &Value) -> Option<Broken> {
    let is_big = shown["style"] != 1
        || shown["bigTitle"] == shown["title"] && shown["bigBody"] == shown["body"];
    let importance = absent_or(&shown["importance"], one_of(&["LOW", "NORMAL"]));
    first_broken([
        (only(shown, NOTIFICATION), "80100003", "notification"),
        (filled(&shown["title"]) && filled(&shown["body"]), "80100001", "title and body"),
        (is_click(&shown["clickAction"]), "80100001", "clickAction"),
        (importance, "80100001", "importance"),
        (absent_or(&shown["badge"], is_badge), "80100001", "badge"),
        (absent_or(&shown["notifyId"], within(0..=i64::from(i32::MAX))), "80100001", "notifyId"),
        (is_big, "80100001", "bigTitle and bigBody"),
    ])
}

fn is_click(click: &Value) -> bool {
    match click["type"].as_u64() {
        Some(1) => filled(&click["intent"]) || filled(&click["action"]),
        Some(2) => click["url"].as_str().is_some_and(|url| url.starts_with("https://")),
        Some(3) => true,
        _ => false,
    }
}

fn is_badge(badge: &Value) -> bool {
    filled(&badge["badgeClass"])
        && only(badge, &["addNum", "setNum", "badgeClass"])
        && absent_or(&badge["addNum"], within(1..=99))
        && absent_or(&badge["setNum"], within(0..=99))
}
