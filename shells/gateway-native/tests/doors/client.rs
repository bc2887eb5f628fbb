//! A client that does what it is told, well or badly.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use nightjar_model::ByeReason;
use nightjar_wire::{Body, Kind, Packet, Side, body, next_packet};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{House, soon};

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    received: BytesMut,
    serial: i32,
}

pub(crate) fn hello(house: &House, user: &str) -> Body {
    Body::Hello(body::Hello {
        token: house.token(user),
        device_id: "phone".into(),
        platform: "cli".into(),
        app_state: "foreground".into(),
        ..body::Hello::default()
    })
}

pub(crate) fn send(number: u32, to: &str, content: String) -> Body {
    Body::Send(body::Send {
        to: Some(body::To { user: Some(to.into()), ..body::To::default() }),
        client_msg_id: format!("c{number}"),
        content: content.into(),
        push: None,
        options: None,
    })
}

impl Client<TcpStream> {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(soon(TcpStream::connect(address)).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, received: BytesMut::new(), serial: 0 }
    }

    pub(crate) fn request(&mut self, kind: Kind, body: Body) -> Bytes {
        self.serial += 1;
        Packet::request(self.serial, kind, body).to_bytes()
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// The next packet; `None` at the end of the stream, which must not be a reset.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = next_packet(&mut self.received).unwrap() {
                return Some(Packet::decode(&packet, Side::Client).unwrap());
            }
            let read = soon(self.stream.read_buf(&mut self.received)).await;
            if read.expect("the stream ends without a reset") == 0 {
                assert!(self.received.is_empty(), "it ends between packets");
                return None;
            }
        }
    }

    pub(crate) async fn ask(&mut self, kind: Kind, body: Body) -> Packet {
        let request = self.request(kind, body);
        self.write(&request).await;
        loop {
            let packet = self.next().await.expect("an answer comes before the end");
            if packet.serial == self.serial {
                return packet;
            }
        }
    }

    pub(crate) async fn login(&mut self, house: &House, user: &str) {
        let answer = self.ask(Kind::Hello, hello(house, user)).await;
        assert!(matches!(answer.body, Body::HelloAnswer(_)), "{answer:?}");
    }

    /// Reads up to the last packet, which says why the connection ends.
    pub(crate) async fn bye(&mut self, reason: ByeReason) {
        let mut last = None;
        while let Some(packet) = self.next().await {
            last = Some(packet);
        }
        let last = last.expect("a last word");
        let Body::Bye(bye) = &last.body else { panic!("{last:?}") };
        assert_eq!(bye.reason, reason.as_str());
    }
}
