//! From what the lanes say to what the client reads.

use std::sync::Arc;

use nightjar_model::{
    ContactView, ConversationSummary, Delivery, Entry, GroupView, HelloReply, HistoryCommand,
    MemberView, MembersView, PresenceStatus, PresenceView, ProfileView, Reject, Removed, Reply,
    Secret, SentReply, Seq, SyncReply, Uid, WallMs, limits,
};
use nightjar_wire::{Body, Kind, body};

use crate::SessionConfig;

/// Bytes of messages in one answer; the rest of the packet is left for what is around them.
const ANSWER_BYTES_MAX: usize = limits::PACKET_BYTES_MAX - (16 << 10);
/// A message in either form, without its ids and its content.
const MESSAGE_FRAME_BYTES: usize = 256;

/// The answer to a hello.
pub(crate) fn hello(
    reply: &HelloReply,
    push_token: Option<Secret<String>>,
    config: &SessionConfig,
    now: WallMs,
) -> Body {
    Body::HelloAnswer(Box::new(body::HelloAnswer {
        uid: reply.uid.to_string(),
        session: reply.session.clone(),
        resume: reply.resume.clone(),
        resumed: reply.resumed,
        server_time: now.0,
        heartbeat_s: config.heartbeat_interval_s,
        ack_deadline_ms: config.ack_deadline_ms,
        limits: Some(body::Limits {
            packet_bytes: limits::PACKET_BYTES_MAX as u32,
            content_bytes: limits::CONTENT_BYTES_MAX as u32,
            unacked_messages: limits::UNACKED_MESSAGES_MAX as u32,
            requests_in_flight: limits::REQUESTS_IN_FLIGHT_MAX as u32,
            handshakes_per_s: config.handshakes_per_s,
        }),
        unread: reply.unread,
        bv: reply.bv,
        push_token_scope: push_token.map(|token| token.expose().clone()),
    }))
}

/// The answer to any other request; a reply to something else is a fault of ours.
pub(crate) fn answer(kind: Kind, reply: Reply) -> Result<Body, Reject> {
    Ok(match (kind, reply) {
        (Kind::Send, Reply::Sent(sent)) => self::sent(sent),
        (Kind::Read, Reply::Badge { unread, bv }) => {
            Body::ReadAnswer(body::ReadAnswer { unread, bv })
        }
        (Kind::Sync, Reply::Sync(sync)) => self::sync(*sync),
        (Kind::Recall | Kind::Edit | Kind::React, Reply::Seq(seq)) => {
            Body::SeqAnswer(body::SeqAnswer { seq })
        }
        (Kind::Presence, Reply::Presence(users)) => {
            let users = users.into_iter().map(presence).collect();
            Body::PresenceAnswer(body::PresenceAnswer { users })
        }
        (Kind::Contact, Reply::Contact(contact)) => {
            Body::ContactAnswer(body::ContactAnswer { ver: contact.ver })
        }
        (Kind::Members, Reply::Members(page)) => self::members(page),
        (Kind::AppState | Kind::BindPush | Kind::UnbindPush | Kind::Logout, Reply::Done)
        | (Kind::Ack | Kind::Typing | Kind::Report, Reply::Done) => Body::Empty,
        _ => return Err(Reject::Internal),
    })
}

/// What others see of a user.
pub(crate) fn presence(view: PresenceView) -> body::PresenceUser {
    body::PresenceUser {
        uid: view.uid.to_string(),
        online: view.online,
        last_seen: view.last_seen.map(|at| at.0),
        status: view
            .status
            .map(|PresenceStatus { status, text }| body::PresenceStatus { status, text }),
    }
}

/// A contact as its user sees it.
pub(crate) fn contact(view: ContactView) -> body::Contact {
    body::Contact {
        uid: view.uid.to_string(),
        state: view.state.as_str().to_owned(),
        ver: view.ver,
        blocked: view.blocked.then_some(true),
    }
}

fn sent(sent: SentReply) -> Body {
    Body::SendAnswer(body::SendAnswer {
        message_id: sent.message_id.to_string(),
        conversation: sent.conversation.to_string(),
        seq: sent.seq,
        at: sent.at.0,
        duplicate: sent.duplicate,
    })
}

/// The answer to a history request, and the places it covers: what lies between its messages is
/// not this user's to see. Messages that do not fit into a packet are left out at the far end.
pub(crate) fn history(
    asked: &HistoryCommand,
    entries: &[Arc<Entry>],
    head_seq: Seq,
) -> (Body, (Seq, Seq)) {
    let entries = match asked.after {
        Some(_) => &entries[..fitting(entries.iter())],
        None => &entries[entries.len() - fitting(entries.iter().rev())..],
    };
    let below = asked.before.map_or(head_seq, |before| before.saturating_sub(1).min(head_seq));
    let covered = match asked.after {
        Some(after) => (after.saturating_add(1), entries.last().map_or(below, |entry| entry.seq)),
        None => (entries.first().map_or(1, |entry| entry.seq), below),
    };
    let messages =
        entries.iter().map(|entry| nightjar_wire::message(entry, false, false)).collect();
    (Body::HistoryAnswer(body::HistoryAnswer { messages, head_seq }), covered)
}

/// How many of the entries fit into one packet.
fn fitting<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> usize {
    let mut left = ANSWER_BYTES_MAX;
    entries.take_while(|entry| take(&mut left, entry)).count()
}

/// Takes the room of an entry, if it is there.
fn take(left: &mut usize, entry: &Entry) -> bool {
    // Quotes and backslashes in ids double in JSON.
    let ids = entry.conversation.as_str().len()
        + entry.from.as_str().len()
        + entry.client_msg_id.as_str().len();
    let bytes = MESSAGE_FRAME_BYTES + 2 * ids + entry.content.len();
    let fits = *left >= bytes;
    if fits {
        *left -= bytes;
    }
    fits
}

fn sync(sync: SyncReply) -> Body {
    // Without their last messages, a page of conversations always fits.
    let mut left = ANSWER_BYTES_MAX / 4;
    let conversations =
        sync.conversations.iter().map(|summary| conversation(summary, &mut left)).collect();
    Body::SyncAnswer(body::SyncAnswer {
        conversations,
        contacts: sync.contacts.into_iter().map(contact).collect(),
        groups: sync.groups.into_iter().map(group).collect(),
        profiles: sync.profiles.into_iter().map(profile).collect(),
        removed: sync.removed.into_iter().map(removed).collect(),
        next: sync.next,
        more: sync.more,
    })
}

fn group(group: GroupView) -> body::Group {
    body::Group {
        id: group.group.to_string(),
        name: group.name,
        role: group.role.as_str().to_owned(),
        ver: group.ver,
    }
}

fn profile(profile: ProfileView) -> body::Profile {
    body::Profile {
        uid: profile.uid.to_string(),
        name: profile.name,
        avatar: profile.avatar,
        ver: profile.ver,
    }
}

fn removed(removed: Removed) -> body::Removed {
    let (kind, id, ver) = match removed {
        Removed::Contact { uid, ver } => ("contact", uid.to_string(), ver),
        Removed::Group { group, ver } => ("group", group.to_string(), ver),
    };
    body::Removed { kind: kind.to_owned(), id, ver }
}

fn conversation(summary: &ConversationSummary, left: &mut usize) -> body::Conversation {
    let last = summary.last.as_ref().filter(|entry| take(left, entry));
    body::Conversation {
        conversation: summary.conversation.to_string(),
        kind: summary.kind.as_str().to_owned(),
        peer: summary.peer.as_ref().map(Uid::to_string),
        name: summary.name.clone(),
        head_seq: summary.head_seq,
        read_seq: summary.read_seq,
        unread: summary.unread,
        mentions: summary.mentions,
        last: last.map(|entry| nightjar_wire::message(entry, false, false)),
    }
}

fn members(page: MembersView) -> Body {
    let member = |member: MemberView| body::Member {
        uid: member.uid.to_string(),
        role: member.role.as_str().to_owned(),
        ver: member.ver,
    };
    Body::MembersAnswer(body::MembersAnswer {
        members: page.members.into_iter().map(member).collect(),
        removed: page.removed.iter().map(Uid::to_string).collect(),
        next: page.next,
    })
}

/// The message of a delivery.
pub(crate) fn message(delivery: &Delivery) -> body::Message {
    nightjar_wire::message(&delivery.entry, delivery.alert, delivery.pushed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::play::{chat, entry};

    /// The places a history covers, when it was asked so and these entries were found.
    fn covered(after: Option<Seq>, before: Option<Seq>, found: &[Seq]) -> (Seq, Seq) {
        let asked = HistoryCommand { conversation: chat(), after, before, limit: 100 };
        let entries: Vec<_> = found.iter().map(|seq| entry(&chat(), *seq, "{}")).collect();
        history(&asked, &entries, 50).1
    }

    #[test]
    fn a_history_covers_what_it_holds_and_what_is_hidden_between() {
        assert_eq!(covered(Some(10), None, &[11, 14]), (11, 14));
        assert_eq!(covered(Some(10), Some(20), &[12]), (11, 12));
        assert_eq!(covered(None, Some(20), &[15, 18]), (15, 19));
        assert_eq!(covered(None, None, &[49, 50]), (49, 50));
        assert_eq!(covered(Some(10), Some(20), &[]), (11, 19));
        assert_eq!(covered(None, Some(Seq::MAX), &[]), (1, 50));
        assert_eq!(covered(Some(Seq::MAX), None, &[]), (Seq::MAX, 50));
    }
}
