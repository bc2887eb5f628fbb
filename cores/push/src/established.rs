//! The names that back ends coming from the clouds already handle (`push.outcome` of Easemob), and
//! what is worth an event at all.

use crate::decide::SilentReason;
use crate::outcome::Outcome;

impl SilentReason {
    /// What apps already call it; `None` where nobody has a name yet.
    #[must_use]
    pub fn established(self) -> Option<&'static str> {
        Some(match self {
            Self::NoBinding => "no push binding",
            Self::IllegalBinding => "illegal binding",
            Self::CredentialDisabled => "notifier disabled",
            Self::UnknownCredential => "no notifier exist",
            Self::SenderSilent => "message ignore push",
            Self::Expired => "expire message",
            Self::Muted | Self::QuietHours | Self::ModeNone | Self::NotMentioned => {
                "user ignore push"
            }
            Self::Filtered => "ignore push device id",
            Self::ProviderReject => "push yet but fail",
            Self::Room
            | Self::OwnMessage
            | Self::NotMember
            | Self::Blocked
            | Self::SignedOut
            | Self::AlreadySurfaced
            | Self::AlreadyRead
            | Self::OpenConversation
            | Self::Recalled
            | Self::NotPrimary
            | Self::SurfacedElsewhere => return None,
        })
    }

    /// Whether somebody who was to be told was not: that is an event. Where nobody was to be told,
    /// or they saw it, there is nothing to say.
    #[must_use]
    pub fn is_event(self) -> bool {
        self.established().is_some()
            || matches!(self, Self::Blocked | Self::SignedOut | Self::NotPrimary)
    }
}

impl Outcome {
    /// What apps already call it; `None` for what went well, or will be tried again.
    #[must_use]
    pub fn established(self) -> Option<&'static str> {
        match self {
            Self::Throttled => Some("notifier out of limit"),
            Self::AuthExpired | Self::ConfigError => Some("invalid notifier"),
            Self::TokenInvalid => Some("illegal binding"),
            Self::Reject => Some("push yet but fail"),
            Self::Delivered | Self::Retry | Self::TooLarge => None,
        }
    }
}
