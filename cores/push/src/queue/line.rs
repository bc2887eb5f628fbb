//! Keys that wait for their turn, and how many of each class may be under way.

use std::collections::BTreeMap;

use nightjar_model::PushClass;

use super::PushKey;

const CLASSES: usize = PushClass::ALL.len();
/// One in so many turns belongs to the least urgent class that waits, the one before it to the next
/// one, and so on: nothing starves.
const LEAST_URGENT_EVERY: usize = 8;
/// Of so many parts of all places, [`PARTS`] says how many may be taken when a class takes one
/// more.
const PARTS_OF: usize = 8;
/// A class may always have one part. Beyond it, it takes a place only while no more than so many
/// parts are taken: the more urgent find one free.
const PARTS: [usize; CLASSES] = [8, 7, 6, 4];

fn index(class: PushClass) -> usize {
    class as usize
}

/// Keys by class, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Line {
    lists: [BTreeMap<u64, PushKey>; CLASSES],
    turns: usize,
}

impl Line {
    pub(super) fn add(&mut self, class: PushClass, order: u64, key: PushKey) {
        self.lists[index(class)].insert(order, key);
    }

    pub(super) fn remove(&mut self, class: PushClass, order: u64) {
        self.lists[index(class)].remove(&order);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lists.iter().all(BTreeMap::is_empty)
    }

    pub(super) fn len(&self) -> usize {
        self.lists.iter().map(BTreeMap::len).sum()
    }

    /// The next key of a class that may leave.
    pub(super) fn take(&mut self, may_leave: impl Fn(PushClass) -> bool) -> Option<PushKey> {
        let waits = |class: &PushClass| !self.lists[index(*class)].is_empty() && may_leave(*class);
        let mut classes: Vec<PushClass> = PushClass::ALL.into_iter().filter(waits).collect();
        let to_least_urgent = LEAST_URGENT_EVERY - 1 - self.turns % LEAST_URGENT_EVERY;
        if let Some(first) = classes.len().checked_sub(to_least_urgent + 1).filter(|n| *n > 0) {
            classes[..=first].rotate_right(1);
        }
        let class = *classes.first()?;
        self.turns = self.turns.wrapping_add(1);
        self.lists[index(class)].pop_first().map(|(_, key)| key)
    }
}

/// Places that are taken, by class.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Places([usize; CLASSES]);

impl Places {
    pub(super) fn take(&mut self, class: PushClass) {
        self.0[index(class)] += 1;
    }

    pub(super) fn free(&mut self, class: PushClass) {
        self.0[index(class)] -= 1;
    }

    pub(super) fn taken(&self) -> usize {
        self.0.iter().sum()
    }

    /// Whether one more of this class may be taken of `max` in all.
    pub(super) fn has_one_for(&self, class: PushClass, max: usize) -> bool {
        let parts = |parts: usize| (max * parts).div_ceil(PARTS_OF);
        let (own, all) = (self.0[index(class)], self.taken());
        all < max && (own < parts(1) || all < parts(PARTS[index(class)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::tests::key;

    #[test]
    fn the_urgent_come_first_and_nothing_starves() {
        let mut line = Line::default();
        let mut order = 0;
        for class in PushClass::ALL {
            for _ in 0..100 {
                order += 1;
                line.add(class, order, key(class as u8));
            }
        }
        let taken: String = (0..100)
            .map(|_| {
                let taken = line.take(|_| true).unwrap();
                let class = PushClass::ALL.into_iter().find(|class| taken == key(*class as u8));
                ["C", "M", "c", "s"][index(class.unwrap())]
            })
            .collect();
        insta::assert_snapshot!(taken);
    }

    #[test]
    fn places_by_what_is_taken() {
        let mut table = String::new();
        for (what, taken) in [
            ("nothing is taken", [0, 0, 0, 0]),
            ("a campaign has its half", [0, 0, 0, 40]),
            ("chats beside it", [0, 0, 20, 40]),
            ("chats alone", [0, 0, 60, 0]),
            ("mentions and chats", [0, 10, 60, 0]),
            ("everything", [10, 10, 30, 30]),
        ] {
            let places = Places(taken);
            let free = PushClass::ALL.into_iter().filter(|class| places.has_one_for(*class, 80));
            let names: Vec<&str> = free.map(PushClass::as_str).collect();
            table.push_str(&format!("{what:<24} {taken:?} -> {}\n", names.join(" ")));
        }
        insta::assert_snapshot!(table);
    }
}
