//! Deliberate faults that the simulated world must find. Without the feature `sabotage` every
//! question answers no and costs nothing.

/// A fault a core commits on purpose when told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sabotage {
    /// The sender is answered before the commit is on stable storage.
    AckBeforeFsync,
    /// No work row is written, so a restart forgets who is owed a push.
    DebtNotWritten,
    /// A foreground device's deadline is never armed.
    DeadlineNotArmed,
    /// A device that missed a deadline is not marked unresponsive.
    UnresponsiveNeverSet,
    /// A resend of a `client_msg_id` makes a second message.
    DedupForgotten,
    /// Reading does not withdraw what other devices show.
    ReadDoesNotWithdraw,
    /// The badge of a push counts from 1 instead of being the unread total.
    BadgeCountsPushes,
    /// A token bound by another user stays with the first.
    TokenNotMoved,
    /// An app-state report older than the last one is taken.
    OldAppStateAccepted,
    /// The client does not fetch what is missing below a message.
    GapIgnored,
    /// The client acknowledges before its commit.
    StoredBeforeCommit,
    /// An acknowledgement is taken as the client wrote it, beyond what it was given.
    AckNotClamped,
}

impl Sabotage {
    /// Every fault.
    pub const ALL: [Self; 12] = [
        Self::AckBeforeFsync,
        Self::DebtNotWritten,
        Self::DeadlineNotArmed,
        Self::UnresponsiveNeverSet,
        Self::DedupForgotten,
        Self::ReadDoesNotWithdraw,
        Self::BadgeCountsPushes,
        Self::TokenNotMoved,
        Self::OldAppStateAccepted,
        Self::GapIgnored,
        Self::StoredBeforeCommit,
        Self::AckNotClamped,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AckBeforeFsync => "ack-before-fsync",
            Self::DebtNotWritten => "debt-not-written",
            Self::DeadlineNotArmed => "deadline-not-armed",
            Self::UnresponsiveNeverSet => "unresponsive-never-set",
            Self::DedupForgotten => "dedup-forgotten",
            Self::ReadDoesNotWithdraw => "read-does-not-withdraw",
            Self::BadgeCountsPushes => "badge-counts-pushes",
            Self::TokenNotMoved => "token-not-moved",
            Self::OldAppStateAccepted => "old-app-state-accepted",
            Self::GapIgnored => "gap-ignored",
            Self::StoredBeforeCommit => "stored-before-commit",
            Self::AckNotClamped => "ack-not-clamped",
        }
    }

    /// Whether this fault is to be committed now, on this thread.
    #[must_use]
    #[inline]
    pub fn is_on(self) -> bool {
        #[cfg(feature = "sabotage")]
        {
            ACTIVE.get() == Some(self)
        }
        #[cfg(not(feature = "sabotage"))]
        {
            false
        }
    }
}

#[cfg(feature = "sabotage")]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Sabotage>> = const { std::cell::Cell::new(None) };
}

/// Chooses the fault of this thread's runs; `None` for none.
#[cfg(feature = "sabotage")]
pub fn choose(sabotage: Option<Sabotage>) {
    ACTIVE.set(sabotage);
}
