//! `[push.meizu.NAME]`

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

/// One app at Meizu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeizuConfig {
    /// Where messages go. Default: `https://server-api-push.meizu.com`. `http://` on loopback
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The number of the app.
    #[serde(deserialize_with = "crate::config::text_or_number")]
    pub app_id: String,
    /// The `App Secret` of the console, which signs every request.
    pub app_secret: Secret<String>,
    /// Where Meizu posts what became of a message; to be registered in the console. Default:
    /// nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
    /// What the console shows as the access token of receipts; a receipt must name it. Default:
    /// not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_token: Option<Secret<String>>,
}
