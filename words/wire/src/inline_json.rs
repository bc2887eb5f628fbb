//! Content in the JSON form: inline, its bytes kept as they came.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Writes the bytes as the JSON they are; empty bytes are `null`. Bytes that are not JSON (an
/// encrypted content, say) become `{"type":"binary","base64":…}`.
pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    if bytes.is_empty() {
        return serializer.serialize_none();
    }
    let json = std::str::from_utf8(bytes).ok().and_then(|text| serde_json::from_str(text).ok());
    let raw: &RawValue = match json {
        Some(raw) => raw,
        None => {
            return Binary { kind: "binary", base64: &BASE64.encode(bytes) }.serialize(serializer);
        }
    };
    raw.serialize(serializer)
}

#[derive(serde::Serialize)]
struct Binary<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    base64: &'a str,
}

/// Keeps the bytes of the JSON value; `null` is empty.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer).map_err(D::Error::custom)?;
    if raw.get() == "null" {
        return Ok(Bytes::new());
    }
    Ok(Bytes::copy_from_slice(raw.get().as_bytes()))
}

/// The same for a field that may be missing.
pub(crate) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<Bytes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::serialize(bytes.as_ref().unwrap_or(&Bytes::new()), serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Bytes>, D::Error> {
        super::deserialize(deserializer).map(|bytes| (!bytes.is_empty()).then_some(bytes))
    }
}
