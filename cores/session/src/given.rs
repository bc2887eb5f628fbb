//! Which places of a conversation a connection was given.

use nightjar_model::Seq;

/// A set of places as at most `MAX` closed ranges, ascending, that neither touch nor overlap.
///
/// What finds no room is left out: less may be acknowledged then, never more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given<const MAX: usize> {
    ranges: Vec<(Seq, Seq)>,
}

impl<const MAX: usize> Given<MAX> {
    /// Adds `first..=last`. A new range that finds no room is dropped.
    pub(crate) fn insert(&mut self, first: Seq, last: Seq) {
        if first > last {
            return;
        }
        // From here on ranges end at `first - 1` or later: the first that can touch.
        let from = self.ranges.partition_point(|range| range.1.saturating_add(1) < first);
        let to = self.ranges.partition_point(|range| range.0 <= last.saturating_add(1));
        if from == to {
            if self.ranges.len() < MAX {
                self.ranges.reserve_exact(1);
                self.ranges.insert(from, (first, last));
            }
            return;
        }
        self.ranges[from] = (self.ranges[from].0.min(first), self.ranges[to - 1].1.max(last));
        self.ranges.drain(from + 1..to);
    }

    /// Whether the place is in it.
    pub(crate) fn contains(&self, seq: Seq) -> bool {
        self.end_of(seq).is_some()
    }

    /// The last place up to which everything above `base` is in it; `base` if the next is not.
    pub(crate) fn prefix(&self, base: Seq) -> Seq {
        base.checked_add(1).and_then(|next| self.end_of(next)).unwrap_or(base)
    }

    /// Forgets everything up to and with `seq`.
    pub(crate) fn forget_upto(&mut self, seq: Seq) {
        self.ranges.retain(|range| range.1 > seq);
        if let Some(front) = self.ranges.first_mut() {
            front.0 = front.0.max(seq.saturating_add(1));
        }
        if self.ranges.is_empty() {
            self.ranges = Vec::new();
        }
    }

    /// The last place of the range that holds `seq`.
    fn end_of(&self, seq: Seq) -> Option<Seq> {
        let at = self.ranges.partition_point(|range| range.1 < seq);
        self.ranges.get(at).filter(|range| range.0 <= seq).map(|range| range.1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    type Given = super::Given<16>;

    #[test]
    fn the_prefix_stops_at_the_first_hole() {
        let mut given = Given::default();
        given.insert(11, 20);
        given.insert(25, 30);
        assert_eq!(given.prefix(10), 20);
        assert_eq!(given.prefix(9), 9);
        assert_eq!(given.prefix(15), 20);
        given.insert(21, 24);
        assert_eq!(given.prefix(10), 30);
    }

    #[test]
    fn the_ends_of_numbers_are_harmless() {
        let mut given = Given::default();
        given.insert(0, 0);
        given.insert(Seq::MAX, Seq::MAX);
        given.insert(5, 4);
        assert_eq!(given.prefix(Seq::MAX), Seq::MAX);
        assert_eq!(given.prefix(Seq::MAX - 1), Seq::MAX);
        assert!(given.contains(0) && !given.contains(5));
        given.forget_upto(Seq::MAX);
        assert!(!given.contains(Seq::MAX));
    }

    #[test]
    fn it_never_grows_beyond_its_bound() {
        let mut given = Given::default();
        for n in 0..1_000 {
            given.insert(n * 2, n * 2);
        }
        assert_eq!(given.ranges.len(), 16);
    }

    proptest! {
        /// Against a set of numbers: the same while there is room, a subset beyond.
        #[test]
        fn it_is_the_set_of_what_was_inserted(
            steps in prop::collection::vec((0_u64..60, 0_u64..12, prop::bool::weighted(0.1)), 0..60)
        ) {
            let (mut given, mut set) = (Given::default(), BTreeSet::new());
            let mut dropped = false;
            for (first, length, forget) in steps {
                if forget {
                    given.forget_upto(first);
                    set.retain(|seq| *seq > first);
                } else {
                    given.insert(first, first + length);
                    set.extend(first..=first + length);
                    dropped |= given.ranges.len() == 16;
                }
                prop_assert!(given.ranges.windows(2).all(|two| two[0].1 + 1 < two[1].0));
                for seq in 0..75 {
                    prop_assert!(!given.contains(seq) || set.contains(&seq));
                    let naive = (seq + 1..).take_while(|next| set.contains(next)).last();
                    if !dropped {
                        prop_assert_eq!(given.contains(seq), set.contains(&seq));
                        prop_assert_eq!(given.prefix(seq), naive.unwrap_or(seq));
                    }
                }
            }
        }
    }
}
