//! The packets, from bytes and to bytes.

use bytes::Bytes;

use crate::frame::{Frame, put_remaining_length};
use crate::read::{Reader, put_text};
use crate::{Reason, WkError};

/// Versions that had stream fields in SEND and RECV.
const STREAM_VERSIONS: std::ops::Range<u8> = 2..5;

/// Which packet, and its number in the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The client logs in.
    Connect = 1,
    /// The answer to it.
    Connack = 2,
    /// The client sends a message.
    Send = 3,
    /// The answer to it.
    Sendack = 4,
    /// A message for the client.
    Recv = 5,
    /// The client has it.
    Recvack = 6,
    /// Is anybody there?
    Ping = 7,
    /// Yes.
    Pong = 8,
    /// The other side ends it.
    Disconnect = 9,
    /// The client asks for a channel.
    Sub = 10,
    /// The answer to it.
    Suback = 11,
    /// Something that is not stored.
    Event = 12,
}

impl Kind {
    /// Every packet.
    pub const ALL: [Self; 12] = [
        Self::Connect,
        Self::Connack,
        Self::Send,
        Self::Sendack,
        Self::Recv,
        Self::Recvack,
        Self::Ping,
        Self::Pong,
        Self::Disconnect,
        Self::Sub,
        Self::Suback,
        Self::Event,
    ];

    pub(crate) fn from_number(number: u8) -> Result<Self, WkError> {
        let found = Self::ALL.into_iter().find(|kind| *kind as u8 == number);
        found.ok_or(WkError::UnknownKind(number))
    }
}

/// The low bits of a packet's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// Not stored, no seq.
    pub no_persist: bool,
    /// Counts as unread.
    pub red_dot: bool,
    /// A command.
    pub sync_once: bool,
    /// Sent before.
    pub dup: bool,
}

impl Flags {
    pub(crate) fn from_bits(bits: u8) -> Self {
        let has = |bit: u8| bits & (1 << bit) != 0;
        Self { no_persist: has(0), red_dot: has(1), sync_once: has(2), dup: has(3) }
    }

    fn bits(self) -> u8 {
        let Self { no_persist, red_dot, sync_once, dup } = self;
        u8::from(no_persist)
            | u8::from(red_dot) << 1
            | u8::from(sync_once) << 2
            | u8::from(dup) << 3
    }
}

/// What a message says of itself beside its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Setting(pub u8);

impl Setting {
    /// The sender wants to know when it was read.
    pub const RECEIPT: Self = Self(1 << 7);
    /// A topic follows.
    pub const TOPIC: Self = Self(1 << 3);
    /// Its text arrives through events.
    pub const STREAM: Self = Self(1 << 1);
    /// No meaning; some clients read it as [`Setting::STREAM`].
    const HAZARD: Self = Self(1 << 2);

    /// Whether a bit of `other` is set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// As it may be written for a version: clients below 5 disagree about what stream fields
    /// follow, so none may be announced; bit 2 never.
    fn for_version(self, version: u8) -> Self {
        let stream = if version < 5 { Self::STREAM.0 } else { 0 };
        Self(self.0 & !(stream | Self::HAZARD.0))
    }
}

/// CONNECT.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Connect {
    /// The version the client speaks.
    pub version: u8,
    /// 0 an app, 1 a browser, 2 a desktop, 99 the system.
    pub device_flag: u8,
    /// Which install.
    pub device_id: String,
    /// Who.
    pub uid: String,
    /// As the back end set it.
    pub token: String,
    /// The client's clock, ms since 1970.
    pub client_timestamp: i64,
    /// X25519 public key, base64; empty over JSON-RPC.
    pub client_key: String,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("device_flag", &self.device_flag)
            .field("device_id", &self.device_id)
            .field("uid", &self.uid)
            .field("token", &"***")
            .field("client_timestamp", &self.client_timestamp)
            .finish_non_exhaustive()
    }
}

/// CONNACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connack {
    /// Written for versions from 4 on.
    pub server_version: u8,
    /// The server's clock less the client's, ms.
    pub time_diff: i64,
    /// [`Reason::Success`], or why not.
    pub reason: Reason,
    /// X25519 public key, base64; empty when refused.
    pub server_key: String,
    /// The IV; empty when refused.
    pub salt: String,
    /// Written for versions from 4 on.
    pub node_id: u64,
}

/// SEND.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendPacket {
    /// What kind of message.
    pub flags: Flags,
    /// More of it.
    pub setting: Setting,
    /// Names the SENDACK.
    pub client_seq: u32,
    /// The idempotency key.
    pub client_msg_no: String,
    /// Where.
    pub channel_id: String,
    /// Of which type.
    pub channel_type: u8,
    /// Seconds until nobody needs it any more; 0 never.
    pub expire: u32,
    /// Signature; empty without encryption.
    pub msg_key: String,
    /// With [`Setting::TOPIC`].
    pub topic: String,
    /// As it stands on the wire: encrypted base64, or plain without encryption.
    pub payload: Bytes,
}

/// SENDACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sendack {
    /// Those of the SEND.
    pub flags: Flags,
    /// The message's number; 0 when refused.
    pub message_id: i64,
    /// That of the SEND.
    pub client_seq: u32,
    /// Its place; 0 when refused or not stored.
    pub message_seq: u32,
    /// [`Reason::Success`], or why not.
    pub reason: Reason,
}

/// RECV.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recv {
    /// What kind of message.
    pub flags: Flags,
    /// More of it.
    pub setting: Setting,
    /// Signature; empty without encryption.
    pub msg_key: String,
    /// Who wrote it; empty for the system's account.
    pub from_uid: String,
    /// Where, as the receiver sees it.
    pub channel_id: String,
    /// Of which type.
    pub channel_type: u8,
    /// Seconds it stays of interest; 0 always.
    pub expire: u32,
    /// The sender's key.
    pub client_msg_no: String,
    /// The message's number.
    pub message_id: i64,
    /// Its place; 0 when it is not stored.
    pub message_seq: u32,
    /// Seconds since 1970.
    pub timestamp: i32,
    /// With [`Setting::TOPIC`].
    pub topic: String,
    /// As it stands on the wire: encrypted base64, or plain without encryption.
    pub payload: Bytes,
}

/// RECVACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recvack {
    /// Those of the RECV.
    pub flags: Flags,
    /// The message's number.
    pub message_id: i64,
    /// Its place.
    pub message_seq: u32,
}

/// DISCONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// Why.
    pub reason: Reason,
    /// For people.
    pub text: String,
}

/// SUB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sub {
    /// More of it.
    pub setting: Setting,
    /// Names the SUBACK.
    pub sub_no: String,
    /// Where.
    pub channel_id: String,
    /// Of which type.
    pub channel_type: u8,
    /// 0 subscribe, 1 unsubscribe.
    pub action: u8,
    /// For the server.
    pub param: String,
}

/// SUBACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suback {
    /// That of the SUB.
    pub sub_no: String,
    /// Where.
    pub channel_id: String,
    /// Of which type.
    pub channel_type: u8,
    /// That of the SUB.
    pub action: u8,
    /// [`Reason::Success`], or why not.
    pub reason: Reason,
}

/// EVENT: only for clients of version 5, and over JSON-RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which.
    pub id: String,
    /// A word.
    pub kind: String,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// JSON text.
    pub data: Bytes,
}

/// A packet of either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each holds the packet of its name")]
pub enum Packet {
    Connect(Connect),
    Connack(Connack),
    Send(SendPacket),
    Sendack(Sendack),
    Recv(Recv),
    Recvack(Recvack),
    Ping,
    Pong,
    Disconnect(Disconnect),
    Sub(Sub),
    Suback(Suback),
    Event(Event),
}

impl Packet {
    /// Reads a frame of a client or a server that speaks `version`. What follows the last field
    /// is ignored, as the reference does.
    ///
    /// # Errors
    /// [`WkError::Truncated`], [`WkError::BadText`].
    pub fn decode(frame: Frame, version: u8) -> Result<Self, WkError> {
        let Frame { kind, flags, body } = frame;
        let mut read = Reader::new(body);
        Ok(match kind {
            Kind::Connect => Self::Connect(Connect::decode(&mut read)?),
            // Bit 0 of a CONNACK says that the server's version follows.
            Kind::Connack => Self::Connack(Connack::decode(&mut read, flags.no_persist, version)?),
            Kind::Send => Self::Send(SendPacket::decode(read, flags, version)?),
            Kind::Sendack => Self::Sendack(Sendack {
                flags,
                message_id: read.i64("message_id")?,
                client_seq: read.u32("client_seq")?,
                message_seq: read.u32("message_seq")?,
                reason: Reason::from_number(read.u8("reason_code")?),
            }),
            Kind::Recv => Self::Recv(Recv::decode(read, flags, version)?),
            Kind::Recvack => Self::Recvack(Recvack {
                flags,
                message_id: read.i64("message_id")?,
                message_seq: read.u32("message_seq")?,
            }),
            Kind::Ping => Self::Ping,
            Kind::Pong => Self::Pong,
            Kind::Disconnect => Self::Disconnect(Disconnect {
                reason: Reason::from_number(read.u8("reason_code")?),
                text: read.text("reason")?,
            }),
            Kind::Sub => Self::Sub(Sub {
                setting: Setting(read.u8("setting")?),
                sub_no: read.text("sub_no")?,
                channel_id: read.text("channel_id")?,
                channel_type: read.u8("channel_type")?,
                action: read.u8("action")?,
                param: read.text("param")?,
            }),
            Kind::Suback => Self::Suback(Suback {
                sub_no: read.text("sub_no")?,
                channel_id: read.text("channel_id")?,
                channel_type: read.u8("channel_type")?,
                action: read.u8("action")?,
                reason: Reason::from_number(read.u8("reason_code")?),
            }),
            Kind::Event => Self::Event(Event {
                id: read.text("id")?,
                kind: read.text("type")?,
                timestamp: read.i64("timestamp")?,
                data: read.rest(),
            }),
        })
    }

    /// The bytes for a peer that speaks `version`.
    #[must_use]
    pub fn encode(&self, version: u8) -> Bytes {
        let mut body = Vec::new();
        let (kind, bits) = self.put_body(&mut body, version);
        let mut out = Vec::with_capacity(body.len() + 5);
        out.push((kind as u8) << 4 | bits);
        if !body.is_empty() {
            put_remaining_length(&mut out, body.len());
            out.extend(body);
        }
        out.into()
    }

    fn put_body(&self, out: &mut Vec<u8>, version: u8) -> (Kind, u8) {
        match self {
            Self::Connect(connect) => {
                connect.put(out);
                (Kind::Connect, 0)
            }
            Self::Connack(connack) => (Kind::Connack, connack.put(out, version)),
            Self::Send(send) => {
                send.put(out, version);
                (Kind::Send, send.flags.bits())
            }
            Self::Sendack(ack) => {
                out.extend(ack.message_id.to_be_bytes());
                out.extend(ack.client_seq.to_be_bytes());
                out.extend(ack.message_seq.to_be_bytes());
                out.push(ack.reason.number());
                (Kind::Sendack, ack.flags.bits())
            }
            Self::Recv(recv) => {
                recv.put(out, version);
                (Kind::Recv, recv.flags.bits())
            }
            Self::Recvack(ack) => {
                out.extend(ack.message_id.to_be_bytes());
                out.extend(ack.message_seq.to_be_bytes());
                (Kind::Recvack, ack.flags.bits())
            }
            Self::Ping => (Kind::Ping, 0),
            Self::Pong => (Kind::Pong, 0),
            Self::Disconnect(end) => {
                out.push(end.reason.number());
                put_text(out, &end.text);
                (Kind::Disconnect, 0)
            }
            Self::Sub(sub) => {
                sub.put(out);
                (Kind::Sub, 0)
            }
            Self::Suback(ack) => {
                put_text(out, &ack.sub_no);
                put_text(out, &ack.channel_id);
                out.extend([ack.channel_type, ack.action, ack.reason.number()]);
                (Kind::Suback, 0)
            }
            Self::Event(event) => {
                put_text(out, &event.id);
                put_text(out, &event.kind);
                out.extend(event.timestamp.to_be_bytes());
                out.extend(&event.data);
                (Kind::Event, 0)
            }
        }
    }
}

impl Connect {
    fn decode(read: &mut Reader) -> Result<Self, WkError> {
        Ok(Self {
            version: read.u8("version")?,
            device_flag: read.u8("device_flag")?,
            device_id: read.text("device_id")?,
            uid: read.text("uid")?,
            token: read.text("token")?,
            client_timestamp: read.i64("client_timestamp")?,
            client_key: read.text("client_key")?,
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend([self.version, self.device_flag]);
        put_text(out, &self.device_id);
        put_text(out, &self.uid);
        put_text(out, &self.token);
        out.extend(self.client_timestamp.to_be_bytes());
        put_text(out, &self.client_key);
    }
}

impl Connack {
    fn decode(read: &mut Reader, has_version: bool, version: u8) -> Result<Self, WkError> {
        Ok(Self {
            server_version: if has_version { read.u8("server_version")? } else { 0 },
            time_diff: read.i64("time_diff")?,
            reason: Reason::from_number(read.u8("reason_code")?),
            server_key: read.text("server_key")?,
            salt: read.text("salt")?,
            node_id: if version >= 4 { read.u64("node_id")? } else { 0 },
        })
    }

    /// Answers the header's low bits. Clients below version 4 know neither the version byte nor
    /// the node.
    fn put(&self, out: &mut Vec<u8>, version: u8) -> u8 {
        let is_new = version >= 4;
        if is_new {
            out.push(self.server_version);
        }
        out.extend(self.time_diff.to_be_bytes());
        out.push(self.reason.number());
        put_text(out, &self.server_key);
        put_text(out, &self.salt);
        if is_new {
            out.extend(self.node_id.to_be_bytes());
        }
        u8::from(is_new)
    }
}

impl SendPacket {
    fn decode(mut read: Reader, flags: Flags, version: u8) -> Result<Self, WkError> {
        let setting = Setting(read.u8("setting")?);
        let client_seq = read.u32("client_seq")?;
        let client_msg_no = read.text("client_msg_no")?;
        if STREAM_VERSIONS.contains(&version) && setting.has(Setting::STREAM) {
            // Streams of clients are not offered; the field is there all the same.
            read.text("stream_no")?;
        }
        Ok(Self {
            flags,
            setting,
            client_seq,
            client_msg_no,
            channel_id: read.text("channel_id")?,
            channel_type: read.u8("channel_type")?,
            expire: if version >= 3 { read.u32("expire")? } else { 0 },
            msg_key: read.text("msg_key")?,
            topic: topic(&mut read, setting)?,
            payload: read.rest(),
        })
    }

    fn put(&self, out: &mut Vec<u8>, version: u8) {
        let setting = self.setting.for_version(version);
        out.push(setting.0);
        out.extend(self.client_seq.to_be_bytes());
        put_text(out, &self.client_msg_no);
        put_text(out, &self.channel_id);
        out.push(self.channel_type);
        if version >= 3 {
            out.extend(self.expire.to_be_bytes());
        }
        put_text(out, &self.msg_key);
        if setting.has(Setting::TOPIC) {
            put_text(out, &self.topic);
        }
        out.extend(&self.payload);
    }
}

fn topic(read: &mut Reader, setting: Setting) -> Result<String, WkError> {
    if setting.has(Setting::TOPIC) { read.text("topic") } else { Ok(String::new()) }
}

impl Recv {
    fn decode(mut read: Reader, flags: Flags, version: u8) -> Result<Self, WkError> {
        let setting = Setting(read.u8("setting")?);
        let msg_key = read.text("msg_key")?;
        let from_uid = read.text("from_uid")?;
        let channel_id = read.text("channel_id")?;
        let channel_type = read.u8("channel_type")?;
        let expire = if version >= 3 { read.u32("expire")? } else { 0 };
        let client_msg_no = read.text("client_msg_no")?;
        if STREAM_VERSIONS.contains(&version) && setting.has(Setting::STREAM) {
            read.u8("stream_flag")?;
            read.text("stream_no")?;
            read.u64("stream_id")?;
        }
        Ok(Self {
            flags,
            setting,
            msg_key,
            from_uid,
            channel_id,
            channel_type,
            expire,
            client_msg_no,
            message_id: read.i64("message_id")?,
            message_seq: read.u32("message_seq")?,
            timestamp: read.u32("timestamp")? as i32,
            topic: topic(&mut read, setting)?,
            payload: read.rest(),
        })
    }

    fn put(&self, out: &mut Vec<u8>, version: u8) {
        let setting = self.setting.for_version(version);
        out.push(setting.0);
        put_text(out, &self.msg_key);
        put_text(out, &self.from_uid);
        put_text(out, &self.channel_id);
        out.push(self.channel_type);
        if version >= 3 {
            out.extend(self.expire.to_be_bytes());
        }
        put_text(out, &self.client_msg_no);
        out.extend(self.message_id.to_be_bytes());
        out.extend(self.message_seq.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        if setting.has(Setting::TOPIC) {
            put_text(out, &self.topic);
        }
        out.extend(&self.payload);
    }
}

impl Sub {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.setting.0);
        put_text(out, &self.sub_no);
        put_text(out, &self.channel_id);
        out.extend([self.channel_type, self.action]);
        put_text(out, &self.param);
    }
}
