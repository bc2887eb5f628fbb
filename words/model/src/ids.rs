//! Ids. Each is checked where it enters and cheap to clone afterwards.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits;

/// Place of an entry in a conversation, from 1, without holes. 0 means "before the first".
pub type Seq = u64;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("{what} is empty")]
    Empty {
        /// Which id was being read.
        what: &'static str,
    },
    /// The text has more bytes than the id may have.
    #[error("{what} has more than {max} bytes")]
    TooLong {
        /// Which id was being read.
        what: &'static str,
        /// The most bytes it may have.
        max: usize,
    },
    /// The text holds a character the id may not hold.
    #[error("{what} holds the character {found:?}, which is not allowed")]
    Character {
        /// Which id was being read.
        what: &'static str,
        /// The first character that is not allowed.
        found: char,
    },
    /// The text is not a UUID.
    #[error("{what} is not a UUID")]
    NotUuid {
        /// Which id was being read.
        what: &'static str,
    },
}

fn check(
    what: &'static str,
    text: &str,
    max: usize,
    allowed: impl Fn(char) -> bool,
) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > max {
        return Err(IdError::TooLong { what, max });
    }
    match text.chars().find(|c| !allowed(*c)) {
        Some(found) => Err(IdError::Character { what, found }),
        None => Ok(()),
    }
}

fn visible(c: char) -> bool {
    !c.is_control() && !c.is_whitespace()
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and takes it as this id.
            ///
            /// # Errors
            /// [`IdError`] names what is wrong with the text.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check($what, text, $max, $allowed)?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A person. Also the local part of an XMPP address, so `:`, `/`, `@` and quotes are excluded.
    Uid,
    "uid",
    limits::UID_BYTES_MAX,
    |c| visible(c) && !matches!(c, ':' | '/' | '@' | '&' | '#' | '"' | '\'' | '<' | '>')
);

text_id!(
    /// One install of an app, chosen by the client and unique within its user.
    DeviceId,
    "device_id",
    limits::DEVICE_ID_BYTES_MAX,
    visible
);

text_id!(
    /// The name of a group, chosen by the back end or by the server.
    GroupId,
    "group id",
    limits::GROUP_ID_BYTES_MAX,
    |c| visible(c) && c != ':' && c != '/'
);

text_id!(
    /// The sender's idempotency key; a retry never changes it.
    ClientMsgId,
    "client_msg_id",
    limits::CLIENT_MSG_ID_BYTES_MAX,
    |c| !c.is_control()
);

text_id!(
    /// Where entries are ordered. Opaque to clients: they get it from the server and give it back.
    ConversationId,
    "conversation",
    limits::CONVERSATION_ID_BYTES_MAX,
    |c| visible(c) && c != '/'
);

/// What kind of place a conversation is. A room has no unread and no push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConversationKind {
    /// Two users.
    Direct,
    /// A list of members that an owner keeps.
    Group,
    /// A live chat room.
    Room,
}

impl ConversationKind {
    /// The word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
            Self::Room => "room",
        }
    }
}

impl ConversationId {
    /// The conversation of two users; the same whoever asks. A user may write to themself.
    #[must_use]
    pub fn direct(a: &Uid, b: &Uid) -> Self {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        Self(Arc::from(format!("d:{low}:{high}")))
    }

    /// The conversation of a group.
    #[must_use]
    pub fn group(group: &GroupId) -> Self {
        Self(Arc::from(format!("g:{group}")))
    }

    /// What the id says about its conversation; `None` for text no server made.
    #[must_use]
    pub fn kind(&self) -> Option<ConversationKind> {
        match self.0.split_once(':')?.0 {
            "d" => Some(ConversationKind::Direct),
            "g" => Some(ConversationKind::Group),
            "r" => Some(ConversationKind::Room),
            _ => None,
        }
    }

    /// The two users of a direct conversation, in the order of the id.
    #[must_use]
    pub fn peers(&self) -> Option<(Uid, Uid)> {
        let (low, high) = self.0.strip_prefix("d:")?.split_once(':')?;
        Some((Uid::parse(low).ok()?, Uid::parse(high).ok()?))
    }

    /// The group of a group conversation.
    #[must_use]
    pub fn group_id(&self) -> Option<GroupId> {
        GroupId::parse(self.0.strip_prefix("g:")?).ok()
    }
}

/// The server's id of a message: a UUIDv7 (RFC 9562).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(Uuid);

impl MessageId {
    /// Makes an id from the wall clock and random bytes, both given by the caller.
    #[must_use]
    pub fn new(at: crate::WallMs, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(at.0, random).into_uuid())
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`IdError::NotUuid`].
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Uuid::parse_str(text).map(Self).map_err(|_| IdError::NotUuid { what: "message_id" })
    }

    /// The sixteen bytes, in order of time.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id from its sixteen bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The moment it was made at: the first 48 bits.
    #[must_use]
    pub fn at(&self) -> crate::WallMs {
        crate::WallMs(self.0.as_bytes()[..6].iter().fold(0, |at, byte| at << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a device calls a notification: `m.<message_id>`, or `c.<conversation>` once a storm of
/// messages shares one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotificationId(String);

impl NotificationId {
    /// The notification of one message.
    #[must_use]
    pub fn message(id: MessageId) -> Self {
        Self(format!("m.{id}"))
    }

    /// The one updating notification of a conversation.
    #[must_use]
    pub fn conversation(id: &ConversationId) -> Self {
        Self(format!("c.{id}"))
    }

    /// A notification id as a device says it.
    ///
    /// # Errors
    /// [`IdError`] names what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check("notification id", text, limits::CONVERSATION_ID_BYTES_MAX + 2, visible)?;
        Ok(Self(text.to_owned()))
    }

    /// The message this is the notification of, if it is of one.
    #[must_use]
    pub fn message_id(&self) -> Option<MessageId> {
        MessageId::parse(self.0.strip_prefix("m.")?).ok()
    }

    /// The conversation this is the shared notification of, if it is of one.
    #[must_use]
    pub fn conversation_id(&self) -> Option<ConversationId> {
        ConversationId::parse(self.0.strip_prefix("c.")?).ok()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One socket, numbered by the server process for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A fixed share of the work: a hash mod 256 (FNV-1a over the text of the id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane(pub u8);

impl Lane {
    /// The lane that owns this user.
    #[must_use]
    pub fn of_user(uid: &Uid) -> Self {
        Self(fold(uid.as_str().as_bytes()))
    }

    /// The lane that owns this conversation.
    #[must_use]
    pub fn of_conversation(id: &ConversationId) -> Self {
        Self(fold(id.as_str().as_bytes()))
    }
}

/// FNV-1a, 64 bit, folded to eight: stored rows depend on it, so it never changes.
fn fold(bytes: &[u8]) -> u8 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = hash ^ (hash >> 32);
    let hash = hash ^ (hash >> 16);
    ((hash ^ (hash >> 8)) & 0xff) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_conversation_is_the_same_from_both_sides() {
        let (a, b) = (Uid::parse("alice").unwrap(), Uid::parse("bob").unwrap());
        assert_eq!(ConversationId::direct(&a, &b), ConversationId::direct(&b, &a));
        assert_eq!(ConversationId::direct(&b, &a).peers(), Some((a, b)));
    }

    #[test]
    fn bad_ids_are_named() {
        assert_eq!(Uid::parse(""), Err(IdError::Empty { what: "uid" }));
        assert_eq!(Uid::parse("a:b"), Err(IdError::Character { what: "uid", found: ':' }));
        let long = "x".repeat(limits::UID_BYTES_MAX + 1);
        assert_eq!(
            Uid::parse(&long),
            Err(IdError::TooLong { what: "uid", max: limits::UID_BYTES_MAX })
        );
    }

    #[test]
    fn lanes_spread() {
        let lanes: std::collections::BTreeSet<Lane> =
            (0..1000).map(|n| Lane::of_user(&Uid::parse(&format!("user{n}")).unwrap())).collect();
        assert!(lanes.len() > 240, "{} lanes used by 1000 users", lanes.len());
    }
}
