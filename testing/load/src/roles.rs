//! Who writes to whom.

use std::time::Instant;

use bytes::Bytes;
use nightjar_model::{ConversationId, GroupId, Target, Uid};

use crate::client::Writing;
use crate::crowd::Role;
use crate::options::{LoadOptions, PAYLOAD_BYTES_MIN};
use crate::pacer::{self, Pace};

/// The conversation of two users.
pub(crate) fn direct(a: &str, b: &str) -> anyhow::Result<ConversationId> {
    Ok(ConversationId::direct(&Uid::parse(a)?, &Uid::parse(b)?))
}

/// Writers and readers, in turn.
pub(crate) fn pairs(options: &LoadOptions, run: &str) -> anyhow::Result<Vec<Role>> {
    let mut paces = paces(options.rate, options.pairs());
    let mut roles = Vec::with_capacity(2 * options.pairs());
    for number in 0..options.pairs() {
        let (writer, reader) = (format!("{run}-p{number}w"), format!("{run}-p{number}r"));
        let conversation = direct(&writer, &reader)?;
        let to = Target::User(Uid::parse(&reader)?);
        let writing = writing(options, run, to, 1, paces.next());
        roles.push(Role::reader(reader, conversation.clone()));
        roles.push(Role { writing: Some(writing), ..Role::reader(writer, conversation) });
    }
    Ok(roles)
}

/// Members of the group, those who write first.
pub(crate) fn group(options: &LoadOptions, run: &str) -> anyhow::Result<Vec<Role>> {
    let members = options.group;
    if members == 0 {
        return Ok(Vec::new());
    }
    let group = GroupId::parse(run)?;
    let conversation = ConversationId::group(&group);
    let mut paces = paces(options.group_rate, options.senders);
    let roles = (0..members).map(|number| {
        let to = Target::Group(group.clone());
        let writing = (number < options.senders)
            .then(|| writing(options, run, to, members as u64 - 1, paces.next()));
        Role { writing, ..Role::reader(format!("{run}-g{number}"), conversation.clone()) }
    });
    Ok(roles.collect())
}

fn paces(rate: Option<f64>, writers: usize) -> std::vec::IntoIter<Pace> {
    let paces = match rate {
        Some(rate) if writers > 0 => pacer::paces(rate, writers, Instant::now()),
        _ => Vec::new(),
    };
    paces.into_iter()
}

fn writing(
    options: &LoadOptions,
    run: &str,
    to: Target,
    readers: u64,
    pace: Option<Pace>,
) -> Writing {
    let content = content(options.payload);
    Writing { to, content, window: options.window, readers, pace, prefix: run.to_owned() }
}

/// A JSON object of so many bytes.
pub(crate) fn content(bytes: usize) -> Bytes {
    let frame = r#"{"type":"text","text":""}"#;
    let text = "n".repeat(bytes.max(PAYLOAD_BYTES_MIN) - frame.len());
    Bytes::from(format!(r#"{{"type":"text","text":"{text}"}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_json_of_the_asked_size() {
        for bytes in [PAYLOAD_BYTES_MIN, 128, 65_536] {
            let content = content(bytes);
            assert_eq!(content.len(), bytes);
            let value: serde_json::Value = serde_json::from_slice(&content).unwrap();
            assert_eq!(value["type"], "text");
        }
    }
}
