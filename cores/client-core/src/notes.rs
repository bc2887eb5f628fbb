//! Notifications: posted only when this process answers for them, taken back by id.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightjar_model::{ConversationId, MessageId, NotificationId};
use nightjar_wire::{Body, Kind, Packet};

use crate::amending::is_countable;
use crate::inbox::Origin;
use crate::{Client, ConnectionId, MessageRow, Notification, Output, PlaceRow, Row, defaults};

/// Where the notifications of this client are, and those that must not be shown.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Handed to the shell, or on the screen.
    shown: BTreeMap<MessageId, ConversationId>,
    withdrawn: BTreeSet<NotificationId>,
    /// The same, oldest first.
    withdrawn_order: VecDeque<NotificationId>,
}

impl Notes {
    /// `None` without any: most clients have none.
    pub(crate) fn restored(
        withdrawn: Vec<NotificationId>,
        places: &[PlaceRow],
    ) -> Option<Box<Self>> {
        let shown: BTreeMap<_, _> = places
            .iter()
            .flat_map(|row| row.posted.iter().map(|(_, id)| (*id, row.conversation.clone())))
            .collect();
        if withdrawn.is_empty() && shown.is_empty() {
            return None;
        }
        let skipped = withdrawn.len().saturating_sub(defaults::WITHDRAWN_MAX);
        let withdrawn_order: VecDeque<_> = withdrawn.into_iter().skip(skipped).collect();
        let withdrawn = withdrawn_order.iter().cloned().collect();
        Some(Box::new(Self { shown, withdrawn, withdrawn_order }))
    }

    /// Remembers it; answers whether it is new, and what is forgotten for it.
    fn withdraw(&mut self, id: &NotificationId) -> (bool, Option<NotificationId>) {
        if !self.withdrawn.insert(id.clone()) {
            return (false, None);
        }
        self.withdrawn_order.push_back(id.clone());
        let is_full = self.withdrawn_order.len() > defaults::WITHDRAWN_MAX;
        let oldest = if is_full { self.withdrawn_order.pop_front() } else { None };
        if let Some(oldest) = &oldest {
            self.withdrawn.remove(oldest);
        }
        (true, oldest)
    }
}

impl Client {
    /// A message is stored. In the foreground that shows it; in the background a person has to
    /// be told, by this process or, if it does not answer for that, by the server.
    pub(crate) fn show_or_post(&mut self, message: &MessageRow, origin: Origin) {
        let is_owed = match origin {
            Origin::Delivered { pushed } => message.alert && !pushed,
            Origin::Fetched => is_countable(&message.content),
        };
        let is_own = message.from == self.identity.uid;
        if !is_owed || is_own || self.app.is_foreground() || self.is_withdrawn(message.message_id) {
            return;
        }
        let is_posting = origin != Origin::Fetched && self.app.is_posting(self.now.mono);
        let Some(place) = self.places.get_mut(&message.conversation) else { return };
        if message.seq <= place.read {
            return;
        }
        if !is_posting || !place.can_post() {
            return place.hide(message.seq);
        }
        place.posting.push((message.seq, message.message_id));
        let notes = self.notes.get_or_insert_default();
        notes.shown.insert(message.message_id, message.conversation.clone());
        self.output(Output::Notify(Box::new(Notification {
            id: NotificationId::message(message.message_id),
            message_id: message.message_id,
            conversation: message.conversation.clone(),
            seq: message.seq,
            from: message.from.clone(),
            content: message.content.clone(),
            at: message.at,
        })));
    }

    fn is_withdrawn(&self, id: MessageId) -> bool {
        let notes = self.notes.as_ref();
        notes.is_some_and(|notes| notes.withdrawn.contains(&NotificationId::message(id)))
    }

    /// The shell posted it: now the message is surfaced.
    pub(crate) fn notified(&mut self, id: &NotificationId) {
        let Some((conversation, message_id)) = self.shown(id) else { return };
        let is_foreground = self.app.is_foreground();
        let Some(place) = self.places.get_mut(&conversation) else { return };
        let Some(at) = place.posting.iter().position(|(_, posting)| *posting == message_id) else {
            return;
        };
        let (seq, _) = place.posting.remove(at);
        let forgotten = place.posted(seq, message_id);
        place.advance_surfaced(is_foreground);
        if let (Some(forgotten), Some(notes)) = (forgotten, &mut self.notes) {
            notes.shown.remove(&forgotten);
        }
        self.touch(&conversation);
        self.owe_ack(&conversation);
    }

    /// It could not be posted: the server has to push.
    pub(crate) fn not_notified(&mut self, id: &NotificationId) {
        let Some((conversation, message_id)) = self.shown(id) else { return };
        let Some(place) = self.places.get_mut(&conversation) else { return };
        let Some(at) = place.posting.iter().position(|(_, posting)| *posting == message_id) else {
            return;
        };
        let (seq, _) = place.posting.remove(at);
        place.hide(seq);
        if let Some(notes) = &mut self.notes {
            notes.shown.remove(&message_id);
        }
    }

    fn shown(&self, id: &NotificationId) -> Option<(ConversationId, MessageId)> {
        let message_id = id.message_id()?;
        let conversation = self.notes.as_ref()?.shown.get(&message_id)?;
        Some((conversation.clone(), message_id))
    }

    /// The messages were read: their notifications go.
    pub(crate) fn take_back(&mut self, messages: &[MessageId]) {
        if messages.is_empty() {
            return;
        }
        if let Some(notes) = &mut self.notes {
            for id in messages {
                notes.shown.remove(id);
            }
        }
        let ids = messages.iter().map(|id| NotificationId::message(*id)).collect();
        self.output(Output::Withdraw(ids));
    }

    /// The app is on the screen: everything stored can be seen, and what is open needs no
    /// notification.
    pub(crate) fn show_everything(&mut self) {
        let mut shown = Vec::new();
        for (conversation, place) in &mut self.places {
            if place.advance_surfaced(true) {
                shown.push(conversation.clone());
            }
        }
        shown.iter().for_each(|conversation| self.owe_ack(conversation));
    }

    /// Nobody is signed in any more: nothing of the account stays on the screen.
    pub(crate) fn clear_screen(&mut self) {
        let conversations: Vec<_> = self.places.keys().cloned().collect();
        conversations.iter().for_each(|conversation| self.clear_notifications(conversation));
        (self.account.unread, self.is_account_touched) = (0, true);
        let bv = self.account.bv;
        self.thens.push(crate::then::Then::Tell(crate::Event::Badge { unread: 0, bv }));
    }

    /// This conversation is being looked at.
    pub(crate) fn clear_notifications(&mut self, conversation: &ConversationId) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        let lists = [std::mem::take(&mut place.posting), std::mem::take(&mut place.posted)];
        let gone: Vec<_> = lists.into_iter().flatten().map(|(_, id)| id).collect();
        if !gone.is_empty() {
            self.take_back(&gone);
            self.touch(conversation);
        }
    }

    /// The server takes notifications back. Those of messages are remembered, for a message may
    /// come later than its withdrawal; one of a conversation may come again.
    pub(crate) fn remember_withdrawn(&mut self, ids: &[NotificationId]) {
        for id in ids {
            let Some(message_id) = id.message_id() else { continue };
            let notes = self.notes.get_or_insert_default();
            let (is_new, forgotten) = notes.withdraw(id);
            let shown_in = notes.shown.remove(&message_id);
            if is_new {
                self.rows.push(Row::Withdrawn(id.clone()));
            }
            self.rows.extend(forgotten.map(Row::WithdrawnGone));
            if let Some(conversation) = shown_in {
                self.is_gone(&conversation, message_id);
            }
        }
    }

    fn is_gone(&mut self, conversation: &ConversationId, message_id: MessageId) {
        let is_foreground = self.app.is_foreground();
        let Some(place) = self.places.get_mut(conversation) else { return };
        place.posting.retain(|(_, id)| *id != message_id);
        place.posted.retain(|(_, id)| *id != message_id);
        if place.advance_surfaced(is_foreground) {
            self.owe_ack(conversation);
        }
        self.touch(conversation);
    }

    /// The withdrawal is safe: it is carried out, and then confirmed.
    pub(crate) fn withdraw(
        &mut self,
        connection: ConnectionId,
        serial: i32,
        ids: Vec<NotificationId>,
    ) {
        if !ids.is_empty() {
            self.output(Output::Withdraw(ids));
        }
        if connection == self.connection && self.is_open {
            self.send(&Packet::answer(serial, Kind::Withdraw, Body::Empty));
        }
    }
}
