//! How urgent a message is.

use nightjar_model::{Entry, PushClass, Uid};
use serde::Deserialize;

/// A message to more people than this goes to very many at once: a campaign, an announcement.
const MANY_MEMBERS: usize = 500;

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: serde_json::Value,
}

/// How urgent a message in a conversation of so many members is to who is not mentioned. By the
/// `type` of its content: `call` and `call.…` ring, `system` and `system.…` are no people's words.
/// Nobody rings very many people, and encrypted content says nothing.
#[must_use]
pub fn class_of(entry: &Entry, members: usize) -> PushClass {
    if members > MANY_MEMBERS {
        return PushClass::System;
    }
    let typed = (!entry.sealed).then(|| serde_json::from_slice::<Typed>(&entry.content).ok());
    let kind = typed.flatten().map(|typed| typed.kind);
    let is = |family: &str| {
        let rest = kind.as_ref().and_then(|kind| kind.as_str()?.strip_prefix(family));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match () {
        () if is("call") => PushClass::Call,
        () if is("system") => PushClass::System,
        () => PushClass::Chat,
    }
}

/// How urgent it is to this user, from what [`class_of`] says.
#[must_use]
pub fn class_for(class: PushClass, entry: &Entry, uid: &Uid) -> PushClass {
    let is_mentioned = entry.push.as_ref().is_some_and(|push| push.mentions.includes(uid));
    if is_mentioned { class.min(PushClass::Mention) } else { class }
}

#[cfg(test)]
mod tests {
    use nightjar_model::Mentions;

    use super::*;
    use crate::samples::{asks, case, entry};

    fn of(content: &str, members: usize) -> PushClass {
        let mut case = case();
        entry(&mut case).content = content.to_owned().into();
        class_of(&case.entry, members)
    }

    #[test]
    fn the_type_of_the_content_and_the_crowd_say_how_urgent_it_is() {
        for (kind, class) in [
            (r#""text""#, PushClass::Chat),
            (r#""call""#, PushClass::Call),
            (r#""call.invite""#, PushClass::Call),
            (r#""callback""#, PushClass::Chat),
            (r#""system""#, PushClass::System),
            (r#""system.notice""#, PushClass::System),
            ("1", PushClass::Chat),
        ] {
            assert_eq!(of(&format!(r#"{{"a":1,"type":{kind}}}"#), 2), class, "{kind}");
        }
        assert_eq!(of("no json", 2), PushClass::Chat);
        assert_eq!(of(r#"{"type":"text"}"#, MANY_MEMBERS), PushClass::Chat);
        assert_eq!(of(r#"{"type":"text"}"#, MANY_MEMBERS + 1), PushClass::System);
        assert_eq!(of(r#"{"type":"call"}"#, MANY_MEMBERS + 1), PushClass::System);
    }

    #[test]
    fn a_mention_lifts_a_message_for_whom_it_names() {
        let mut case = case();
        let (bob, carol) = (case.uid.clone(), Uid::parse("carol").unwrap());
        let names = Mentions::Users(vec![bob.clone()]);
        asks(&mut case, |push| push.mentions = names);
        assert_eq!(class_for(PushClass::System, &case.entry, &bob), PushClass::Mention);
        assert_eq!(class_for(PushClass::System, &case.entry, &carol), PushClass::System);
        assert_eq!(class_for(PushClass::Call, &case.entry, &bob), PushClass::Call);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let mut case = case();
        entry(&mut case).content = r#"{"type":"call"}"#.into();
        entry(&mut case).sealed = true;
        assert_eq!(class_of(&case.entry, 2), PushClass::Chat);
    }
}
