//! How a credential fares, since it was opened.

use nightjar_model::WallMs;
use nightjar_push::{Answer, Outcome};

/// What was answered to one credential's requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Answers by outcome, in the order of [`Outcome::ALL`].
    pub answers: [u64; Outcome::ALL.len()],
    /// When the provider last took a push.
    pub last_success_at: Option<WallMs>,
    /// The last time it did not.
    pub last_failure: Option<Failure>,
}

/// One refusal or fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: WallMs,
    /// What it meant.
    pub outcome: Outcome,
    /// The vendor's name for it, or ours.
    pub reason: String,
}

impl Health {
    pub(crate) fn note(&mut self, answer: &Answer, at: WallMs) {
        let of_outcome = Outcome::ALL.iter().zip(&mut self.answers);
        for (_, count) in of_outcome.filter(|(outcome, _)| **outcome == answer.outcome) {
            *count += 1;
        }
        if answer.outcome == Outcome::Delivered {
            self.last_success_at = Some(at);
        } else {
            let (outcome, reason) = (answer.outcome, answer.reason.clone());
            self.last_failure = Some(Failure { at, outcome, reason });
        }
    }

    /// Whether the last answer was that the push was taken; `None` before any.
    #[must_use]
    pub fn is_good(&self) -> Option<bool> {
        let failed_at = self.last_failure.as_ref().map(|failure| failure.at);
        match (self.last_success_at, failed_at) {
            (None, None) => None,
            (success, failure) => Some(success > failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_says_how_it_fares() {
        let mut health = Health::default();
        assert_eq!(health.is_good(), None);
        health.note(&Answer::new(Outcome::Delivered, "accepted"), WallMs(1));
        assert_eq!(health.is_good(), Some(true));
        health.note(&Answer::new(Outcome::ConfigError, "InvalidProviderToken"), WallMs(2));
        assert_eq!(health.is_good(), Some(false));
        health.note(&Answer::new(Outcome::Delivered, "accepted"), WallMs(3));
        assert_eq!(health.is_good(), Some(true));
        assert_eq!(health.answers, [2, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(health.last_failure.unwrap().reason, "InvalidProviderToken");
    }
}
