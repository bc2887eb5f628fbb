//! `[push.jpush.NAME]`

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

/// One app at JPush, which hands messages on to the vendors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JpushConfig {
    /// Where messages go. Default: `https://api.jpush.cn`. `http://` on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The `AppKey` of the console.
    pub app_key: Secret<String>,
    /// The `Master Secret` of the console.
    pub master_secret: Secret<String>,
    /// The Android channel messages are shown in. Default: the app's own.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::config::some_text_or_number"
    )]
    pub channel_id: Option<String>,
}
