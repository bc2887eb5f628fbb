//! Packets over a byte stream: plain TCP or TLS.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use nightjar_session::Frame;
use nightjar_wire::next_packet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::{Received, Transport};

/// Bytes read at a time, into a buffer all connections of a thread share.
const READ_BYTES: usize = 16 << 10;

thread_local! {
    static READ: RefCell<Box<[u8; READ_BYTES]>> = RefCell::new(Box::new([0; READ_BYTES]));
}

/// Splits a stream into packets and joins packets into writes.
pub(crate) struct StreamTransport<S> {
    stream: S,
    /// The start of a packet whose rest has not come.
    received: BytesMut,
    /// What is written next: one packet as it is, or several joined.
    writing: Bytes,
    /// What follows.
    queued: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> StreamTransport<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, received: BytesMut::new(), writing: Bytes::new(), queued: BytesMut::new() }
    }

    /// Bytes from the socket; `None` at its end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        READ.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..]);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => Poll::Ready(None),
                Ok(()) => {
                    self.received.extend_from_slice(buffer.filled());
                    Poll::Ready(Some(()))
                }
                Err(_) => Poll::Ready(None),
            }
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for StreamTransport<S> {
    fn queue(&mut self, frame: Frame) {
        let bytes = match frame {
            Frame::Binary(bytes) => bytes,
            // A byte stream has no text messages; the session speaks binary on one.
            Frame::Text(text) => Bytes::from(text),
        };
        if self.writing.is_empty() {
            self.writing = bytes;
        } else {
            self.queued.extend_from_slice(&bytes);
        }
    }

    fn is_writing(&self) -> bool {
        !self.writing.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.writing.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.writing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.writing.advance(written);
            if self.writing.is_empty() {
                self.writing = std::mem::take(&mut self.queued).freeze();
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        loop {
            match next_packet(&mut self.received) {
                Ok(Some(packet)) => {
                    if self.received.is_empty() {
                        self.received = BytesMut::new();
                    }
                    return Poll::Ready(Received::Packet(packet));
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Received::Broken(error)),
            }
            if ready!(self.poll_read(cx)).is_none() {
                return Poll::Ready(Received::Closed);
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.received.clear();
            if ready!(self.poll_read(cx)).is_none() {
                return Poll::Ready(());
            }
        }
    }
}
