//! What a phone keeps: the rows its app committed. An app that is killed loses what was not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nightjar_client_core::{
    AccountRow, Commit, ConversationRow, MessageRow, OutgoingRow, PlaceRow, Restored, Row,
};
use nightjar_model::{ClientMsgId, ConversationId, Seq};

/// Rows by key, and commits that wait.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    account: AccountRow,
    conversations: BTreeMap<ConversationId, ConversationRow>,
    places: BTreeMap<ConversationId, PlaceRow>,
    pub(crate) messages: BTreeMap<(ConversationId, Seq), Arc<MessageRow>>,
    outgoing: BTreeMap<ClientMsgId, OutgoingRow>,
    waiting: VecDeque<Commit>,
}

impl Disk {
    /// Takes a commit; it counts once it was written.
    pub(crate) fn take(&mut self, commit: Commit) {
        self.waiting.push_back(commit);
    }

    /// Writes every commit up to a number.
    pub(crate) fn write(&mut self, upto: u64) {
        while self.waiting.front().is_some_and(|commit| commit.number <= upto) {
            let Some(commit) = self.waiting.pop_front() else { return };
            commit.rows.into_iter().for_each(|row| self.put(row));
        }
    }

    /// The app is gone; a commit that was being written may have made it.
    pub(crate) fn lose(&mut self, one_made_it: bool) {
        if let Some(commit) = self.waiting.front().filter(|_| one_made_it) {
            self.write(commit.number);
        }
        self.waiting.clear();
    }

    fn put(&mut self, row: Row) {
        match row {
            Row::Account(row) => self.account = *row,
            Row::Conversation(row) => {
                self.conversations.insert(row.conversation.clone(), *row);
            }
            Row::Place(row) => {
                self.places.insert(row.conversation.clone(), *row);
            }
            Row::Message(row) => {
                self.messages.entry((row.conversation.clone(), row.seq)).or_insert(row);
            }
            Row::Recalled { conversation, seq, by } => {
                let found = self.messages.get_mut(&(conversation, seq));
                if let Some(message) = found.filter(|message| message.from == by) {
                    Arc::make_mut(message).content = br#"{"type":"recalled"}"#.as_slice().into();
                }
            }
            Row::Swept(list) => {
                let gone = self.places.extract_if(.., |_, place| place.list < list);
                gone.for_each(|(conversation, _)| drop(self.conversations.remove(&conversation)));
            }
            // Nobody in this world looks at them.
            Row::Amendment(_) | Row::Listed { .. } => {}
            Row::Outgoing(row) => {
                self.outgoing.insert(row.client_msg_id.clone(), *row);
            }
            Row::OutgoingGone(id) => {
                self.outgoing.remove(&id);
            }
        }
    }

    /// What the next run of the app starts with.
    pub(crate) fn restored(&self) -> Restored {
        let mut outgoing: Vec<OutgoingRow> = self.outgoing.values().cloned().collect();
        outgoing.sort_by_key(|row| row.order);
        Restored {
            account: self.account.clone(),
            places: self.places.values().cloned().collect(),
            outgoing,
            was_left_open: false,
        }
    }

    /// Messages that wait to be sent.
    pub(crate) fn outbox(&self) -> impl Iterator<Item = &OutgoingRow> {
        self.outgoing.values()
    }

    /// Messages of a conversation, ascending.
    pub(crate) fn log<'a>(
        &'a self,
        id: &ConversationId,
    ) -> impl DoubleEndedIterator<Item = &'a MessageRow> + use<'a> {
        self.messages.range((id.clone(), 0)..=(id.clone(), Seq::MAX)).map(|(_, message)| &**message)
    }
}
