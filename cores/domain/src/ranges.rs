//! Ascending closed ranges of places, bounded in number.

use nightjar_model::Seq;

/// More ranges than this are merged: what they then claim too much is harmless where they are
/// used (taking back a notification that is not shown).
const RANGES_MAX: usize = 32;

/// Adds `from..=to`.
pub fn insert(ranges: &mut Vec<(Seq, Seq)>, from: Seq, to: Seq) {
    let at = ranges.partition_point(|(_, end)| *end + 1 < from);
    let mut merged = (from, to);
    let mut until = at;
    while let Some((start, end)) = ranges.get(until).copied() {
        if start > to + 1 {
            break;
        }
        merged = (merged.0.min(start), merged.1.max(end));
        until += 1;
    }
    ranges.splice(at..until, [merged]);
    if ranges.len() > RANGES_MAX {
        ranges[1].0 = ranges[0].0;
        ranges.remove(0);
    }
}

/// Removes everything up to and with `upto`.
pub fn remove_upto(ranges: &mut Vec<(Seq, Seq)>, upto: Seq) {
    ranges.retain(|(_, end)| *end > upto);
    if let Some(first) = ranges.first_mut() {
        first.0 = first.0.max(upto + 1);
    }
}

/// Removes one place.
pub fn remove(ranges: &mut Vec<(Seq, Seq)>, seq: Seq) {
    let Some(at) = ranges.iter().position(|(from, to)| (*from..=*to).contains(&seq)) else {
        return;
    };
    let (from, to) = ranges.remove(at);
    if seq < to {
        ranges.insert(at, (seq + 1, to));
    }
    if seq > from {
        ranges.insert(at, (from, seq - 1));
    }
}

/// Whether a place lies in one of the ranges.
#[must_use]
pub fn contains(ranges: &[(Seq, Seq)], seq: Seq) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&seq))
}

/// The places, ascending.
pub fn places(ranges: &[(Seq, Seq)]) -> impl DoubleEndedIterator<Item = Seq> + '_ {
    ranges.iter().flat_map(|(from, to)| *from..=*to)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_the_set_they_stand_for(
            steps in prop::collection::vec((0_u8..3, 1_u64..60, 0_u64..4), 0..60)
        ) {
            let (mut ranges, mut set) = (Vec::new(), BTreeSet::new());
            for (kind, at, more) in steps {
                match kind {
                    0 => { insert(&mut ranges, at, at + more); set.extend(at..=at + more); }
                    1 => { remove(&mut ranges, at); set.remove(&at); }
                    _ => { remove_upto(&mut ranges, at); set.retain(|seq| *seq > at); }
                }
                prop_assert_eq!(places(&ranges).collect::<BTreeSet<_>>(), set.clone());
            }
        }
    }

    #[test]
    fn too_many_are_merged_from_below() {
        let mut ranges = Vec::new();
        for n in 0..100 {
            insert(&mut ranges, n * 10, n * 10);
        }
        assert_eq!(ranges.len(), RANGES_MAX);
        assert_eq!(ranges.last(), Some(&(990, 990)));
        assert_eq!(ranges[0].0, 0);
    }
}
