//! The table `[push.huawei.NAME]`.

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

/// One app of Huawei's Push Kit, for EMUI and HarmonyOS up to 4. Later devices are reached by
/// [`crate::HarmonyConfig`] only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HuaweiConfig {
    /// Where messages go. Default: `https://push-api.cloud.huawei.com`. `http://` on loopback
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where access tokens come from, path included. Default:
    /// `https://oauth-login.cloud.huawei.com/oauth2/v2/token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// The app's id, which is its OAuth client id.
    pub app_id: String,
    /// The app's secret.
    pub app_secret: Secret<String>,
    /// The project's id. With it messages go over v2 of the API, without over v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The class of the messages: `IM`. It takes effect once Huawei granted the app's
    /// self-classification. Required: without a class a chat becomes marketing.
    #[serde(default)]
    pub category: String,
    /// The app's notification channel. Default: Huawei's, by class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// The full class name of the app's launcher activity. Huawei sets no badge without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge_class: Option<String>,
    /// Which of the receipt addresses registered in the console is told. Default: the console's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_id: Option<String>,
    /// The user name registered with the receipt address. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_user: Option<String>,
    /// The secret registered with the receipt address. Without it receipts are not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_secret: Option<Secret<String>>,
}
