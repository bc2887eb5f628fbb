//! Names for tests.

use nightjar_model::{MessageId, NotificationId};

pub(crate) fn mid(n: u64) -> MessageId {
    let mut bytes = [7; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    MessageId::from_bytes(bytes)
}

pub(crate) fn nid(n: u64) -> NotificationId {
    NotificationId::message(mid(n))
}
