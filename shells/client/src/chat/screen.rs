//! What is printed.

use std::io::Write;

use nightjar_client_core::{Indicator, MessageRow};
use nightjar_model::{ConversationId, Seq, Target, Uid, WallMs};

use super::content::{clock, printable, text};

/// Standard output, a line at a time. Nobody may listen any more; that is no reason to stop.
pub(super) fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// `bob`, or `team` for a group.
pub(super) fn place(conversation: &ConversationId, me: &Uid) -> String {
    if let Some(group) = conversation.group_id() {
        return printable(group.as_str());
    }
    match conversation.peers() {
        Some((low, high)) => printable(if low == *me { high.as_str() } else { low.as_str() }),
        None => printable(conversation.as_str()),
    }
}

pub(super) fn target(to: &Target) -> String {
    match to {
        Target::User(uid) => printable(uid.as_str()),
        Target::Group(group) => printable(group.as_str()),
    }
}

/// `[12:34:56] alice: hello`, and for a group where.
pub(super) fn message(message: &MessageRow, me: &Uid) -> String {
    let who = if message.from == *me { "me".to_owned() } else { printable(message.from.as_str()) };
    let whereto = match message.conversation.group_id() {
        Some(group) => format!(" in {}", printable(group.as_str())),
        None if message.from == *me => format!(" to {}", place(&message.conversation, me)),
        None => String::new(),
    };
    format!("[{}] {who}{whereto}: {}", clock(message.at), text(&message.content))
}

pub(super) fn numbered(row: &MessageRow, me: &Uid) -> String {
    format!("#{} {}", row.seq, message(row, me))
}

pub(super) fn sent(at: WallMs, to: &str, text: &str, seq: Seq) -> String {
    format!("[{}] me to {to}: {text}  ✓ sent #{seq}", clock(at))
}

/// A line that is kept on disk until there is a connection.
pub(super) fn queued(to: &str, text: &str) -> String {
    format!("… to {to}: {text}  (kept until there is a connection)")
}

/// The link, and when the next attempt is.
pub(super) fn link(indicator: Indicator, next_try_ms: Option<u64>) -> String {
    match (indicator, next_try_ms) {
        (Indicator::Stopped, _) => "stopped".to_owned(),
        (Indicator::Connecting, _) => "connecting…".to_owned(),
        (Indicator::Online, _) => "online".to_owned(),
        (Indicator::Waiting { .. }, None) => "waiting for network".to_owned(),
        (Indicator::Waiting { .. }, Some(ms)) => {
            format!("waiting for network (next try in {} s)", ms.div_ceil(1_000))
        }
    }
}
