//! The life of a push token.

use nightjar_model::{Binding, WallMs};

use crate::outcome::{Answer, Outcome};

/// Whether an answer ends the token: the provider says it is dead, and the device did not bind it
/// anew since the request left (or, where the provider says since when, since then).
#[must_use]
pub fn removes_token(answer: &Answer, binding: &Binding, sent_at: WallMs) -> bool {
    answer.outcome == Outcome::TokenInvalid
        && binding.bound_at <= answer.dead_since.unwrap_or(sent_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::binding;

    #[test]
    fn only_a_token_that_was_not_bound_anew_goes() {
        let mut bound = binding();
        bound.bound_at = WallMs(100);
        let mut answer = Answer::new(Outcome::TokenInvalid, "Unregistered");
        assert!(removes_token(&answer, &bound, WallMs(200)));
        assert!(!removes_token(&answer, &bound, WallMs(50)));
        answer.dead_since = Some(WallMs(99));
        assert!(!removes_token(&answer, &bound, WallMs(200)));
        assert!(!removes_token(&Answer::new(Outcome::Reject, "x"), &bound, WallMs(200)));
    }
}
