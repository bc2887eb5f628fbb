//! What a user interface is told.

use std::sync::Arc;

use nightjar_model::{
    ClientMsgId, ConversationId, MessageId, Mono, Reject, Seq, Target, Uid, WallMs,
};
use nightjar_wire::Kind;

use crate::{AmendmentRow, ConversationRow, Listed, MessageRow, Standing};

/// Something to show. What it says is committed already.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The link, for an indicator.
    Link(Indicator),
    /// The list of conversations is up to date.
    Synced,
    /// A message of this account's conversations; each once. Also the user's own messages of other
    /// devices, with `alert` false.
    Message(Arc<MessageRow>),
    /// A message the user wrote is safe in the outbox.
    Queued {
        /// Its id, for good.
        client_msg_id: ClientMsgId,
        /// Where it goes.
        to: Target,
    },
    /// The server has it.
    Sent {
        /// Which.
        client_msg_id: ClientMsgId,
        /// The server's id.
        message_id: MessageId,
        /// Where it is.
        conversation: ConversationId,
        /// Its place.
        seq: Seq,
        /// Server time.
        at: WallMs,
    },
    /// It was not sent and will not be without [`crate::Input::Retry`], except that
    /// [`FailReason::NoLink`] goes out by itself once there is a link.
    Failed {
        /// Which.
        client_msg_id: ClientMsgId,
        /// Where it was to go.
        to: Target,
        /// Why.
        reason: FailReason,
    },
    /// A conversation is new or has another name.
    Conversation(Box<ConversationRow>),
    /// A contact, a group or a profile is new, changed or gone. Of two with one key the one with
    /// the higher version holds, until [`Event::Relisted`].
    Listed(Box<Listed>),
    /// All of them came anew, and the conversations with them: what was not told again since is
    /// gone. Read the store again.
    Relisted,
    /// How far a conversation is, and how far it was read.
    Place {
        /// Which.
        conversation: ConversationId,
        /// The numbers.
        standing: Standing,
    },
    /// An entry says that a message was taken back. It counts only if `by` may do that: who wrote
    /// the message, or who owns the group.
    Recalled {
        /// Where.
        conversation: ConversationId,
        /// Which.
        seq: Seq,
        /// Who says so.
        by: Uid,
    },
    /// A message was edited or reacted to.
    Amended(Box<AmendmentRow>),
    /// The badge: unread messages over conversations that are not muted.
    Badge {
        /// How many.
        unread: u64,
        /// Its version; only grows.
        bv: u64,
    },
    /// Somebody types.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        from: Uid,
    },
    /// The answer to [`crate::Input::History`]; its messages are committed, too.
    History {
        /// Where.
        conversation: ConversationId,
        /// Ascending.
        messages: Vec<Arc<MessageRow>>,
        /// The newest place of the conversation.
        head_seq: Seq,
    },
    /// The server refused a request of the user; `None`: there was no answer.
    Refused {
        /// What was asked.
        kind: Kind,
        /// Why it was refused.
        reject: Option<Reject>,
    },
    /// The server wants another token; give it with [`crate::Input::Token`].
    TokenNeeded(NeedToken),
    /// The client will not connect any more.
    Ended(Ended),
}

/// The link as people understand it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indicator {
    /// Told not to connect.
    Stopped,
    /// Opening a connection, or waiting for the answer to the hello.
    Connecting,
    /// Logged in.
    Online,
    /// Nothing answers, or there is no network.
    Waiting {
        /// When the next attempt is; `None`: when the network is back or a token comes.
        next_try: Option<Mono>,
    },
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailReason {
    /// There was no link for the whole time a message may take.
    NoLink,
    /// The server was reached and did not answer.
    NoAnswer,
    /// The server refused it; sending it again would change nothing.
    Rejected(Reject),
    /// The outbox is full; the message was not taken.
    OutboxFull,
    /// The content is no JSON object, or too large, or the uploads are too many or their names too
    /// long; the message was not taken.
    BadContent,
    /// An upload it waits for failed.
    UploadFailed,
}

/// Why a token is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedToken {
    /// Its time is over.
    Expired,
    /// The server does not accept it.
    Bad,
}

/// Why the client will not connect any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The device was kicked, or its token revoked.
    Kicked {
        /// For people.
        text: Option<String>,
    },
    /// Another connection with this device id took over.
    Replaced,
    /// The user signed out.
    LoggedOut {
        /// Whether the server said so; else its push bindings may still stand.
        confirmed: bool,
    },
    /// The server refuses this client.
    Refused(Reject),
    /// The two sides cannot read each other.
    Protocol,
    /// The store could not commit; nothing received since was acknowledged.
    StoreFailed,
}
