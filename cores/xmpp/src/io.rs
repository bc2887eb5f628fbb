//! What goes into a stream and what comes out.

use bytes::Bytes;
use nightjar_model::{Command, Notice, Reject, Reply, ScramKeys, Secret, Uid};
use nightjar_xmpp::Hash;

/// How elements are cut from what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One XML document that never ends (RFC 6120).
    Socket,
    /// One element a WebSocket message (RFC 7395).
    WebSocket,
}

/// What protects the bytes of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// Nothing yet: STARTTLS is required before anything else.
    StartTls,
    /// Nothing, and nothing is needed: loopback, or somebody else's TLS in front.
    Plain,
    /// TLS, with what a login may be bound to.
    Tls(Bindings),
}

/// What a login over TLS may be bound to (RFC 9266, RFC 5929).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings {
    /// `tls-exporter`; only TLS 1.3 has one.
    pub exporter: Option<Secret<Vec<u8>>>,
    /// `tls-server-end-point`: the hash of the server's certificate.
    pub end_point: Option<Vec<u8>>,
}

/// Ties a [`Command`] to its [`Reply`], within one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// What happens to a connection.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes of a socket, however cut.
    Bytes(&'a [u8]),
    /// One WebSocket text message.
    Message(&'a str),
    /// The answer to [`Output::StartTls`]: the connection is encrypted.
    Secured(Bindings),
    /// The answer to [`Output::FindKeys`]: the user's keys, or those of a decoy.
    Keys(ScramKeys),
    /// The answer to an [`Output::Command`].
    Reply(RequestId, Result<Reply, Reject>),
    /// Something unasked from the lanes.
    Notice(Notice),
    /// The socket ended.
    Closed,
    /// The moment of [`crate::Stream::wait_until`] came.
    Timeout,
    /// The server goes away.
    Drain,
}

/// What the shell is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write it: bytes of a socket, or one WebSocket message.
    Send(Bytes),
    /// Once everything before is written, drop what was read and not handed in, do the TLS
    /// handshake and answer [`Input::Secured`].
    StartTls,
    /// Find what is kept of this user's password and answer [`Input::Keys`], also for a user who
    /// does not exist or has none: nobody may learn that.
    FindKeys {
        /// Whose.
        uid: Uid,
        /// For which hash.
        hash: Hash,
    },
    /// Give it to the lanes, in order. Each gets exactly one reply.
    Command(RequestId, Command),
    /// The last output of all: end the writing half after what was sent, read on for so long, drop.
    Close {
        /// Milliseconds; 0 drops the socket at once.
        linger_ms: u64,
    },
}

/// What an operator chose; the same for every stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// The domain of every account here.
    pub domain: String,
}
