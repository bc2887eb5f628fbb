//! P7: every message has an explanation for every device it is to be told on, in the trace that
//! people read: shown, read, taken by the provider, or silent for a named reason. What was taken
//! back or belongs to a device that left is explained by that.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_domain::Row;
use nightjar_model::{ConversationId, Seq, Step, Uid};
use nightjar_push::{Outcome, SilentReason};

use crate::phone::PhoneNo;
use crate::reference::{Known, Place};
use crate::world::World;

/// Messages and the devices they are to be told on.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    all: BTreeSet<(PhoneNo, Place)>,
    /// The device left while it was owed: signed out, kicked, unbound, handed over.
    given_up: BTreeSet<(PhoneNo, Place)>,
    crashes: u32,
}

/// The rows of one user's trace that end something, by conversation.
type Endings = BTreeMap<ConversationId, Vec<Ending>>;

/// A closed range of entries that came to an end.
#[derive(Debug)]
struct Ending {
    /// `None`: for all devices of the user.
    phone: Option<PhoneNo>,
    from: Seq,
    to: Seq,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The device or the user saw it.
    Seen,
    Taken,
    Silent,
}

impl Pairs {
    pub(crate) fn owe(&mut self, phone: PhoneNo, place: &Place) {
        self.all.insert((phone, place.clone()));
    }

    pub(crate) fn give_up(&mut self, phone: PhoneNo) {
        let own = self.all.iter().filter(|(other, _)| *other == phone);
        self.given_up.extend(own.cloned());
    }

    /// What was lost with its commit never was.
    pub(crate) fn crashed(&mut self, known: &Known) {
        self.all.retain(|(_, place)| known.message(place).is_some());
        self.crashes += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.all.len() as u64
    }
}

impl World {
    /// In the end the trace explains every pair, and without a crash nothing ended twice.
    pub(crate) fn check_explained(&mut self) {
        let traces = self.traces();
        let pairs = &self.reference.pairs;
        let wrong = pairs.all.iter().find_map(|(phone, place)| {
            let trace = traces.get(&self.reference.owners[*phone]);
            let endings = trace.and_then(|trace| trace.get(&place.0));
            let of_pair = endings.into_iter().flatten().filter(|ending| {
                (ending.from..=ending.to).contains(&place.1)
                    && ending.phone.is_none_or(|other| other == *phone)
            });
            let hows: Vec<How> = of_pair.map(|ending| ending.how).collect();
            let is_explained = !hows.is_empty()
                || self.reference.known.recalled.contains(place)
                || pairs.given_up.contains(&(*phone, place.clone()));
            let decided = hows.iter().filter(|how| **how != How::Seen).count();
            match (is_explained, decided) {
                (false, _) => Some((*phone, place.clone(), "has no explanation in the trace")),
                (_, 2..) if pairs.crashes == 0 => {
                    Some((*phone, place.clone(), "ended twice, says the trace"))
                }
                _ => None,
            }
        });
        if let Some((phone, (id, seq), what)) = wrong {
            let text = format!("{id} #{seq} for {} {what}", self.phones[phone].name);
            self.violated("P7", text);
        }
    }

    fn traces(&self) -> BTreeMap<Uid, Endings> {
        let mut traces: BTreeMap<Uid, Endings> = BTreeMap::new();
        for row in self.server.store.all_rows() {
            let Row::Trace(row) = row else { continue };
            let Some(uid) = &row.uid else { continue };
            let reason = row.reason.as_deref().unwrap_or_default();
            let how = match row.step {
                Step::Read | Step::Surfaced => How::Seen,
                Step::Provider if reason.starts_with(Outcome::Delivered.as_str()) => How::Taken,
                Step::Decided if SilentReason::ALL.iter().any(|why| why.as_str() == reason) => {
                    How::Silent
                }
                _ => continue,
            };
            let device_id = row.device_id.as_ref().filter(|_| row.step != Step::Read);
            let phone = device_id.and_then(|device_id| self.phone_named(uid, device_id));
            let ending = Ending { phone, from: row.from, to: row.to, how };
            let of_user = traces.entry(uid.clone()).or_default();
            of_user.entry(row.conversation.clone()).or_default().push(ending);
        }
        traces
    }
}
