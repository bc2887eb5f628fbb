//! `[push.xiaomi.NAME]`

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

/// One app at Xiaomi.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XiaomiConfig {
    /// Where messages go. Default: `https://api.xmpush.xiaomi.com`, for phones sold in China.
    /// `http://` on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The `AppSecret` of the console.
    pub app_secret: Secret<String>,
    /// The app's package.
    pub package_name: String,
    /// The private channel registered in the console that messages are shown in: without one a
    /// phone shows a few messages of the app a day.
    #[serde(default, deserialize_with = "crate::config::text_or_number")]
    pub channel_id: String,
    /// Where Xiaomi posts what became of a message; to be registered in the console. Default:
    /// nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
}
