//! `[push.oppo.NAME]`

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

/// One app at OPPO, which serves realme and OnePlus, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OppoConfig {
    /// Where messages go. Default: `https://api.push.oppomobile.com`, and
    /// `https://api-intl.push.oppomobile.com` for phones sold outside China. `http://` on loopback
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The `AppKey` of the console.
    pub app_key: Secret<String>,
    /// The `MasterSecret` of the console; not the `AppSecret`, which is for the app.
    pub master_secret: Secret<String>,
    /// The channel registered in the console that messages are shown in.
    #[serde(default, deserialize_with = "crate::config::text_or_number")]
    pub channel_id: String,
    /// The class of the messages, `IM`: without one they count as marketing, two a day.
    #[serde(default)]
    pub category: String,
    /// How loud: 1 in the shade, 2 also on the lock screen, 16 also a banner and a sound.
    /// Default 16.
    #[serde(default = "loud")]
    pub notify_level: u8,
    /// Where OPPO posts what became of a message, at most 200 characters. Default: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
}

fn loud() -> u8 {
    16
}
