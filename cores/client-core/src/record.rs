//! What a client was given, line by line: to look at, or to play again.
//!
//! A client is a function of its inputs, its times and its random bytes: the same record given to
//! a client of the same configuration and the same stored rows gives the same outputs.
//!
//! Login and push tokens are left out. Everything else is there as it was, messages and the
//! session's resume token included: a record is as private as the store.

use bytes::Bytes;
use nightjar_model::{Mono, Now, WallMs};
use serde::{Deserialize, Serialize};

use crate::{Client, ConnectionId, Input};

/// One call of [`Client::handle`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// Monotonic time, milliseconds.
    mono: u64,
    /// The wall clock, milliseconds since 1970.
    wall: u64,
    /// 32 hexadecimal digits.
    random: String,
    given: Given,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Given {
    Input(Input<'static>),
    Packet(ConnectionId, #[serde(with = "hex")] Bytes),
}

#[derive(Serialize)]
struct Line<'a> {
    mono: u64,
    wall: u64,
    random: String,
    given: GivenNow<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum GivenNow<'a> {
    Input(&'a Input<'a>),
    Packet(ConnectionId, #[serde(with = "hex")] &'a Bytes),
}

/// Why a line cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for BadRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this line is no record of a client: {}", self.reason)
    }
}

impl std::error::Error for BadRecord {}

impl Record {
    /// One line of JSON, without its end.
    #[must_use]
    pub fn line(input: &Input<'_>, now: Now, random: &[u8; 16]) -> String {
        let given = match input {
            Input::Packet(connection, bytes) => GivenNow::Packet(*connection, bytes),
            input => GivenNow::Input(input),
        };
        let random = hex::text(random);
        let line = Line { mono: now.mono.0, wall: now.wall.0, random, given };
        serde_json::to_string(&line).expect("names, numbers and texts are JSON")
    }

    /// Reads a line.
    ///
    /// # Errors
    /// [`BadRecord`].
    pub fn parse(line: &str) -> Result<Self, BadRecord> {
        let bad = |reason: String| BadRecord { reason };
        let record: Self = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        match hex::bytes(&record.random) {
            Some(bytes) if bytes.len() == 16 => Ok(record),
            _ => Err(bad("random is not 32 hexadecimal digits".to_owned())),
        }
    }

    /// When it was given.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { mono: Mono(self.mono), wall: WallMs(self.wall) }
    }

    /// Shows what was given.
    pub fn look<T>(&self, at: impl FnOnce(&Input<'_>) -> T) -> T {
        match &self.given {
            Given::Input(input) => at(input),
            Given::Packet(connection, bytes) => at(&Input::Packet(*connection, bytes)),
        }
    }

    /// Gives it to a client again; take the outputs with [`Client::poll`].
    pub fn play(self, client: &mut Client) {
        let now = self.now();
        let mut random = [0; 16];
        let bytes = hex::bytes(&self.random).unwrap_or_default();
        random.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        match self.given {
            Given::Input(input) => client.handle(input, now, &random),
            Given::Packet(connection, bytes) => {
                client.handle(Input::Packet(connection, &bytes), now, &random);
            }
        }
    }
}

/// A token is not written down.
pub(crate) mod hidden {
    use nightjar_model::{Binding, Secret};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const HIDDEN: &str = "***";

    pub(crate) fn serialize<S: Serializer>(_: &Secret<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(HIDDEN)
    }

    pub(crate) fn deserialize<'de, D>(from: D) -> Result<Secret<String>, D::Error>
    where
        D: Deserializer<'de>,
    {
        String::deserialize(from).map(Secret::new)
    }

    pub(crate) fn binding<S: Serializer>(binding: &Binding, to: S) -> Result<S::Ok, S::Error> {
        Binding { token: Secret::new(HIDDEN.to_owned()), ..binding.clone() }.serialize(to)
    }
}

/// Bytes as text.
pub(crate) mod hex {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn text(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
        if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&text(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = bytes(&text).ok_or_else(|| de::Error::custom("not hexadecimal digits"))?;
        Ok(bytes.into())
    }
}
