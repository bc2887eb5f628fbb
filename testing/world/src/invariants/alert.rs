//! P3: a message is handed over for a device once, under one name; again only when the provider
//! did not take it, or across a crash. What was shown, read or taken back is not alerted.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_model::{ConversationId, Seq};
use nightjar_push::Ticket;

use crate::phone::PhoneNo;
use crate::reference::Place;

/// The watch.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// The provider said that it took it, and the server heard it.
    delivered: BTreeMap<(PhoneNo, Place), u64>,
    /// Of these, those under the conversation's name.
    shared: BTreeSet<(PhoneNo, Place)>,
    /// Those the device said it took off its screen.
    taken_off: BTreeSet<(PhoneNo, Place)>,
    /// Shown on the device up to here, as the server heard it.
    surfaced: BTreeMap<(PhoneNo, ConversationId), Seq>,
    /// Requests at the provider.
    flying: BTreeMap<Ticket, (PhoneNo, Place, bool)>,
    /// The last place handed over, by lane.
    last: BTreeMap<(PhoneNo, ConversationId), Seq>,
}

impl Alerts {
    /// A request is handed over; answers what is wrong with that.
    pub(crate) fn handed(
        &mut self,
        phone: PhoneNo,
        place: &Place,
        is_shared: bool,
        ticket: Ticket,
    ) -> Option<&'static str> {
        let lane = (phone, place.0.clone());
        self.flying.insert(ticket, (phone, place.clone(), is_shared));
        let last = self.last.entry(lane.clone()).or_default();
        if place.1 < *last {
            return Some("is handed over after a later message");
        }
        *last = place.1;
        if self.delivered.contains_key(&(phone, place.clone())) {
            return Some("is handed over again though the provider took it");
        }
        if self.surfaced.get(&lane).is_some_and(|upto| place.1 <= *upto) {
            return Some("is handed over though the device said it showed it");
        }
        None
    }

    /// Nobody waits for the answer any more: the device is decided about anew.
    pub(crate) fn called_back(&mut self, ticket: Ticket) {
        self.flying.remove(&ticket);
    }

    /// The server hears an answer; the phone and the place it is about.
    pub(crate) fn answered(
        &mut self,
        ticket: Ticket,
        is_taken: bool,
        now_ms: u64,
    ) -> Option<(PhoneNo, Place)> {
        let (phone, place, is_shared) = self.flying.remove(&ticket)?;
        if is_taken {
            self.delivered.insert((phone, place.clone()), now_ms);
            if is_shared {
                self.shared.insert((phone, place.clone()));
            }
        }
        Some((phone, place))
    }

    /// The same, under the message's own name. A shared notification may have been taken back for
    /// other messages meanwhile.
    pub(crate) fn was_taken_alone(&self, phone: PhoneNo, place: &Place, now_ms: u64) -> bool {
        let of_device = (phone, place.clone());
        let may_be_gone = self.shared.contains(&of_device) || self.taken_off.contains(&of_device);
        self.was_taken(phone, place, now_ms) && !may_be_gone
    }

    /// The device took it off its screen: what it is given of the message from now on is not
    /// called pushed.
    pub(crate) fn taken_off(&mut self, phone: PhoneNo, place: Place) {
        self.taken_off.insert((phone, place));
    }

    /// Whether the conversation's notification stands, or may soon stand, for more above a place.
    pub(crate) fn shares_above(
        &self,
        phone: PhoneNo,
        conversation: &ConversationId,
        seq: Seq,
    ) -> bool {
        let is_above = |other: PhoneNo, place: &Place| {
            other == phone && place.0 == *conversation && place.1 > seq
        };
        self.shared.iter().any(|(other, place)| is_above(*other, place))
            || self.flying.values().any(|(other, place, shared)| *shared && is_above(*other, place))
    }

    /// Whether the server heard before this moment that the provider took it.
    pub(crate) fn was_taken(&self, phone: PhoneNo, place: &Place, now_ms: u64) -> bool {
        self.delivered.get(&(phone, place.clone())).is_some_and(|at_ms| *at_ms < now_ms)
    }

    /// The server hears that the device showed everything up to here.
    pub(crate) fn surfaced(&mut self, phone: PhoneNo, conversation: &ConversationId, upto: Seq) {
        let surfaced = self.surfaced.entry((phone, conversation.clone())).or_default();
        *surfaced = upto.max(*surfaced);
    }

    pub(crate) fn surfaced_upto(&self, phone: PhoneNo, conversation: &ConversationId) -> Seq {
        self.surfaced.get(&(phone, conversation.clone())).copied().unwrap_or(0)
    }

    /// Across a crash a message may be handed over again.
    pub(crate) fn crashed(&mut self) {
        *self = Self::default();
    }
}
