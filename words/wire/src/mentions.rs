//! `options.mentions` in the JSON form: a list of uids or `"all"`.
//!
//! The binary form has the list and a flag beside it. In JSON the flag is the list `["all"]`'s
//! short form: a uid `all` is mentioned by the list form.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// The mark a JSON `"all"` leaves in the list until the packet is read; no uid is empty.
const ALL_MARK: &str = "";

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Mentions {
    All(String),
    Users(Vec<String>),
}

/// Writes the list, or `"all"`.
pub(crate) fn serialize<S: Serializer>(list: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match list {
        [only] if only == ALL_MARK => "all".serialize(serializer),
        _ => list.serialize(serializer),
    }
}

/// Reads either.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    match Mentions::deserialize(deserializer)? {
        Mentions::All(all) if all == "all" => Ok(vec![ALL_MARK.into()]),
        Mentions::All(_) => Err(serde::de::Error::custom("mentions is a list or \"all\"")),
        Mentions::Users(uids) => Ok(uids),
    }
}
