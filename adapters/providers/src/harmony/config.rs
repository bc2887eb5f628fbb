//! The table `[push.harmony.NAME]`.

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

use crate::KeyFile;
use crate::config::text_or_number;

/// One project of Push Kit for HarmonyOS 5 and later. Earlier devices are reached by
/// [`crate::HuaweiConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarmonyConfig {
    /// Where messages go. Default: `https://push-api.cloud.huawei.com`. `http://` on loopback
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The JSON key file of a service account of the project.
    pub service_account_file: KeyFile,
    /// The app's client id, which withdrawals name.
    #[serde(deserialize_with = "text_or_number")]
    pub client_id: String,
    /// The class of the messages: `IM`. It needs the right to classify messages. Required:
    /// without a class HarmonyOS takes no notification.
    #[serde(default)]
    pub category: String,
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
