//! The recorded life of a message for one user.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, WallMs};

/// One kind of thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The server read the sender's request.
    Accepted,
    /// The message is on stable storage.
    Committed,
    /// Written to a connection of the device.
    Delivered,
    /// The device committed it.
    Stored,
    /// The device showed it.
    Surfaced,
    /// The device's deadline passed.
    Deadline,
    /// Push, hold or silent, with its reason.
    Decided,
    /// What a provider answered.
    Provider,
    /// The user read it, on any device.
    Read,
    /// Its notification was taken back.
    Withdrawn,
    /// The device reported that the push arrived.
    Arrived,
    /// The device reported that a person opened the notification.
    Clicked,
    /// The device reported that a person swiped the notification away.
    Dismissed,
}

impl Step {
    /// The word used in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Committed => "committed",
            Self::Delivered => "delivered",
            Self::Stored => "stored",
            Self::Surfaced => "surfaced",
            Self::Deadline => "deadline",
            Self::Decided => "decided",
            Self::Provider => "provider",
            Self::Read => "read",
            Self::Withdrawn => "withdrawn",
            Self::Arrived => "arrived",
            Self::Clicked => "clicked",
            Self::Dismissed => "dismissed",
        }
    }
}

/// One step of a trace, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEvent {
    /// When.
    pub at: WallMs,
    /// On which device; `None` for steps of the message itself.
    pub device_id: Option<DeviceId>,
    /// What.
    pub step: Step,
    /// Why, as a stable name.
    pub reason: Option<String>,
    /// More, for people.
    pub detail: Option<String>,
}
