//! One packet a binary WebSocket message.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use nightjar_model::limits::PACKET_BYTES_MAX;
use nightjar_wire::WireError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Carrier, Closed};

/// The library reserves so much for reading; its default is 128 KiB a connection.
const READ_BYTES: usize = 4 << 10;

pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(PACKET_BYTES_MAX))
        .max_frame_size(Some(PACKET_BYTES_MAX))
}

pub(super) struct PacketSocket<S> {
    socket: WebSocketStream<S>,
    queued: VecDeque<Bytes>,
    queued_bytes: usize,
    /// Something is with the library that the kernel has not taken.
    is_unflushed: bool,
    is_ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> PacketSocket<S> {
    pub(super) fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            queued: VecDeque::new(),
            queued_bytes: 0,
            is_unflushed: false,
            is_ended: false,
        }
    }

    fn socket(&mut self) -> Pin<&mut WebSocketStream<S>> {
        Pin::new(&mut self.socket)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Carrier for PacketSocket<S> {
    fn queue(&mut self, packet: Bytes) {
        self.queued_bytes += packet.len();
        self.queued.push_back(packet);
    }

    fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    fn is_writing(&self) -> bool {
        self.is_unflushed || !self.queued.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        while !self.queued.is_empty() {
            ready!(self.socket().poll_ready(cx)).map_err(closed)?;
            let Some(packet) = self.queued.pop_front() else { break };
            self.queued_bytes -= packet.len();
            self.is_unflushed = true;
            self.socket().start_send(Message::Binary(packet)).map_err(closed)?;
        }
        if self.is_unflushed {
            ready!(self.socket().poll_flush(cx)).map_err(closed)?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        loop {
            return Poll::Ready(match ready!(self.socket().poll_next(cx)) {
                Some(Ok(Message::Binary(packet))) => Ok(packet),
                Some(Ok(Message::Text(_))) => Err(Closed::Text),
                Some(Ok(Message::Close(_))) | None => Err(Closed::Ended),
                // The library answers pings itself.
                Some(Ok(_)) => continue,
                Some(Err(error)) => Err(closed(error)),
            });
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if !self.is_ended {
            ready!(self.socket().poll_close(cx)).map_err(closed)?;
            self.is_ended = true;
        }
        while let Some(Ok(_)) = ready!(self.socket().poll_next(cx)) {}
        Poll::Ready(Ok(()))
    }
}

fn closed(error: Error) -> Closed {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Closed::Ended,
        Error::Io(error) => Closed::Broken(error),
        Error::Capacity(_) => Closed::NoPacket(WireError::TooLarge),
        error => Closed::WebSocket(Box::new(error)),
    }
}
