//! `[push.webhook.NAME]`

use nightjar_model::Secret;
use serde::{Deserialize, Serialize};

/// A receiver of the operator's own, which pushes by whatever means it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where requests go, query and all. `http://` only with `allow_private`, and then only to
    /// private addresses.
    pub url: String,
    /// Signs them: `whsec_` and the base64 of 24 to 64 bytes, or any other text.
    pub secret: Secret<String>,
    /// Permits loopback and private addresses. Default: false.
    #[serde(default)]
    pub allow_private: bool,
}
