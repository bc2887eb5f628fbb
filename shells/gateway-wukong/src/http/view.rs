//! A message as this API says it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nightjar_model::{Entry, Uid};
use nightjar_wkproto::Recv;
use serde_json::{Value, json};

/// `MessageResp`: for a person channel the id is the other one of the two that is not the sender.
pub(crate) fn message(entry: &Entry, viewer: &Uid) -> Value {
    let recv = Recv::of(entry, viewer);
    let is_silent = entry.push.as_ref().is_some_and(|push| push.silent);
    let red_dot = u8::from(entry.is_countable() && !is_silent);
    let channel_id = match entry.conversation.peers() {
        Some((low, high)) if low == entry.from => high.to_string(),
        Some((low, _)) => low.to_string(),
        None => recv.channel_id,
    };
    json!({
        "header": {"no_persist": 0, "red_dot": red_dot, "sync_once": 0},
        "setting": recv.setting.0,
        "message_id": recv.message_id,
        "message_idstr": recv.message_id.to_string(),
        "client_msg_no": recv.client_msg_no,
        "message_seq": recv.message_seq,
        "from_uid": recv.from_uid,
        "channel_id": channel_id,
        "channel_type": recv.channel_type,
        "expire": recv.expire,
        "timestamp": recv.timestamp,
        "payload": STANDARD.encode(&recv.payload),
    })
}
