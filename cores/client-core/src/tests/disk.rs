//! A store that survives crashes as far as it was told to commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use nightjar_model::{ClientMsgId, ConversationId, Removed, Seq};

use crate::{
    AccountRow, AmendmentRow, Commit, Listed, MessageRow, OutgoingRow, PlaceRow, Restored, Row,
};

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) account: AccountRow,
    pub(super) places: BTreeMap<ConversationId, PlaceRow>,
    pub(super) messages: BTreeMap<(ConversationId, Seq), Arc<MessageRow>>,
    pub(super) outgoing: BTreeMap<ClientMsgId, OutgoingRow>,
    pub(super) recalled: BTreeSet<(ConversationId, Seq)>,
    /// What `sync` lists, by key, with its list and version.
    lists: BTreeMap<ListKey, ((u32, u64), Listed)>,
    pub(super) amendments: Vec<AmendmentRow>,
    waiting: VecDeque<Commit>,
    last: u64,
}

impl Disk {
    pub(super) fn take(&mut self, commit: Commit) {
        assert!(!commit.rows.is_empty(), "an empty commit");
        self.waiting.push_back(commit);
    }

    /// Commits the oldest batch; answers its number.
    pub(super) fn commit(&mut self) -> Option<u64> {
        let Commit { number, rows } = self.waiting.pop_front()?;
        assert_eq!(number, self.last + 1, "commits are numbered in order");
        self.last = number;
        rows.into_iter().for_each(|row| self.put(row));
        Some(number)
    }

    fn put(&mut self, row: Row) {
        match row {
            Row::Account(row) => self.account = *row,
            Row::Conversation(_) => {}
            Row::Place(row) => drop(self.places.insert(row.conversation.clone(), *row)),
            Row::Message(row) => {
                let there =
                    self.messages.entry((row.conversation.clone(), row.seq)).or_insert(row.clone());
                assert_eq!(there.message_id, row.message_id, "two messages at one place");
            }
            Row::Recalled { conversation, seq, by } => {
                if self.messages.get(&(conversation.clone(), seq)).is_some_and(|row| row.from == by)
                {
                    self.recalled.insert((conversation, seq));
                }
            }
            Row::Amendment(row) => self.amendments.push(*row),
            Row::Listed { list, item } => {
                let (key, ver) = key_and_version(&item);
                let at = (list, ver);
                if self.lists.get(&key).is_none_or(|(there, _)| at >= *there) {
                    self.lists.insert(key, (at, *item));
                }
            }
            Row::Swept(list) => {
                self.lists.retain(|_, ((of, _), _)| *of >= list);
                self.places.retain(|_, place| place.list >= list);
            }
            Row::Outgoing(row) => drop(self.outgoing.insert(row.client_msg_id.clone(), *row)),
            Row::OutgoingGone(id) => drop(self.outgoing.remove(&id)),
        }
    }

    /// The process ended: what was not committed is gone.
    pub(super) fn crash(&mut self) -> Restored {
        self.waiting.clear();
        self.last = 0;
        let mut outgoing: Vec<_> = self.outgoing.values().cloned().collect();
        outgoing.sort_by_key(|row| row.order);
        Restored {
            account: self.account.clone(),
            places: self.places.values().cloned().collect(),
            outgoing,
            was_left_open: false,
        }
    }

    /// What a person sees of the lists, in order.
    pub(super) fn listed(&self) -> Vec<String> {
        let items = self.lists.values().map(|(_, item)| item);
        let shown = items.filter_map(|item| match item {
            Listed::Contact(it) if it.blocked => Some(format!("{} blocked", it.uid)),
            Listed::Contact(it) => Some(format!("{} {}", it.uid, it.state.as_str())),
            Listed::Group(it) => Some(format!("{} {}", it.group, it.name)),
            Listed::Profile(it) => Some(format!("{}: {}", it.uid, it.name.as_deref()?)),
            Listed::Removed(_) => None,
        });
        shown.collect()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn has(&self, conversation: &ConversationId, seq: Seq) -> bool {
        self.messages.contains_key(&(conversation.clone(), seq))
    }
}

/// What a row is about.
pub(super) type ListKey = (&'static str, String);

pub(super) fn key_and_version(item: &Listed) -> (ListKey, u64) {
    match item {
        Listed::Contact(it) => (("contact", it.uid.to_string()), it.ver),
        Listed::Group(it) => (("group", it.group.to_string()), it.ver),
        Listed::Profile(it) => (("profile", it.uid.to_string()), it.ver),
        Listed::Removed(Removed::Contact { uid, ver }) => (("contact", uid.to_string()), *ver),
        Listed::Removed(Removed::Group { group, ver }) => (("group", group.to_string()), *ver),
    }
}
