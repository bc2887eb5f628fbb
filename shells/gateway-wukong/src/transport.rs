//! What carries packets: a byte stream, or a WebSocket with one packet a message.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use nightjar_session::wukong::WkFrame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Bytes read at a time.
const READ_BYTES: usize = 4 << 10;

/// One connection, polled from a single task.
pub(crate) trait Transport {
    /// Queues a packet to be written.
    fn queue(&mut self, frame: WkFrame);

    /// Whether something queued is not written yet.
    fn is_writing(&self) -> bool;

    /// Writes what is queued; ready once all of it is with the kernel.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// What came next; `None` at the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;

    /// Ends the writing half: the peer sees the end of the stream, not a reset.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Packets over TCP.
pub(crate) struct StreamTransport {
    stream: TcpStream,
    queued: BytesMut,
}

impl StreamTransport {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, queued: BytesMut::new() }
    }
}

impl Transport for StreamTransport {
    fn queue(&mut self, frame: WkFrame) {
        match frame {
            WkFrame::Binary(packet) => self.queued.extend_from_slice(&packet),
            WkFrame::Text(text) => self.queued.extend_from_slice(text.as_bytes()),
        }
    }

    fn is_writing(&self) -> bool {
        !self.queued.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queued.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.queued))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.queued.advance(written);
        }
        self.queued = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut scratch = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut scratch);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
        let is_end = read.is_err() || buffer.filled().is_empty();
        Poll::Ready((!is_end).then(|| Bytes::copy_from_slice(buffer.filled())))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Packets over WebSocket: some clients read no more than the first packet of a message.
pub(crate) struct WebSocketTransport {
    socket: WebSocketStream<TcpStream>,
    queued: VecDeque<WkFrame>,
    is_unflushed: bool,
}

impl WebSocketTransport {
    pub(crate) fn new(socket: WebSocketStream<TcpStream>) -> Self {
        Self { socket, queued: VecDeque::new(), is_unflushed: false }
    }

    fn socket(&mut self) -> Pin<&mut WebSocketStream<TcpStream>> {
        Pin::new(&mut self.socket)
    }
}

impl Transport for WebSocketTransport {
    fn queue(&mut self, frame: WkFrame) {
        self.queued.push_back(frame);
    }

    fn is_writing(&self) -> bool {
        self.is_unflushed || !self.queued.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queued.is_empty() {
            ready!(self.socket().poll_ready(cx)).map_err(io::Error::other)?;
            let message = match self.queued.pop_front() {
                Some(WkFrame::Binary(packet)) => Message::Binary(packet),
                Some(WkFrame::Text(text)) => Message::Text(text.into()),
                None => break,
            };
            self.socket().start_send(message).map_err(io::Error::other)?;
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(self.socket().poll_flush(cx)).map_err(io::Error::other)?;
            self.is_unflushed = false;
        }
        self.queued = VecDeque::new();
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            return Poll::Ready(match ready!(self.socket().poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => Some(bytes),
                Some(Ok(Message::Text(text))) => Some(text.into()),
                // The library answers pings itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => None,
            });
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_close(cx).map_err(io::Error::other)
    }
}
