//! One packet, in both forms.

use bytes::{Buf, Bytes, BytesMut};
use nightjar_model::Reject;
use nightjar_model::limits::PACKET_BYTES_MAX;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body;
use crate::error::WireError;
use crate::header::{HEADER_BYTES, Header};

/// The server's own requests use serials from here up; a client's stay below.
pub const SERVER_SERIAL_MIN: i32 = 1 << 30;

/// Who reads a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The server.
    Server,
    /// A client.
    Client,
}

/// One packet.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Ties an answer to its request; 0 for one-way packets.
    pub serial: i32,
    /// The command.
    pub kind: Kind,
    /// 0, or the number of a reject.
    pub code: i32,
    /// What it says.
    pub body: Body,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal $name:literal $direction:literal $answer:literal;)*) => {
        /// What a packet is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $kind = $number,)* }

        impl Kind {
            /// Every command, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The command of this number.
            #[must_use]
            pub fn from_number(number: i32) -> Option<Self> {
                match number { $($number => Some(Self::$kind),)* _ => None }
            }

            /// The command of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)* _ => None }
            }

            /// The number in the header.
            #[must_use]
            pub fn number(self) -> i32 {
                self as i32
            }

            /// The name in the JSON form.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Who sends it, for the documentation.
            #[must_use]
            pub fn direction(self) -> &'static str {
                match self { $(Self::$kind => $direction,)* }
            }

            /// The message that answers it, for the documentation.
            #[must_use]
            pub fn answer(self) -> &'static str {
                match self { $(Self::$kind => $answer,)* }
            }
        }
    };
}

kinds! {
    /// The first packet of a connection.
    Hello = 1 "hello" "client, first" "HelloAnswer";
    /// Is the other side there?
    Ping = 2 "ping" "both" "Empty";
    /// The app went to the foreground or background.
    AppState = 3 "app_state" "client" "Empty";
    /// Write a message.
    Send = 4 "send" "client" "SendAnswer";
    /// Entries for this device.
    Deliver = 5 "deliver" "server, one-way" "";
    /// What the device stored and showed.
    Ack = 6 "ack" "client, one-way" "";
    /// The user read.
    Read = 7 "read" "client" "ReadAnswer";
    /// The user read on another device.
    ReadMarker = 8 "read_marker" "server, one-way" "";
    /// What changed since a token.
    Sync = 9 "sync" "client" "SyncAnswer";
    /// Entries of a conversation.
    History = 10 "history" "client" "HistoryAnswer";
    /// A push binding of this device.
    BindPush = 11 "bind_push" "client" "Empty";
    /// One binding less.
    UnbindPush = 12 "unbind_push" "client" "Empty";
    /// Sign out.
    Logout = 13 "logout" "client" "Empty";
    /// Take notifications back.
    Withdraw = 14 "withdraw" "server" "Empty";
    /// The connection ends.
    Bye = 15 "bye" "both, one-way" "";
    /// Somebody types.
    Typing = 16 "typing" "both, one-way" "";
    /// Who is online.
    Presence = 17 "presence" "client; server, one-way" "PresenceAnswer";
    /// Take a message back.
    Recall = 18 "recall" "client" "SeqAnswer";
    /// Change a message.
    Edit = 19 "edit" "client" "SeqAnswer";
    /// React to a message.
    React = 20 "react" "client" "SeqAnswer";
    /// Change a contact, or hear that one changed.
    Contact = 21 "contact" "client; server, one-way" "ContactAnswer";
    /// Pushes that arrived or were opened.
    Report = 22 "report" "client, one-way" "";
    /// Members of a group.
    Members = 23 "members" "client" "MembersAnswer";
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $variant:ident($type:ty);)*) => {
        /// What a packet says.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Body {
            /// Nothing.
            Empty,
            /// A login that worked.
            HelloAnswer(Box<body::HelloAnswer>),
            $($(#[$doc])* $variant($type),)*
        }

        impl Body {
            fn encoded_len(&self) -> usize {
                match self {
                    Self::Empty => 0,
                    Self::HelloAnswer(body) => body.encoded_len(),
                    $(Self::$variant(body) => body.encoded_len(),)*
                }
            }

            fn encode(&self, out: &mut BytesMut) {
                let done = match self {
                    Self::Empty => Ok(()),
                    Self::HelloAnswer(body) => body.encode(out),
                    $(Self::$variant(body) => body.encode(out),)*
                };
                done.expect("a growing buffer has room");
            }

            fn to_json(&self) -> serde_json::Result<Box<RawValue>> {
                match self {
                    Self::Empty => RawValue::from_string("{}".into()),
                    Self::HelloAnswer(body) => serde_json::value::to_raw_value(body),
                    $(Self::$variant(body) => serde_json::value::to_raw_value(body),)*
                }
            }
        }
    };
}

bodies! {
    /// Why a request was refused.
    Error(body::Error);
    /// A login.
    Hello(body::Hello);
    /// What the app's state is.
    AppState(body::AppState);
    /// A message to write.
    Send(body::Send);
    /// A message that was written.
    SendAnswer(body::SendAnswer);
    /// Entries.
    Deliver(body::Deliver);
    /// How far the device is.
    Ack(body::Ack);
    /// How far the user is.
    Read(body::Read);
    /// The badge.
    ReadAnswer(body::ReadAnswer);
    /// How far the user is on another device.
    ReadMarker(body::ReadMarker);
    /// Since when.
    Sync(body::Sync);
    /// What changed.
    SyncAnswer(body::SyncAnswer);
    /// Which entries.
    History(body::History);
    /// The entries.
    HistoryAnswer(body::HistoryAnswer);
    /// A binding.
    BindPush(body::BindPush);
    /// Its name.
    UnbindPush(body::UnbindPush);
    /// Whether bindings go.
    Logout(body::Logout);
    /// Which notifications.
    Withdraw(body::Withdraw);
    /// Why it ends.
    Bye(body::Bye);
    /// Where and who.
    Typing(body::Typing);
    /// Whom to look at, and who looks different.
    Presence(body::Presence);
    /// What they look like.
    PresenceAnswer(body::PresenceAnswer);
    /// Which message.
    Recall(body::Recall);
    /// Which message, and what it reads now.
    Edit(body::Edit);
    /// Which message, and with what.
    React(body::React);
    /// A place.
    SeqAnswer(body::SeqAnswer);
    /// Whom and how, or what it came to.
    ContactChange(body::ContactChange);
    /// The contact's new version.
    ContactAnswer(body::ContactAnswer);
    /// Which notifications.
    Report(body::Report);
    /// Which group.
    Members(body::Members);
    /// The members.
    MembersAnswer(body::MembersAnswer);
}

/// Reads bodies, from either form.
trait Reader {
    fn read<T: prost::Message + Default + for<'de> Deserialize<'de>>(self) -> Option<T>;
}

struct Binary(Bytes);
struct Json<'a>(&'a str);

impl Reader for Binary {
    fn read<T: prost::Message + Default + for<'de> Deserialize<'de>>(self) -> Option<T> {
        T::decode(self.0).ok()
    }
}

impl Reader for Json<'_> {
    fn read<T: prost::Message + Default + for<'de> Deserialize<'de>>(self) -> Option<T> {
        // Fields have names: a list of them in order is no form of a body.
        self.0.starts_with('{').then(|| serde_json::from_str(self.0).ok()).flatten()
    }
}

/// Whether a serial, as one side reads it, is an answer to that side's own request.
fn is_answer(serial: i32, side: Side) -> bool {
    match side {
        Side::Server => serial >= SERVER_SERIAL_MIN,
        Side::Client => (1..SERVER_SERIAL_MIN).contains(&serial),
    }
}

impl Body {
    fn read(kind: Kind, is_answer: bool, reader: impl Reader) -> Option<Self> {
        use Kind as K;
        Some(match (kind, is_answer) {
            (K::Hello, false) => Self::Hello(reader.read()?),
            (K::Hello, true) => Self::HelloAnswer(Box::new(reader.read()?)),
            (K::AppState, false) => Self::AppState(reader.read()?),
            (K::Send, false) => Self::Send(reader.read()?),
            (K::Send, true) => Self::SendAnswer(reader.read()?),
            (K::Deliver, false) => Self::Deliver(reader.read()?),
            (K::Ack, false) => Self::Ack(reader.read()?),
            (K::Read, false) => Self::Read(reader.read()?),
            (K::Read, true) => Self::ReadAnswer(reader.read()?),
            (K::ReadMarker, false) => Self::ReadMarker(reader.read()?),
            (K::Sync, false) => Self::Sync(reader.read()?),
            (K::Sync, true) => Self::SyncAnswer(reader.read()?),
            (K::History, false) => Self::History(reader.read()?),
            (K::History, true) => Self::HistoryAnswer(reader.read()?),
            (K::BindPush, false) => Self::BindPush(reader.read()?),
            (K::UnbindPush, false) => Self::UnbindPush(reader.read()?),
            (K::Logout, false) => Self::Logout(reader.read()?),
            (K::Withdraw, false) => Self::Withdraw(reader.read()?),
            (K::Bye, false) => Self::Bye(reader.read()?),
            (K::Typing, false) => Self::Typing(reader.read()?),
            (K::Presence, false) => Self::Presence(reader.read()?),
            (K::Presence, true) => Self::PresenceAnswer(reader.read()?),
            (K::Recall, false) => Self::Recall(reader.read()?),
            (K::Edit, false) => Self::Edit(reader.read()?),
            (K::React, false) => Self::React(reader.read()?),
            (K::Recall | K::Edit | K::React, true) => Self::SeqAnswer(reader.read()?),
            (K::Contact, false) => Self::ContactChange(reader.read()?),
            (K::Contact, true) => Self::ContactAnswer(reader.read()?),
            (K::Report, false) => Self::Report(reader.read()?),
            (K::Members, false) => Self::Members(reader.read()?),
            (K::Members, true) => Self::MembersAnswer(reader.read()?),
            (K::Ping, _)
            | (K::AppState | K::BindPush | K::UnbindPush | K::Logout | K::Withdraw, true) => {
                reader.read::<body::Empty>()?;
                Self::Empty
            }
            (K::Deliver | K::Ack | K::ReadMarker | K::Bye | K::Typing | K::Report, true) => {
                return None;
            }
        })
    }
}

#[derive(Deserialize)]
struct JsonIn<'a> {
    #[serde(default)]
    serial: i32,
    command: std::borrow::Cow<'a, str>,
    #[serde(default)]
    code: i32,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct JsonOut<'a> {
    serial: i32,
    command: &'a str,
    code: i32,
    body: Box<RawValue>,
}

impl Packet {
    /// A packet nobody answers.
    #[must_use]
    pub fn one_way(kind: Kind, body: Body) -> Self {
        Self { serial: 0, kind, code: 0, body }
    }

    /// A packet the other side answers under the same serial.
    #[must_use]
    pub fn request(serial: i32, kind: Kind, body: Body) -> Self {
        Self { serial, kind, code: 0, body }
    }

    /// The answer to a request.
    #[must_use]
    pub fn answer(serial: i32, kind: Kind, body: Body) -> Self {
        Self { serial, kind, code: 0, body }
    }

    /// The answer to a request that was refused.
    #[must_use]
    pub fn reject(serial: i32, kind: Kind, reject: Reject) -> Self {
        Self::reject_with(serial, kind, reject, reject.message())
    }

    /// The same, with more to say than the reject's own words.
    #[must_use]
    pub fn reject_with(serial: i32, kind: Kind, reject: Reject, detail: &str) -> Self {
        let error = body::ErrorDetail {
            code: reject.name().to_owned(),
            message: detail.to_owned(),
            retry: reject.retry(),
        };
        let body = Body::Error(body::Error { error: Some(error) });
        Self { serial, kind, code: reject.number(), body }
    }

    /// Reads one whole binary packet, header included. Content is not copied.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(packet: &Bytes, side: Side) -> Result<Self, WireError> {
        let header = Header::parse(packet)?;
        if packet.len() != header.length as usize {
            return Err(WireError::Truncated);
        }
        let mut rest = packet.clone();
        rest.advance(HEADER_BYTES);
        let kind = Kind::from_number(header.command).ok_or_else(|| WireError::UnknownCommand {
            command: header.command.to_string(),
            serial: header.serial,
        });
        Self::read(header.serial, kind, header.code, side, Binary(rest))
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode_json(text: &str, side: Side) -> Result<Self, WireError> {
        if text.len() > PACKET_BYTES_MAX {
            return Err(WireError::TooLarge);
        }
        if !text.trim_start().starts_with('{') {
            return Err(WireError::BadJson("it is no object".into()));
        }
        let json: JsonIn<'_> =
            serde_json::from_str(text).map_err(|error| WireError::BadJson(error.to_string()))?;
        let kind = Kind::from_name(&json.command).ok_or_else(|| WireError::UnknownCommand {
            command: json.command.chars().take(32).collect(),
            serial: json.serial,
        });
        let body = json.body.map_or("{}", RawValue::get);
        Self::read(json.serial, kind, json.code, side, Json(body))
    }

    fn read(
        serial: i32,
        kind: Result<Kind, WireError>,
        code: i32,
        side: Side,
        reader: impl Reader,
    ) -> Result<Self, WireError> {
        if serial < 0 {
            return Err(WireError::BadSerial { serial });
        }
        let kind = kind?;
        let bad_body = || WireError::BadBody { kind, serial };
        let body = if code == 0 {
            Body::read(kind, is_answer(serial, side), reader).ok_or_else(bad_body)?
        } else {
            Body::Error(reader.read().ok_or_else(bad_body)?)
        };
        Ok(Self { serial, kind, code, body })
    }

    /// Writes the binary form.
    pub fn encode(&self, out: &mut BytesMut) {
        let length = HEADER_BYTES + self.body.encoded_len();
        out.reserve(length);
        Header {
            length: i32::try_from(length).unwrap_or(i32::MAX),
            serial: self.serial,
            command: self.kind.number(),
            code: self.code,
        }
        .put(out);
        self.body.encode(out);
    }

    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.encode(&mut out);
        out.freeze()
    }

    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let body = self.body.to_json().expect("every body has a JSON form");
        let out = JsonOut { serial: self.serial, command: self.kind.name(), code: self.code, body };
        serde_json::to_string(&out).expect("numbers, a name and JSON are JSON")
    }
}

/// A whole `deliver` packet with one message.
#[must_use]
pub fn deliver_bytes(message: body::Message) -> Bytes {
    Packet::one_way(Kind::Deliver, Body::Deliver(body::Deliver { messages: vec![message] }))
        .to_bytes()
}
