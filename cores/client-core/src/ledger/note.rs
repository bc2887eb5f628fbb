//! How far the notification of one message is, as a table.

use nightjar_model::WallMs;
use serde::{Deserialize, Serialize};

use crate::defaults;

/// Who posts notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Poster {
    /// The app, from what its connection brought.
    App,
    /// An extension or a worker, woken by a push.
    Extension,
    /// The system, without any code of ours.
    Remote,
}

/// How far the notification of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Nobody here heard of it.
    Unknown,
    /// Somebody is about to post it.
    Claimed,
    /// Somebody was about to, and has not said for so long that they must be gone.
    Stale,
    /// On the screen.
    Shown,
    /// It has to go, or is to be kept off; whether it is off is not known.
    Leaving,
    /// Off the screen for good.
    Gone,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteEvent {
    /// Somebody wants to alert of it.
    Claim,
    /// It was put on the screen.
    Posted,
    /// It could not be.
    NotPosted,
    /// The system shows it.
    OnScreen,
    /// It is taken back, or was seen.
    Withdraw,
    /// It was taken off the screen.
    Removed,
    /// A person swiped it away.
    Dismissed,
}

impl Note {
    /// The whole table. `None`: nothing moves; of a claim, that it is refused.
    #[must_use]
    pub fn next(self, event: NoteEvent) -> Option<Self> {
        use Note::{Claimed, Gone, Leaving, Shown, Stale, Unknown};
        use NoteEvent::{Claim, Dismissed, NotPosted, OnScreen, Posted, Removed, Withdraw};
        Some(match (self, event) {
            (Unknown | Stale, Claim) => Claimed,
            (Unknown | Claimed | Stale, Posted | OnScreen) => Shown,
            (Claimed | Stale, NotPosted) => Unknown,
            // It came to the screen although it had been taken back.
            (Gone, Posted | OnScreen) => Leaving,
            (Leaving, Posted | OnScreen) => Leaving,
            (_, Withdraw) => Leaving,
            (Leaving, Removed) => Gone,
            (Unknown | Claimed | Stale | Shown | Leaving, Dismissed) => Gone,
            _ => return None,
        })
    }

    /// What a row says, as long after it was written.
    pub(super) fn at(self, written_at: WallMs, now: WallMs) -> Self {
        let is_old = now.0.saturating_sub(written_at.0) >= defaults::CLAIM_MS;
        if self == Self::Claimed && is_old { Self::Stale } else { self }
    }

    /// On the screen, or about to be.
    pub(super) fn is_up(self) -> bool {
        matches!(self, Self::Claimed | Self::Stale | Self::Shown)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_state_and_event() {
        use Note::{Claimed, Gone, Leaving, Shown, Stale, Unknown};
        use NoteEvent::{Claim, Dismissed, NotPosted, OnScreen, Posted, Removed, Withdraw};
        let mut table = String::new();
        for note in [Unknown, Claimed, Stale, Shown, Leaving, Gone] {
            for event in [Claim, Posted, NotPosted, OnScreen, Withdraw, Removed, Dismissed] {
                let next =
                    note.next(event).map_or_else(|| "-".to_owned(), |next| format!("{next:?}"));
                let (note, event) = (format!("{note:?}"), format!("{event:?}"));
                writeln!(table, "{note:8} {event:10} {next}").unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }
}
