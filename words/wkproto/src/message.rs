//! An entry as a message of WuKongIM, for sockets and for its HTTP API alike.

use nightjar_model::{Entry, Seq, Uid};

use crate::packet::{Flags, Recv};
use crate::{Channel, MessageNumber, SYSTEM_UID, payload};

impl Recv {
    /// The message `viewer` gets of an entry, not encrypted.
    #[must_use]
    pub fn of(entry: &Entry, viewer: &Uid) -> Self {
        let channel = Channel::of(&entry.conversation, viewer);
        let is_silent = entry.push.as_ref().is_some_and(|push| push.silent);
        let red_dot = entry.is_countable() && !is_silent && entry.from != *viewer;
        let lives_ms = entry.expires_at.map_or(0, |until| until.0.saturating_sub(entry.at.0));
        Self {
            flags: Flags { red_dot, ..Flags::default() },
            from_uid: wire_uid(&entry.from),
            channel_id: channel.id,
            channel_type: channel.kind,
            expire: u32::try_from(lives_ms.div_ceil(1_000)).unwrap_or(u32::MAX),
            client_msg_no: entry.client_msg_id.to_string(),
            message_id: MessageNumber::of(entry.message_id).0,
            message_seq: wire_seq(entry.seq),
            timestamp: i32::try_from(entry.at.0 / 1_000).unwrap_or(i32::MAX),
            payload: payload::of_entry(entry),
            ..Self::default()
        }
    }
}

/// A uid on the wire: that of the system's account is empty.
fn wire_uid(uid: &Uid) -> String {
    if uid.as_str() == SYSTEM_UID { String::new() } else { uid.to_string() }
}

/// A place on the wire, which has 32 bits for it.
#[must_use]
pub fn wire_seq(seq: Seq) -> u32 {
    u32::try_from(seq).unwrap_or(u32::MAX)
}
