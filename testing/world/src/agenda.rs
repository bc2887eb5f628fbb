//! Virtual time: what is going to happen, in order.

use std::collections::BTreeMap;

/// Things to come, by their moment; those of one moment keep the order they were planned in.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    now_ms: u64,
    planned: u64,
    entries: BTreeMap<(u64, u64), T>,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { now_ms: 0, planned: 0, entries: BTreeMap::new() }
    }

    /// Milliseconds since the world began.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Plans something; the past is now.
    pub(crate) fn at(&mut self, at_ms: u64, what: T) {
        self.planned += 1;
        self.entries.insert((at_ms.max(self.now_ms), self.planned), what);
    }

    /// Plans something so many milliseconds from now.
    pub(crate) fn after(&mut self, ms: u64, what: T) {
        self.at(self.now_ms + ms, what);
    }

    /// Everything that is planned.
    pub(crate) fn coming(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }

    /// Everything of a kind happens at `at_ms` or later, in the order it was planned in.
    pub(crate) fn put_off(&mut self, at_ms: u64, is_meant: impl Fn(&T) -> bool) {
        let early = self.entries.iter().filter(|((at, _), what)| *at < at_ms && is_meant(what));
        let early: Vec<(u64, u64)> = early.map(|(key, _)| *key).collect();
        for key in early {
            if let Some(what) = self.entries.remove(&key) {
                self.at(at_ms, what);
            }
        }
    }

    /// The next thing up to a moment; time goes on to it, or to that moment.
    pub(crate) fn next_until(&mut self, until_ms: u64) -> Option<T> {
        let first = self.entries.first_entry().filter(|entry| entry.key().0 <= until_ms);
        let Some(first) = first else {
            self.now_ms = self.now_ms.max(until_ms);
            return None;
        };
        let ((at_ms, _), what) = first.remove_entry();
        self.now_ms = at_ms;
        Some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_in_order_and_never_back() {
        let mut agenda = Agenda::new();
        agenda.at(20, "second");
        agenda.at(10, "first");
        agenda.at(20, "third");
        assert_eq!(agenda.next_until(15), Some("first"));
        assert_eq!(agenda.next_until(15), None);
        assert_eq!(agenda.now_ms(), 15);
        agenda.at(3, "late");
        assert_eq!(agenda.next_until(99), Some("late"));
        assert_eq!(agenda.now_ms(), 15);
        assert_eq!(agenda.next_until(99), Some("second"));
        assert_eq!(agenda.next_until(99), Some("third"));
    }
}
