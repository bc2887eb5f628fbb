//! What is printed.

use std::io::Write;

use nightjar_client_core::{Amendment, AmendmentRow, Indicator, MessageRow};
use nightjar_model::{ConversationId, Seq, Target, Uid, WallMs};

use crate::store::Lists;

use super::content::{clock, printable, text};

/// Standard output, a line at a time. Nobody may listen any more; that is no reason to stop.
pub(super) fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// `bob`, or `team` for a group.
pub(super) fn place(conversation: &ConversationId, me: &Uid) -> String {
    if let Some(group) = conversation.group_id() {
        return printable(group.as_str());
    }
    match conversation.peers() {
        Some((low, high)) => printable(if low == *me { high.as_str() } else { low.as_str() }),
        None => printable(conversation.as_str()),
    }
}

pub(super) fn target(to: &Target) -> String {
    match to {
        Target::User(uid) => printable(uid.as_str()),
        Target::Group(group) => printable(group.as_str()),
    }
}

/// `alice (Alice Owl): accepted`, and of groups `team: owner`.
pub(super) fn contacts(lists: &Lists) -> Vec<String> {
    let name_of = |uid: &Uid| {
        let profile = lists.profiles.iter().find(|profile| profile.uid == *uid)?;
        profile.name.as_deref().map(|name| format!(" ({})", printable(name)))
    };
    let contacts = lists.contacts.iter().map(|contact| {
        let who = printable(contact.uid.as_str());
        let state = if contact.blocked { "blocked" } else { contact.state.as_str() };
        format!("{who}{}: {state}", name_of(&contact.uid).unwrap_or_default())
    });
    let groups = lists.groups.iter().map(|group| {
        let (id, name) = (printable(group.group.as_str()), printable(&group.name));
        format!("group {id} ({name}): {}", group.role.as_str())
    });
    let lines: Vec<_> = contacts.chain(groups).collect();
    if lines.is_empty() { vec!["no contacts and no groups".to_owned()] } else { lines }
}

/// `[12:34:56] alice: hello`, and for a group where.
pub(super) fn message(message: &MessageRow, me: &Uid) -> String {
    let who = if message.from == *me { "me".to_owned() } else { printable(message.from.as_str()) };
    let whereto = match message.conversation.group_id() {
        Some(group) => format!(" in {}", printable(group.as_str())),
        None if message.from == *me => format!(" to {}", place(&message.conversation, me)),
        None => String::new(),
    };
    format!("[{}] {who}{whereto}: {}", clock(message.at), text(&message.content))
}

/// `#3 [12:34:56] alice: as it reads now (edited)  👍 bob, carol`
pub(super) fn numbered(row: &MessageRow, amendments: &[AmendmentRow], me: &Uid) -> String {
    let mut edited = None;
    let mut reactions: Vec<(&str, &Uid)> = Vec::new();
    for said in amendments.iter().filter(|said| said.target == row.seq) {
        let by = &said.by;
        match &said.amendment {
            Amendment::Edited(content) => edited = Some(content),
            Amendment::Reacted(sign) | Amendment::Unreacted(sign) => {
                reactions.retain(|reaction| *reaction != (sign.as_str(), by));
                if matches!(said.amendment, Amendment::Reacted(_)) {
                    reactions.push((sign, by));
                }
            }
        }
    }
    let reads = edited.map(|content| MessageRow { content: content.clone(), ..row.clone() });
    let mut line = format!("#{} {}", row.seq, message(reads.as_ref().unwrap_or(row), me));
    if reads.is_some() {
        line.push_str(" (edited)");
    }
    reactions.sort();
    for same in reactions.chunk_by(|one, other| one.0 == other.0) {
        let who: Vec<_> = same.iter().map(|(_, by)| printable(by.as_str())).collect();
        line.push_str(&format!("  {} {}", printable(same[0].0), who.join(", ")));
    }
    line
}

/// `alice edited #3: better`, `alice reacted 👍 to #3`.
pub(super) fn amended(row: &AmendmentRow, me: &Uid) -> String {
    let who = if row.by == *me { "me".to_owned() } else { printable(row.by.as_str()) };
    let (seq, place) = (row.target, place(&row.conversation, me));
    match &row.amendment {
        Amendment::Edited(content) => format!("{who} edited #{seq} in {place}: {}", text(content)),
        Amendment::Reacted(sign) => {
            format!("{who} reacted {} to #{seq} in {place}", printable(sign))
        }
        Amendment::Unreacted(sign) => {
            format!("{who} took {} back from #{seq} in {place}", printable(sign))
        }
    }
}

pub(super) fn sent(at: WallMs, to: &str, text: &str, seq: Seq) -> String {
    format!("[{}] me to {to}: {text}  ✓ sent #{seq}", clock(at))
}

/// A line that is kept on disk until there is a connection.
pub(super) fn queued(to: &str, text: &str) -> String {
    format!("… to {to}: {text}  (kept until there is a connection)")
}

/// The link, and when the next attempt is.
pub(super) fn link(indicator: Indicator, next_try_ms: Option<u64>) -> String {
    match (indicator, next_try_ms) {
        (Indicator::Stopped, _) => "stopped".to_owned(),
        (Indicator::Connecting, _) => "connecting…".to_owned(),
        (Indicator::Online, _) => "online".to_owned(),
        (Indicator::Waiting { .. }, None) => "waiting for network".to_owned(),
        (Indicator::Waiting { .. }, Some(ms)) => {
            format!("waiting for network (next try in {} s)", ms.div_ceil(1_000))
        }
    }
}

#[cfg(test)]
mod tests {
    use nightjar_model::{ClientMsgId, MessageId};

    use super::*;

    fn said(seq: Seq, by: &str, amendment: Amendment) -> AmendmentRow {
        let (alice, bob) = (Uid::parse("alice").unwrap(), Uid::parse("bob").unwrap());
        let conversation = ConversationId::direct(&alice, &bob);
        AmendmentRow { conversation, seq, target: 3, by: Uid::parse(by).unwrap(), amendment }
    }

    #[test]
    fn a_message_reads_as_it_was_edited_last_and_shows_who_reacts() {
        let me = Uid::parse("bob").unwrap();
        let row = MessageRow {
            message_id: MessageId::from_bytes([7; 16]),
            conversation: ConversationId::direct(&Uid::parse("alice").unwrap(), &me),
            seq: 3,
            from: Uid::parse("alice").unwrap(),
            client_msg_id: ClientMsgId::parse("a").unwrap(),
            at: WallMs(0),
            content: super::super::content::content("helo"),
            alert: true,
        };
        let edit = |text| Amendment::Edited(super::super::content::content(text));
        let (owl, moon) = ("🦉".to_owned(), "🌙".to_owned());
        let amendments = [
            said(4, "alice", edit("hell")),
            said(5, "bob", Amendment::Reacted(owl.clone())),
            said(6, "alice", Amendment::Reacted(owl.clone())),
            said(7, "alice", edit("hello")),
            said(8, "bob", Amendment::Reacted(moon.clone())),
            said(9, "bob", Amendment::Unreacted(moon)),
        ];
        assert_eq!(
            numbered(&row, &amendments, &me),
            "#3 [00:00:00] alice: hello (edited)  🦉 alice, bob"
        );
        assert_eq!(numbered(&row, &[], &me), "#3 [00:00:00] alice: helo");
        assert_eq!(amended(&amendments[1], &me), "me reacted 🦉 to #3 in alice");
        assert_eq!(amended(&amendments[3], &me), "alice edited #3 in alice: hello");
    }
}
