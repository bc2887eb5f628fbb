//! The log's unit.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{ClientMsgId, ConversationId, MessageId, PushSpec, Seq, Uid, WallMs};

/// What people wrote, as the bytes that came: a JSON object with a `type`, never re-serialised.
pub type Content = Bytes;

/// Everything that has a `seq` in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is ordered.
    pub conversation: ConversationId,
    /// Its place, from 1.
    pub seq: Seq,
    /// The server's id.
    pub message_id: MessageId,
    /// Who wrote it.
    pub from: Uid,
    /// The sender's idempotency key, unchanged.
    pub client_msg_id: ClientMsgId,
    /// Server time; never falls within a conversation.
    pub at: WallMs,
    /// Message, or a change to one.
    pub kind: EntryKind,
    /// Countable entries of the conversation up to and with this one.
    pub ordinal: u64,
    /// Countable entries of this sender in the conversation up to and with this one.
    pub own_ordinal: u64,
    /// The content; empty once it was recalled.
    #[serde(with = "content")]
    pub content: Content,
    /// True when the content is encrypted for the members and the server cannot read it.
    pub sealed: bool,
    /// True once a recall entry took it back.
    pub recalled: bool,
    /// What the sender asked of the push; `None` when nothing was asked.
    pub push: Option<Box<PushSpec>>,
    /// From this moment on nobody needs to be told any more.
    pub expires_at: Option<WallMs>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// People wrote it: it counts as unread and may alert.
    Message,
    /// Takes a message back.
    Recall {
        /// The message.
        target: Seq,
    },
    /// The list of members changed.
    Members,
    /// Says what a message reads now; the message itself stays as it was.
    Edit {
        /// The message.
        target: Seq,
    },
    /// Somebody reacts to a message, or takes a reaction of theirs back.
    Reaction {
        /// The message.
        target: Seq,
    },
}

impl Entry {
    /// Whether it counts as unread for members other than its sender.
    #[must_use]
    pub fn is_countable(&self) -> bool {
        matches!(self.kind, EntryKind::Message)
    }

    /// Whether a member other than its sender is to be told: it counts, was not recalled, and its
    /// sender did not ask for silence.
    #[must_use]
    pub fn is_alertable(&self) -> bool {
        self.is_countable() && !self.recalled && !self.push.as_ref().is_some_and(|push| push.silent)
    }
}

/// Content in serde: bytes, and in formats made for people the text itself, or `{"hex":…}` for
/// bytes that are no text. Either way the same bytes come back.
mod content {
    use bytes::Bytes;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Readable<'a> {
        Text(std::borrow::Cow<'a, str>),
        NoText { hex: String },
    }

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        if !to.is_human_readable() {
            return bytes.serialize(to);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Readable::Text(text.into()),
            Err(_) => {
                let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                Readable::NoText { hex }
            }
        }
        .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        if !from.is_human_readable() {
            return Bytes::deserialize(from);
        }
        match Readable::deserialize(from)? {
            Readable::Text(text) => Ok(text.into_owned().into()),
            Readable::NoText { hex } => {
                unhex(&hex).ok_or_else(|| D::Error::custom("content is no hexadecimal text"))
            }
        }
    }

    fn unhex(hex: &str) -> Option<Bytes> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        hex.as_bytes()
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect()
    }
}
