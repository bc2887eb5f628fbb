//! Packets over any way to connect, without habits: nothing is answered, nothing is acknowledged.

use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use nightjar_wire::{Header, Packet, Side, next_packet};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::{Server, Way, within};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Both halves of a connection.
pub struct Packets {
    /// What comes.
    pub reading: Reading,
    /// What goes.
    pub writing: Writing,
}

/// The half that reads.
pub enum Reading {
    /// Packets one after another.
    Stream(Box<dyn AsyncRead + Send + Unpin>, BytesMut),
    /// One packet a message.
    Socket(SplitStream<Socket>),
}

/// The half that writes.
pub enum Writing {
    /// Packets one after another.
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
    /// One packet a message, as JSON or not.
    Socket(SplitSink<Socket, Message>, bool),
}

impl Packets {
    /// Connects to a server.
    ///
    /// # Panics
    /// When that fails: every server of a test takes connections.
    pub async fn connect(server: &Server, way: Way) -> Self {
        let connected = match way {
            Way::Tcp => Self::tcp(server.native()).await,
            Way::Tls => Self::tls(server).await,
            Way::Binary => Self::web_socket(server.http(), false).await,
            Way::Json => Self::web_socket(server.http(), true).await,
        };
        connected.unwrap_or_else(|error| panic!("no connection over {way:?}: {error}"))
    }

    async fn tcp(address: SocketAddr) -> io::Result<Self> {
        let (read, write) = connect(address).await?.into_split();
        Ok(Self::over(read, write))
    }

    async fn tls(server: &Server) -> io::Result<Self> {
        let certificate = server.setup().certificate().ok_or(io::ErrorKind::Unsupported)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let tcp = connect(server.native()).await?;
        let stream = TlsConnector::from(certificate.client()).connect(name, tcp).await?;
        let (read, write) = tokio::io::split(stream);
        Ok(Self::over(read, write))
    }

    fn over(
        read: impl AsyncRead + Send + Unpin + 'static,
        write: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self {
            reading: Reading::Stream(Box::new(read), BytesMut::new()),
            writing: Writing::Stream(Box::new(write)),
        }
    }

    async fn web_socket(address: SocketAddr, is_json: bool) -> io::Result<Self> {
        let stream = MaybeTlsStream::Plain(connect(address).await?);
        let url = format!("ws://{address}/v1/ws");
        let connected = tokio_tungstenite::client_async(url, stream).await;
        let (socket, _) = connected.map_err(io::Error::other)?;
        let (write, read) = socket.split();
        Ok(Self { reading: Reading::Socket(read), writing: Writing::Socket(write, is_json) })
    }

    /// The next packet; `None` at the end.
    pub async fn next(&mut self) -> Option<Packet> {
        within("a packet or the end", self.reading.next()).await
    }

    /// Everything that still comes, to the end.
    pub async fn rest(&mut self) -> Vec<Packet> {
        let mut rest = Vec::new();
        while let Some(packet) = self.next().await {
            rest.push(packet);
        }
        rest
    }

    /// Writes a packet. A peer that went away shows in what comes.
    pub async fn send(&mut self, packet: &Packet) {
        let _ = self.writing.send(packet).await;
    }

    /// Writes bytes as they are; over a WebSocket, as one binary message.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.writing.send_bytes(bytes).await;
    }

    /// Writes a text message.
    ///
    /// # Panics
    /// When this is no WebSocket.
    pub async fn send_text(&mut self, text: &str) {
        match &mut self.writing {
            Writing::Stream(_) => panic!("only a WebSocket has text messages"),
            Writing::Socket(sink, _) => {
                let _ = sink.send(Message::text(text)).await;
            }
        }
    }
}

/// What one packet is made of.
enum Piece {
    Binary(Bytes),
    Text(String),
}

impl Reading {
    /// The next packet; `None` at the end. May be dropped before it is done.
    ///
    /// # Panics
    /// When the server writes something that is no packet.
    pub async fn next(&mut self) -> Option<Packet> {
        let packet = match self.next_piece().await? {
            Piece::Binary(bytes) => Packet::decode(&bytes, Side::Client),
            Piece::Text(text) => Packet::decode_json(&text, Side::Client),
        };
        Some(packet.expect("a server writes packets"))
    }

    /// The header of the next packet, whatever its command; `None` at the end.
    ///
    /// # Panics
    /// When the server writes something that has none.
    pub async fn next_header(&mut self) -> Option<Header> {
        match self.next_piece().await? {
            Piece::Binary(bytes) => Some(Header::parse(&bytes).expect("a server writes packets")),
            Piece::Text(text) => panic!("no header in {text}"),
        }
    }

    /// The next text message as it came; `None` at the end.
    ///
    /// # Panics
    /// When a binary message comes instead.
    pub async fn next_text(&mut self) -> Option<String> {
        match self.next_piece().await? {
            Piece::Text(text) => Some(text),
            Piece::Binary(bytes) => panic!("no text but {} bytes", bytes.len()),
        }
    }

    /// Waits for the end of a byte stream; whether it came without a packet of ours. A TLS alert
    /// is none.
    pub async fn ends(&mut self) -> bool {
        let Self::Stream(read, _) = self else { return false };
        let mut bytes = Vec::new();
        // A reset is an end too.
        let _ = read.read_to_end(&mut bytes).await;
        // The first byte of a packet's length is 0, that of a TLS record is not.
        bytes.first() != Some(&0)
    }

    async fn next_piece(&mut self) -> Option<Piece> {
        loop {
            let message = match self {
                Self::Stream(read, buffer) => {
                    if let Some(bytes) = next_packet(buffer).expect("a server's length is right") {
                        return Some(Piece::Binary(bytes));
                    }
                    // A connection that was cut ends like any other.
                    match read.read_buf(buffer).await {
                        Ok(0) | Err(_) => return None,
                        Ok(_) => continue,
                    }
                }
                Self::Socket(stream) => stream.next().await?,
            };
            match message {
                Ok(Message::Binary(bytes)) => return Some(Piece::Binary(bytes)),
                Ok(Message::Text(text)) => return Some(Piece::Text(text.as_str().to_owned())),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Writing {
    /// Writes a packet.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn send(&mut self, packet: &Packet) -> io::Result<()> {
        match self {
            Self::Socket(sink, true) => {
                sink.send(Message::text(packet.to_json())).await.map_err(io::Error::other)
            }
            _ => self.send_bytes(&packet.to_bytes()).await,
        }
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stream(write) => {
                write.write_all(bytes).await?;
                write.flush().await
            }
            Self::Socket(sink, _) => {
                let message = Message::binary(Bytes::copy_from_slice(bytes));
                sink.send(message).await.map_err(io::Error::other)
            }
        }
    }

    /// Ends this direction.
    pub async fn end(&mut self) {
        // A peer that went away needs no end.
        match self {
            Self::Stream(write) => drop(write.shutdown().await),
            Self::Socket(sink, _) => drop(sink.close().await),
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
