//! Packets over a socket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use nightjar_wire::next_packet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes read at a time, into a buffer all connections share: idle ones hold none.
const READ_BYTES: usize = 16 << 10;

thread_local! {
    static READ: RefCell<Box<[u8; READ_BYTES]>> = RefCell::new(Box::new([0; READ_BYTES]));
}

/// A socket, with or without TLS.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket for S {}

/// A connection that carries packets.
pub(crate) struct Wire {
    socket: Box<dyn Socket>,
    received: BytesMut,
    /// What is written next.
    pub(crate) out: BytesMut,
}

impl Wire {
    pub(crate) fn new(socket: Box<dyn Socket>) -> Self {
        Self { socket, received: BytesMut::new(), out: BytesMut::new() }
    }

    /// The next packet of those that were read already.
    pub(crate) fn packet(&mut self) -> io::Result<Option<Bytes>> {
        let packet = next_packet(&mut self.received)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
        Ok(packet)
    }

    /// Writes what waits and reads something; both go on while the other does not.
    pub(crate) async fn exchange(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                return Poll::Ready(Err(error));
            }
            self.poll_read(cx)
        })
        .await
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(written);
        }
        self.out = BytesMut::new();
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        READ.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.received.extend_from_slice(buffer.filled());
            Poll::Ready(Ok(()))
        })
    }
}
