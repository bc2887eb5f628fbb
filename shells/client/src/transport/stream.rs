//! Packets one after another on a byte stream: TCP or TLS.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use nightjar_wire::{WireError, next_packet};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{Carrier, Closed};

/// Room for each read; a larger packet makes more.
const READ_BYTES: usize = 4 << 10;

pub(super) struct PacketStream<S> {
    stream: S,
    /// The start of packets whose rest has not come; at most one packet and one read.
    received: BytesMut,
    /// What is being written.
    writing: Bytes,
    /// What follows, joined.
    queued: BytesMut,
    is_unflushed: bool,
    is_ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> PacketStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            received: BytesMut::new(),
            writing: Bytes::new(),
            queued: BytesMut::new(),
            is_unflushed: false,
            is_ended: false,
        }
    }

    /// Adds to `received`; answers how many bytes, 0 at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Closed>> {
        if self.received.capacity() == self.received.len() {
            self.received.reserve(READ_BYTES);
        }
        pin!(self.stream.read_buf(&mut self.received)).poll(cx).map_err(broken)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Carrier for PacketStream<S> {
    fn queue(&mut self, packet: Bytes) {
        if self.writing.is_empty() {
            self.writing = packet;
        } else {
            self.queued.extend_from_slice(&packet);
        }
    }

    fn queued_bytes(&self) -> usize {
        self.writing.len() + self.queued.len()
    }

    fn is_writing(&self) -> bool {
        self.is_unflushed || !self.writing.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        while !self.writing.is_empty() {
            let poll = Pin::new(&mut self.stream).poll_write(cx, &self.writing);
            match ready!(poll).map_err(broken)? {
                0 => return Poll::Ready(Err(broken(io::ErrorKind::WriteZero.into()))),
                written => self.writing.advance(written),
            }
            self.is_unflushed = true;
            if self.writing.is_empty() {
                self.writing = std::mem::take(&mut self.queued).freeze();
            }
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx)).map_err(broken)?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        loop {
            if let Some(packet) = next_packet(&mut self.received).map_err(Closed::NoPacket)? {
                return Poll::Ready(Ok(packet));
            }
            if ready!(self.poll_read(cx))? == 0 {
                let is_whole = self.received.is_empty();
                let torn = || Closed::NoPacket(WireError::Truncated);
                return Poll::Ready(Err(if is_whole { Closed::Ended } else { torn() }));
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if !self.is_ended {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).map_err(broken)?;
            self.is_ended = true;
        }
        loop {
            self.received.clear();
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

fn broken(error: io::Error) -> Closed {
    Closed::Broken(error)
}
