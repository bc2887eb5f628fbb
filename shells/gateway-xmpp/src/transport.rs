//! What carries XML: a byte stream or a WebSocket.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

/// What came from the peer.
#[derive(Debug)]
pub(crate) enum Received {
    /// Bytes, however cut.
    Bytes(Bytes),
    /// One text message.
    Text(String),
    /// The peer will send nothing more, or the socket failed.
    Closed,
}

/// One connection, polled from a single task.
pub(crate) trait Transport {
    /// Queues bytes, or one message, to be written.
    fn queue(&mut self, bytes: Bytes);

    /// Whether something queued is not written yet.
    fn is_writing(&self) -> bool;

    /// Writes what is queued; ready once all of it is with the kernel.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// What came next.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received>;

    /// Ends the writing half: the peer sees the end of the stream, not a reset.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}
