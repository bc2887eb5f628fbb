//! Whether a message is worth one push to one device.

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ConversationKind, DevicePolicy, DueReason, WallMs};

use crate::attempts::Choice;
use crate::case::PushCase;
use crate::rules::silenced_by;

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
    /// Decide anew at that moment, unless it is read before.
    Hold {
        /// When.
        until: WallMs,
        /// What is waited for.
        reason: HoldReason,
    },
    /// Never push it; the debt is settled.
    Silent(SilentReason),
}

macro_rules! reasons {
    ($(#[$doc:meta])* $of:ident: $($reason:ident $name:literal $message:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $of { $(#[doc = $message] $reason,)* }

        impl $of {
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

reasons! {
    /// Why a phone stayed silent: the question support is asked most.
    SilentReason:
    Room "room" "Live chat rooms are never pushed.";
    OwnMessage "own_message" "The user wrote it.";
    NotMember "not_member" "The user left the conversation.";
    Blocked "blocked" "The user blocked the sender, as a contact or in the push settings.";
    SignedOut "signed_out" "The device signed out or was kicked; it is pushed again after its next login.";
    AlreadySurfaced "already_surfaced" "The device showed it in the meantime.";
    AlreadyRead "already_read" "The user read it in the meantime, on some device.";
    OpenConversation "open_conversation" "The device stored it while it had the conversation open on the screen.";
    Recalled "recalled" "The sender took it back.";
    SenderSilent "sender_silent" "The sender asked for silence.";
    Expired "expired" "Its time was over before it could be pushed.";
    Filtered "filtered" "The sender's filter leaves this device, or every credential it has, out.";
    Muted "muted" "The user muted the conversation, or everything, until later.";
    QuietHours "quiet_hours" "It is one of the user's quiet hours.";
    ModeNone "mode_none" "The user wants to be told of nothing here.";
    NotMentioned "not_mentioned" "The user wants to be told of mentions only.";
    NotPrimary "not_primary" "The user is pushed on another device only.";
    SurfacedElsewhere "surfaced_elsewhere" "Another device showed it, and the user is pushed only if none does.";
    CredentialDisabled "credential_disabled" "An operator turned off the credential of every binding the device has.";
    UnknownCredential "unknown_credential" "No binding of the device names a credential that exists; an operator removed it.";
    NoBinding "no_binding" "The device has no push binding; the app must bind its token after login.";
    IllegalBinding "illegal_binding" "The provider refused every binding the device has; the app must bind a new token.";
    ProviderReject "provider_reject" "The provider refuses this message for good; the trace has its words.";
}

reasons! {
    /// What a held push waits for.
    HoldReason:
    AwaitingProvider "awaiting_provider" "As much is on its way to the provider as may be, or it takes nothing and is asked again and again; what waits follows in its order.";
    AwaitingRead "awaiting_read" "The device showed it; it is pushed if nobody reads it within `push_if_unread_after_s`.";
    AwaitingOthers "awaiting_other_devices" "Another device may still show it, and the user is pushed only if none does.";
    ActiveElsewhere "active_elsewhere" "Another device is on the screen; it is pushed if nobody reads it within `delay_if_active_s`.";
}

/// Is this message worth one push to this device? Pure: reads only its arguments.
///
/// The first reason for silence that applies, in the order of [`SilentReason::ALL`], is the answer;
/// where none does, the first reason to wait.
#[must_use]
pub fn decide_push(case: &PushCase, now: WallMs) -> Decision {
    if let Some(reason) = silence(case, now) {
        return Decision::Silent(reason);
    }
    match (hold(case, now), case.choice) {
        (Some((until, reason)), _) => Decision::Hold { until, reason },
        (None, Choice::Binding { at, .. }) => Decision::Push { binding: at, reason: case.due },
        (None, Choice::NoBinding) => Decision::Silent(SilentReason::NoBinding),
        (None, Choice::Refused) => Decision::Silent(SilentReason::IllegalBinding),
    }
}

fn silence(case: &PushCase, now: WallMs) -> Option<SilentReason> {
    use SilentReason as Why;
    let entry = &case.entry;
    let is_silent = entry.push.as_ref().is_some_and(|push| push.silent);
    let shown_is_enough = case.unread_wait_ms.is_none();
    let once_is_enough = case.policy.devices == DevicePolicy::AllOffline;
    let one_device = case.policy.devices == DevicePolicy::PrimaryOnly;
    let facts = [
        (case.kind == ConversationKind::Room, Why::Room),
        (entry.from == case.uid, Why::OwnMessage),
        (!case.is_member, Why::NotMember),
        (case.blocked, Why::Blocked),
        (case.signed_out, Why::SignedOut),
        (case.surfaced && shown_is_enough, Why::AlreadySurfaced),
        (case.read || Sabotage::SilentForNothing.is_on(), Why::AlreadyRead),
        (entry.recalled, Why::Recalled),
        (is_silent || !entry.is_countable(), Why::SenderSilent),
        (case.expires_at() <= now, Why::Expired),
        (case.is_filtered, Why::Filtered),
    ];
    let places = [
        (one_device && !case.is_primary, Why::NotPrimary),
        (once_is_enough && case.elsewhere.surfaced, Why::SurfacedElsewhere),
        (case.choice == Choice::NoBinding, case.barred.unwrap_or(Why::NoBinding)),
        (case.choice == Choice::Refused, Why::IllegalBinding),
    ];
    let first = |checks: &[(bool, Why)]| {
        checks.iter().find(|(applies, _)| *applies).map(|(_, reason)| *reason)
    };
    first(&facts)
        .or_else(|| silenced_by(&case.settings, &case.uid, entry, now))
        .or_else(|| first(&places))
}

fn hold(case: &PushCase, now: WallMs) -> Option<(WallMs, HoldReason)> {
    let committed = case.entry.at;
    let to_be_read = case.unread_wait_ms.filter(|_| case.surfaced);
    let elsewhere = &case.elsewhere;
    let others = match case.policy.devices {
        DevicePolicy::AllOffline => elsewhere.waits_until,
        _ => None,
    };
    let active = match case.policy.devices {
        // What was decided holds to its end, also across a restart, which nobody is active after.
        DevicePolicy::DelayIfActive { .. } if case.held_until.is_some() => case.held_until,
        DevicePolicy::DelayIfActive { delay_s } if elsewhere.is_active => {
            Some(committed.after(u64::from(delay_s) * 1000))
        }
        _ => None,
    };
    [
        (to_be_read.map(|wait_ms| committed.after(wait_ms)), HoldReason::AwaitingRead),
        (others, HoldReason::AwaitingOthers),
        (active, HoldReason::ActiveElsewhere),
    ]
    .into_iter()
    .find_map(|(until, reason)| Some((until.filter(|until| *until > now)?, reason)))
}

#[cfg(test)]
mod tests;
