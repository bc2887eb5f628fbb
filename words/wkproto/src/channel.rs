//! Which conversation a channel is.

use nightjar_model::{ConversationId, GroupId, Target, Uid};

/// The account of messages nobody wrote; on the wire its uid is empty.
pub const SYSTEM_UID: &str = "____system";
/// Characters a uid may not hold: derived channel ids use them.
pub const UID_FORBIDDEN: [char; 3] = ['@', '#', '&'];

/// A person channel.
const PERSON: u8 = 1;
/// A group channel.
const GROUP: u8 = 2;
/// Types above that are kept as groups whose id names the type.
const OTHERS: std::ops::RangeInclusive<u8> = 3..=12;

/// A channel as one user sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel {
    /// For a person, the other one's uid.
    pub id: String,
    /// 1 a person, 2 a group, further ones as WuKongIM numbers them.
    pub kind: u8,
}

/// Why a channel is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The id is empty, too long, or holds a character it may not hold.
    #[error("the channel id cannot be one")]
    BadId,
    /// No such type.
    #[error("there is no channel of this type")]
    BadKind,
}

/// The account of messages nobody wrote.
#[must_use]
pub fn system_uid() -> Uid {
    Uid::parse(SYSTEM_UID).expect("it holds letters and underscores")
}

impl Channel {
    /// A channel by its id and type.
    #[must_use]
    pub fn new(id: impl Into<String>, kind: u8) -> Self {
        Self { id: id.into(), kind }
    }

    /// The channel of a conversation as `viewer` sees it.
    #[must_use]
    pub fn of(conversation: &ConversationId, viewer: &Uid) -> Self {
        if let Some((low, high)) = conversation.peers() {
            let peer = if low == *viewer { high } else { low };
            return Self::new(peer.as_str(), PERSON);
        }
        let group = conversation.group_id();
        let id = group.as_ref().map_or(conversation.as_str(), GroupId::as_str);
        match id.strip_prefix("wk").and_then(|rest| rest.split_once('-')) {
            Some((kind, rest)) => match kind.parse() {
                Ok(kind) if OTHERS.contains(&kind) => Self::new(rest, kind),
                _ => Self::new(id, GROUP),
            },
            None => Self::new(id, GROUP),
        }
    }

    /// Whom a message to this channel is for.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn target(&self) -> Result<Target, ChannelError> {
        if self.kind == PERSON {
            return Uid::parse(&self.id).map(Target::User).map_err(|_| ChannelError::BadId);
        }
        self.group().map(Target::Group)
    }

    /// The group that a channel of any other type than a person's is.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn group(&self) -> Result<GroupId, ChannelError> {
        let id = match self.kind {
            GROUP => GroupId::parse(&self.id),
            kind if OTHERS.contains(&kind) && !self.id.is_empty() => {
                GroupId::parse(&format!("wk{kind}-{}", self.id))
            }
            _ => return Err(ChannelError::BadKind),
        };
        id.map_err(|_| ChannelError::BadId)
    }

    /// The conversation it is for `viewer`.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn conversation(&self, viewer: &Uid) -> Result<ConversationId, ChannelError> {
        Ok(match self.target()? {
            Target::User(peer) => ConversationId::direct(viewer, &peer),
            Target::Group(group) => ConversationId::group(&group),
        })
    }
}

/// The id by which back ends know the channel of two people: the uid with the larger CRC-32 first,
/// the receiver's where both are the same.
#[must_use]
pub fn person_channel_id(from: &str, to: &str) -> String {
    let (of_from, of_to) = (crc32fast::hash(from.as_bytes()), crc32fast::hash(to.as_bytes()));
    if of_from > of_to { format!("{from}@{to}") } else { format!("{to}@{from}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn person_channels_have_the_ids_back_ends_know() {
        assert_eq!(person_channel_id("u1", "u2"), "u2@u1");
        assert_eq!(person_channel_id("u2", "u1"), "u2@u1");
        assert_eq!(person_channel_id("alice", "bob"), "bob@alice");
    }

    #[test]
    fn a_channel_and_its_conversation_lead_to_each_other() {
        let (me, you) = (Uid::parse("u1").unwrap(), Uid::parse("u2").unwrap());
        for channel in [Channel::new("u2", 1), Channel::new("g1", 2), Channel::new("g1", 4)] {
            let conversation = channel.conversation(&me).unwrap();
            assert_eq!(Channel::of(&conversation, &me), channel);
        }
        let direct = ConversationId::direct(&me, &you);
        assert_eq!(Channel::of(&direct, &you), Channel::new("u1", 1));
        let plain = Channel::new("wk-team", 2).conversation(&me).unwrap();
        assert_eq!(Channel::of(&plain, &me), Channel::new("wk-team", 2));
    }

    #[test]
    fn what_cannot_be_a_channel_is_named() {
        assert_eq!(Channel::new("", 1).target(), Err(ChannelError::BadId));
        assert_eq!(Channel::new("a@b", 1).target(), Err(ChannelError::BadId));
        assert_eq!(Channel::new("", 4).target(), Err(ChannelError::BadKind));
        assert_eq!(Channel::new("g", 77).target(), Err(ChannelError::BadKind));
    }
}
