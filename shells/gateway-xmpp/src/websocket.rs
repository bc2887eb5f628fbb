//! One element a WebSocket message (RFC 7395).

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::{Sink, Stream};

use crate::transport::{Received, Transport};

/// A WebSocket with what is written next.
pub(crate) struct WebSocketTransport {
    socket: WebSocket,
    queued: VecDeque<Bytes>,
    /// Something is with the library that the kernel has not taken.
    is_unflushed: bool,
}

impl WebSocketTransport {
    pub(crate) fn new(socket: WebSocket) -> Self {
        Self { socket, queued: VecDeque::new(), is_unflushed: false }
    }

    fn socket(&mut self) -> Pin<&mut WebSocket> {
        Pin::new(&mut self.socket)
    }
}

impl Transport for WebSocketTransport {
    fn queue(&mut self, bytes: Bytes) {
        self.queued.push_back(bytes);
    }

    fn is_writing(&self) -> bool {
        self.is_unflushed || !self.queued.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queued.is_empty() {
            ready!(self.socket().poll_ready(cx)).map_err(io::Error::other)?;
            let Some(bytes) = self.queued.pop_front() else { break };
            let text = Utf8Bytes::try_from(bytes).map_err(io::Error::other)?;
            self.socket().start_send(Message::Text(text)).map_err(io::Error::other)?;
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(self.socket().poll_flush(cx)).map_err(io::Error::other)?;
            self.is_unflushed = false;
        }
        self.queued = VecDeque::new();
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        loop {
            return Poll::Ready(match ready!(self.socket().poll_next(cx)) {
                Some(Ok(Message::Text(text))) => Received::Text(text.as_str().to_owned()),
                // The library answers pings itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                // Binary messages are not XMPP's.
                _ => Received::Closed,
            });
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_close(cx).map_err(io::Error::other)
    }
}
