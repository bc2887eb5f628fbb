//! A whole packet whose body cannot be read: asked for again, then left out.

use nightjar_model::{ByeReason, ConversationId, Metric, Reject, Seq};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, body};

use crate::incoming::Refusal;
use crate::requests::Asked;
use crate::{Client, defaults};

impl Client {
    /// The connection is in step, only this packet is lost. Once may be bad luck on the way: a new
    /// connection brings it again. What stays unreadable must not end connections for ever.
    pub(crate) fn unreadable(&mut self, kind: Kind, serial: i32) {
        self.metrics.count(Metric::UnreadablePacket);
        let times = self.metrics.unreadable.entry(kind).or_default();
        *times = times.saturating_add(1);
        // Entries are asked for again by themselves, and fewer of them.
        if kind != Kind::History && *times < defaults::UNREADABLE_MAX {
            self.say_bye(ByeReason::Protocol);
            return self.lost();
        }
        match self.requests.answered(serial) {
            Some(Asked::Fill(conversation, after, before)) => {
                self.fill_less(conversation, after, before);
            }
            Some(asked) => self.refused(asked, Refusal { reject: None, retry: false }),
            None if serial >= SERVER_SERIAL_MIN => {
                self.send(&Packet::reject(serial, kind, Reject::BadFrame));
            }
            // The list says how far the conversations are, so what was in it is asked for.
            None => self.wants_sync |= kind == Kind::Deliver && self.config.syncs,
        }
    }

    /// Something between these places, both exclusive, cannot be read. It is searched by halves;
    /// found, it counts as received: nobody could ever see it, and the rest must not wait for it.
    fn fill_less(&mut self, conversation: ConversationId, after: Seq, before: Option<Seq>) {
        let Some(place) = self.places.get_mut(&conversation) else { return };
        let last = before.map_or(place.head, |before| before.saturating_sub(1));
        let half = last.saturating_sub(after).min(u64::from(defaults::FILL_PAGE)) / 2;
        if half == 0 {
            place.is_filling = false;
            place.fetched(after, after + 1);
            self.received_upto(&conversation);
            return self.fill_the_rest_now(&conversation);
        }
        let before = Some(after + half + 1);
        let history = body::History {
            conversation: conversation.to_string(),
            after: Some(after),
            before,
            limit: Some(defaults::FILL_PAGE),
        };
        self.ask(Asked::Fill(conversation, after, before), Kind::History, Body::History(history));
    }
}
