//! P4: a notification whose message was read or taken back is taken off: the device is told
//! within two seconds where it is connected or can be pushed.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_model::{ConversationId, NotificationId, Seq};

use crate::acts::short;
use crate::invariants::WITHDRAW_WITHIN_MS;
use crate::phone::{PhoneNo, Shown};
use crate::reference::Place;
use crate::world::World;

/// A withdrawal names so many notifications.
const NAMED_MAX: Seq = 32;

/// Which notifications of a conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    /// What was taken back above the read marker too: it was told when it was, and a new process
    /// tells it again.
    All,
    /// Those that stand for something up to the read marker.
    Read,
    /// The one that stands for this place.
    One(Seq),
}

/// The watch.
#[derive(Debug, Default)]
pub(crate) struct Withdrawals {
    /// Devices to be told, and since when.
    owed: BTreeMap<(PhoneNo, NotificationId), (Place, u64)>,
    /// Told once; after that the next hello and the next push tell again.
    told: BTreeSet<(PhoneNo, NotificationId)>,
    excused_until_ms: u64,
}

impl Withdrawals {
    /// From now on the device is to be told.
    pub(crate) fn owe(&mut self, phone: PhoneNo, id: NotificationId, place: Place, now_ms: u64) {
        if !self.told.contains(&(phone, id.clone())) {
            self.owed.entry((phone, id)).or_insert((place, now_ms));
        }
    }

    /// The device shows it, maybe anew.
    pub(crate) fn shown(&mut self, phone: PhoneNo, id: &NotificationId) {
        self.told.remove(&(phone, id.clone()));
    }

    /// The server tells the device, one way or another.
    pub(crate) fn told(&mut self, phone: PhoneNo, id: &NotificationId) {
        self.owed.remove(&(phone, id.clone()));
        self.told.insert((phone, id.clone()));
    }

    /// The device is owed nothing any more.
    pub(crate) fn forgive(&mut self, phone: PhoneNo) {
        self.owed.retain(|(other, _), _| *other != phone);
    }

    pub(crate) fn excuse(&mut self, until_ms: u64) {
        self.excused_until_ms = self.excused_until_ms.max(until_ms);
    }

    /// A crash: what still stands is owed again by the next process.
    pub(crate) fn crashed(&mut self) {
        self.owed.clear();
    }

    pub(crate) fn is_watching(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Those that are late, taken out.
    pub(crate) fn late(
        &mut self,
        now_ms: u64,
        within_ms: u64,
    ) -> Vec<(PhoneNo, NotificationId, Place, u64)> {
        let is_late = |since_ms: u64| now_ms > (since_ms + within_ms).max(self.excused_until_ms);
        let late: Vec<_> =
            self.owed.iter().filter(|(_, (_, since_ms))| is_late(*since_ms)).collect();
        let late: Vec<_> = late
            .into_iter()
            .map(|((phone, id), (place, since_ms))| (*phone, id.clone(), place.clone(), *since_ms))
            .collect();
        for (phone, id, ..) in &late {
            self.owed.remove(&(*phone, id.clone()));
        }
        late
    }
}

impl World {
    /// Something was read or taken back: what the phone shows of it, and the server knows of, is
    /// to be taken off.
    pub(crate) fn owe_withdrawals(
        &mut self,
        phone: PhoneNo,
        conversation: &ConversationId,
        of: Of,
    ) {
        let now_ms = self.agenda.now_ms();
        if self.phones[phone].is_stranger {
            return;
        }
        let shared = NotificationId::conversation(conversation);
        let read = self.reference.known.read_upto(&self.phones[phone].uid, conversation);
        let mut shown: Vec<(NotificationId, Place)> = self.phones[phone]
            .shade
            .iter()
            .filter(|(_, shown)| shown.conversation == *conversation)
            .filter(|(_, shown)| match of {
                Of::All => true,
                Of::One(seq) => shown.seqs.contains(&seq),
                Of::Read => shown.seqs.iter().any(|seq| *seq <= read),
            })
            .filter(|(_, shown)| self.is_settled(phone, shown))
            // What a shared one stands for the server knows only once the device showed the rest.
            .filter(|(id, shown)| **id != shared || shown.seqs.iter().all(|seq| *seq <= read))
            .filter(|(id, _)| {
                **id != shared || !self.reference.alerts.shares_above(phone, conversation, read)
            })
            .filter_map(|(id, shown)| {
                let last = *shown.seqs.last()?;
                Some((id.clone(), (conversation.clone(), last)))
            })
            .collect();
        // More than a withdrawal names wait for the next hello, the oldest of them.
        let is_one = matches!(of, Of::One(_));
        shown.retain(|(_, place)| is_one || place.1 + NAMED_MAX > read);
        for (id, place) in shown {
            let alerts = &self.reference.alerts;
            let is_forgotten = self.forgotten.contains(&(phone, place.clone()));
            // Under this name: the app may have posted it while a storm's push was on its way.
            let is_known = if id == shared {
                alerts.was_taken(phone, &place, now_ms + 1)
            } else {
                alerts.was_taken_alone(phone, &place, now_ms + 1)
            };
            let is_known = is_known || alerts.surfaced_upto(phone, conversation) >= place.1;
            if is_known && !is_forgotten {
                self.reference.withdrawals.owe(phone, id, place, now_ms);
                self.watch();
            }
        }
    }

    /// A process is ready: what the one before it did not tell, it does.
    pub(crate) fn owe_withdrawals_again(&mut self) {
        for phone in 0..self.phones.len() {
            let shown: BTreeSet<_> =
                self.phones[phone].shade.values().map(|shown| shown.conversation.clone()).collect();
            for conversation in shown {
                self.owe_withdrawals(phone, &conversation, Of::All);
            }
        }
    }

    /// Whether nobody needs to be told any more of what a notification stands for.
    pub(crate) fn is_settled(&self, phone: PhoneNo, shown: &Shown) -> bool {
        let known = &self.reference.known;
        let read = known.read_upto(&self.phones[phone].uid, &shown.conversation);
        shown
            .seqs
            .iter()
            .all(|seq| *seq <= read || known.recalled.contains(&(shown.conversation.clone(), *seq)))
    }

    /// Looks for devices that were not told in time.
    pub(crate) fn check_withdrawals(&mut self) {
        let now_ms = self.agenda.now_ms();
        let late = self.reference.withdrawals.late(now_ms, WITHDRAW_WITHIN_MS);
        for (phone, id, place, since_ms) in late {
            // One that was bound later is told with its next push.
            let could_be_pushed =
                self.bound_ms.get(&phone).is_some_and(|bound_ms| *bound_ms <= since_ms);
            let can_be_told = could_be_pushed
                && self.reference.known.bound.contains_key(&phone)
                && !self.dead_tokens.contains(&phone);
            let shown = self.phones[phone].shade.get(&id);
            let is_left = shown.is_some_and(|shown| self.is_settled(phone, shown));
            // The withdrawals of a device leave one after the other; this one comes next.
            let is_busy = self.tickets.values().any(|busy| *busy == (phone, false));
            let is_busy = is_busy || self.reference.dark.is_refused(now_ms);
            if is_busy || self.retries.get(&phone).is_some_and(|until_ms| *until_ms > now_ms) {
                self.reference.withdrawals.owe(phone, id, place, now_ms);
            } else if can_be_told && is_left {
                let name = &self.phones[phone].name;
                let text = format!(
                    "{name} still shows {} for {} #{} and was not told",
                    short(&id),
                    place.0,
                    place.1
                );
                self.violated("P4", text);
            }
        }
    }
}
