//! Which of the next events may be sent now: one at a time of each user, in order, so that what
//! one event waits for holds nobody else.

use std::collections::{BTreeSet, VecDeque};

use crate::event::Event;

/// Events looked at beyond the oldest that was not taken.
pub(crate) const EVENTS_MAX: usize = 1_000;

/// Events above a receiver's cursor.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// In order.
    slots: VecDeque<Slot>,
    /// Users of whom an event is under way.
    busy: BTreeSet<String>,
}

#[derive(Debug)]
struct Slot {
    number: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Waits(Event),
    UnderWay,
    Done,
}

impl Window {
    pub(crate) fn is_full(&self) -> bool {
        self.slots.len() >= EVENTS_MAX
    }

    /// The next event, or one the receiver does not want.
    pub(crate) fn add(&mut self, event: Event, is_wanted: bool) {
        let number = event.number;
        let state = if is_wanted { State::Waits(event) } else { State::Done };
        self.slots.push_back(Slot { number, state });
    }

    /// The first event whose user has none under way; it is, from now on.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let mut passed: BTreeSet<&str> = BTreeSet::new();
        let mut found = None;
        for (index, slot) in self.slots.iter().enumerate() {
            let State::Waits(event) = &slot.state else { continue };
            if !self.busy.contains(&event.user) && !passed.contains(event.user.as_str()) {
                found = Some(index);
                break;
            }
            passed.insert(&event.user);
        }
        let slot = &mut self.slots[found?];
        match std::mem::replace(&mut slot.state, State::UnderWay) {
            State::Waits(event) => {
                self.busy.insert(event.user.clone());
                Some(event)
            }
            _ => unreachable!("only one that waits was found"),
        }
    }

    /// An event under way was taken, or given up.
    pub(crate) fn done(&mut self, number: u64, user: &str) {
        self.busy.remove(user);
        for slot in self.slots.iter_mut().filter(|slot| slot.number == number) {
            slot.state = State::Done;
        }
    }

    /// Drops what is done before everything that is not; answers the last number of it.
    pub(crate) fn advance(&mut self) -> Option<u64> {
        let mut last = None;
        while let Some(Slot { number, state: State::Done }) = self.slots.front() {
            last = Some(*number);
            self.slots.pop_front();
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64, user: &str) -> Event {
        Event { number, kind: "k".into(), user: user.into(), json: String::new() }
    }

    fn next(window: &mut Window) -> Option<u64> {
        window.next().map(|event| event.number)
    }

    #[test]
    fn a_users_events_go_one_after_the_other_and_hold_nobody_else() {
        let mut window = Window::default();
        for (number, user) in [(1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "c")] {
            window.add(event(number, user), true);
        }
        assert_eq!(
            [next(&mut window), next(&mut window), next(&mut window)],
            [Some(1), Some(3), Some(5)]
        );
        assert_eq!(next(&mut window), None, "a has one under way");
        window.done(3, "b");
        window.done(5, "c");
        assert_eq!(window.advance(), None, "the first is not taken");
        window.done(1, "a");
        assert_eq!(window.advance(), Some(1));
        assert_eq!(next(&mut window), Some(2));
        assert_eq!(next(&mut window), None);
        window.done(2, "a");
        assert_eq!(window.advance(), Some(3), "what was taken out of turn counts now");
        assert_eq!(next(&mut window), Some(4));
        window.done(4, "a");
        assert_eq!(window.advance(), Some(5));
    }

    #[test]
    fn what_is_not_wanted_is_passed() {
        let mut window = Window::default();
        window.add(event(1, "a"), false);
        window.add(event(2, "a"), true);
        assert_eq!(window.advance(), Some(1));
        assert_eq!(next(&mut window), Some(2));
    }

    #[test]
    fn it_is_bounded() {
        let mut window = Window::default();
        for number in 0..EVENTS_MAX as u64 {
            assert!(!window.is_full());
            window.add(event(number, "a"), true);
        }
        assert!(window.is_full());
    }
}
