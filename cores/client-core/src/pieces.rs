//! Which places of a conversation this device has above its first gap.

use nightjar_model::Seq;

use crate::defaults::PIECES_MAX;

/// What of a conversation's log is here: everything up to a prefix, and closed ranges above it
/// that neither touch it nor each other.
///
/// What finds no room is left out, so it counts as missing and is fetched again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
    prefix: Seq,
    ranges: Vec<(Seq, Seq)>,
}

impl Pieces {
    /// Everything up to `prefix`, and these ranges.
    pub(crate) fn new(prefix: Seq, ranges: &[(Seq, Seq)]) -> Self {
        let mut pieces = Self { prefix, ranges: Vec::new() };
        for (first, last) in ranges {
            pieces.insert_within(2 * PIECES_MAX, *first, *last);
        }
        pieces
    }

    /// Nothing is missing up to here.
    pub(crate) fn prefix(&self) -> Seq {
        self.prefix
    }

    /// The ranges above the first gap.
    pub(crate) fn ranges(&self) -> &[(Seq, Seq)] {
        &self.ranges
    }

    /// The first gap that something above shows: after, before, both exclusive.
    pub(crate) fn gap(&self) -> Option<(Seq, Seq)> {
        self.ranges.first().map(|range| (self.prefix, range.0))
    }

    /// Whether the place is here.
    pub(crate) fn contains(&self, seq: Seq) -> bool {
        seq <= self.prefix || self.ranges.iter().any(|range| (range.0..=range.1).contains(&seq))
    }

    /// Adds `first..=last`; false when there is no room for it.
    pub(crate) fn insert(&mut self, first: Seq, last: Seq) -> bool {
        self.insert_within(PIECES_MAX, first, last)
    }

    /// Adds one that the user was told of already and that must not come again: it may take from
    /// a reserve.
    pub(crate) fn insert_own(&mut self, seq: Seq) -> bool {
        self.insert_within(2 * PIECES_MAX, seq, seq)
    }

    fn insert_within(&mut self, pieces_max: usize, first: Seq, last: Seq) -> bool {
        if last < first || last <= self.prefix {
            return true;
        }
        if first <= self.prefix.saturating_add(1) {
            self.prefix = last;
            self.absorb();
            return true;
        }
        let from = self.ranges.partition_point(|range| range.1.saturating_add(1) < first);
        let to = self.ranges.partition_point(|range| range.0 <= last.saturating_add(1));
        if from == to {
            if self.ranges.len() >= pieces_max {
                return false;
            }
            self.ranges.insert(from, (first, last));
            return true;
        }
        self.ranges[from] = (self.ranges[from].0.min(first), self.ranges[to - 1].1.max(last));
        self.ranges.drain(from + 1..to);
        true
    }

    /// The prefix was a guess: only what lies above `floor` is really here.
    pub(crate) fn lower(&mut self, floor: Seq) {
        let (first, last) = (floor.saturating_add(1), self.prefix);
        self.prefix = floor.min(self.prefix);
        if first <= last {
            self.ranges.insert(0, (first, last));
        }
    }

    fn absorb(&mut self) {
        while let Some((first, last)) = self.ranges.first().copied()
            && first <= self.prefix.saturating_add(1)
        {
            self.prefix = self.prefix.max(last);
            self.ranges.remove(0);
        }
        if self.ranges.is_empty() {
            self.ranges = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_is_named_until_it_is_filled() {
        let mut pieces = Pieces::new(10, &[]);
        assert!(pieces.insert(13, 13) && pieces.insert(15, 16));
        assert_eq!((pieces.prefix(), pieces.gap()), (10, Some((10, 13))));
        assert!(pieces.insert(11, 12));
        assert_eq!((pieces.prefix(), pieces.gap()), (13, Some((13, 15))));
        assert!(pieces.insert(14, 14));
        assert_eq!((pieces.prefix(), pieces.gap()), (16, None));
    }

    #[test]
    fn beyond_its_bound_a_new_piece_counts_as_missing() {
        let mut pieces = Pieces::default();
        assert!((1..=32).all(|n| pieces.insert(n * 2, n * 2)));
        assert!(!pieces.insert(100, 100));
        assert!(!pieces.contains(100));
        assert!(pieces.insert(64, 65), "it grows a piece");
        assert!(pieces.insert_own(200), "what was told already has a reserve");
        assert!(pieces.insert(1, 3) && pieces.insert(100, 100), "there is room again");
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_inserted(
            base in 0_u64..10,
            steps in prop::collection::vec((0_u64..60, 0_u64..6), 0..40),
        ) {
            let mut pieces = Pieces::new(base, &[]);
            let mut set: BTreeSet<Seq> = (0..=base).collect();
            for (first, more) in steps {
                if pieces.insert(first, first + more) {
                    set.extend(first..=first + more);
                }
                let prefix = (0..).take_while(|seq| set.contains(seq)).last().unwrap_or(0);
                prop_assert_eq!(pieces.prefix(), prefix);
                for seq in 0..70 {
                    prop_assert_eq!(pieces.contains(seq), set.contains(&seq));
                }
                let copy = Pieces::new(pieces.prefix(), pieces.ranges());
                prop_assert_eq!(&copy, &pieces);
            }
        }
    }
}
