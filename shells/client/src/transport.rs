//! Connections to a server: an [`Address`], a [`Connector`], and what comes of them, a
//! [`Connection`] that carries whole packets.
//!
//! A connection has no task of its own: it moves while one of its futures is awaited, and each of
//! them may be dropped and asked for again without losing a byte. Only binary packets are carried.

mod address;
mod connect;
mod stream;
#[cfg(test)]
mod tests;
mod websocket;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use nightjar_wire::WireError;

pub use address::{Address, AddressError};
pub use connect::{ConnectError, Connector, TrustError};

/// Bytes that wait to be written. More than a client's requests on their way take, each with the
/// largest content.
const QUEUED_BYTES_MAX: usize = 4 << 20;

/// How long a close may take: the server's own patience after its last packet.
const CLOSE_MS: u64 = nightjar_model::limits::LINGER_MS;

/// Why a connection carries nothing more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The server ended it.
    #[error("the server ended the connection")]
    Ended,
    /// The network or the server's machine failed.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// What came cannot be split into packets.
    #[error("what the server sent is no packet")]
    NoPacket(#[source] WireError),
    /// A WebSocket text message; who sends binary packets gets binary ones.
    #[error("the server sent a text message")]
    Text,
    /// The other side breaks the rules of WebSockets (RFC 6455).
    #[error("what the server sent is no WebSocket message")]
    WebSocket(#[source] Box<tokio_tungstenite::tungstenite::Error>),
    /// Too much waits to be written.
    #[error("the server does not read: more than {QUEUED_BYTES_MAX} bytes wait for it")]
    Behind,
}

/// One open connection. Dropping it ends it at once; what the kernel has not taken is lost.
pub struct Connection {
    carrier: Box<dyn Carrier>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("queued_bytes", &self.carrier.queued_bytes()).finish()
    }
}

impl Connection {
    /// Puts a packet behind those that wait to be written by [`Self::receive`] or
    /// [`Self::flush`].
    ///
    /// # Errors
    /// [`Closed::Behind`]: the packet was not taken.
    pub fn queue(&mut self, packet: Bytes) -> Result<(), Closed> {
        if self.carrier.queued_bytes() + packet.len() > QUEUED_BYTES_MAX {
            return Err(Closed::Behind);
        }
        self.carrier.queue(packet);
        Ok(())
    }

    /// Whether something that was queued is not with the kernel yet.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.carrier.is_writing()
    }

    /// Writes until everything that was queued is with the kernel. Await it before queueing more
    /// to go no faster than the server reads.
    ///
    /// # Errors
    /// Why nothing can be written any more; there may still be packets to receive.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        poll_fn(|cx| self.carrier.poll_write(cx)).await
    }

    /// Waits for the next whole packet, and meanwhile writes what was queued.
    ///
    /// # Errors
    /// Why none will come.
    pub async fn receive(&mut self) -> Result<Bytes, Closed> {
        poll_fn(|cx| {
            let written = self.carrier.poll_write(cx);
            match self.carrier.poll_receive(cx) {
                // What the server said last may explain why it does not listen any more.
                Poll::Pending => match written {
                    Poll::Ready(Err(closed)) => Poll::Ready(Err(closed)),
                    _ => Poll::Pending,
                },
                received => received,
            }
        })
        .await
    }

    /// Writes what was queued, ends this side and waits for the server to end the other, for at
    /// most a second in all: a socket dropped with unread input would take back what was just
    /// written.
    pub async fn close(mut self) {
        let end = poll_fn(|cx| {
            ready!(self.carrier.poll_write(cx))?;
            self.carrier.poll_end(cx)
        });
        // Nobody is left to be told that it failed or took too long.
        let _ = tokio::time::timeout(Duration::from_millis(CLOSE_MS), end).await;
    }
}

/// What carries packets, polled from one task at a time.
trait Carrier: Send {
    fn queue(&mut self, packet: Bytes);

    fn queued_bytes(&self) -> usize;

    fn is_writing(&self) -> bool;

    /// Ready once everything queued is with the kernel.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>>;

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Closed>>;

    /// Ends the writing half, then throws away what still comes; ready when the other side has
    /// ended, too.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>>;
}
