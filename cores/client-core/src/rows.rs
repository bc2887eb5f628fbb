//! What the client keeps across restarts: rows with absolute values, written as they are.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::{Amendment, Listed};
use bytes::Bytes;
use nightjar_model::{
    ClientMsgId, ConversationId, ConversationKind, MessageId, PushSpec, Secret, Seq, Target, Uid,
    WallMs,
};

/// One change of a [`crate::Commit`]. A row replaces the row of the same key.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// The one row about the account.
    Account(Box<AccountRow>),
    /// What a conversation is. Key: `conversation`.
    Conversation(Box<ConversationRow>),
    /// How far a conversation is. Key: `conversation`.
    Place(Box<PlaceRow>),
    /// A message. Key: (`conversation`, `seq`); one that is there already stays as it is.
    Message(Arc<MessageRow>),
    /// A message was taken back: the content of the message at (`conversation`, `seq`) becomes
    /// `{"type":"recalled"}`, if `by` wrote it: anybody can write what looks like a recall.
    Recalled {
        /// Where.
        conversation: ConversationId,
        /// Which.
        seq: Seq,
        /// Who took it back.
        by: Uid,
    },
    /// An entry says something of a message. Key: (`conversation`, `seq`). Of several edits of a
    /// message the one with the highest `seq` holds; of the reactions of one user with one sign
    /// the last one does. It may come before the message it is about.
    Amendment(Box<AmendmentRow>),
    /// An item of the lists that `sync` keeps. Key: see [`Listed`]. It replaces the row of its key
    /// only if (`list`, version) is at least that row's: another life of the server counts anew,
    /// so a version means something within its list alone. The row of what was removed is kept
    /// with its version, and shown to nobody.
    Listed {
        /// The list it belongs to; grows with each whole list.
        list: u32,
        /// What.
        item: Box<Listed>,
    },
    /// This list was received whole: every [`Row::Listed`] of a lower one goes, and every
    /// [`Row::Place`] with its [`Row::Conversation`]. Messages stay: they were the user's to see.
    Swept(u32),
    /// A message the server does not have yet. Key: `client_msg_id`.
    Outgoing(Box<OutgoingRow>),
    /// It is sent or given up: the row goes.
    OutgoingGone(ClientMsgId),
}

/// What is known of the account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountRow {
    /// Proves to the server that this is the same session.
    pub resume: Option<Secret<String>>,
    /// Everything up to this token is in the store; opaque.
    pub sync: Option<String>,
    /// A logout without a connection: with this token the server is still to be told to push this
    /// device no more. An app that finds it at its start, and nobody signed in, makes a client
    /// with this token and gives it [`crate::Input::Logout`] again.
    pub owes_unbind: Option<Box<Secret<String>>>,
    /// Whether a hello was ever sent: the server may know this device.
    pub said_hello: bool,
    /// Whether a whole list of conversations was received once.
    pub is_synced: bool,
    /// The list that items are written under; 0 before the first.
    pub list: u32,
    /// That list is not whole yet.
    pub is_listing: bool,
    /// The badge.
    pub unread: u64,
    /// Its version.
    pub bv: u64,
    /// App-state reports of this session have numbers below this.
    pub app_order_end: u64,
    /// The app left the screen, and its store is about to be closed or is.
    pub is_leaving: bool,
}

/// What a conversation is, as `sync` said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    /// Which.
    pub conversation: ConversationId,
    /// What kind; `None` for one that `sync` has not told about yet.
    pub kind: Option<ConversationKind>,
    /// The other user of a direct conversation.
    pub peer: Option<Uid>,
    /// Name of the group or of the peer.
    pub name: Option<String>,
}

/// How far a conversation is on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRow {
    /// Which.
    pub conversation: ConversationId,
    /// Everything up to here is stored, or older than this device.
    pub stored: Seq,
    /// Closed ranges above `stored` that are stored, too: what lies between is missing.
    pub pieces: Vec<(Seq, Seq)>,
    /// Only what lies above this place is really here: `stored` was taken from a message of our
    /// own or from `sync`, and older messages may still arrive. `None` once one did.
    pub guessed_above: Option<Seq>,
    /// The server surely knows that this device stored everything up to here.
    pub proven: Seq,
    /// Shown up to here.
    pub surfaced: Seq,
    /// The server knows that the user read up to here.
    pub read_told: Seq,
    /// The newest list the server named it in, or that was begun when something of it came.
    pub list: u32,
    /// The numbers people see.
    pub standing: Standing,
}

/// The numbers people see of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The newest place heard of.
    pub head: Seq,
    /// Unread messages: the server's number, and what came since.
    pub unread: u64,
    /// Unread messages that mention the user, as the server said last.
    pub mentions: u64,
    /// The user read up to here.
    pub read: Seq,
}

/// A message in the log of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// The server's id; one message, one id.
    pub message_id: MessageId,
    /// Where it is.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
    /// Who wrote it.
    pub from: Uid,
    /// The sender's idempotency key.
    pub client_msg_id: ClientMsgId,
    /// Server time.
    pub at: WallMs,
    /// A JSON object, as the bytes that came.
    #[serde(with = "crate::record::hex")]
    pub content: Bytes,
    /// Whether the server wanted a person told on this device.
    pub alert: bool,
}

/// What an entry says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendmentRow {
    /// Where.
    pub conversation: ConversationId,
    /// The entry's own place.
    pub seq: Seq,
    /// The message it is about.
    pub target: Seq,
    /// Who says so.
    pub by: Uid,
    /// What.
    pub amendment: Amendment,
}

/// A message the user wrote and the server has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingRow {
    /// Its place among all messages of the outbox; grows.
    pub order: u64,
    /// Never changed by a retry.
    pub client_msg_id: ClientMsgId,
    /// Where it goes.
    pub to: Target,
    /// A JSON object.
    pub content: Bytes,
    /// What the sender asks of the push.
    pub push: Option<Box<PushSpec>>,
    /// From then on nobody needs to be told.
    pub expires_at: Option<WallMs>,
    /// When the user wrote it.
    pub queued_at: WallMs,
    /// True after [`crate::Event::Failed`].
    pub is_failed: bool,
    /// Uploads that are not done.
    pub depends_on: Vec<String>,
    /// It failed because there was no link, and goes out by itself when there is one.
    pub resumes: bool,
}

/// What the store held when the client starts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restored {
    /// The account's row.
    pub account: AccountRow,
    /// Every place, the most recently active first; those beyond a limit are left out.
    pub places: Vec<PlaceRow>,
    /// Every message of the outbox, in order.
    pub outgoing: Vec<OutgoingRow>,
    /// The last process that had the store open ended without closing it.
    pub was_left_open: bool,
}
