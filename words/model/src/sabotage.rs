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
    /// A push the provider did not take is never tried again.
    RetryNotScheduled,
    /// A push leaves under another notification id than its message has.
    NotificationIdChanges,
    /// Signing out with unbind leaves the device bound.
    UnbindForgotten,
    /// A kicked device keeps its connection.
    KickKeepsSession,
    /// A decision about one message also settles the next.
    SettledTooFar,
    /// The version of a badge does not grow with it.
    BadgeVersionReused,
    /// A conversation leaves a place out.
    HeadSkipsASeq,
    /// A reading is answered and not written.
    ReadNotStored,
    /// What is about to leave for a device that left is not called back.
    PushNotCalledBack,
    /// A user's own messages count as unread.
    UnreadCountsOwn,
    /// An app that left the screen is waited for as if it had not.
    BackgroundNotBelieved,
    /// What providers answer is not written into the trace.
    TraceStepMissing,
    /// The client forgets what waited to be sent when it starts anew.
    OutboxLostOnRestart,
    /// A message that was taken back still counts as unread.
    RecallStillCounts,
    /// A pull starts at the last message the connection was given.
    DeliveryRepeated,
    /// A message is called read that nobody read.
    SilentForNothing,
    /// A hello that was given up and arrives late ends the client.
    StrayHelloEnds,
    /// The user is not told that a message was sent.
    SentNotTold,
    /// The time the system granted in the background is kept.
    GrantKept,
}

impl Sabotage {
    /// Every fault.
    pub const ALL: [Self; 31] = [
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
        Self::RetryNotScheduled,
        Self::NotificationIdChanges,
        Self::UnbindForgotten,
        Self::KickKeepsSession,
        Self::SettledTooFar,
        Self::BadgeVersionReused,
        Self::HeadSkipsASeq,
        Self::ReadNotStored,
        Self::PushNotCalledBack,
        Self::UnreadCountsOwn,
        Self::BackgroundNotBelieved,
        Self::TraceStepMissing,
        Self::OutboxLostOnRestart,
        Self::RecallStillCounts,
        Self::DeliveryRepeated,
        Self::SilentForNothing,
        Self::StrayHelloEnds,
        Self::SentNotTold,
        Self::GrantKept,
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
            Self::RetryNotScheduled => "retry-not-scheduled",
            Self::NotificationIdChanges => "notification-id-changes",
            Self::UnbindForgotten => "unbind-forgotten",
            Self::KickKeepsSession => "kick-keeps-session",
            Self::SettledTooFar => "settled-too-far",
            Self::BadgeVersionReused => "badge-version-reused",
            Self::HeadSkipsASeq => "head-skips-a-seq",
            Self::ReadNotStored => "read-not-stored",
            Self::PushNotCalledBack => "push-not-called-back",
            Self::UnreadCountsOwn => "unread-counts-own",
            Self::BackgroundNotBelieved => "background-not-believed",
            Self::TraceStepMissing => "trace-step-missing",
            Self::OutboxLostOnRestart => "outbox-lost-on-restart",
            Self::RecallStillCounts => "recall-still-counts",
            Self::DeliveryRepeated => "delivery-repeated",
            Self::SilentForNothing => "silent-for-nothing",
            Self::StrayHelloEnds => "stray-hello-ends",
            Self::SentNotTold => "sent-not-told",
            Self::GrantKept => "grant-kept",
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
