//! Names of rows and of ranges of rows.

use nightjar_model::{
    ClientMsgId, ConversationId, DeviceId, Lane, MessageId, Secret, Seq, Uid, WallMs,
};

use crate::rows::Row;

/// Names one row. The order of keys is the order of a range; stores keep it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant names the row of the same name by its own fields")]
pub enum Key {
    Conversation(ConversationId),
    Member(ConversationId, Uid),
    Entry(ConversationId, Seq),
    Sent(Uid, ClientMsgId),
    Message(MessageId),
    Own(ConversationId, Uid, Seq),
    Recalled(ConversationId, Seq),
    Amended(ConversationId, Seq, Uid),
    Work(Lane, ConversationId),
    Note(Uid, Option<Uid>),
    User(Uid),
    Password(Uid),
    Device(Uid, DeviceId),
    Binding(Uid, DeviceId, String, String),
    Token(String, String, Secret<String>),
    Cursor(Uid, DeviceId, ConversationId),
    Place(Uid, ConversationId),
    Contact(Uid, Uid),
    ProfileChange(Uid, Uid),
    Trace(Option<Uid>, ConversationId, WallMs, u64),
    Event(u64),
    EventCursor(String),
    PushSettings(Uid),
    PushPolicy,
    PushTemplate(String, Option<String>),
    Outcome(u64),
    Credential(String, String),
    Webhook(String),
    /// Day, provider, credential.
    Statistic(u32, String, String),
    Kept(String, String),
}

impl Row {
    /// The name of this row.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Conversation(r) => Key::Conversation(r.conversation.clone()),
            Self::Member(r) => Key::Member(r.conversation.clone(), r.uid.clone()),
            Self::Entry(r) => Key::Entry(r.conversation.clone(), r.seq),
            Self::Sent(r) => Key::Sent(r.uid.clone(), r.client_msg_id.clone()),
            Self::Message(r) => Key::Message(r.message_id),
            Self::Own(r) => Key::Own(r.conversation.clone(), r.uid.clone(), r.seq),
            Self::Recalled(r) => Key::Recalled(r.conversation.clone(), r.seq),
            Self::Amended(r) => Key::Amended(r.conversation.clone(), r.seq, r.uid.clone()),
            Self::Work(r) => Key::Work(r.lane, r.conversation.clone()),
            Self::Note(r) => Key::Note(r.from.clone(), r.to.as_ref().map(|(uid, _)| uid.clone())),
            Self::User(r) => Key::User(r.uid.clone()),
            Self::Password(r) => Key::Password(r.uid.clone()),
            Self::Device(r) => Key::Device(r.uid.clone(), r.device_id.clone()),
            Self::Binding(r) => Key::Binding(
                r.uid.clone(),
                r.device_id.clone(),
                r.binding.key.provider.clone(),
                r.binding.key.credential.clone(),
            ),
            Self::Token(r) => Key::Token(r.provider.clone(), r.credential.clone(), r.token.clone()),
            Self::Cursor(r) => {
                Key::Cursor(r.uid.clone(), r.device_id.clone(), r.conversation.clone())
            }
            Self::Place(r) => Key::Place(r.uid.clone(), r.conversation.clone()),
            Self::Contact(r) => Key::Contact(r.uid.clone(), r.other.clone()),
            Self::ProfileChange(r) => Key::ProfileChange(r.uid.clone(), r.other.clone()),
            Self::Trace(r) => Key::Trace(r.uid.clone(), r.conversation.clone(), r.at, r.n),
            Self::Event(r) => Key::Event(r.number),
            Self::EventCursor(r) => Key::EventCursor(r.receiver.clone()),
            Self::PushSettings(r) => Key::PushSettings(r.uid.clone()),
            Self::PushPolicy(_) => Key::PushPolicy,
            Self::PushTemplate(r) => Key::PushTemplate(r.name.clone(), r.locale.clone()),
            Self::Outcome(r) => Key::Outcome(r.number),
            Self::Credential(r) => {
                Key::Credential(r.key.provider.clone(), r.key.credential.clone())
            }
            Self::Webhook(r) => Key::Webhook(r.id.clone()),
            Self::Statistic(r) => {
                Key::Statistic(r.day, r.key.provider.clone(), r.key.credential.clone())
            }
            Self::Kept(r) => Key::Kept(r.gateway.clone(), r.key.clone()),
        }
    }
}

/// Names a range of rows. Answers ascend by key unless the range says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// Entries with `after < seq < before`; the lowest `limit`, or the highest when `newest`,
    /// ascending either way.
    Entries {
        /// Where.
        conversation: ConversationId,
        /// Above this place.
        after: Seq,
        /// Below this place.
        before: Seq,
        /// How many, at most.
        limit: usize,
        /// Take them from the upper end.
        newest: bool,
    },
    /// All members of a group, those who left included.
    Members(ConversationId),
    /// The sender's last `Own` row at or below a place.
    LastOwn(ConversationId, Uid, Seq),
    /// Recalled messages above a place.
    RecalledAbove(ConversationId, Seq),
    /// All work rows.
    Work,
    /// All notes.
    Notes,
    /// A user's devices.
    Devices(Uid),
    /// Bindings of all devices of a user.
    Bindings(Uid),
    /// Cursors of all devices of a user.
    Cursors(Uid),
    /// All places of a user.
    Places(Uid),
    /// A user's contacts, removed ones included.
    Contacts(Uid),
    /// Whom of those a user knows looks different.
    ProfileChanges(Uid),
    /// Trace rows of one user (or of the conversation itself) in a conversation from a time on.
    Trace {
        /// For whom.
        uid: Option<Uid>,
        /// Where.
        conversation: ConversationId,
        /// From then on.
        from: WallMs,
        /// How many, at most.
        limit: usize,
    },
    /// Events above a number.
    Events {
        /// Above this number.
        after: u64,
        /// How many, at most.
        limit: usize,
    },
    /// The last event.
    LastEvent,
    /// All push templates, by name and language.
    PushTemplates,
    /// Answers of providers above a number.
    Outcomes {
        /// Above this number.
        after: u64,
        /// How many, at most.
        limit: usize,
    },
    /// The last answer of a provider.
    LastOutcome,
    /// All credentials an operator made or turned off.
    Credentials,
    /// All webhooks.
    Webhooks,
    /// Statistics from a day on.
    Statistics {
        /// From this day on, counted from the Unix epoch.
        from: u32,
        /// How many, at most.
        limit: usize,
    },
    /// What a gateway keeps, by name.
    Kept {
        /// Which gateway.
        gateway: String,
        /// From this name on.
        from: String,
        /// How many, at most.
        limit: usize,
    },
}
