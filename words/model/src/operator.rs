//! What an operator sets up while the server runs, and what is counted for them.

use serde::{Deserialize, Serialize};

use crate::{BindingKey, MessageId, Secret, WallMs};

/// A named set of provider keys that an operator made, or one of the configuration file that they
/// turned off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Provider and name.
    pub key: BindingKey,
    /// Whether pushes may go through it.
    pub enabled: bool,
    /// The provider's options as a JSON object, keys included; `None` for a credential of the
    /// configuration file.
    pub options: Option<Secret<String>>,
    /// When an operator last changed it.
    pub changed_at: WallMs,
}

/// Where webhook events go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name.
    pub id: String,
    /// An `http` or `https` URL.
    pub url: String,
    /// Signs the events.
    pub secret: Secret<String>,
    /// Which types it gets; empty is all of them.
    pub types: Vec<String>,
    /// Whether it gets any.
    pub enabled: bool,
    /// Permits loopback and private addresses.
    pub allow_private: bool,
    /// When an operator last changed it.
    pub changed_at: WallMs,
}

/// What became of one credential's pushes on one day. Counts only grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistic {
    /// Days since the Unix epoch, UTC.
    pub day: u32,
    /// Provider and credential.
    pub key: BindingKey,
    /// Requests the provider took.
    pub accepted: u64,
    /// Requests it did not take, and pushes it later said will not arrive, by reason; at most
    /// [`crate::limits::STATISTIC_REASONS_MAX`], the rest under `other`.
    pub failed: Vec<(String, u64)>,
    /// Pushes that arrived, as the provider, the app or its extension says.
    pub arrived: u64,
    /// Pushes a person opened, as the provider or the app says.
    pub clicked: u64,
}

/// What became of one message on one device. Both are found by what every vendor repeats: the
/// tag of the request, which is the `mid`, and the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub mid: MessageId,
    /// Where it went.
    pub token: Secret<String>,
    /// What.
    pub event: ReceiptEvent,
    /// When, as the vendor says it; `None` is now.
    pub at: Option<WallMs>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptEvent {
    /// It is on the device.
    Arrived,
    /// A person opened it.
    Clicked,
    /// It will not arrive; the vendor's word for why, shortened.
    Failed(String),
}
