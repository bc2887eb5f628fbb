//! What a client writes once the stream is open, and what becomes of the answers.

use nightjar_model::{Command, ConversationId, Reject, Reply, Uid};
use nightjar_session::Pull;
use nightjar_xmpp::{Element, Jid, ns};

use crate::iq::{Condition, Iq};
use crate::phase::Phase;
use crate::stream::Stream;

/// A pull the lanes had no room for is asked again after so long.
const PULL_AGAIN_MS: u64 = 1_000;

/// What a command's answer is for.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// Nothing.
    Nothing,
    /// A bind with this id.
    Hello(String),
    /// Entries of a conversation.
    Pull(ConversationId),
    /// A message of this client: its stanza without content, should it come back, and its number.
    Sent(Box<Element>, u32),
    /// A roster, asked for with this id.
    Roster(String),
    /// The contacts whose presence is to be told.
    Contacts,
    /// How people look.
    Presence,
    /// A change of the roster, asked for with this id.
    RosterSet(String),
    /// A change of a contact.
    Contact,
    /// A page of the archive.
    Archive,
}

/// What a sender can make of an error (RFC 6120 §8.3.2).
pub(crate) fn condition_of(reject: Reject) -> Condition {
    match reject {
        Reject::TooLarge => Condition::PolicyViolation,
        Reject::Forbidden | Reject::NotMember => Condition::Forbidden,
        Reject::RateLimited | Reject::Busy => Condition::ResourceConstraint,
        Reject::Blocked => Condition::ServiceUnavailable,
        Reject::UnknownConversation | Reject::UnknownGroup => Condition::ItemNotFound,
        _ if reject.retry() => Condition::ResourceConstraint,
        _ => Condition::NotAcceptable,
    }
}

impl Stream {
    /// One element of the stream.
    pub(crate) fn element(&mut self, element: Element) {
        match self.phase {
            Phase::Opening | Phase::Reopening => self.end(Some("bad-format"), true),
            Phase::Binding if element.ns() == ns::CLIENT => self.bind(&element),
            Phase::Binding => self.end(Some("unsupported-stanza-type"), true),
            Phase::Live => self.stanza(element),
            _ => self.negotiate(&element),
        }
    }

    /// An element over the limits: what it asked for is refused, and the stream lives.
    pub(crate) fn too_large(&mut self, head: &Element) {
        if self.phase != Phase::Live {
            return self.end(Some("policy-violation"), true);
        }
        self.count_in(head);
        if head.ns() == ns::CLIENT && !matches!(head.get("type"), Some("error" | "result")) {
            self.send_stanza(&refused(head, Condition::PolicyViolation));
        }
    }

    fn stanza(&mut self, stanza: Element) {
        match stanza.ns() {
            ns::SM => return self.managed(&stanza),
            ns::CSI => return self.seen(stanza.name() == "active"),
            ns::CLIENT => {}
            _ => return self.end(Some("unsupported-stanza-type"), true),
        }
        if !matches!(stanza.name(), "message" | "presence" | "iq") {
            return self.end(Some("unsupported-stanza-type"), true);
        }
        self.count_in(&stanza);
        if !self.is_own(stanza.get("from")) {
            return self.end(Some("invalid-from"), true);
        }
        match stanza.name() {
            "message" => self.message(stanza),
            "presence" => self.presence(&stanza),
            _ => self.iq(&stanza),
        }
    }

    /// Whether a stanza may say it is from there: nowhere, or this account (RFC 6120 §8.1.2.1).
    fn is_own(&self, from: Option<&str>) -> bool {
        let (Some(from), Some(jid)) = (from, &self.jid) else { return true };
        Jid::parse(from).is_ok_and(|from| from == *jid || from == jid.bare())
    }

    /// A user of this server by their address.
    pub(crate) fn user_of(&self, jid: &Jid) -> Option<Uid> {
        let local = jid.local().filter(|_| jid.domain() == self.config.domain)?;
        Uid::parse(local).ok()
    }

    /// The address of a user of this server.
    pub(crate) fn address_of(&self, uid: &Uid) -> Jid {
        Jid::account(uid.as_str(), &self.config.domain)
    }

    /// The other one of a direct conversation.
    pub(crate) fn peer_of(&self, conversation: &ConversationId) -> Option<Uid> {
        let me = self.uid.as_ref()?;
        let (low, high) = conversation.peers()?;
        Some(if low == *me { high } else { low })
    }

    /// Asks for what is behind, as far as the window is open.
    pub(crate) fn pull(&mut self) {
        if self.phase != Phase::Live || !self.is_available || self.pull_again_at.is_some() {
            return;
        }
        while let Some(Pull { conversation, after, limit }) = self.deliveries.next_pull() {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let waiting = Waiting::Pull(conversation.clone());
            self.command(Command::Pull { conversation, after, limit }, waiting);
        }
    }

    /// The lanes answered.
    pub(crate) fn answered(&mut self, waiting: Waiting, result: Result<Reply, Reject>) {
        match waiting {
            Waiting::Nothing | Waiting::Contact => {}
            Waiting::Hello(id) => self.joined(id, result),
            Waiting::Pull(conversation) => self.pulled(&conversation, result),
            Waiting::Sent(stanza, number) => self.sent(&stanza, number, result),
            Waiting::Roster(id) => self.tell_roster(&id, result),
            Waiting::RosterSet(id) => match result {
                Ok(_) => self.send_stanza(&Iq::result(&id, None)),
                Err(reject) => self.send_stanza(&Iq::error(&id, condition_of(reject))),
            },
            Waiting::Contacts => self.look_at(result),
            Waiting::Presence => self.tell_all_presence(result),
            Waiting::Archive => self.archived(result),
        }
    }

    fn pulled(&mut self, conversation: &ConversationId, result: Result<Reply, Reject>) {
        match result {
            Ok(Reply::Pulled { deliveries, head_seq, .. }) => {
                for delivery in self.deliveries.pulled(conversation, deliveries, head_seq) {
                    self.deliver(&delivery);
                }
            }
            Err(reject) if reject.retry() => {
                self.deliveries.pull_refused(conversation, true);
                self.pull_again_at = Some(self.now.mono.after(PULL_AGAIN_MS));
            }
            _ => self.deliveries.pull_refused(conversation, false),
        }
    }
}

/// The stanza, going back with an error.
pub(crate) fn refused(stanza: &Element, condition: Condition) -> Element {
    let name = if stanza.name() == "message" { "message" } else { "iq" };
    let name = if stanza.name() == "presence" { "presence" } else { name };
    Element::new(ns::CLIENT, name)
        .with("type", "error")
        .with_some("id", stanza.get("id"))
        .with_some("from", stanza.get("to").filter(|to| Jid::parse(to).is_ok()))
        .with_some("to", stanza.get("from"))
        .holding(condition.to_element())
}
