//! Whether a message is worth one push to one device.

use nightjar_model::{ConversationKind, DueReason, WallMs};

use crate::case::PushCase;

/// What an operator chose for all pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushPolicy {
    /// From the sixth unseen message of a conversation on, one notification is updated.
    pub storm: bool,
    /// What a push shows.
    pub display: Display,
}

/// What a push shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Display {
    /// Only that there is something.
    Nothing,
    /// Who wrote.
    Sender,
    /// Who wrote and what.
    Preview,
}

/// What to do about an open debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Push it.
    Push {
        /// Which of the case's bindings.
        binding: usize,
        /// Why it is due.
        reason: DueReason,
    },
    /// Never push it; the debt is settled.
    Silent(SilentReason),
}

macro_rules! silent_reasons {
    ($($reason:ident $name:literal $message:literal;)*) => {
        /// Why a phone stayed silent: the question support is asked most.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum SilentReason { $(#[doc = $message] $reason,)* }

        impl SilentReason {
            /// Every reason, in the order they are checked.
            pub const ALL: &'static [Self] = &[$(Self::$reason),*];

            /// The stable name in traces and answers.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$reason => $name,)* }
            }

            /// What it means and what to do, in one sentence.
            #[must_use]
            pub fn message(self) -> &'static str {
                match self { $(Self::$reason => $message,)* }
            }
        }
    };
}

silent_reasons! {
    Room "room" "Live chat rooms are never pushed.";
    OwnMessage "own_message" "The user wrote it.";
    NotMember "not_member" "The user left the conversation.";
    Blocked "blocked" "The user blocked the sender.";
    SignedOut "signed_out" "The device signed out or was kicked; it is pushed again after its next login.";
    AlreadySurfaced "already_surfaced" "The device showed it in the meantime.";
    AlreadyRead "already_read" "The user read it in the meantime, on some device.";
    Recalled "recalled" "The sender took it back.";
    SenderSilent "sender_silent" "The sender asked for silence.";
    Expired "expired" "Its time was over before it could be pushed.";
    NoBinding "no_binding" "The device has no push binding; the app must bind its token after login.";
    IllegalBinding "illegal_binding" "The provider refused every binding the device has; the app must bind a new token.";
    ProviderReject "provider_reject" "The provider refuses this message for good; the trace has its words.";
}

/// A push nobody asked an end for is of use so long.
pub(crate) const KEPT_MS: u64 = 28 * 24 * 3600 * 1000;

/// Is this message worth one push to this device? Pure: reads only its arguments.
///
/// The first reason for silence that applies, in the order of [`SilentReason::ALL`], is the answer.
#[must_use]
pub fn decide_push(case: &PushCase, now: WallMs) -> Decision {
    use SilentReason as Why;
    let entry = &case.entry;
    let is_silent = entry.push.as_ref().is_some_and(|push| push.silent);
    let checks = [
        (case.kind == ConversationKind::Room, Why::Room),
        (entry.from == case.uid, Why::OwnMessage),
        (!case.is_member, Why::NotMember),
        (case.blocked, Why::Blocked),
        (case.signed_out, Why::SignedOut),
        (case.surfaced, Why::AlreadySurfaced),
        (case.read, Why::AlreadyRead),
        (entry.recalled, Why::Recalled),
        (is_silent || !entry.is_countable(), Why::SenderSilent),
        (expires_at(case) <= now, Why::Expired),
        (case.bindings.is_empty() && case.bindings_spent == 0, Why::NoBinding),
        (case.bindings_spent >= case.bindings.len(), Why::IllegalBinding),
    ];
    match checks.into_iter().find(|(applies, _)| *applies) {
        Some((_, reason)) => Decision::Silent(reason),
        None => Decision::Push { binding: case.bindings_spent, reason: case.due },
    }
}

/// When a push of the message is of no use any more.
pub(crate) fn expires_at(case: &PushCase) -> WallMs {
    case.entry.expires_at.unwrap_or_else(|| case.entry.at.after(KEPT_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::case;

    fn silent(change: impl FnOnce(&mut PushCase)) -> Decision {
        let mut case = case();
        change(&mut case);
        decide_push(&case, case.entry.at)
    }

    #[test]
    fn an_open_debt_with_a_binding_is_pushed() {
        let case = case();
        assert_eq!(
            decide_push(&case, case.entry.at),
            Decision::Push { binding: 0, reason: DueReason::Offline }
        );
    }

    #[test]
    fn every_silence_has_its_reason() {
        use SilentReason as Why;
        let table = [
            (silent(|case| case.kind = ConversationKind::Room), Why::Room),
            (silent(|case| case.uid = case.entry.from.clone()), Why::OwnMessage),
            (silent(|case| case.is_member = false), Why::NotMember),
            (silent(|case| case.blocked = true), Why::Blocked),
            (silent(|case| case.signed_out = true), Why::SignedOut),
            (silent(|case| case.surfaced = true), Why::AlreadySurfaced),
            (silent(|case| case.read = true), Why::AlreadyRead),
            (silent(|case| crate::samples::entry(case).recalled = true), Why::Recalled),
            (
                silent(|case| {
                    let push = nightjar_model::PushSpec { silent: true, ..Default::default() };
                    crate::samples::entry(case).push = Some(Box::new(push));
                }),
                Why::SenderSilent,
            ),
            (silent(|case| crate::samples::entry(case).expires_at = Some(WallMs(1))), Why::Expired),
            (silent(|case| case.bindings.clear()), Why::NoBinding),
            (silent(|case| case.bindings_spent = 1), Why::IllegalBinding),
        ];
        for (decision, reason) in table {
            assert_eq!(decision, Decision::Silent(reason));
        }
    }
}
