//! What goes into a session and what comes out.

use bytes::Bytes;
use nightjar_model::{
    Command, DeviceId, Measure, Notice, Platform, Reject, Reply, Secret, Uid, WallMs,
};
use nightjar_wire::WireError;

/// How the packets of a connection are written. What comes in may be either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A 16-byte header and a protobuf body.
    Binary,
    /// One JSON object a packet.
    Json,
}

/// Ties a [`Command`] to its [`Reply`], within one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whose it is.
    pub uid: Uid,
    /// The only device it is for; `None` for any.
    pub device_id: Option<DeviceId>,
    /// When it was issued.
    pub issued_at: WallMs,
    /// A token for the device's extension, handed on in the answer to the hello; `None` for none.
    pub push_token: Option<Secret<String>>,
}

/// What happens to a connection.
#[derive(Debug)]
pub enum Input<'a> {
    /// One whole binary packet.
    Packet(&'a Bytes),
    /// One JSON packet.
    Text(&'a str),
    /// What came cannot be split into packets any more.
    Broken(WireError),
    /// The answer to [`Output::Verify`].
    Verified(Result<Claims, Reject>),
    /// The answer to an [`Output::Command`].
    Reply(RequestId, Result<Reply, Reject>),
    /// Something unasked from the lanes.
    Notice(Notice),
    /// The socket ended.
    Closed,
    /// The moment of [`crate::Session::wait_until`] came.
    Timeout,
    /// The server goes away.
    Drain {
        /// Within which time this client should come back, at a moment it picks.
        reconnect_after_ms: u64,
    },
}

/// What the shell is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write it.
    Send(Frame),
    /// Check the token's signature and time, and answer [`Input::Verified`].
    Verify {
        /// As the client sent it.
        token: Secret<String>,
        /// Which install it came from.
        device_id: DeviceId,
    },
    /// Give it to the lanes, in order. Each gets exactly one reply, also when it says nothing:
    /// the number on their way is bounded.
    Command(RequestId, Command),
    /// Add to the sums what a client of this platform measured.
    Measured(Platform, Vec<Measure>),
    /// The last output of all: end the writing half after what was sent, read on for so long, drop.
    Close {
        /// Milliseconds; 0 drops the socket at once.
        linger_ms: u64,
    },
}

/// A packet, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// For TCP, or a binary WebSocket message.
    Binary(Bytes),
    /// A text WebSocket message.
    Text(String),
}

/// What an operator chose; the same for every session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionConfig {
    /// After so much silence the server asks with a `ping`; also told to clients.
    pub heartbeat_interval_s: u32,
    /// How long a `ping` may stay unanswered.
    pub heartbeat_timeout_s: u32,
    /// So many unanswered pings in a row end the connection.
    pub heartbeat_misses: u32,
    /// How long a client in the foreground may take to show a message before it is pushed; told
    /// to clients.
    pub ack_deadline_ms: u32,
    /// Handshakes a second from one address; told to clients, kept by the shell. 0 is no limit.
    pub handshakes_per_s: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval_s: 30,
            heartbeat_timeout_s: 15,
            heartbeat_misses: 1,
            ack_deadline_ms: 5_000,
            handshakes_per_s: 5_000,
        }
    }
}
