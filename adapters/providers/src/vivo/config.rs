//! `[push.vivo.NAME]`

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

/// One app at vivo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VivoConfig {
    /// Where messages go. Default: `https://api-push.vivo.com.cn`. `http://` on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The number of the app.
    #[serde(deserialize_with = "crate::config::text_or_number")]
    pub app_id: String,
    /// The `AppKey` of the console.
    pub app_key: Secret<String>,
    /// The `AppSecret` of the console, which signs.
    pub app_secret: Secret<String>,
    /// The class of the messages, `IM`: without one they count as marketing, a few a day.
    #[serde(default)]
    pub category: String,
    /// 1 for messages of the system, to which `IM` belongs, 0 for those of the operator.
    #[serde(default)]
    pub classification: Option<u8>,
    /// The longest vivo is asked to keep a message, 60 to 604800 seconds. Default a day.
    #[serde(default = "day_s")]
    pub ttl_s_max: u64,
    /// What a message says that vivo refuses for its words (only digits, only Latin letters,
    /// brackets). It needs a Chinese character. Default: 您收到一条新消息.
    #[serde(default = "new_message")]
    pub safe_text: String,
    /// Where vivo posts what became of a message, at most 128 characters. Default: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
    /// The number the console gave a registered address for receipts; goes instead of
    /// `receipt_url`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_id: Option<String>,
}

fn day_s() -> u64 {
    24 * 3600
}

fn new_message() -> String {
    "您收到一条新消息".into()
}
