//! Content in the JSON form: inline, its bytes kept as they came.

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

/// Writes the bytes as the JSON they are; empty bytes are `null`.
pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    if bytes.is_empty() {
        return serializer.serialize_none();
    }
    let text = std::str::from_utf8(bytes).map_err(S::Error::custom)?;
    let raw: &RawValue = serde_json::from_str(text).map_err(S::Error::custom)?;
    raw.serialize(serializer)
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
