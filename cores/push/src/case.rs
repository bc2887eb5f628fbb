//! The facts of one debt, read in one step right before a request would leave.

use std::sync::Arc;

use nightjar_model::{
    AppState, Binding, ConversationKind, DeviceId, DueReason, Entry, NotificationId, Uid,
};

/// Everything [`crate::decide_push`] may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushCase {
    /// The message that is owed.
    pub entry: Arc<Entry>,
    /// What kind of conversation it is in.
    pub kind: ConversationKind,
    /// Display name of the sender, if any.
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
    /// The device showed it in the meantime.
    pub surfaced: bool,
    /// The user read it in the meantime, on any device.
    pub read: bool,
    /// Where the device can be pushed, best first; only bindings whose token is still this device's.
    pub bindings: Vec<Binding>,
    /// Bindings that were tried for this message and failed for good.
    pub bindings_spent: usize,
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
