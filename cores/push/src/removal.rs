//! Whether a credential's word that tokens are dead is to be believed.
//!
//! A key of the wrong environment, project or app is answered as if every token had died. A few
//! are removed as the vendor says; once most of the latest messages come back so, none is, and
//! those that were removed by these answers are given back.

use std::collections::VecDeque;

use nightjar_model::{Binding, DeviceId, Uid};

/// So many of the latest messages are looked at, and no fewer.
const LOOKED_AT: usize = 20;
/// The word in outcomes for an answer that is not believed.
pub const TOO_MANY_INVALID: &str = "too_many_token_invalid";

/// A binding that was removed because the vendor called its token dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Whose.
    pub uid: Uid,
    /// Which device.
    pub device_id: DeviceId,
    /// What it was.
    pub binding: Binding,
}

/// The latest answers of one credential, one for each message and device.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    /// The oldest first.
    answers: VecDeque<Seen>,
}

#[derive(Debug)]
struct Seen {
    is_invalid: bool,
    removed: Option<Removed>,
}

impl Removals {
    /// An answer about a message that was not asked about before.
    pub(crate) fn note(&mut self, is_invalid: bool) {
        if self.answers.len() >= LOOKED_AT {
            self.answers.pop_front();
        }
        self.answers.push_back(Seen { is_invalid, removed: None });
    }

    /// The last of them cost a binding.
    pub(crate) fn removed(&mut self, removed: Removed) {
        if let Some(last) = self.answers.back_mut().filter(|last| last.is_invalid) {
            last.removed = Some(removed);
        }
    }

    /// Whether no token at all is taken: nothing that is sent can be of use.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.is_doubted() && self.answers.iter().all(|seen| seen.is_invalid)
    }

    /// The device has nothing coming: it was unbound or signed out meanwhile.
    pub(crate) fn forget(&mut self, uid: &Uid, device_id: &DeviceId) {
        for seen in &mut self.answers {
            seen.removed.take_if(|gone| gone.uid == *uid && gone.device_id == *device_id);
        }
    }

    /// Whether so many tokens are called dead that it must be the key: more than half.
    pub(crate) fn is_doubted(&self) -> bool {
        let invalid = self.answers.iter().filter(|seen| seen.is_invalid).count();
        self.answers.len() >= LOOKED_AT && invalid * 2 > self.answers.len()
    }

    /// What these answers cost.
    pub(crate) fn give_back(&mut self) -> Vec<Removed> {
        self.answers.iter_mut().filter_map(|seen| seen.removed.take()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(invalid: usize, good: usize) -> Removals {
        let mut removals = Removals::default();
        (0..invalid).for_each(|_| removals.note(true));
        (0..good).for_each(|_| removals.note(false));
        removals
    }

    #[test]
    fn only_twenty_messages_of_which_more_than_half_are_called_dead_raise_doubt() {
        for (invalid, good, is_doubted) in [
            (1, 0, false),
            (19, 0, false),
            (20, 0, true),
            (10, 10, false),
            (11, 9, true),
            // What was good or bad long ago does not count.
            (1_000, 9, true),
            (1_000, 10, false),
        ] {
            assert_eq!(after(invalid, good).is_doubted(), is_doubted, "{invalid} and {good}");
        }
        let mut removals = after(0, 1_000);
        (0..10).for_each(|_| removals.note(true));
        assert!(!removals.is_doubted());
        removals.note(true);
        assert!(removals.is_doubted());
    }

    #[test]
    fn what_the_latest_answers_cost_is_given_back_once() {
        let removed = |n: usize| Removed {
            uid: Uid::parse(&format!("user{n}")).unwrap(),
            device_id: DeviceId::parse("phone").unwrap(),
            binding: crate::samples::binding(),
        };
        let mut removals = Removals::default();
        for n in 0..30 {
            removals.note(true);
            removals.removed(removed(n));
        }
        assert_eq!(removals.give_back(), (10..30).map(removed).collect::<Vec<_>>());
        assert_eq!(removals.give_back(), []);
    }
}
