//! Where a device can be pushed.

use serde::{Deserialize, Serialize};

use crate::{Secret, WallMs};

/// Names a binding within its device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BindingKey {
    /// The provider: `apns`, `fcm`, `console`, …
    pub provider: String,
    /// The named set of provider keys.
    pub credential: String,
}

/// Which of APNs' two worlds a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// App Store and TestFlight builds.
    Production,
    /// Development builds.
    Sandbox,
}

/// A device's address at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Provider and credential.
    pub key: BindingKey,
    /// What the provider knows the device by.
    pub token: Secret<String>,
    /// Language of the texts, BCP 47.
    pub locale: Option<String>,
    /// For APNs; unknown means the credential's default.
    pub environment: Option<Environment>,
    /// When it was last bound. An answer about an older registration does not remove it.
    pub bound_at: WallMs,
}
