//! The tables `[push.webpush.NAME]` and `[push.unifiedpush.NAME]`.

use serde::{Deserialize, Serialize};

use crate::KeyFile;

/// One key pair that browsers' subscriptions are made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebPushConfig {
    /// A relay that gets every request in the endpoint's place, with the endpoint's path behind
    /// its own. Default: none, requests go to the endpoints. `http://` on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// A P-256 key, PKCS#8, PEM. With another one every subscription must be made anew.
    pub vapid_key_file: KeyFile,
    /// Whom a push service writes to about our requests: `mailto:` or `https://`. Apple refuses
    /// one at a host it does not find, such as `localhost`.
    pub subject: String,
    /// Also private endpoints, and those without TLS there. Default: false.
    #[serde(default)]
    pub allow_private: bool,
}

/// Distributors of UnifiedPush.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnifiedPushConfig {
    /// As for Web Push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// As for Web Push. Default: none, requests are not signed; some distributors insist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapid_key_file: Option<KeyFile>,
    /// As for Web Push; needed beside a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// As for Web Push; people who host their distributor themselves need it.
    #[serde(default)]
    pub allow_private: bool,
}
