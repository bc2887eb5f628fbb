//! A client of WuKongIM over TCP, as its phones are: WKProto 4, encrypted.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use nightjar_wkproto::{
    Cipher, Connack, Connect, Exchange, Flags, Packet, Reason, Recv, Recvack, SendPacket, Sendack,
    next_frame,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Api, within};

/// The client's X25519 secret: what is tested is not its randomness.
const SECRET: [u8; 32] = [7; 32];
/// Counts as unread.
const RED: Flags = Flags { no_persist: false, red_dot: true, sync_once: false, dup: false };

/// Who logs in, and as what.
#[derive(Debug, Clone)]
pub struct WkLogin {
    /// Who.
    pub uid: String,
    /// Which install.
    pub device_id: String,
    /// 0 an app, 1 a browser, 2 a desktop.
    pub flag: u8,
    /// The version it speaks.
    pub version: u8,
    /// What it logs in with.
    pub token: String,
}

impl WkLogin {
    /// An app whose token is named after its user.
    #[must_use]
    pub fn app(uid: &str, device_id: &str) -> Self {
        Self {
            uid: uid.to_owned(),
            device_id: device_id.to_owned(),
            flag: 0,
            version: 4,
            token: format!("token-of-{uid}"),
        }
    }

    /// Has the back end set the token, then connects.
    ///
    /// # Panics
    /// When the server does not let it in.
    pub async fn join(&self, api: &Api, address: SocketAddr) -> WkClient {
        self.set_token(api, 0).await;
        self.connect(address).await.expect("the server lets it in")
    }

    /// `POST /user/token` with this level: 1 is a master.
    pub async fn set_token(&self, api: &Api, level: u8) {
        let (uid, token, flag) = (&self.uid, &self.token, self.flag);
        let body = json!({"uid": uid, "token": token, "device_flag": flag, "device_level": level});
        assert_eq!(api.post("/user/token", body).await.good(), json!({"status": 200}));
    }

    /// Connects.
    ///
    /// # Errors
    /// The reason of the CONNACK.
    ///
    /// # Panics
    /// When there is none.
    pub async fn connect(&self, address: SocketAddr) -> Result<WkClient, Reason> {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("a listener");
        let (uid, version) = (self.uid.clone(), self.version);
        let mut client =
            WkClient { uid, stream, buffer: BytesMut::new(), version, cipher: None, client_seq: 0 };
        client
            .write(&Packet::Connect(Connect {
                version: self.version,
                device_flag: self.flag,
                device_id: self.device_id.clone(),
                uid: self.uid.clone(),
                token: self.token.clone(),
                client_timestamp: 1_700_000_000_000,
                client_key: Exchange::client_key(SECRET),
            }))
            .await;
        let Some(Packet::Connack(Connack { reason, server_key, salt, .. })) = client.next().await
        else {
            panic!("a CONNECT is answered with a CONNACK");
        };
        if reason != Reason::Success {
            assert_eq!((server_key.as_str(), salt.as_str()), ("", ""));
            return Err(reason);
        }
        client.cipher = Some(Exchange::of_client(SECRET, &server_key, &salt).expect("a key"));
        Ok(client)
    }
}

/// A client that is in. It does nothing by itself: what is not asked of it is not acknowledged.
#[derive(Debug)]
pub struct WkClient {
    /// Who.
    pub uid: String,
    stream: TcpStream,
    buffer: BytesMut,
    version: u8,
    cipher: Option<Cipher>,
    client_seq: u32,
}

impl WkClient {
    /// Writes a packet as it is.
    ///
    /// # Panics
    /// When the socket is gone.
    pub async fn write(&mut self, packet: &Packet) {
        self.write_bytes(&packet.encode(self.version)).await;
    }

    /// Writes bytes, packets or not.
    ///
    /// # Panics
    /// When the socket is gone.
    pub async fn write_bytes(&mut self, bytes: &[u8]) {
        within("a write", self.stream.write_all(bytes)).await.expect("the socket takes it");
    }

    /// The next packet; `None` once the server ended the connection.
    ///
    /// # Panics
    /// When neither comes in time, or what comes is no packet.
    pub async fn next(&mut self) -> Option<Packet> {
        let next = async {
            loop {
                if let Some(frame) = next_frame(&mut self.buffer).expect("whole packets") {
                    return Some(Packet::decode(frame, self.version).expect("a readable packet"));
                }
                let read = self.stream.read_buf(&mut self.buffer).await;
                if read.unwrap_or(0) == 0 {
                    return None;
                }
            }
        };
        within("a packet", next).await
    }

    /// A SEND of this payload, not yet written; the same again is a resend.
    ///
    /// # Panics
    /// Never after the connection is made.
    pub fn send_of(&mut self, to: (&str, u8), client_msg_no: &str, payload: &str) -> Packet {
        self.client_seq += 1;
        let cipher = self.cipher.as_ref().expect("it is in");
        let mut send = SendPacket {
            flags: RED,
            client_seq: self.client_seq,
            client_msg_no: client_msg_no.to_owned(),
            channel_id: to.0.to_owned(),
            channel_type: to.1,
            payload: cipher.encrypt(payload.as_bytes()).into(),
            ..SendPacket::default()
        };
        send.msg_key = cipher.key_of_send(&send);
        Packet::Send(send)
    }

    /// Sends a text to a person and waits for its SENDACK.
    ///
    /// # Panics
    /// When something else comes first.
    pub async fn say(&mut self, to: &str, client_msg_no: &str, text: &str) -> Sendack {
        self.say_in((to, 1), client_msg_no, text).await
    }

    /// Sends a text to a channel and waits for its SENDACK.
    ///
    /// # Panics
    /// When something else comes first.
    pub async fn say_in(&mut self, to: (&str, u8), client_msg_no: &str, text: &str) -> Sendack {
        let payload = json!({"type": 1, "content": text}).to_string();
        let send = self.send_of(to, client_msg_no, &payload);
        self.write(&send).await;
        match self.next().await {
            Some(Packet::Sendack(ack)) => ack,
            other => panic!("a SENDACK was awaited, not {other:?}"),
        }
    }

    /// The next message, its payload as text behind the encryption.
    ///
    /// # Panics
    /// When something else comes first, or the signature is wrong.
    pub async fn recv(&mut self) -> (Recv, Value) {
        let recv = match self.next().await {
            Some(Packet::Recv(recv)) => recv,
            other => panic!("a RECV was awaited, not {other:?}"),
        };
        let cipher = self.cipher.as_ref().expect("it is in");
        assert_eq!(cipher.key_of_recv(&recv), recv.msg_key);
        let plain: Bytes = cipher.decrypt(&recv.payload).expect("our own encryption").into();
        let payload = serde_json::from_slice(&plain).expect("JSON");
        (recv, payload)
    }

    /// Acknowledges a message.
    pub async fn ack(&mut self, recv: &Recv) {
        let Recv { flags, message_id, message_seq, .. } = *recv;
        self.write(&Packet::Recvack(Recvack { flags, message_id, message_seq })).await;
    }

    /// Asks whether the server is there.
    ///
    /// # Panics
    /// When the answer is something else.
    pub async fn ping(&mut self) {
        self.write(&Packet::Ping).await;
        assert_eq!(self.next().await, Some(Packet::Pong));
    }
}
