//! The typed rows. Each holds absolute values: writing one twice is writing it once.

use nightjar_model::{
    Binding, ClientMsgId, ContactState, ConversationId, ConversationKind, Credential, DeviceId,
    Entry, Lane, MessageId, PasswordKeys, Platform, PushChoice, PushSettings, PushTemplate, Seq,
    Statistic, Step, Uid, WallMs, Webhook,
};
use serde::{Deserialize, Serialize};

use crate::contact::{ContactsHead, Said};

/// One row of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "table", rename_all = "snake_case")]
pub enum Row {
    /// A conversation's head.
    Conversation(ConversationRow),
    /// A member of a group.
    Member(MemberRow),
    /// A place in a conversation's log.
    Entry(Entry),
    /// The answer a resend gets.
    Sent(SentRow),
    /// Where a message id leads.
    Message(MessageRow),
    /// How many countable entries a sender has up to one of theirs.
    Own(OwnRow),
    /// A message that was taken back.
    Recalled(RecalledRow),
    /// How often a user had something to say of a message.
    Amended(AmendedRow),
    /// A user lane has something open in a conversation.
    Work(WorkRow),
    /// What a user lane still has to tell others.
    Note(NoteRow),
    /// A user.
    User(UserRow),
    /// What is kept of a user's password.
    Password(PasswordRow),
    /// A device of a user.
    Device(DeviceRow),
    /// Where a device can be pushed.
    Binding(BindingRow),
    /// Whose a push token is.
    Token(TokenRow),
    /// How far a device is in a conversation.
    Cursor(CursorRow),
    /// How far a user is in a conversation.
    Place(PlaceRow),
    /// What another user is to a user.
    Contact(ContactRow),
    /// Somebody a user knows looks different.
    ProfileChange(ProfileChangeRow),
    /// Something that happened to messages of a user.
    Trace(TraceRow),
    /// A webhook event.
    Event(EventRow),
    /// How far webhooks were delivered.
    EventCursor(EventCursorRow),
    /// What a user chose about pushes.
    PushSettings(PushSettingsRow),
    /// The default of all users.
    PushPolicy(PushChoice),
    /// Texts by name.
    PushTemplate(PushTemplate),
    /// What a provider answered.
    Outcome(OutcomeRow),
    /// Provider keys an operator made or turned off.
    Credential(Credential),
    /// Where events go.
    Webhook(Webhook),
    /// What became of a credential's pushes on a day.
    Statistic(Statistic),
    /// What a gateway keeps for itself.
    Kept(KeptRow),
}

impl Row {
    /// The table's name, as exports and metrics say it.
    #[must_use]
    pub fn table(&self) -> &'static str {
        match self {
            Self::Conversation(_) => "conversation",
            Self::Member(_) => "member",
            Self::Entry(_) => "entry",
            Self::Sent(_) => "sent",
            Self::Message(_) => "message",
            Self::Own(_) => "own",
            Self::Recalled(_) => "recalled",
            Self::Amended(_) => "amended",
            Self::Work(_) => "work",
            Self::Note(_) => "note",
            Self::User(_) => "user",
            Self::Password(_) => "password",
            Self::Device(_) => "device",
            Self::Binding(_) => "binding",
            Self::Token(_) => "token",
            Self::Cursor(_) => "cursor",
            Self::Place(_) => "place",
            Self::Contact(_) => "contact",
            Self::ProfileChange(_) => "profile_change",
            Self::Trace(_) => "trace",
            Self::Event(_) => "event",
            Self::EventCursor(_) => "event_cursor",
            Self::PushSettings(_) => "push_settings",
            Self::PushPolicy(_) => "push_policy",
            Self::PushTemplate(_) => "push_template",
            Self::Outcome(_) => "outcome",
            Self::Credential(_) => "credential",
            Self::Webhook(_) => "webhook",
            Self::Statistic(_) => "statistic",
            Self::Kept(_) => "kept",
        }
    }
}

/// Owned by the conversation's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Which.
    pub conversation: ConversationId,
    /// What kind.
    pub kind: ConversationKind,
    /// Display name of a group.
    pub name: Option<String>,
    /// Owner of a group.
    pub owner: Option<Uid>,
    /// The newest place; 0 when empty.
    pub head: Seq,
    /// Entries up to here were dropped by retention.
    pub floor: Seq,
    /// Countable entries up to the head.
    pub ordinal: u64,
    /// Time of the newest entry.
    pub last_at: WallMs,
}

/// Owned by the conversation's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// Which group.
    pub conversation: ConversationId,
    /// Who.
    pub uid: Uid,
    /// Whether they may change the group.
    pub is_owner: bool,
    /// They see entries above this place.
    pub joined: Seq,
    /// Countable entries up to `joined`.
    pub joined_ordinal: u64,
    /// They see entries up to this place; `None` while they are a member.
    pub left: Option<Seq>,
    /// The place of the entry that last changed this membership.
    #[serde(default)]
    pub changed: Seq,
}

/// Owned by the conversation's lane; kept for [`nightjar_model::limits::IDEMPOTENCY_KEPT_MS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentRow {
    /// The sender.
    pub uid: Uid,
    /// Their key.
    pub client_msg_id: ClientMsgId,
    /// Where the message is.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
    /// Its id.
    pub message_id: MessageId,
    /// Its time.
    pub at: WallMs,
}

/// Owned by the conversation's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// Which.
    pub message_id: MessageId,
    /// Where it is.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
}

/// Owned by the conversation's lane. The last row at or below a place says how many of the
/// countable entries up to there are the sender's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRow {
    /// Where.
    pub conversation: ConversationId,
    /// The sender.
    pub uid: Uid,
    /// The place of the entry.
    pub seq: Seq,
    /// The sender's countable entries up to and with it.
    pub own_ordinal: u64,
}

/// Owned by the conversation's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecalledRow {
    /// Where.
    pub conversation: ConversationId,
    /// The message that was taken back.
    pub seq: Seq,
    /// Who wrote it.
    pub from: Uid,
}

/// Owned by the conversation's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendedRow {
    /// Where.
    pub conversation: ConversationId,
    /// The message.
    pub seq: Seq,
    /// Who edited it or reacted to it.
    pub uid: Uid,
    /// How often; at most [`nightjar_model::limits::AMENDS_MAX`].
    pub count: u32,
}

/// The durable debt: members of this user lane may be owed something in this conversation.
/// Written by the conversation's lane with the message, or with what takes notifications back;
/// removed with the cursors that settled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRow {
    /// The user lane.
    pub lane: Lane,
    /// Where.
    pub conversation: ConversationId,
    /// The first place that may be unsettled; above `head` when only withdrawals are owed.
    pub from: Seq,
    /// The newest place when the row was written; what came since lies below the conversation's.
    pub head: Seq,
}

/// Owned by the user's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// Who.
    pub uid: Uid,
    /// Display name.
    pub name: Option<String>,
    /// Picture address.
    pub avatar: Option<String>,
    /// How often name or picture were changed.
    #[serde(default)]
    pub profile_version: u64,
    /// The user's counter (sync version and badge version) stays below this.
    pub counter_ceiling: u64,
    /// When the first sync token was given out: tokens of another life of the store name another
    /// moment. 0 before.
    #[serde(default)]
    pub tokens_born: WallMs,
    /// What there is to know of the contacts without reading them.
    #[serde(default)]
    pub contacts: ContactsHead,
    /// Tokens issued before are refused, whatever the device.
    pub tokens_valid_from: WallMs,
}

/// Owned by the user lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordRow {
    /// Whose.
    pub uid: Uid,
    /// The keys of the password.
    pub keys: PasswordKeys,
}

/// Owned by the user's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Whose.
    pub uid: Uid,
    /// Which.
    pub device_id: DeviceId,
    /// What it runs on; unknown until its first hello.
    pub platform: Option<Platform>,
    /// When it was first seen.
    pub created_at: WallMs,
    /// When it last said hello.
    pub seen_at: WallMs,
    /// The session's name.
    pub session: String,
    /// SHA-256 of the token that resumes it; empty when none does.
    pub resume_hash: Vec<u8>,
    /// It signed out with unbind, or was kicked: it is owed nothing until it says hello again.
    pub signed_out: bool,
    /// Tokens issued before are refused.
    pub tokens_valid_from: WallMs,
    /// What it showed and nobody read is pushed so long after its commit, unless its user chose
    /// otherwise.
    #[serde(default)]
    pub push_if_unread_after_s: Option<u32>,
}

/// Owned by the user's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingRow {
    /// Whose.
    pub uid: Uid,
    /// Which device.
    pub device_id: DeviceId,
    /// Where it can be pushed.
    pub binding: Binding,
}

/// Owned by no lane: the last bind wins, and every push checks it right before it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// The provider.
    pub provider: String,
    /// The named set of provider keys.
    pub credential: String,
    /// The token.
    pub token: nightjar_model::Secret<String>,
    /// Whose it is now.
    pub uid: Uid,
    /// Which device holds it now.
    pub device_id: DeviceId,
}

/// Owned by the user's lane. All three only grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorRow {
    /// Whose.
    pub uid: Uid,
    /// Which device.
    pub device_id: DeviceId,
    /// Where.
    pub conversation: ConversationId,
    /// The device committed entries up to here.
    pub stored: Seq,
    /// The device showed entries up to here.
    pub surfaced: Seq,
    /// Nothing up to here is owed: shown, read, pushed, or silent for a reason.
    pub settled: Seq,
    /// Places whose notification the device may be showing, as closed ranges, ascending.
    pub showing: Vec<(Seq, Seq)>,
    /// Whether the conversation's one updating notification may be showing.
    pub showing_shared: bool,
    /// The place whose push is held, and until when.
    pub held: Option<(Seq, WallMs)>,
}

/// Owned by the user's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRow {
    /// Who.
    pub uid: Uid,
    /// Where.
    pub conversation: ConversationId,
    /// The user sees entries above this place.
    pub joined: Seq,
    /// The user sees entries up to this place; `None` while a member.
    pub left: Option<Seq>,
    /// The user read up to here.
    pub read: Seq,
    /// Countable entries up to `read`.
    pub read_ordinal: u64,
    /// The user's own countable entries up to `read`.
    pub read_own: u64,
    /// The user's counter when the conversation last changed for them, as far as it was written.
    pub version: u64,
    /// The conversation's head at that moment.
    pub version_head: Seq,
    /// Up to here `message.offline` was said.
    pub offline_said: Seq,
    /// Whether the user may change the group.
    #[serde(default)]
    pub is_owner: bool,
    /// The user's counter when the group, or the peer of a direct conversation, was last listed as
    /// new; 0 when it is to be.
    #[serde(default)]
    pub listed: u64,
}

/// Owned by the user's lane. With state `None` and not blocked, it says that the contact is gone,
/// for [`nightjar_model::limits::CHANGES_KEPT_MS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactRow {
    /// Whose.
    pub uid: Uid,
    /// Who.
    pub other: Uid,
    /// What they are.
    pub state: ContactState,
    /// The user's counter at the last change.
    pub version: u64,
    /// When that was.
    pub at: WallMs,
}

/// Owned by the user's lane; written by the other's with version 0, and kept for
/// [`nightjar_model::limits::CHANGES_KEPT_MS`] once it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileChangeRow {
    /// Who is to know.
    pub uid: Uid,
    /// Who looks different.
    pub other: Uid,
    /// The user's counter when it was first told; 0 before.
    pub version: u64,
    /// When that was.
    pub at: WallMs,
}

/// Written by the lane of `from` with what is to be told, removed in the commit of the lane that
/// took it. A later note to the same user takes the place of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRow {
    /// Who tells.
    pub from: Uid,
    /// Whom and what of their contact; `None` tells everybody who knows them that they look
    /// different.
    pub to: Option<(Uid, Said)>,
}

/// Steps of a range of entries. `uid` is `None` for steps of the conversation itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRow {
    /// For whom.
    pub uid: Option<Uid>,
    /// Where.
    pub conversation: ConversationId,
    /// When.
    pub at: WallMs,
    /// Tells rows of one millisecond apart.
    pub n: u64,
    /// On which device.
    pub device_id: Option<DeviceId>,
    /// The first entry.
    pub from: Seq,
    /// The last entry.
    pub to: Seq,
    /// What.
    pub step: Step,
    /// Why, as a stable name.
    pub reason: Option<String>,
    /// More, for people.
    pub detail: Option<String>,
}

/// A webhook event, in the order it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its number, from 1.
    pub number: u64,
    /// The whole event as JSON.
    pub json: String,
}

/// How far webhooks were delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCursorRow {
    /// Which receiver.
    pub receiver: String,
    /// Everything up to this number was taken.
    pub number: u64,
}

/// Owned by the user's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushSettingsRow {
    /// Whose.
    pub uid: Uid,
    /// What they chose.
    pub settings: PushSettings,
}

/// What a provider answered to one attempt; the newest are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRow {
    /// Its number, from 1.
    pub number: u64,
    /// The whole row as JSON.
    pub json: String,
}

/// Owned by no lane: what a gateway keeps for itself. The lanes do not read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRow {
    /// Which gateway.
    pub gateway: String,
    /// Under what name.
    pub key: String,
    /// What.
    pub json: nightjar_model::Secret<String>,
}
