//! What goes into a client and what comes out.

use bytes::Bytes;
use nightjar_model::{
    Binding, BindingKey, ClientMsgId, ContactAction, ConversationId, DeviceId, MessageId,
    NotificationId, Platform, PushSpec, Secret, Seq, Target, Uid, WallMs,
};

use serde::{Deserialize, Serialize};

use crate::fetch::Push;
use crate::record::{hex, hidden};
use crate::{Event, LedgerAnswer, LedgerOrder, Restrictions, Row, defaults};

/// One attempt to connect and the connection that comes of it. Inputs about an older one change
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct ConnectionId(pub u32);

/// What an attempt to connect did not get over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectPhase {
    /// The name could not be found.
    Name,
    /// Nobody was reached at its address.
    Reach,
    /// There was no safe connection, or no WebSocket.
    Tls,
}

/// Who logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub uid: Uid,
    /// This install.
    pub device_id: DeviceId,
    /// What proves it.
    pub token: Secret<String>,
}

/// What an app chose; shared by all clients of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How many servers the shell has addresses of, at least 1; tried in turn.
    pub servers: usize,
    /// What the app runs on.
    pub platform: Platform,
    /// Name and version of the app, for operators.
    pub client: Option<String>,
    /// Whether to keep the list of conversations. Without it the client only knows conversations
    /// it saw messages of.
    pub syncs: bool,
    /// Messages of one conversation on their way at a time, from 1; see
    /// [`defaults::SEND_WINDOW`].
    pub send_window: u32,
    /// Acknowledgements are gathered for so many milliseconds.
    pub ack_ms: u64,
    /// What becomes of the connection in the background.
    pub keep_alive: KeepAlive,
}

/// What becomes of the connection when the app leaves the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepAlive {
    /// It ends after a short grace: the system freezes the process anyway.
    #[default]
    Grace,
    /// It is kept: a desktop, or an Android process with a foreground service of its own. In the
    /// background it asks the server as rarely as the network allows, and connects again by
    /// [`defaults::PATIENT_WAITS_S`].
    Persistent,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: 1,
            platform: Platform::Cli,
            client: None,
            syncs: true,
            send_window: defaults::SEND_WINDOW,
            ack_ms: defaults::ACK_MS,
            keep_alive: KeepAlive::Grace,
        }
    }
}

/// A message to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// `None`: the client makes one. A second draft of the same id while the first is in the
    /// outbox is ignored.
    pub client_msg_id: Option<ClientMsgId>,
    /// Where it goes.
    pub to: Target,
    /// A JSON object with a `type`.
    #[serde(with = "hex")]
    pub content: Bytes,
    /// What the sender asks of the push.
    pub push: Option<Box<PushSpec>>,
    /// From then on nobody needs to be told.
    pub expires_at: Option<WallMs>,
    /// Uploads it waits for, by names of the app's: at most [`defaults::UPLOADS_MAX`], each of at
    /// most [`defaults::UPLOAD_ID_BYTES_MAX`] bytes. It stays in the outbox, across restarts, until
    /// [`Input::UploadDone`] of each; those after it in its conversation wait behind it.
    #[serde(default)]
    pub depends_on: Vec<String>,
}

/// What happens to a client. A [`crate::Record`] names the variants as they stand here.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input<'a> {
    /// Connect and stay connected.
    Start,
    /// Say goodbye and stay away until [`Input::Start`].
    Stop,
    /// Sign in again with this token, after the client was kicked or signed out.
    Login(#[serde(with = "hidden")] Secret<String>),
    /// The app is on the screen, with this conversation open. Also to say that another one is.
    Foreground {
        /// The open conversation.
        conversation: Option<ConversationId>,
    },
    /// The app left the screen of a system that freezes processes: the last of its scenes did.
    EnterBackground {
        /// Milliseconds the system grants; 0 when everything has to end within this call. More
        /// than [`defaults::BUDGET_MAX_MS`] is not counted on.
        budget_ms: u32,
    },
    /// What the system granted is about to end: say what can be said at once.
    BudgetExpiring,
    /// A push or the system's own timer woke the process in the background, for so long.
    Woken {
        /// As in [`Input::EnterBackground`].
        budget_ms: u32,
    },
    /// The process was frozen or the machine slept. A gap in time of more than
    /// [`defaults::FROZEN_MS`] says the same.
    Resumed,
    /// Somebody looks at the app on the screen.
    Active,
    /// It is on the screen, and covered or locked: nothing counts as seen or read until
    /// [`Input::Active`].
    Inactive,
    /// The app left the screen, in a process that stays; the connection is kept.
    Background {
        /// For so many milliseconds this process lives on and posts what [`Output::Notify`] says;
        /// 0 for none, -1 for as long as it is connected. At most 25000.
        grace_ms: i64,
    },
    /// The system says there is no network.
    NetworkLost,
    /// The system says there is a network, or another one than before, for
    /// [`defaults::NETWORK_DEBOUNCE_MS`].
    NetworkChanged,
    /// Which network connections go over from now on, as a number of the shell's own for its kind
    /// and name; `None`: it cannot tell. A process that stays in the background learns of each how
    /// rarely it has to ask. Told before [`Input::NetworkChanged`].
    Network(Option<u64>),
    /// What the system keeps this app from; counted with each hello.
    Restrictions(Restrictions),
    /// The token [`Event::TokenNeeded`] asked for, or a newer one.
    Token(#[serde(with = "hidden")] Secret<String>),

    /// The connection is open.
    Connected(ConnectionId),
    /// One whole binary packet.
    #[serde(skip)]
    Packet(ConnectionId, &'a Bytes),
    /// It could not be opened, or it ended, or what came is no packet.
    Closed(ConnectionId),
    /// The same of one that could not be opened, where the shell knows how far it came.
    ConnectFailed(ConnectionId, ConnectPhase),

    /// Every [`Output::Commit`] up to and with this number survives a crash.
    Committed(u64),
    /// The store cannot commit any more.
    CommitFailed,
    /// [`Output::QuiesceStore`] of this number is done: every commit given before is answered,
    /// and no file of the store is open or locked.
    StoreClosed(u32),
    /// The notification of [`Output::Notify`] is on the screen.
    Notified(NotificationId),
    /// It could not be posted; the server will push.
    NotNotified(NotificationId),
    /// Those of [`Output::Withdraw`] are off the screen, or were not on it.
    Removed(Vec<NotificationId>),
    /// The answer to the oldest open [`Output::Ledger`].
    Ledger(LedgerAnswer),
    /// A push reached the app while it runs. Whether it alerts is for a run of its own
    /// ([`crate::fetch::Fetch`]).
    PushReceived(Box<Push>),
    /// The system dropped pushes.
    PushGap,
    /// A person opened this notification.
    NotificationOpened(NotificationId),
    /// A person swiped it away.
    NotificationDismissed(NotificationId),

    /// The user wrote a message.
    Send(Box<Draft>),
    /// Send a failed message again, after all others and under the same id.
    Retry(ClientMsgId),
    /// This upload is done; see [`Draft::depends_on`].
    UploadDone(String),
    /// It will not be done: the messages that wait for it fail, and a retry waits for it again.
    UploadFailed(String),
    /// Give up a message that was not sent. One that is on its way may arrive nevertheless.
    Cancel(ClientMsgId),
    /// The user read up to here. It counts once somebody looks at the app and nothing is missing
    /// below; the server is told within [`defaults::READ_MS`], and at once when nobody looks any
    /// more.
    Read {
        /// Where.
        conversation: ConversationId,
        /// The last message read.
        seq: Seq,
    },
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
        #[serde(with = "hex")]
        content: Bytes,
    },
    /// React to a message.
    React {
        /// Where.
        conversation: ConversationId,
        /// Which.
        seq: Seq,
        /// The sign, at most [`nightjar_model::limits::EMOJI_BYTES_MAX`] bytes.
        emoji: String,
        /// Take one's own reaction back.
        remove: bool,
    },
    /// Change what a person is to the user. [`Event::Listed`] tells what came of it, or
    /// [`Event::Refused`] that nothing did.
    Contact {
        /// Who.
        uid: Uid,
        /// How; [`ContactAction::Join`] is refused by the server.
        action: ContactAction,
    },
    /// Older messages, for scrolling back; answered by [`Event::History`].
    History {
        /// Where.
        conversation: ConversationId,
        /// Below this place; `None`: the newest.
        before: Option<Seq>,
        /// How many, at most 200.
        limit: u32,
    },
    /// The system gave a push token: the server is told, once for each start of the app and each
    /// new token. A token the server refuses is an [`Event::Refused`].
    PushToken(#[serde(serialize_with = "hidden::binding")] Box<Binding>),
    /// A push token is worth nothing any more.
    PushTokenInvalid(BindingKey),
    /// The user types.
    Typing(Target),
    /// Sign out.
    Logout {
        /// Also remove this device's push bindings.
        unbind: bool,
    },

    /// The moment of [`crate::Client::wait_until`] came.
    Timeout,
}

/// What the shell is to do.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Open a connection. Answer [`Input::Connected`] or [`Input::Closed`].
    Connect {
        /// What to call it.
        connection: ConnectionId,
        /// Where.
        to: Dial,
        /// Milliseconds after which the client will not wait any longer.
        within_ms: u64,
    },
    /// Write a packet.
    Send(ConnectionId, Bytes),
    /// End what was sent, then drop the connection or the attempt. Needs no answer.
    Close(ConnectionId),
    /// Write in one transaction, and answer [`Input::Committed`].
    Commit(Commit),
    /// Finish the commits given so far, close every file of the store, and answer
    /// [`Input::StoreClosed`] with this number.
    QuiesceStore(u32),
    /// Open the store again; commits follow. If that fails, [`Input::CommitFailed`].
    ReopenStore,
    /// Ask the system for time in the background, once, until [`Output::ReleaseBackground`].
    HoldBackground,
    /// Give that time back.
    ReleaseBackground,
    /// Ask the system to wake the process for [`Input::Woken`] some time after this.
    ScheduleWake {
        /// Milliseconds from now.
        earliest_ms: u64,
    },
    /// Post a notification, and answer [`Input::Notified`] or [`Input::NotNotified`].
    Notify(Box<Notification>),
    /// Take these notifications off the screen, if they are there, and answer
    /// [`Input::Removed`].
    Withdraw(Vec<NotificationId>),
    /// Carry it out on the ledger this app shares with its extension, and answer
    /// [`Input::Ledger`], in order.
    Ledger(LedgerOrder),
    /// Tell the user interface.
    Event(Event),
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dial {
    /// The server of this index in the shell's list.
    Server(usize),
    /// Where a server sent us. Follow it only if it is as safe as the list: TLS stays TLS.
    Redirect(String),
}

/// Rows to write together.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Numbers of a client grow by one, from 1.
    pub number: u64,
    /// In order; a later row of the same key holds.
    pub rows: Vec<Row>,
}

/// What to show a person who does not look at the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Post it under this id, so that a push of the same message replaces it.
    pub id: NotificationId,
    /// The message.
    pub message_id: MessageId,
    /// Where.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
    /// Who wrote it.
    pub from: Uid,
    /// What.
    pub content: Bytes,
    /// Server time.
    pub at: WallMs,
}
