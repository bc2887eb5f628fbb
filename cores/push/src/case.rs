//! The facts of one debt, read in one step right before a request would leave.

use std::sync::Arc;

use nightjar_model::{
    AppState, Binding, ConversationKind, DeviceId, DueReason, Entry, NotificationId, PushPolicy,
    PushSettings, PushTemplate, Uid, WallMs,
};

use crate::attempts::Choice;
use crate::decide::SilentReason;

/// Everything [`crate::decide_push`] may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushCase {
    /// The message that is owed.
    pub entry: Arc<Entry>,
    /// What kind of conversation it is in.
    pub kind: ConversationKind,
    /// What the receiver chose.
    pub settings: Arc<PushSettings>,
    /// What holds for the receiver's pushes.
    pub policy: PushPolicy,
    /// The template the message names, else the receiver's, in the receiver's language.
    pub template: Option<PushTemplate>,
    /// What others call the sender, if anything.
    pub sender_name: Option<String>,
    /// Name of the group, if it is one.
    pub group_name: Option<String>,
    /// Who is owed.
    pub uid: Uid,
    /// On which device.
    pub device_id: DeviceId,
    /// What the server believes of its app.
    pub app_state: AppState,
    /// Why the debt fell due.
    pub due: DueReason,
    /// The user is still a member.
    pub is_member: bool,
    /// The user blocked the sender.
    pub blocked: bool,
    /// The device signed out with unbind or was kicked.
    pub signed_out: bool,
    /// What the device showed and nobody read is pushed so long after its commit, in ms.
    pub unread_wait_ms: Option<u64>,
    /// The device showed it in the meantime.
    pub surfaced: bool,
    /// The user read it in the meantime, on any device.
    pub read: bool,
    /// The sender wants neither this device nor any of its credentials.
    pub is_filtered: bool,
    /// It is the user's primary device, or there is no such thing.
    pub is_primary: bool,
    /// What the user's other devices do about it.
    pub elsewhere: Elsewhere,
    /// Until when it was decided to hold the push.
    pub held_until: Option<WallMs>,
    /// Where the device can be pushed, best first; only bindings whose token is still this device's
    /// and whose credential the sender accepts.
    pub bindings: Vec<Binding>,
    /// Why its other bindings cannot be used: their credential is off, or is none.
    pub barred: Option<SilentReason>,
    /// Which of them is next.
    pub choice: Choice,
    /// Alertable entries of the conversation the device neither showed nor read, this one included.
    pub unseen: u64,
    /// The device may be showing this message alone (`false`), or the conversation's one
    /// notification (`true`): an earlier request left, and a later one keeps the name.
    pub is_shared: Option<bool>,
    /// The user's unread total.
    pub badge: u64,
    /// Its version, read in the same step.
    pub bv: u64,
    /// Notifications of this device that are still to be taken back.
    pub withdraw: Vec<NotificationId>,
}

/// A push nobody asked an end for is of use so long.
const KEPT_MS: u64 = 28 * 24 * 3600 * 1000;

impl PushCase {
    /// When a push of the message is of no use any more.
    #[must_use]
    pub fn expires_at(&self) -> WallMs {
        self.entry.expires_at.unwrap_or_else(|| self.entry.at.after(KEPT_MS))
    }
}

/// What a user's other devices do about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Elsewhere {
    /// One of them showed it.
    pub surfaced: bool,
    /// One of them may still show it until then.
    pub waits_until: Option<WallMs>,
    /// One of them is on the screen.
    pub is_active: bool,
}
