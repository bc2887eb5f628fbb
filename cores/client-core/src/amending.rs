//! What entries say of other messages: taken back, edited, reacted to. The server alone writes
//! such entries, after it has looked at who may.

use std::collections::BTreeMap;

use bytes::Bytes;
use nightjar_model::{ConversationId, Seq};
use nightjar_wire::{Body, Kind, body};
use serde_json::value::RawValue;

use crate::requests::Asked;
use crate::{Client, Event};

impl Client {
    pub(crate) fn recall(&mut self, conversation: &ConversationId, seq: Seq) {
        let recall = body::Recall { conversation: conversation.to_string(), seq };
        self.amend(conversation, Kind::Recall, Body::Recall(recall));
    }

    pub(crate) fn edit(&mut self, conversation: &ConversationId, seq: Seq, content: Bytes) {
        let edit = body::Edit { conversation: conversation.to_string(), seq, content };
        self.amend(conversation, Kind::Edit, Body::Edit(edit));
    }

    pub(crate) fn react(
        &mut self,
        conversation: &ConversationId,
        seq: Seq,
        emoji: String,
        remove: bool,
    ) {
        let react = body::React { conversation: conversation.to_string(), seq, emoji, remove };
        self.amend(conversation, Kind::React, Body::React(react));
    }

    /// Asked now or not at all: what it is about may have changed when the link is back.
    fn amend(&mut self, conversation: &ConversationId, kind: Kind, body: Body) {
        if !self.is_open || self.requests.is_full() {
            return self.tell(Event::Refused { kind, reject: None });
        }
        self.ask(Asked::Amend(kind, conversation.clone()), kind, body);
    }

    /// The server made an entry of it, which it does not deliver to the connection that asked.
    pub(crate) fn amended(&mut self, conversation: &ConversationId, seq: Seq) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        place.head = place.head.max(seq);
        self.notice_gap(conversation);
        self.fill_the_rest_now(conversation);
    }
}

/// What an entry says of the message it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// It reads so now, until a later edit.
    Edited(Bytes),
    /// Somebody reacts to it; the same again changes nothing.
    Reacted(String),
    /// And takes that back.
    Unreacted(String),
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// The fields of an entry that the server wrote about messages or members; `None` for what people
/// wrote.
fn own(content: &[u8]) -> Option<Fields<'_>> {
    // Nearly every entry; none of the server's own looks so.
    if content.starts_with(br#"{"type":"text""#) {
        return None;
    }
    let fields: Fields<'_> = serde_json::from_slice(content).ok()?;
    let kind = fields.get("type")?.get();
    let is_own = [r#""recall""#, r#""members""#, r#""edit""#, r#""reaction""#].contains(&kind);
    is_own.then_some(fields)
}

/// Whether people wrote it: it counts as unread and may alert.
pub(crate) fn is_countable(content: &[u8]) -> bool {
    own(content).is_none()
}

/// The message that an entry takes back.
pub(crate) fn recalled(content: &[u8]) -> Option<Seq> {
    let fields = own(content)?;
    let is_recall = fields.get("type")?.get() == r#""recall""#;
    fields.get("target")?.get().parse().ok().filter(|_| is_recall)
}

/// The message that an entry amends, and how.
pub(crate) fn amendment(content: &[u8]) -> Option<(Seq, Amendment)> {
    let fields = own(content)?;
    let field = |name| fields.get(name).map(|value| value.get());
    let target = field("target")?.parse().ok()?;
    let amendment = match field("type")? {
        r#""edit""# => Amendment::Edited(Bytes::copy_from_slice(field("content")?.as_bytes())),
        r#""reaction""# => {
            let emoji: String = serde_json::from_str(field("emoji")?).ok()?;
            match field("remove") {
                Some("true") => Amendment::Unreacted(emoji),
                _ => Amendment::Reacted(emoji),
            }
        }
        _ => return None,
    };
    Some((target, amendment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recall_names_its_message() {
        let target = |text: &str| recalled(text.as_bytes());
        assert_eq!(target(r#"{"type":"recall","target":12}"#), Some(12));
        assert_eq!(target(r#"{"type":"recall","target":-1}"#), None);
        assert_eq!(target(r#"{"type":"text","text":"recall"}"#), None);
        assert_eq!(target(r#"{"type":"recalled"}"#), None);
    }

    #[test]
    fn an_edit_keeps_the_bytes_and_a_reaction_its_sign() {
        let read = |text: &str| amendment(text.as_bytes());
        assert_eq!(
            read(r#"{"type":"edit","target":3,"content":{"type":"text", "text":"x"}}"#),
            Some((3, Amendment::Edited(Bytes::from_static(br#"{"type":"text", "text":"x"}"#))))
        );
        let reaction = |remove| {
            read(&format!(
                r#"{{"emoji":"\ud83d\udc4d","remove":{remove},"target":4,"type":"reaction"}}"#
            ))
        };
        assert_eq!(reaction(false), Some((4, Amendment::Reacted("👍".to_owned()))));
        assert_eq!(reaction(true), Some((4, Amendment::Unreacted("👍".to_owned()))));
        assert_eq!(read(r#"{"type":"edit","target":3}"#), None);
        assert_eq!(read(r#"{"type":"recall","target":3}"#), None);
        assert_eq!(read(r#"{"type":"text","text":"edit"}"#), None);
    }

    #[test]
    fn only_what_people_wrote_counts() {
        for own in ["recall", "members", "edit", "reaction"] {
            assert!(!is_countable(format!(r#"{{"type":"{own}","target":1}}"#).as_bytes()));
            assert!(!is_countable(format!(r#"{{"target":1,"type":"{own}"}}"#).as_bytes()));
        }
        for people in [r#"{"type":"text","text":"hi"}"#, r#"{"type":"poll","edit":1}"#, "no json"] {
            assert!(is_countable(people.as_bytes()), "{people}");
        }
    }
}
