//! What a credential pushes. Alerts, calls and Live Activities have tokens of their own on a
//! device, so each is a provider of its own to a binding.

use http::HeaderValue;

/// A kind of push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApnsKind {
    /// Notifications, and withdrawals in the background.
    Alert,
    /// Calls, to the token of PushKit. The app must report a call for each at once, or is ended.
    Voip,
    /// Live Activities, to the token of one activity. The sender's `aps` says what changed.
    LiveActivity,
}

impl ApnsKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Alert, Self::Voip, Self::LiveActivity];

    /// The word a binding names it by.
    #[must_use]
    pub fn provider(self) -> &'static str {
        match self {
            Self::Alert => "apns",
            Self::Voip => "apns_voip",
            Self::LiveActivity => "apns_liveactivity",
        }
    }

    /// `apns-topic` for the app with this bundle id.
    pub(super) fn topic(self, bundle_id: &str) -> Option<HeaderValue> {
        let suffix = match self {
            Self::Alert => "",
            Self::Voip => ".voip",
            Self::LiveActivity => ".push-type.liveactivity",
        };
        let bundle_id = bundle_id.strip_suffix(suffix).unwrap_or(bundle_id);
        let is_empty = bundle_id.is_empty();
        HeaderValue::from_str(&format!("{bundle_id}{suffix}")).ok().filter(|_| !is_empty)
    }

    /// Apple's limit.
    pub(super) fn payload_bytes_max(self) -> usize {
        match self {
            Self::Voip => 5120,
            Self::Alert | Self::LiveActivity => 4096,
        }
    }
}
