//! What the lanes answer, and what they say to a connection unasked.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::{
    AppState, Binding, BindingKey, ContactView, ConversationId, ConversationKind, Credential,
    DeviceId, Entry, GroupId, MessageId, NotificationId, PasswordKeys, Platform, PresenceStatus,
    PushPolicy, PushSettings, PushTemplate, Secret, Seq, Statistic, TraceEvent, Uid, WallMs,
    Webhook,
};

/// The answer to a [`crate::Command`] that was not refused. It leaves only after the commit that
/// made it true is on stable storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Done, nothing to say.
    Done,
    /// To `Hello`.
    Hello(Box<HelloReply>),
    /// To `Send` and `SendAs`.
    Sent(SentReply),
    /// To `Read`: the badge and its version.
    Badge {
        /// Total over conversations not muted.
        unread: u64,
        /// Only grows.
        bv: u64,
    },
    /// To `Sync`.
    Sync(Box<SyncReply>),
    /// To `History` and `HistoryAs`, ascending.
    History {
        /// The entries.
        entries: Vec<Arc<Entry>>,
        /// The newest place of the conversation.
        head_seq: Seq,
    },
    /// To `Pull`, ascending.
    Pulled {
        /// Where.
        conversation: ConversationId,
        /// The entries above the asked place.
        deliveries: Vec<Delivery>,
        /// The newest place of the conversation.
        head_seq: Seq,
    },
    /// To `Contact` and `ContactAs`: what it came to.
    Contact(ContactView),
    /// To `Contacts`, in the order of the uids.
    Contacts(Vec<ContactView>),
    /// To `Recall`, `Edit` and `React`: the place of the entry that says so.
    Seq(Seq),
    /// To `PutUser`.
    User(UserView),
    /// To `Password`; `None` for a user without one, and for nobody.
    Password(Option<Box<PasswordKeys>>),
    /// To `CreateGroup` and `ChangeMembers`.
    Group(GroupCreated),
    /// To `Members`.
    Members(MembersView),
    /// To `Devices`.
    Devices(Vec<DeviceView>),
    /// To `Presence`: those who were newly asked for and may be seen.
    Presence(Vec<PresenceView>),
    /// To `Fetch`.
    Fetched(Box<FetchedView>),
    /// To `Unread`.
    Unread(UnreadView),
    /// To `Trace`, ascending in time.
    Trace(Vec<TraceEvent>),
    /// To `Explain`: one line a device of each member.
    Explain(Vec<Explained>),
    /// To `PushSettings` and `PutPushSettings`.
    PushSettings(Arc<PushSettings>),
    /// To `PushPolicy` and `PutPushPolicy`: what holds now.
    PushPolicy(PushPolicy),
    /// To `PushTemplate`: by language, the one without a language first.
    PushTemplates(Vec<PushTemplate>),
    /// To `Credentials`, keys included: not for callers.
    Credentials(Vec<Credential>),
    /// To `TestTarget`.
    TestTarget(Box<TestTarget>),
    /// To `Outcomes`: (number, row as JSON).
    Outcomes(Vec<(u64, String)>),
    /// To `Statistics`, by day, provider and credential.
    Statistics(Vec<Statistic>),
    /// To `Webhooks`, secrets included: not for callers.
    Webhooks {
        /// By id.
        webhooks: Vec<Webhook>,
        /// The number of the newest event.
        last_event: u64,
    },
    /// To `Kept`: (name, JSON).
    Kept(Vec<(String, Secret<String>)>),
    /// To `EventCursor`.
    EventCursor(u64),
    /// To `Events`: (number, event as JSON).
    Events(Vec<(u64, String)>),
}

/// An entry on its way to one device.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The entry.
    pub entry: Arc<Entry>,
    /// Whether a person is to be told on this device.
    pub alert: bool,
    /// Whether this device was already pushed for it.
    pub pushed: bool,
    /// The packet of this delivery, encoded once for all connections that get the same.
    pub packets: SharedPackets,
}

impl PartialEq for Delivery {
    fn eq(&self, other: &Self) -> bool {
        self.entry == other.entry && self.alert == other.alert && self.pushed == other.pushed
    }
}

impl Eq for Delivery {}

impl Delivery {
    /// The packet as bytes; `encode` runs for the first connection only.
    pub fn packet(&self, encode: impl FnOnce(&Self) -> Bytes) -> Bytes {
        let slot = usize::from(self.alert) * 2 + usize::from(self.pushed);
        self.packets.0[slot].get_or_init(|| encode(self)).clone()
    }
}

/// Encoded forms of one entry, one for each pair of `alert` and `pushed`.
#[derive(Debug, Clone, Default)]
pub struct SharedPackets(Arc<[OnceLock<Bytes>; 4]>);

/// What a push of a message would do on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Whose.
    pub uid: Uid,
    /// Which; `None` when the user has no device.
    pub device_id: Option<DeviceId>,
    /// `push`, `hold` or `silent`.
    pub decision: &'static str,
    /// Why, as a stable name.
    pub reason: &'static str,
    /// Until when it is held.
    pub until: Option<WallMs>,
    /// What the person would see.
    pub title: Option<String>,
    /// What the person would see.
    pub body: Option<String>,
}

/// A login that worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloReply {
    /// Who.
    pub uid: Uid,
    /// The session's name.
    pub session: String,
    /// The token that resumes it, once.
    pub resume: String,
    /// Whether this login continues the session of `resume`.
    pub resumed: bool,
    /// The badge.
    pub unread: u64,
    /// Its version.
    pub bv: u64,
    /// Conversations with entries above what the device stored, newest activity first.
    pub backlog: Vec<Backlog>,
    /// Notifications the device may still show although they were read or recalled.
    pub withdraw: Vec<NotificationId>,
}

/// What a device has not stored, or not shown, of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Where.
    pub conversation: ConversationId,
    /// The device has everything up to here.
    pub stored: Seq,
    /// The device showed everything up to here.
    pub surfaced: Seq,
    /// The newest place.
    pub head: Seq,
}

/// A message that is on stable storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentReply {
    /// The server's id.
    pub message_id: MessageId,
    /// Where it is.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
    /// Server time.
    pub at: WallMs,
    /// True when this `client_msg_id` was answered before.
    pub duplicate: bool,
}

/// A page of what changed for a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncReply {
    /// Conversations, most recent first.
    pub conversations: Vec<ConversationSummary>,
    /// Contacts and blocked users, in the order of `ver`.
    pub contacts: Vec<ContactView>,
    /// Groups the user is a member of, in the order of `ver`.
    pub groups: Vec<GroupView>,
    /// People the user has something to do with.
    pub profiles: Vec<ProfileView>,
    /// What is gone.
    pub removed: Vec<Removed>,
    /// Give it back as `since`.
    pub next: String,
    /// Call again with `next`.
    pub more: bool,
}

/// One conversation as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationSummary {
    /// Which.
    pub conversation: ConversationId,
    /// What kind.
    pub kind: ConversationKind,
    /// The other user of a direct conversation.
    pub peer: Option<Uid>,
    /// Name of the group or of the peer.
    pub name: Option<String>,
    /// The newest place.
    pub head_seq: Seq,
    /// The user read up to here.
    pub read_seq: Seq,
    /// Unread messages.
    pub unread: u64,
    /// Unread messages that mention the user.
    pub mentions: u64,
    /// The newest entry.
    pub last: Option<Arc<Entry>>,
}

/// A group as its member sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// Which.
    pub group: GroupId,
    /// Display name.
    pub name: String,
    /// What the member may do.
    pub role: Role,
    /// The member's counter at the last change; only grows.
    pub ver: u64,
}

/// What a user looks like to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileView {
    /// Who.
    pub uid: Uid,
    /// Display name.
    pub name: Option<String>,
    /// Picture address.
    pub avatar: Option<String>,
    /// How often it was changed; only grows.
    pub ver: u64,
}

/// What is no longer a user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// Nobody's contact any more, and not blocked.
    Contact {
        /// Who.
        uid: Uid,
        /// The user's counter at that moment.
        ver: u64,
    },
    /// A group the user left.
    Group {
        /// Which.
        group: GroupId,
        /// The user's counter at that moment.
        ver: u64,
    },
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// Who.
    pub uid: Uid,
    /// Display name.
    pub name: Option<String>,
    /// Picture address.
    pub avatar: Option<String>,
}

/// A group and its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCreated {
    /// Which.
    pub group: GroupId,
    /// Where its entries are.
    pub conversation: ConversationId,
}

/// A page of a group's members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembersView {
    /// Who is a member, in the order of `ver`, then of the uid.
    pub members: Vec<MemberView>,
    /// Who left; empty without a token.
    pub removed: Vec<Uid>,
    /// Give it back as `since`, until nothing more comes.
    pub next: String,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// Who.
    pub uid: Uid,
    /// What they may do.
    pub role: Role,
    /// The place of the entry that last changed this membership; only grows.
    pub ver: Seq,
}

/// What a member may do in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Recall the messages of others.
    Owner,
    /// Read and write.
    Member,
}

impl Role {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }
}

/// Where a test push goes, and the badge it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestTarget {
    /// Which device.
    pub device_id: DeviceId,
    /// Where it can be pushed.
    pub binding: Binding,
    /// The badge.
    pub unread: u64,
    /// Its version.
    pub bv: u64,
}

/// A device as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// Which.
    pub device_id: DeviceId,
    /// What it runs on; `None` until its first hello.
    pub platform: Option<Platform>,
    /// What the server believes of its app.
    pub app_state: AppState,
    /// Since when.
    pub since: WallMs,
    /// Where it can be pushed, tokens shortened.
    pub bindings: Vec<(BindingKey, String)>,
    /// Alertable entries it has neither shown nor been pushed nor silenced for.
    pub debts: u64,
}

/// Unread, total and by conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadView {
    /// The badge.
    pub total: u64,
    /// Its version.
    pub bv: u64,
    /// `(conversation, unread, mentions)`, only those above 0.
    pub conversations: Vec<(ConversationId, u64, u64)>,
}

/// What others see of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceView {
    /// Who.
    pub uid: Uid,
    /// A device of theirs has a connection that answers.
    pub online: bool,
    /// When the last one went; `None` while online, and for who never was.
    pub last_seen: Option<WallMs>,
    /// What they say of themselves.
    pub status: Option<PresenceStatus>,
}

/// What an extension finds out about a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedView {
    /// By conversation and place; at most [`crate::limits::FETCH_MAX`].
    /// Beside each, whether the person is still to be told of it.
    pub entries: Vec<(Arc<Entry>, bool)>,
    /// The badge.
    pub unread: u64,
    /// Its version.
    pub bv: u64,
    /// Notifications the device may still show for nothing.
    pub withdraw: Vec<NotificationId>,
}

/// What the lanes say to a connection unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A new entry. The session passes it on if it is the next one, else it pulls.
    Wake(Delivery),
    /// Read on another device.
    ReadMarker {
        /// Where.
        conversation: ConversationId,
        /// Up to here.
        seq: Seq,
        /// The badge.
        unread: u64,
        /// Its version.
        bv: u64,
    },
    /// Take these notifications off the screen and confirm.
    Withdraw(Vec<NotificationId>),
    /// Somebody looks different.
    Presence(PresenceView),
    /// A contact changed, on another device or by the other.
    Contact(ContactView),
    /// Somebody types.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        from: Uid,
    },
    /// The device missed a deadline: say [`crate::Command::Heard`] at its next frame.
    Unresponsive,
    /// The connection ends.
    Bye {
        /// Why.
        reason: ByeReason,
        /// For people.
        text: Option<String>,
    },
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ByeReason {
    /// The client goes to the background.
    Background,
    /// The server goes away.
    Drain,
    /// The device was kicked or signed out.
    Kicked,
    /// The same device connected again.
    Replaced,
    /// It did not read, or too much came from its address.
    Slow,
    /// It broke the protocol.
    Protocol,
    /// Its token or its time is over.
    Expired,
}

impl ByeReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Background,
        Self::Drain,
        Self::Kicked,
        Self::Replaced,
        Self::Slow,
        Self::Protocol,
        Self::Expired,
    ];

    /// The word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Drain => "drain",
            Self::Kicked => "kicked",
            Self::Replaced => "replaced",
            Self::Slow => "slow",
            Self::Protocol => "protocol",
            Self::Expired => "expired",
        }
    }
}
