//! Packets as WebSocket messages: binary ones as they are, text ones as JSON.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{Sink, Stream};
use nightjar_session::Frame;
use nightjar_wire::WireError;

use crate::transport::{Received, Transport};

/// One packet a message.
pub(crate) struct WebSocketTransport {
    socket: WebSocket,
    queued: std::collections::VecDeque<Frame>,
    /// Something is with the library that the kernel has not taken.
    is_unflushed: bool,
}

impl WebSocketTransport {
    pub(crate) fn new(socket: WebSocket) -> Self {
        Self { socket, queued: std::collections::VecDeque::new(), is_unflushed: false }
    }

    fn socket(&mut self) -> Pin<&mut WebSocket> {
        Pin::new(&mut self.socket)
    }
}

impl Transport for WebSocketTransport {
    fn queue(&mut self, frame: Frame) {
        self.queued.push_back(frame);
    }

    fn is_writing(&self) -> bool {
        self.is_unflushed || !self.queued.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queued.is_empty() {
            ready!(self.socket().poll_ready(cx)).map_err(io::Error::other)?;
            let message = match self.queued.pop_front() {
                Some(Frame::Binary(bytes)) => Message::Binary(bytes),
                Some(Frame::Text(text)) => Message::Text(text.into()),
                None => break,
            };
            self.socket().start_send(message).map_err(io::Error::other)?;
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(self.socket().poll_flush(cx)).map_err(io::Error::other)?;
            self.is_unflushed = false;
        }
        self.queued = std::collections::VecDeque::new();
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        loop {
            return Poll::Ready(match ready!(self.socket().poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => Received::Packet(bytes),
                Some(Ok(Message::Text(text))) => Received::Text(text.as_str().to_owned()),
                // The library answers pings itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_))) | None => Received::Closed,
                Some(Err(error)) => broken(&error.to_string()),
            });
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_close(cx).map_err(io::Error::other)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(Ok(_)) = ready!(self.socket().poll_next(cx)) {}
        Poll::Ready(())
    }
}

/// A message over the limit can still be answered; after any other failure nobody listens.
fn broken(error: &str) -> Received {
    if error.contains("too long") || error.contains("too big") {
        return Received::Broken(WireError::TooLarge);
    }
    Received::Closed
}
