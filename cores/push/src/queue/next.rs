//! The table of outcomes.

use nightjar_model::{Binding, Mono};

use crate::attempts::Attempts;
use crate::decide::SilentReason;
use crate::outcome::{Answer, Outcome};
use crate::render::Trim;

/// What an answer means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The provider took it.
    Settle,
    /// The same request again, then; or by another binding once this one is late.
    Later {
        /// When.
        at: Mono,
    },
    /// The device's next binding, at once: the provider says that this one's token is dead.
    NextBinding,
    /// The same message again at once, with less text.
    Again,
    /// Never.
    Silent(SilentReason),
}

/// What an answer means, and when the message is looked at again.
pub(super) fn next_of(
    attempts: &mut Attempts,
    binding: &Binding,
    answer: &Answer,
    now: Mono,
    jitter: u8,
) -> (Next, Mono) {
    let next = match answer.outcome {
        Outcome::Delivered => {
            attempts.took(binding);
            Next::Settle
        }
        Outcome::Retry | Outcome::Throttled | Outcome::AuthExpired | Outcome::ConfigError => {
            let (at, again) = attempts.later(binding, answer, now, jitter);
            return (Next::Later { at }, again);
        }
        Outcome::TokenInvalid => {
            attempts.spend(binding);
            Next::NextBinding
        }
        Outcome::TooLarge => match attempts.trim {
            Trim::Full => {
                attempts.trim = Trim::Short;
                Next::Again
            }
            Trim::Short => {
                attempts.trim = Trim::DataOnly;
                Next::Again
            }
            Trim::DataOnly => Next::Silent(SilentReason::ProviderReject),
        },
        Outcome::Reject => Next::Silent(SilentReason::ProviderReject),
    };
    (next, now)
}
