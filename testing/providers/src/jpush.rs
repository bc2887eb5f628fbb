//! A recording JPush.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::vendor::Vendor;
use crate::{Recorded, Script, VendorServer};

/// The `AppKey` of the app.
pub const JPUSH_KEY: &str = "7d431e42dfa6a6d693ac2d04";
/// Its `Master Secret`.
pub const JPUSH_SECRET: &str = "5e987ac6d2e04d95a9d8f0d1";

const TTL_S_MAX: u64 = 864_000;
/// A notification or a message without its extras.
const TEXT_BYTES_MAX: usize = 4_000;

#[derive(Debug, Default)]
struct Rules {
    sent: AtomicU64,
}

/// A JPush on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct JpushServer(VendorServer);

impl Deref for JpushServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.0
    }
}

impl JpushServer {
    /// Starts one.
    pub async fn start() -> Self {
        Self(VendorServer::start(Arc::new(Rules::default())).await)
    }

    /// The TOML table `[push.jpush.NAME]` that leads here.
    #[must_use]
    pub fn config(&self, name: &str) -> String {
        format!(
            "[push.jpush.{name}]\nbase_url = \"{}\"\napp_key = \"{JPUSH_KEY}\"\n\
             master_secret = \"{JPUSH_SECRET}\"\n",
            self.base_url()
        )
    }
}

/// What is wrong with the body of a push.
fn fault(body: &Value) -> Option<(u64, &'static str)> {
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let (notification, message) = (&body["notification"], &body["message"]);
    let ids = body["audience"]["registration_id"].as_array();
    let ids_are_texts =
        ids.is_some_and(|ids| (1..=1000).contains(&ids.len()) && ids.iter().all(is_text));
    let says_nothing = |part: &Value| {
        !is_text(&part["alert"]) && part["alert"].as_object().is_none_or(serde_json::Map::is_empty)
    };
    let extras_are_objects = |part: &Value| part["extras"].is_null() || part["extras"].is_object();
    let mut parts = ["android", "ios", "hmos"]
        .iter()
        .map(|platform| &notification[platform])
        .filter(|part| !part.is_null());
    let options = &body["options"];
    let ttl = &options["time_to_live"];
    if body["platform"].is_null() || body["audience"].is_null() {
        Some((1002, "platform and audience are needed"))
    } else if !ids_are_texts {
        Some((1003, "audience"))
    } else if notification.is_null() && message.is_null() {
        Some((1002, "a notification or a message is needed"))
    } else if parts.any(|part| says_nothing(part) || !extras_are_objects(part)) {
        Some((1003, "notification"))
    } else if !message.is_null() && !is_text(&message["msg_content"]) {
        Some((1003, "message"))
    } else if !ttl.is_null() && ttl.as_u64().is_none_or(|ttl_s| ttl_s > TTL_S_MAX) {
        Some((1003, "time_to_live"))
    } else if !matches!(options["classification"].as_u64(), None | Some(0 | 1)) {
        Some((1003, "classification"))
    } else if notification["android"].to_string().len() > TEXT_BYTES_MAX {
        Some((1005, "too long"))
    } else {
        None
    }
}

fn refuse(status: u16, code: u64, message: &str) -> Script {
    Script::status(status).json(&json!({ "error": { "code": code, "message": message } }))
}

impl Vendor for Rules {
    fn is_fetch(&self, _: &str) -> bool {
        false
    }

    fn token(&self, request: &Recorded) -> String {
        let id = &request.json()["audience"]["registration_id"][0];
        id.as_str().unwrap_or_default().to_owned()
    }

    fn answer(&self, request: &Recorded) -> Script {
        let pair = STANDARD.encode(format!("{JPUSH_KEY}:{JPUSH_SECRET}"));
        if request.header("authorization") != format!("Basic {pair}") {
            return refuse(401, 1004, "basic authentication failed");
        }
        if request.method != "POST" {
            return refuse(405, 1001, "only POST");
        }
        if request.path != "/v3/push" || request.header("content-type") != "application/json" {
            return refuse(400, 1003, "not a push");
        }
        match fault(&request.json()) {
            Some((code, message)) => refuse(400, code, message),
            None => {
                let id = self.sent.fetch_add(1, Ordering::AcqRel);
                Script::accept().json(&json!({ "sendno": "0", "msg_id": format!("1810028{id}") }))
            }
        }
    }
}
