//! An entry as a message body.

use bytes::Bytes;
use nightjar_model::Entry;

use crate::body;

/// What is left of a message that was taken back.
const RECALLED: &[u8] = br#"{"type":"recalled"}"#;

/// The message of an entry. `alert`: a person is to be told; `pushed`: the device was pushed.
#[must_use]
pub fn message(entry: &Entry, alert: bool, pushed: bool) -> body::Message {
    body::Message {
        message_id: entry.message_id.to_string(),
        conversation: entry.conversation.to_string(),
        seq: entry.seq,
        from: entry.from.to_string(),
        client_msg_id: entry.client_msg_id.to_string(),
        at: entry.at.0,
        content: if entry.recalled { Bytes::from_static(RECALLED) } else { entry.content.clone() },
        alert,
        pushed,
    }
}
