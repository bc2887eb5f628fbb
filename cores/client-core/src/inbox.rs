//! What arrives: stored first, then shown and acknowledged. Gaps are filled from below.

use std::sync::Arc;

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    ClientMsgId, ConversationId, IdError, MessageId, Metric, Mono, Seq, Target, Uid, WallMs, limits,
};
use nightjar_wire::{Body, Kind, Packet, body};

use crate::amending::{amendment, is_countable, recalled};
use crate::incoming::Refusal;
use crate::place::Place;
use crate::requests::Asked;
use crate::then::Then;
use crate::{AmendmentRow, Client, Event, MessageRow, Row, defaults};

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The server delivered it; whether it pushed it already.
    Delivered { pushed: bool },
    /// An extension looked it up, and alerted of it if need be.
    Spooled,
    /// It was missing and was asked for. Nothing says whether a person is to be told.
    Fetched,
}

impl Client {
    pub(crate) fn delivered(&mut self, deliver: body::Deliver) {
        for message in deliver.messages {
            let origin = Origin::Delivered { pushed: message.pushed };
            // Without its ids it can be neither kept nor asked for again.
            if let Ok(message) = read_message(message) {
                self.arrived(message, origin);
            }
        }
    }

    pub(crate) fn arrived(&mut self, message: MessageRow, origin: Origin) {
        let (conversation, seq) = (message.conversation.clone(), message.seq);
        if seq == 0 {
            return;
        }
        let is_own = message.from == self.identity.uid;
        let place = self.place(&conversation, seq - 1);
        if Sabotage::GapIgnored.is_on() && place.received.prefix() < seq {
            place.received.insert(place.received.prefix() + 1, seq - 1);
        }
        if matches!(origin, Origin::Delivered { .. }) {
            place.given(seq);
        }
        if !place.arrive(seq, false) {
            self.metrics.count(Metric::DuplicateDropped);
            self.owe_ack(&conversation);
            return self.notice_gap(&conversation);
        }
        if !is_own && seq > place.counted.max(place.read) && is_countable(&message.content) {
            place.unread += 1;
        }
        place.counted = place.counted.max(seq);
        let confirms = is_own && self.confirm_own(&message);
        let message = Arc::new(message);
        self.rows.push(Row::Message(message.clone()));
        if let Some(target) = recalled(&message.content) {
            let (conversation, by) = (conversation.clone(), message.from.clone());
            self.rows.push(Row::Recalled { conversation, seq: target, by });
        }
        if let Some((target, amendment)) = amendment(&message.content) {
            let (conversation, by) = (conversation.clone(), message.from.clone());
            let row = AmendmentRow { conversation, seq, target, by, amendment };
            self.rows.push(Row::Amendment(Box::new(row.clone())));
            self.thens.push(Then::Tell(Event::Amended(Box::new(row))));
        }
        if !confirms {
            self.thens.push(Then::Arrived(message, origin));
        }
        self.received_upto(&conversation);
    }

    /// What was received of the conversation changed.
    pub(crate) fn received_upto(&mut self, conversation: &ConversationId) {
        let Some(place) = self.places.get(conversation) else { return };
        self.thens.push(Then::Stored(conversation.clone(), place.received.prefix()));
        self.touch(conversation);
        self.notice_gap(conversation);
        self.read_what_was_wanted(conversation);
    }

    /// The place of a conversation. One that is not known yet starts at its beginning, since it
    /// is new; but on a device that is new itself, or keeps no list, after `before`.
    pub(crate) fn place(&mut self, conversation: &ConversationId, before: Seq) -> &mut Place {
        if !self.places.contains_key(conversation) {
            if self.places.len() >= defaults::PLACES_MAX {
                self.forget_a_place();
            }
            let has_past = self.is_fresh && !self.account.is_synced || !self.config.syncs;
            let place = Place::starting_at(if has_past { before } else { 0 }, has_past);
            self.places.insert(conversation.clone(), Box::new(place));
        }
        self.uses += 1;
        let (used, list) = (self.uses, self.account.list);
        let place = self.places.get_mut(conversation).expect("it was just put there");
        (place.used, place.list) = (used, list);
        place
    }

    fn forget_a_place(&mut self) {
        let oldest =
            self.places.iter().min_by_key(|(_, place)| (!place.is_caught_up(), place.used));
        if let Some(conversation) = oldest.map(|(conversation, _)| conversation.clone()) {
            self.places.remove(&conversation);
        }
    }

    /// The message is stored.
    pub(crate) fn arrived_for_good(&mut self, message: Arc<MessageRow>, origin: Origin) {
        if message.alert && self.app.is_foreground() {
            let ms = self.now.wall.0.saturating_sub(message.at.0);
            self.metrics.time(Metric::SurfacedLatency, ms);
        }
        self.show_or_post(&message, origin);
        if let Some(seq) = recalled(&message.content) {
            let (conversation, by) = (message.conversation.clone(), message.from.clone());
            self.tell(Event::Recalled { conversation, seq, by });
        }
        self.tell(Event::Message(message));
    }

    /// Everything up to here is stored.
    pub(crate) fn stored(&mut self, conversation: &ConversationId, seq: Seq) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        place.store(seq);
        place.advance_surfaced(self.app.is_foreground());
        let standing = place.standing();
        self.ack_messages += 1;
        self.owe_ack(conversation);
        self.tell(Event::Place { conversation: conversation.clone(), standing });
    }

    // Acknowledgements.

    /// The server is to be told how far the conversation is.
    pub(crate) fn owe_ack(&mut self, conversation: &ConversationId) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        if !std::mem::replace(&mut place.is_unacked, true) {
            self.unacked.push(conversation.clone());
        }
        self.ack_at.get_or_insert(self.now.mono.after(self.config.ack_ms));
    }

    /// Sends what is due.
    pub(crate) fn acknowledge(&mut self) {
        let is_due = self.ack_at.is_some_and(|at| at <= self.now.mono);
        if is_due || self.ack_messages >= defaults::ACK_MESSAGES {
            self.acknowledge_now();
        }
    }

    pub(crate) fn acknowledge_now(&mut self) {
        (self.ack_at, self.ack_messages) = (None, 0);
        let unacked = std::mem::take(&mut self.unacked);
        if self.app.is_foreground() {
            let surfaced = |id: &ConversationId| Some((id.clone(), self.places.get(id)?.surfaced));
            self.saw(unacked.iter().filter_map(surfaced).collect());
        }
        for chunk in unacked.chunks(limits::ACK_ITEMS_MAX) {
            let items: Vec<_> = chunk.iter().filter_map(|id| self.ack_item(id)).collect();
            if !items.is_empty() {
                self.send(&Packet::one_way(Kind::Ack, Body::Ack(body::Ack { items })));
            }
        }
    }

    fn ack_item(&mut self, conversation: &ConversationId) -> Option<body::AckItem> {
        let place = self.places.get_mut(conversation)?;
        place.is_unacked = false;
        let news = (place.stored > place.told_stored, place.surfaced > place.told_surfaced);
        (place.told_stored, place.told_surfaced) = (place.stored, place.surfaced);
        // Before its first delivery a server cannot place what this connection wrote itself.
        if news.0 && place.is_given && place.ungiven.is_none() {
            self.proofs.acknowledged(conversation, place.stored);
        }
        (news.0 || news.1).then(|| body::AckItem {
            conversation: conversation.to_string(),
            stored: news.0.then_some(place.stored),
            surfaced: news.1.then_some(place.surfaced),
        })
    }

    // Gaps.

    /// If something is missing, it is asked for unless it comes by itself.
    pub(crate) fn notice_gap(&mut self, conversation: &ConversationId) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        let wait_ms = match place.to_fetch() {
            None => {
                place.fill_at = None;
                let since = place.gap_since.take();
                return self.metrics.end(Metric::GapOpen, since, self.now.mono);
            }
            Some(_) if place.is_filling => return,
            // Something above the gap came, so what is in it should have.
            Some((_, Some(_))) => defaults::GAP_WAIT_MS,
            // Only heard of; the server may be about to deliver it.
            Some((_, None)) => defaults::BACKLOG_WAIT_MS,
        };
        place.gap_since.get_or_insert(self.now.mono);
        let at = self.now.mono.after(wait_ms);
        place.fill_at = Some(place.fill_at.map_or(at, |earlier| earlier.min(at)));
        if !self.gaps.contains(conversation) {
            self.gaps.push(conversation.clone());
        }
    }

    /// When the next gap may be asked for; `None` if there is none, or no room.
    pub(crate) fn fill_until(&self) -> Option<Mono> {
        if !self.can_fill() {
            return None;
        }
        let waits = self.gaps.iter().filter_map(|id| self.places.get(id)?.fill_at);
        waits.min().map(|at| at.max(self.ask_from))
    }

    fn can_fill(&self) -> bool {
        let is_fill = |asked: &Asked| matches!(asked, Asked::Fill(..));
        !self.gaps.is_empty()
            && !self.requests.is_full()
            && self.requests.count(is_fill) < defaults::FILLS_MAX
    }

    pub(crate) fn fill_gaps(&mut self) {
        let now = self.now.mono;
        while self.can_fill() {
            let is_due = |id: &ConversationId| {
                self.places.get(id).and_then(|place| place.fill_at).is_some_and(|at| at <= now)
            };
            let Some(at) = self.gaps.iter().position(is_due) else { return };
            let conversation = self.gaps.swap_remove(at);
            self.fill(conversation);
        }
    }

    fn fill(&mut self, conversation: ConversationId) {
        let Some(place) = self.places.get_mut(&conversation) else { return };
        let Some((after, before)) = place.start_fetch() else { return };
        let history = body::History {
            conversation: conversation.to_string(),
            after: Some(after),
            before,
            limit: Some(defaults::FILL_PAGE),
        };
        self.ask(Asked::Fill(conversation, after, before), Kind::History, Body::History(history));
    }

    /// What was missing, or a page of it. Places between its messages are not this user's to see.
    pub(crate) fn filled(
        &mut self,
        conversation: &ConversationId,
        after: Seq,
        before: Option<Seq>,
        answer: body::HistoryAnswer,
    ) {
        let last = answer.messages.last().map(|message| message.seq);
        let below = before.map_or(answer.head_seq, |before| before.saturating_sub(1));
        let mut upto = after;
        for message in answer.messages {
            if let Some(place) = self.places.get_mut(conversation) {
                place.received.insert(upto.saturating_add(1), message.seq.saturating_sub(1));
            }
            upto = message.seq;
            if let Ok(message) = read_message(message)
                && message.conversation == *conversation
            {
                self.arrived(message, Origin::Fetched);
            }
        }
        let Some(place) = self.places.get_mut(conversation) else { return };
        place.is_filling = false;
        place.fetched(after, last.unwrap_or(below));
        if last.is_none() && before.is_none() {
            place.head = place.received.prefix();
        }
        place.fill_at = None;
        let has_progress = place.to_fetch() != Some((after, before));
        if !place.has_gap() {
            self.metrics.count(Metric::GapFilled);
        }
        self.received_upto(conversation);
        if has_progress {
            self.fill_the_rest_now(conversation);
        }
    }

    /// After a page, or an entry of this connection's own, the next page need not wait.
    pub(crate) fn fill_the_rest_now(&mut self, conversation: &ConversationId) {
        let now = self.now.mono;
        if let Some(place) = self.places.get_mut(conversation)
            && let Some(at) = &mut place.fill_at
        {
            *at = now;
        }
    }

    /// What is missing cannot be had: it was never this user's, or not now.
    pub(crate) fn refused_fill(
        &mut self,
        conversation: &ConversationId,
        before: Option<Seq>,
        refusal: Refusal,
    ) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        place.is_filling = false;
        if refusal.retry {
            self.ask_from = self.now.mono.after(defaults::ASK_AGAIN_MS);
            return self.notice_gap(conversation);
        }
        let upto = before.map_or(place.head, |before| before - 1);
        place.received.insert(place.received.prefix() + 1, upto);
        place.ungiven = None;
        self.received_upto(conversation);
    }

    // For the user.

    pub(crate) fn history(
        &mut self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) {
        if !self.is_open || self.requests.is_full() {
            return self.tell(Event::Refused { kind: Kind::History, reject: None });
        }
        let history = body::History {
            conversation: conversation.to_string(),
            after: None,
            before,
            limit: Some(limit.clamp(1, limits::HISTORY_MAX as u32)),
        };
        self.ask(Asked::History(conversation), Kind::History, Body::History(history));
    }

    pub(crate) fn told_history(
        &mut self,
        conversation: ConversationId,
        answer: body::HistoryAnswer,
    ) {
        let messages: Vec<_> = answer.messages.into_iter().flat_map(read_message).collect();
        let messages: Vec<_> = messages.into_iter().map(Arc::new).collect();
        self.rows.extend(messages.iter().cloned().map(Row::Message));
        let head_seq = answer.head_seq;
        self.thens.push(Then::Tell(Event::History { conversation, messages, head_seq }));
    }

    pub(crate) fn typing(&mut self, to: &Target) {
        if self.is_open {
            let typing = body::Typing { to: Some(address(to)), ..body::Typing::default() };
            self.send(&Packet::one_way(Kind::Typing, Body::Typing(typing)));
        }
    }
}

/// A target as the wire says it.
pub(crate) fn address(to: &Target) -> body::To {
    match to {
        Target::User(uid) => body::To { user: Some(uid.to_string()), ..body::To::default() },
        Target::Group(group) => body::To { group: Some(group.to_string()), ..body::To::default() },
    }
}

/// A message as the server wrote it.
pub(crate) fn read_message(message: body::Message) -> Result<MessageRow, IdError> {
    Ok(MessageRow {
        message_id: MessageId::parse(&message.message_id)?,
        conversation: ConversationId::parse(&message.conversation)?,
        seq: message.seq,
        from: Uid::parse(&message.from)?,
        client_msg_id: ClientMsgId::parse(&message.client_msg_id)?,
        at: WallMs(message.at),
        content: message.content,
        alert: message.alert,
    })
}
