//! What came of a request.

use nightjar_model::WallMs;

/// What a provider's answer means to us, the same for every provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The provider took the message for this token. Never: "it was shown".
    Delivered,
    /// A passing fault: the same request later.
    Retry,
    /// This token will never work again for this app.
    TokenInvalid,
    /// Rate or quota.
    Throttled,
    /// Trim and send once more.
    TooLarge,
    /// The provider's own token is stale. A provider refreshes and resends once by itself; this
    /// is what is left when that did not help.
    AuthExpired,
    /// Keys, package, topic or rights are wrong: the operator must act, tokens are kept.
    ConfigError,
    /// This message is refused for good; the token is kept.
    Reject,
}

impl Outcome {
    /// Every outcome, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Delivered,
        Self::Retry,
        Self::TokenInvalid,
        Self::Throttled,
        Self::TooLarge,
        Self::AuthExpired,
        Self::ConfigError,
        Self::Reject,
    ];

    /// The word used in answers, events and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::TokenInvalid => "token_invalid",
            Self::Throttled => "throttled",
            Self::TooLarge => "too_large",
            Self::AuthExpired => "auth_expired",
            Self::ConfigError => "config_error",
            Self::Reject => "reject",
        }
    }
}

/// What an answer that is not "taken" is about: who has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Scope {
    /// This message; the next one may fare better.
    #[default]
    Message,
    /// Everything for this device: its own rate or quota is used up.
    Device,
    /// Everything under this credential: the vendor throttles or refuses all of it.
    Credential,
}

/// A provider's answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it means.
    pub outcome: Outcome,
    /// Who has to wait, where somebody has to.
    pub scope: Scope,
    /// The request certainly did not reach the vendor. Of an [`Outcome::Retry`] without it, the
    /// vendor may have taken the message all the same; every other refusal is certain.
    pub unsent: bool,
    /// The vendor's own name for it, or ours where it has none (`timeout`, `connection_failed`).
    pub reason: String,
    /// The vendor's id of the message, or its raw words, shortened; never a token.
    pub vendor: String,
    /// How long the vendor asks us to wait.
    pub retry_after_ms: Option<u64>,
    /// Since when the token is dead: a binding made later is kept.
    pub dead_since: Option<WallMs>,
}

impl Answer {
    /// An answer with only an outcome and its reason.
    #[must_use]
    pub fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            scope: Scope::Message,
            unsent: false,
            reason: reason.into(),
            vendor: String::new(),
            retry_after_ms: None,
            dead_since: None,
        }
    }

    /// The same answer, about more than its message.
    #[must_use]
    pub fn about(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// No request was made: there was no connection, or nothing of it was processed.
    #[must_use]
    pub fn unsent(reason: impl Into<String>) -> Self {
        Self { unsent: true, ..Self::new(Outcome::Retry, reason) }
    }

    /// Whether the vendor may have taken the message although it did not say so.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        self.outcome == Outcome::Retry && !self.unsent
    }
}
