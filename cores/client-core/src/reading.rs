//! How far the user read: a marker that only grows, told to the server until it knows.

use nightjar_model::{ConversationId, Mono, Seq};
use nightjar_wire::{Body, Kind, body};

use crate::incoming::Refusal;
use crate::requests::Asked;
use crate::then::Then;
use crate::{Client, Event, defaults};

impl Client {
    /// The user read up to here, on this device.
    pub(crate) fn read(&mut self, conversation: &ConversationId, seq: Seq) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        place.read_wanted = place.read_wanted.max(seq.min(place.head));
        self.read_what_was_wanted(conversation);
    }

    /// Somebody looks at the app again: what was said to be read meanwhile is.
    pub(crate) fn read_what_was_held(&mut self) {
        let held = self.places.iter().filter(|(_, place)| place.read_wanted > place.read);
        let held: Vec<_> = held.map(|(conversation, _)| conversation.clone()).collect();
        held.iter().for_each(|conversation| self.read_what_was_wanted(conversation));
    }

    /// A marker never crosses a gap: nobody read what is not here. Nor what nobody looks at.
    pub(crate) fn read_what_was_wanted(&mut self, conversation: &ConversationId) {
        if !self.app.is_foreground() {
            return;
        }
        let Some(place) = self.places.get(conversation) else { return };
        let upto = match place.has_gap() {
            true => place.read_wanted.min(place.received.prefix()),
            false => place.read_wanted,
        };
        if self.apply_read(conversation, upto) {
            self.thens.push(Then::TellRead(conversation.clone()));
        }
    }

    /// The user read up to here, on whatever device; false if that is no news.
    pub(crate) fn apply_read(&mut self, conversation: &ConversationId, upto: Seq) -> bool {
        let Some(place) = self.places.get_mut(conversation) else { return false };
        let Some(gone) = place.read_upto(upto) else { return false };
        let is_foreground = self.app.is_foreground();
        let is_shown = place.advance_surfaced(is_foreground);
        let standing = place.standing();
        self.forget_posting(&gone);
        self.saw(vec![(conversation.clone(), upto)]);
        if is_shown {
            self.owe_ack(conversation);
        }
        self.touch(conversation);
        let conversation = conversation.clone();
        self.thens.push(Then::Tell(Event::Place { conversation, standing }));
        true
    }

    /// The user read on this device, and the marker is stored. The next one may follow at once.
    pub(crate) fn tell_read_soon(&mut self, conversation: ConversationId) {
        if self.unread_told.is_empty() {
            self.read_from = self.now.mono.after(defaults::READ_MS);
        }
        self.owe_read(conversation);
    }

    /// When the server may be told what was read: at once when nobody reads on.
    fn reads_from(&self) -> Mono {
        if self.app.is_foreground() { self.read_from.max(self.ask_from) } else { self.ask_from }
    }

    /// When there is something to tell, and room for it.
    pub(crate) fn reads_until(&self) -> Option<Mono> {
        let waits = !self.unread_told.is_empty() && !self.requests.is_full();
        waits.then(|| self.reads_from())
    }

    /// The server is to be told how far the user read.
    pub(crate) fn owe_read(&mut self, conversation: ConversationId) {
        let owes = self.places.get(&conversation).is_some_and(|place| place.owes_read());
        if owes && !self.unread_told.contains(&conversation) {
            self.unread_told.push(conversation);
        }
    }

    /// One `read` of a conversation is on its way at a time; the next says the newest place.
    pub(crate) fn tell_reads(&mut self) {
        if self.now.mono < self.reads_from() {
            return;
        }
        let mut later = Vec::new();
        while !self.requests.is_full()
            && let Some(conversation) = self.unread_told.pop()
        {
            let Some(place) = self.places.get_mut(&conversation) else { continue };
            if place.is_telling_read {
                continue;
            }
            place.is_telling_read = true;
            let seq = place.read;
            let read = body::Read { conversation: conversation.to_string(), seq };
            later.push((Asked::Read(conversation, seq), read));
        }
        for (asked, read) in later {
            self.ask(asked, Kind::Read, Body::Read(read));
        }
    }

    /// The server knows.
    pub(crate) fn read_told(&mut self, conversation: &ConversationId, seq: Seq) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        place.is_telling_read = false;
        place.read_told = place.read_told.max(seq);
        self.touch(conversation);
        self.owe_read(conversation.clone());
    }

    pub(crate) fn refused_read(
        &mut self,
        conversation: ConversationId,
        seq: Seq,
        refusal: Refusal,
    ) {
        if !refusal.retry {
            // It would be refused again.
            return self.read_told(&conversation, seq);
        }
        if let Some(place) = self.places.get_mut(&conversation) {
            place.is_telling_read = false;
        }
        self.ask_from = self.now.mono.after(defaults::ASK_AGAIN_MS);
        self.owe_read(conversation);
    }

    /// The user read on another device.
    pub(crate) fn told_read(&mut self, marker: &body::ReadMarker) {
        let Ok(conversation) = ConversationId::parse(&marker.conversation) else { return };
        self.server_read(&conversation, marker.seq);
        self.badge(marker.unread, marker.bv);
    }

    /// The server knows that the user read up to here.
    pub(crate) fn server_read(&mut self, conversation: &ConversationId, seq: Seq) {
        let Some(place) = self.places.get_mut(conversation) else { return };
        if seq > place.read_told {
            place.read_told = seq;
            self.touch(conversation);
        }
        self.apply_read(conversation, seq);
    }

    /// Of two badges the one with the higher version holds.
    pub(crate) fn badge(&mut self, unread: u64, bv: u64) {
        if bv <= self.account.bv {
            return;
        }
        (self.account.unread, self.account.bv) = (unread, bv);
        self.is_account_touched = true;
        self.thens.push(Then::Badge { unread, bv });
    }
}
