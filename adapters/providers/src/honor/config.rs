//! The table `[push.honor.NAME]`.

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

use crate::config::text_or_number;

/// One app of Honor Push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HonorConfig {
    /// Where messages go. Default: `https://push-api.cloud.honor.com`. `http://` on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where access tokens come from, path included. Default:
    /// `https://iam.developer.honor.com/auth/token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// The app's id.
    #[serde(deserialize_with = "text_or_number")]
    pub app_id: String,
    /// The client id of the push service, which is not the app's id.
    #[serde(deserialize_with = "text_or_number")]
    pub client_id: String,
    /// The client secret of the push service, which is not the app's.
    pub client_secret: Secret<String>,
    /// The full class name of the app's launcher activity. Honor sets no badge without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge_class: Option<String>,
    /// The user name registered with the receipt address. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_user: Option<String>,
    /// The secret registered with the receipt address. Without it receipts are not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_secret: Option<Secret<String>>,
}
