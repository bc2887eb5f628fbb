//! TCP, in the clear or encrypted.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::transport::{Received, Transport};

/// Bytes read at a time, into a buffer all connections of a thread share.
const READ_BYTES: usize = 16 << 10;

thread_local! {
    static READ: RefCell<Box<[u8; READ_BYTES]>> = RefCell::new(Box::new([0; READ_BYTES]));
}

/// A socket before and after its TLS handshake.
pub(crate) enum Socket {
    /// As it was accepted.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A socket with what is written next.
pub(crate) struct SocketTransport {
    socket: Option<Socket>,
    queued: BytesMut,
}

impl SocketTransport {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket: Some(socket), queued: BytesMut::new() }
    }

    /// The socket, to be put back encrypted; everything queued was written before.
    pub(crate) fn take_plain(&mut self) -> Option<TcpStream> {
        match self.socket.take() {
            Some(Socket::Plain(stream)) => Some(stream),
            other => {
                self.socket = other;
                None
            }
        }
    }

    pub(crate) fn put(&mut self, socket: Socket) {
        self.socket = Some(socket);
    }

    fn socket(&mut self) -> io::Result<Pin<&mut Socket>> {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Transport for SocketTransport {
    fn queue(&mut self, bytes: Bytes) {
        self.queued.extend_from_slice(&bytes);
    }

    fn is_writing(&self) -> bool {
        !self.queued.is_empty()
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queued.is_empty() {
            let bytes = std::mem::take(&mut self.queued);
            let written = self.socket()?.poll_write(cx, &bytes);
            self.queued = bytes;
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.queued.advance(written),
            }
        }
        self.queued = BytesMut::new();
        self.socket()?.poll_flush(cx)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        READ.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..]);
            let Ok(socket) = self.socket() else { return Poll::Ready(Received::Closed) };
            match ready!(socket.poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    Poll::Ready(Received::Bytes(Bytes::copy_from_slice(buffer.filled())))
                }
                _ => Poll::Ready(Received::Closed),
            }
        })
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }
}
