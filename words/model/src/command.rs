//! What a gateway may ask of the lanes. Gateways translate into these and decide nothing.

use crate::{
    AppStateReport, Binding, BindingKey, ClientMsgId, ContactAction, Content, ConversationId,
    Credential, DeviceId, GroupId, MessageId, NotificationId, PasswordKeys, Platform, PushChoice,
    PushSettings, PushSpec, PushTemplate, Receipt, Secret, Seq, Uid, Voice, WallMs, Webhook,
};
use serde::{Deserialize, Serialize};

/// One request. Who asks (a connection or the operator's API) travels beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A device logs in on this connection; its token was already verified.
    Hello(Box<HelloCommand>),
    /// The app of this connection went to the foreground or background. The session has already
    /// dropped stale reports.
    AppState(AppStateReport),
    /// Write a message.
    Send(Box<SendCommand>),
    /// What this connection's device stored and showed; clamped by the session to what it was given.
    Ack(Vec<AckItem>),
    /// The user read the conversation up to `seq`.
    Read {
        /// Where.
        conversation: ConversationId,
        /// The last entry read.
        seq: Seq,
    },
    /// What changed for the user since a token; `None` lists all.
    Sync {
        /// A token of an earlier answer.
        since: Option<String>,
        /// Items in the answer, at most.
        limit: usize,
    },
    /// Change what another user is to this one.
    Contact {
        /// The other.
        uid: Uid,
        /// How.
        action: ContactAction,
    },
    /// What [`Command::Read`] does, told by the app's back end.
    ReadAs {
        /// Who read.
        uid: Uid,
        /// Where.
        conversation: ConversationId,
        /// The last entry read.
        seq: Seq,
    },
    /// What [`Command::Sync`] answers, for the app's back end.
    SyncAs {
        /// Whose.
        uid: Uid,
        /// A token of an earlier answer.
        since: Option<String>,
        /// Items in the answer, at most.
        limit: usize,
    },
    /// Entries of a conversation.
    History(HistoryCommand),
    /// Entries above what this connection was given, to be delivered.
    Pull {
        /// Where.
        conversation: ConversationId,
        /// Above this place.
        after: Seq,
        /// How many, at most.
        limit: usize,
    },
    /// A new or changed binding of this device.
    BindPush(Binding),
    /// One binding less.
    UnbindPush(BindingKey),
    /// The device signs out; `unbind` also removes its bindings.
    Logout {
        /// Remove the bindings.
        unbind: bool,
    },
    /// The device took these notifications off its screen.
    Withdrawn(Vec<NotificationId>),
    /// Take a message back.
    Recall {
        /// Where.
        conversation: ConversationId,
        /// Which.
        seq: Seq,
    },
    /// Say what a message of one's own reads now.
    Edit {
        /// Where.
        conversation: ConversationId,
        /// Which.
        seq: Seq,
        /// A JSON object with a `type`.
        content: Content,
    },
    /// React to a message.
    React {
        /// Where.
        conversation: ConversationId,
        /// Which.
        seq: Seq,
        /// With what; not empty.
        emoji: String,
        /// Take this reaction of one's own back.
        remove: bool,
    },
    /// Tell the other members that somebody types. Not stored.
    Typing(Target),
    /// Look at people, and be seen.
    Presence(Box<PresenceCommand>),
    /// What became of notifications on the device.
    Report(ReportCommand),
    /// A frame came from a device that was inferred unresponsive.
    Heard,
    /// The connection is gone.
    Lost,

    /// Create or change a user.
    PutUser {
        /// Who.
        uid: Uid,
        /// Display name; `None` leaves it.
        name: Option<String>,
        /// Picture address; `None` leaves it.
        avatar: Option<String>,
    },
    /// Replace what is kept of a user's password.
    PutPassword {
        /// Whose.
        uid: Uid,
        /// The keys of the new one.
        keys: Box<PasswordKeys>,
    },
    /// What is kept of a user's password.
    Password {
        /// Whose.
        uid: Uid,
    },
    /// Change a contact in a user's name.
    ContactAs {
        /// In whose name.
        uid: Uid,
        /// The other.
        other: Uid,
        /// How.
        action: ContactAction,
    },
    /// A user's contacts and whom they blocked.
    Contacts {
        /// Whose.
        uid: Uid,
    },
    /// Create a group.
    CreateGroup {
        /// Its id.
        group: GroupId,
        /// Display name.
        name: String,
        /// Owner, also a member.
        owner: Uid,
        /// Other members.
        members: Vec<Uid>,
    },
    /// Add or remove members.
    ChangeMembers {
        /// Which group.
        group: GroupId,
        /// Who joins.
        add: Vec<Uid>,
        /// Who leaves.
        remove: Vec<Uid>,
    },
    /// Members of a group, or what changed since a token.
    Members {
        /// Which group.
        group: GroupId,
        /// A token of an earlier answer; `None` lists all.
        since: Option<String>,
    },
    /// Write a message in a user's name.
    SendAs {
        /// The sender.
        from: Uid,
        /// What.
        send: Box<SendCommand>,
    },
    /// History as one user sees it.
    HistoryAs {
        /// Who looks.
        viewer: Uid,
        /// What.
        history: HistoryCommand,
    },
    /// A user's devices.
    Devices {
        /// Who.
        uid: Uid,
    },
    /// Set a device's binding; creates the device, offline, if there is none.
    PutBinding {
        /// Who.
        uid: Uid,
        /// Which device.
        device_id: DeviceId,
        /// Where it can be pushed.
        binding: Binding,
    },
    /// Remove one binding, or all when `key` is `None`.
    DeleteBinding {
        /// Who.
        uid: Uid,
        /// Which device.
        device_id: DeviceId,
        /// Which binding.
        key: Option<BindingKey>,
    },
    /// What an extension looks up for a push it got: messages as this user sees them.
    Fetch(FetchCommand),
    /// What an extension did with what it looked up.
    Fetched(FetchedCommand),
    /// Unread totals.
    Unread {
        /// Who.
        uid: Uid,
    },
    /// End the session, delete the bindings, refuse tokens issued before.
    Kick {
        /// Who.
        uid: Uid,
        /// Which device.
        device_id: DeviceId,
        /// For people.
        reason: String,
    },
    /// The app state, for apps whose protocol cannot say it.
    ReportAppState {
        /// Who.
        uid: Uid,
        /// Which device.
        device_id: DeviceId,
        /// What the app said.
        state: AppStateReport,
    },
    /// The recorded life of a message for one user.
    Trace {
        /// Which.
        message_id: MessageId,
        /// For whom.
        uid: Uid,
    },
    /// What a push of this message would do, nothing sent.
    Explain {
        /// The sender.
        from: Uid,
        /// The message.
        send: Box<SendCommand>,
        /// At which moment; `None` is now.
        at: Option<WallMs>,
    },
    /// What a user chose about pushes.
    PushSettings {
        /// Who.
        uid: Uid,
    },
    /// Replaces what a user chose about pushes.
    PutPushSettings {
        /// Who.
        uid: Uid,
        /// What.
        settings: Box<PushSettings>,
    },
    /// The default of all users.
    PushPolicy,
    /// Replaces the default of all users.
    PutPushPolicy(PushChoice),
    /// A push template in all its languages.
    PushTemplate {
        /// Which.
        name: String,
    },
    /// Creates or replaces a push template in one language.
    PutPushTemplate(Box<PushTemplate>),
    /// Removes a push template: one language of it, or all.
    DeletePushTemplate {
        /// Which.
        name: String,
        /// The language; `None` is all of them.
        locale: Option<String>,
    },
    /// Provider keys an operator made or turned off.
    Credentials,
    /// Makes provider keys, replaces them, or turns them on or off.
    PutCredential(Box<Credential>),
    /// Removes provider keys an operator made.
    DeleteCredential(BindingKey),
    /// Where a test push goes.
    TestTarget {
        /// Whose device.
        uid: Uid,
        /// Which device; `None` is the one that said hello last.
        device_id: Option<DeviceId>,
        /// Through which credential.
        key: BindingKey,
    },
    /// Answers of providers above a number.
    Outcomes {
        /// The last number the caller has, 0 for the first; `None` asks for the newest.
        after: Option<u64>,
        /// How many, at most.
        limit: usize,
    },
    /// What a provider reports of pushes it took; it proved to be the provider.
    Receipts {
        /// Through which credential.
        key: BindingKey,
        /// What; at most [`crate::limits::RECEIPTS_MAX`].
        receipts: Vec<Receipt>,
    },
    /// What was counted of each credential, by day.
    Statistics {
        /// From this day on, counted from the Unix epoch.
        from: u32,
        /// How many rows, at most.
        limit: usize,
    },
    /// Where events go, as operators set it up, secrets included.
    Webhooks,
    /// Sets up a webhook, or changes it. A new one gets what happens from now on.
    PutWebhook(Box<Webhook>),
    /// Removes a webhook.
    DeleteWebhook {
        /// Which.
        id: String,
    },
    /// How far a webhook receiver is.
    EventCursor {
        /// Which.
        receiver: String,
    },
    /// A webhook receiver took everything up to a number.
    EventsTaken {
        /// Which.
        receiver: String,
        /// Up to here.
        number: u64,
    },
    /// Writes or removes something a gateway keeps for itself.
    PutKept {
        /// Which gateway.
        gateway: &'static str,
        /// Under what name; at most [`crate::limits::KEPT_KEY_BYTES_MAX`].
        key: String,
        /// What; at most [`crate::limits::KEPT_BYTES_MAX`]. `None` removes it.
        json: Option<Secret<String>>,
    },
    /// What a gateway keeps under names that begin with a text, by name.
    Kept {
        /// Which gateway.
        gateway: &'static str,
        /// How the names begin.
        prefix: String,
        /// Above this name; empty for the first.
        after: String,
        /// How many, at most.
        limit: usize,
    },
    /// Durable webhook events above a number.
    Events {
        /// The last number the caller has; 0 for the first.
        after: u64,
        /// How many, at most.
        limit: usize,
    },
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloCommand {
    /// Who, from the token.
    pub uid: Uid,
    /// Which install.
    pub device_id: DeviceId,
    /// What it runs on.
    pub platform: Platform,
    /// What it says about its app.
    pub state: AppStateReport,
    /// What its protocol lets it say.
    pub voice: Voice,
    /// The resume token of its last session.
    pub resume: Option<String>,
    /// When the token was issued.
    pub token_issued_at: WallMs,
}

/// Whom to look at, and what to say of oneself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PresenceCommand {
    /// Tell what these look like now and whenever it changes.
    pub subscribe: Vec<Uid>,
    /// No longer tell.
    pub unsubscribe: Vec<Uid>,
    /// What others see from now on, until the last connection ends.
    pub set: Option<PresenceStatus>,
}

/// What somebody says of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceStatus {
    /// A word of the app, such as `away`.
    pub status: String,
    /// For people.
    pub text: Option<String>,
}

/// A push-scoped token looks up messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchCommand {
    /// Who, from the token.
    pub uid: Uid,
    /// The device that was pushed, from the token.
    pub device_id: DeviceId,
    /// When the token was issued.
    pub token_issued_at: WallMs,
    /// Which messages; at most [`crate::limits::FETCH_MAX`].
    pub ids: Vec<MessageId>,
    /// Also what follows this place in the conversations of those messages.
    pub since: Option<Seq>,
}

/// What became of notifications, by their ids; each list has at most
/// [`crate::limits::ACK_ITEMS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportCommand {
    /// Their pushes arrived.
    pub arrived: Vec<NotificationId>,
    /// A person opened them.
    pub clicked: Vec<NotificationId>,
    /// A person swiped them away.
    pub dismissed: Vec<NotificationId>,
}

/// A push-scoped token tells what its extension did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedCommand {
    /// Who, from the token.
    pub uid: Uid,
    /// The device that was pushed, from the token.
    pub device_id: DeviceId,
    /// When the token was issued.
    pub token_issued_at: WallMs,
    /// Notifications that are on the screen; at most [`crate::limits::FETCH_MAX`].
    pub surfaced: Vec<NotificationId>,
    /// Notifications whose pushes arrived; at most [`crate::limits::FETCH_MAX`].
    pub arrived: Vec<NotificationId>,
    /// Notifications taken off the screen; at most [`crate::limits::FETCH_MAX`].
    pub withdrawn: Vec<NotificationId>,
}

/// A message to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendCommand {
    /// Where.
    pub to: Target,
    /// The sender's idempotency key; the server makes one for API calls without.
    pub client_msg_id: ClientMsgId,
    /// What, as the bytes that came.
    pub content: Content,
    /// Whether the content is encrypted for the members.
    pub sealed: bool,
    /// What the sender asks of the push.
    pub push: Option<Box<PushSpec>>,
    /// From then on nobody needs to be told.
    pub expires_at: Option<WallMs>,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The direct conversation with this user.
    User(Uid),
    /// A group.
    Group(GroupId),
}

/// Both cumulative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckItem {
    /// Where.
    pub conversation: ConversationId,
    /// Committed by the device up to here.
    pub stored: Seq,
    /// Shown by the device up to here.
    pub surfaced: Seq,
}

/// A slice of a conversation's log. `after` and `before` are exclusive; answers ascend; `before`
/// alone gives the nearest below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryCommand {
    /// Where.
    pub conversation: ConversationId,
    /// Above this place.
    pub after: Option<Seq>,
    /// Below this place.
    pub before: Option<Seq>,
    /// How many, at most.
    pub limit: usize,
}
