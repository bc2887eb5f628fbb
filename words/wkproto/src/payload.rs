//! Which content a payload is, and the other way.
//!
//! Text of both worlds is the same text. Any other JSON object passes unchanged; what is no JSON
//! object travels as base64 inside one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nightjar_model::{Entry, EntryKind};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// WuKongIM's own text message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WkText<'a> {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(borrow)]
    content: std::borrow::Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    payload: std::borrow::Cow<'a, str>,
}

/// A command of the system, in WuKongIM's own words.
#[derive(Serialize)]
struct Cmd<'a> {
    #[serde(rename = "type")]
    kind: u8,
    cmd: &'static str,
    param: Option<&'a RawValue>,
}

const TEXT: u8 = 1;
const CMD: u8 = 99;

/// The content of a payload.
#[must_use]
pub fn to_content(payload: &[u8]) -> Bytes {
    if let Ok(WkText { kind: TEXT, content }) = serde_json::from_slice(payload) {
        return json(&Text { kind: "text".into(), text: content });
    }
    if is_object(payload) {
        return Bytes::copy_from_slice(payload);
    }
    json(&Wrapped { kind: "wukong".into(), payload: STANDARD.encode(payload).into() })
}

/// The payload of a content that people wrote.
#[must_use]
pub fn from_content(content: &[u8]) -> Bytes {
    if let Ok(Text { kind, text }) = serde_json::from_slice(content)
        && kind == "text"
    {
        return json(&WkText { kind: TEXT, content: text });
    }
    if let Ok(Wrapped { kind, payload }) = serde_json::from_slice(content)
        && kind == "wukong"
        && let Ok(bytes) = STANDARD.decode(payload.as_bytes())
    {
        return bytes.into();
    }
    Bytes::copy_from_slice(content)
}

/// The payload of an entry. What is no message is a command that stands at its place, so that
/// places have no holes.
#[must_use]
pub fn of_entry(entry: &Entry) -> Bytes {
    let cmd = match entry.kind {
        EntryKind::Message if entry.recalled => "messageRevoke",
        EntryKind::Message => return from_content(&entry.content),
        EntryKind::Recall { .. } => "messageRevoke",
        EntryKind::Members => "memberUpdate",
        EntryKind::Edit { .. } => "syncMessageExtra",
        EntryKind::Reaction { .. } => "syncMessageReaction",
    };
    json(&Cmd { kind: CMD, cmd, param: serde_json::from_slice(&entry.content).ok() })
}

/// The text of WuKongIM's text message, also of one with a mention or a reply beside it.
#[must_use]
pub fn text(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Texts {
        #[serde(rename = "type")]
        kind: u8,
        content: String,
    }
    let Texts { kind, content } = serde_json::from_slice(payload).ok()?;
    (kind == TEXT).then_some(content)
}

/// Whether it is a text message with something beside the text: its content is no text of ours.
#[must_use]
pub fn is_more_than_text(payload: &[u8]) -> bool {
    text(payload).is_some() && serde_json::from_slice::<WkText<'_>>(payload).is_err()
}

/// Whom the payload mentions: whether everybody, and who by name.
#[must_use]
pub fn mentions(payload: &[u8]) -> (bool, Vec<String>) {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Mention {
        all: u8,
        uids: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Mentioning {
        mention: Mention,
    }
    let found = serde_json::from_slice(payload).map(|Mentioning { mention }| mention);
    let Mention { all, uids } = found.unwrap_or_default();
    (all != 0, uids)
}

/// Whether the bytes are one JSON object.
pub(crate) fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
        && serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("texts and numbers always become JSON").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_text_on_both_sides() {
        let payload = r#"{"type":1,"content":"你\"好"}"#.as_bytes();
        let content = to_content(payload);
        assert_eq!(content, r#"{"type":"text","text":"你\"好"}"#.as_bytes());
        assert_eq!(from_content(&content), payload);
    }

    #[test]
    fn any_other_object_passes_unchanged() {
        for payload in [
            r#"{"type":1,"content":"hi","mention":{"uids":["u2"]}}"#,
            r#"{"url":"x","type":2,"width":10.50}"#,
            r#"{"type":"text","text":"t","more":1}"#,
            "{}",
        ] {
            assert_eq!(to_content(payload.as_bytes()), payload.as_bytes());
            assert_eq!(from_content(payload.as_bytes()), payload.as_bytes());
        }
    }

    #[test]
    fn what_is_no_object_comes_back_as_it_was() {
        for payload in [&b"\xff\x00\x01"[..], b"plain", b"[1]", b"", b"{\"a\":", b"7"] {
            let content = to_content(payload);
            assert!(is_object(&content));
            assert_eq!(from_content(&content), payload);
        }
    }

    #[test]
    fn mentions_and_text_are_found_beside_each_other() {
        let payload = br#"{"type":1,"content":"hi","mention":{"all":1,"uids":["u2"]}}"#;
        assert_eq!(text(payload).as_deref(), Some("hi"));
        assert_eq!(mentions(payload), (true, vec!["u2".to_owned()]));
        assert_eq!(mentions(b"{}"), (false, Vec::new()));
    }
}
