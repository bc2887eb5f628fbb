//! The reference model in plain code: what the server promised, who could have seen what.
//!
//! A fact is something the server decided. It counts once its commit is safe; a crash takes the
//! facts of lost commits back, and nobody may have heard of them.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_domain::CommitNo;
use nightjar_model::{
    ClientMsgId, Command, ConnId, ConversationId, GroupId, Lane, MessageId, Seq, Uid,
};

use crate::invariants::{Alerts, Badges, Dark, Pairs, Withdrawals};
use crate::phone::PhoneNo;

/// A command on its way through the node.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The connection it came over; `None` for the operator's.
    pub(crate) conn: Option<ConnId>,
    pub(crate) phone: Option<PhoneNo>,
    pub(crate) command: Command,
}

/// Something the server decided.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    Accepted(Place, Message),
    Recalled(Place),
    Read(Uid, ConversationId, Seq),
    Bound(PhoneNo, String),
    Unbound(PhoneNo),
    SignedOut(PhoneNo),
    SignedIn(PhoneNo),
}

/// A place in a conversation's log.
pub(crate) type Place = (ConversationId, Seq);

/// An entry as its sender's answer told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) from: Uid,
    /// `None` for what is not a message of a person.
    pub(crate) ids: Option<(MessageId, ClientMsgId)>,
}

/// What an entry is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    /// Counted, never alerted.
    Silent,
    /// A recall, a change of members.
    Change,
}

/// What follows from the facts.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) logs: BTreeMap<ConversationId, BTreeMap<Seq, Message>>,
    pub(crate) recalled: BTreeSet<Place>,
    pub(crate) read: BTreeMap<(Uid, ConversationId), Seq>,
    pub(crate) bound: BTreeMap<PhoneNo, String>,
    pub(crate) signed_out: BTreeSet<PhoneNo>,
    pub(crate) sent: BTreeMap<(Uid, ClientMsgId), (MessageId, Place)>,
}

/// The whole model.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) owners: Vec<Uid>,
    groups: BTreeMap<ConversationId, BTreeSet<Uid>>,
    facts: Vec<(CommitNo, Fact)>,
    kept: Vec<Fact>,
    pub(crate) known: Known,
    /// The node has work it has not looked at.
    pub(crate) looks_behind: bool,
    /// It had in the last turn, before or after it settled: badges may lag.
    pub(crate) is_behind: bool,
    pub(crate) dark: Dark,
    pub(crate) alerts: Alerts,
    pub(crate) withdrawals: Withdrawals,
    pub(crate) badges: Badges,
    pub(crate) pairs: Pairs,
}

impl Known {
    /// Where a message is.
    pub(crate) fn place_of(&self, id: MessageId) -> Option<Place> {
        self.sent.values().find(|(sent, _)| *sent == id).map(|(_, place)| place.clone())
    }

    fn take(&mut self, fact: &Fact) {
        match fact.clone() {
            Fact::Accepted(place, message) => {
                if let Some((id, key)) = message.ids.clone() {
                    self.sent.insert((message.from.clone(), key), (id, place.clone()));
                }
                self.logs.entry(place.0).or_default().insert(place.1, message);
            }
            Fact::Recalled(place) => {
                self.recalled.insert(place);
            }
            Fact::Read(uid, conversation, seq) => {
                let read = self.read.entry((uid, conversation)).or_default();
                *read = seq.max(*read);
            }
            Fact::Bound(phone, token) => {
                self.bound.retain(|_, held| *held != token);
                self.bound.insert(phone, token);
                self.signed_out.remove(&phone);
            }
            Fact::Unbound(phone) => {
                self.bound.remove(&phone);
            }
            Fact::SignedOut(phone) => {
                self.bound.remove(&phone);
                self.signed_out.insert(phone);
            }
            Fact::SignedIn(phone) => {
                self.signed_out.remove(&phone);
            }
        }
    }

    pub(crate) fn read_upto(&self, uid: &Uid, conversation: &ConversationId) -> Seq {
        self.read.get(&(uid.clone(), conversation.clone())).copied().unwrap_or(0)
    }

    pub(crate) fn head(&self, conversation: &ConversationId) -> Seq {
        let last = self.logs.get(conversation).and_then(|log| log.last_key_value());
        last.map_or(0, |(seq, _)| *seq)
    }

    pub(crate) fn message(&self, place: &Place) -> Option<&Message> {
        self.logs.get(&place.0)?.get(&place.1)
    }

    /// Whether a person is to be told of it as things stand.
    pub(crate) fn is_alertable(&self, place: &Place) -> bool {
        self.message(place).is_some_and(|message| message.kind == Kind::Message)
            && !self.recalled.contains(place)
    }
}

impl Reference {
    pub(crate) fn add_phone(&mut self, no: PhoneNo, uid: Uid) {
        assert_eq!(no, self.owners.len(), "phones are added in order");
        self.owners.push(uid);
        self.dark.add_phone();
    }

    pub(crate) fn add_group(&mut self, group: &GroupId, members: &[Uid]) {
        let members = members.iter().cloned().collect();
        self.groups.insert(ConversationId::group(group), members);
    }

    pub(crate) fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Who is in a conversation.
    pub(crate) fn members(&self, conversation: &ConversationId) -> BTreeSet<Uid> {
        match conversation.peers() {
            Some((low, high)) => BTreeSet::from([low, high]),
            None => self.groups.get(conversation).cloned().unwrap_or_default(),
        }
    }

    /// Whether the node looks at it in a later turn than the one that accepts.
    pub(crate) fn is_large(&self, conversation: &ConversationId) -> bool {
        let lanes: BTreeSet<Lane> = self.members(conversation).iter().map(Lane::of_user).collect();
        lanes.len() > 4
    }

    /// The devices of a user.
    pub(crate) fn phones_of(&self, uid: &Uid) -> Vec<PhoneNo> {
        (0..self.owners.len()).filter(|no| self.owners[*no] == *uid).collect()
    }

    /// Conversations a user is in that have a log.
    pub(crate) fn conversations_of(&self, uid: &Uid) -> Vec<ConversationId> {
        let ids = self.known.logs.keys();
        ids.filter(|id| self.members(id).contains(uid)).cloned().collect()
    }

    /// A user's unread messages over all conversations.
    pub(crate) fn unread(&self, uid: &Uid) -> u64 {
        self.unread_by_conversation(uid).values().sum()
    }

    /// A user's unread messages, counted one by one.
    pub(crate) fn unread_by_conversation(&self, uid: &Uid) -> BTreeMap<ConversationId, u64> {
        let mut counts = BTreeMap::new();
        for id in self.conversations_of(uid) {
            let read = self.known.read_upto(uid, &id);
            let unread = self.known.logs[&id].range(read + 1..).filter(|(seq, message)| {
                message.kind != Kind::Change
                    && message.from != *uid
                    && !self.known.recalled.contains(&(id.clone(), **seq))
            });
            let unread = unread.count() as u64;
            counts.insert(id, unread);
        }
        counts.retain(|_, unread| *unread > 0);
        counts
    }

    /// The user's last message of a conversation that was not taken back.
    pub(crate) fn last_of(&self, conversation: &ConversationId, uid: &Uid) -> Option<Seq> {
        let log = self.known.logs.get(conversation)?;
        let own = log
            .iter()
            .rev()
            .filter(|(_, message)| message.from == *uid && message.kind != Kind::Change);
        own.map(|(seq, _)| *seq)
            .find(|seq| !self.known.recalled.contains(&(conversation.clone(), *seq)))
    }

    /// The server decided something in this commit.
    pub(crate) fn learn(&mut self, commit: CommitNo, fact: Fact) {
        self.known.take(&fact);
        self.facts.push((commit, fact));
    }

    /// Every fact that stands or may stand, in order; those of earlier processes are safe.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (CommitNo, &Fact)> {
        let kept = self.kept.iter().map(|fact| (CommitNo(0), fact));
        kept.chain(self.facts.iter().map(|(commit, fact)| (*commit, fact)))
    }

    /// A crash: what was decided in commits up to `safe` stands, the rest never was. Answers
    /// messages that stand.
    pub(crate) fn crashed(&mut self, safe: CommitNo) -> Vec<(Place, Message)> {
        let mut accepted = Vec::new();
        for (commit, fact) in std::mem::take(&mut self.facts) {
            if commit <= safe {
                if let Fact::Accepted(place, message) = &fact {
                    accepted.push((place.clone(), message.clone()));
                }
                self.kept.push(fact);
            }
        }
        self.known = Known::default();
        for fact in &self.kept {
            self.known.take(fact);
        }
        self.is_behind = false;
        self.dark.crashed(&self.known);
        self.alerts.crashed();
        self.withdrawals.crashed();
        self.badges.crashed();
        self.pairs.crashed(&self.known);
        accepted
    }

    /// The device cannot be pushed any more: whatever it is owed comes to nothing.
    pub(crate) fn forgive(&mut self, phone: PhoneNo) {
        self.dark.forgive(phone);
        self.pairs.give_up(phone);
    }

    /// A process is ready: what is open must be pushed soon.
    pub(crate) fn ready(&mut self, now_ms: u64) {
        self.excuse(now_ms + crate::invariants::READY_WITHIN_MS);
    }

    /// Until then nothing is late.
    pub(crate) fn excuse(&mut self, until_ms: u64) {
        self.dark.excuse(until_ms);
        self.withdrawals.excuse(until_ms);
    }
}
