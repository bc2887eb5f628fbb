//! What goes in and what comes out.

use bytes::Bytes;
use nightjar_model::{Command, DeviceId, Notice, Reject, Reply, Secret, Uid, WallMs};

use crate::RequestId;

/// What happens to a connection.
#[derive(Debug)]
pub enum WkInput<'a> {
    /// Bytes of a stream, or of one WebSocket message, in any pieces.
    Bytes(&'a [u8]),
    /// The answer to [`WkOutput::Verify`].
    Verified(Result<WkPass, Reject>),
    /// The answer to a [`WkOutput::Command`].
    Reply(RequestId, Result<Reply, Reject>),
    /// Something unasked from the lanes.
    Notice(Notice),
    /// The device is logged out: the same user logged in elsewhere, or the back end says so.
    LoggedOut {
        /// For people.
        text: &'a str,
    },
    /// The socket ended.
    Closed,
    /// The moment of [`super::WkSession::wait_until`] came.
    Timeout,
    /// The server goes away.
    Drain,
}

/// What the shell is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum WkOutput {
    /// Write it; over WebSocket as one message.
    Send(WkFrame),
    /// Look whether the back end set this token, and answer [`WkInput::Verified`].
    Verify(Box<WkLogin>),
    /// Give it to the lanes, in order. Each gets exactly one reply.
    Command(RequestId, Command),
    /// The device is in: whoever has to go for it goes now.
    Joined,
    /// The last output of all: end the writing half after what was sent, read on for so long, drop.
    Close {
        /// Milliseconds; 0 drops the socket at once.
        linger_ms: u64,
    },
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WkFrame {
    /// For TCP, or a binary WebSocket message.
    Binary(Bytes),
    /// A text WebSocket message.
    Text(String),
}

/// Who wants in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WkLogin {
    /// Who.
    pub uid: Uid,
    /// Which install.
    pub device_id: DeviceId,
    /// 0 an app, 1 a browser, 2 a desktop.
    pub device_flag: u8,
    /// As the client sent it.
    pub token: Secret<String>,
}

/// What a good token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WkPass {
    /// When the back end set it.
    pub issued_at: WallMs,
}

/// What an operator chose; the same for every session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WkSessionConfig {
    /// What an app showed and nobody read is pushed so long after its commit; `None` never.
    pub push_if_unread_after_s: Option<u32>,
}
