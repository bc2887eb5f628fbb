//! What carries packets: a byte stream or a WebSocket.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use nightjar_session::Frame;
use nightjar_wire::WireError;

/// What came from the peer.
#[derive(Debug)]
pub(crate) enum Received {
    /// One whole binary packet.
    Packet(Bytes),
    /// One packet as JSON.
    Text(String),
    /// What came cannot be split into packets any more.
    Broken(WireError),
    /// The peer will send nothing more, or the socket failed.
    Closed,
}

/// One connection, polled from a single task.
pub(crate) trait Transport {
    /// Queues a frame to be written; the caller looks at [`Transport::is_writing`] first.
    fn queue(&mut self, frame: Frame);

    /// Whether something queued is not written yet.
    fn is_writing(&self) -> bool;

    /// Writes what is queued; ready once all of it is with the kernel.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The next packet. Reads from the socket only when no whole packet is left.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received>;

    /// Ends the writing half: the peer sees the end of the stream, not a reset.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads and throws away; ready when the peer has ended too.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}
