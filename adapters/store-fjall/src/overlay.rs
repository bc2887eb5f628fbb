//! Rows of commits that are not yet safe: reads look here first.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use fjall::UserKey;
use nightjar_domain::{CommitNo, Row};

use crate::key::Span;

/// Rows over the store, bounded by what may wait.
///
/// It belongs to the thread that reads and submits, so a look costs no lock; what became safe is
/// dropped with the next submit.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// Where the newest row of each key lies. Rows are large and a map moves what it holds.
    places: BTreeMap<UserKey, Place>,
    /// Oldest first, and no number is left out.
    commits: VecDeque<Laid>,
}

/// A row of a commit.
#[derive(Debug)]
struct Place {
    by: CommitNo,
    at: usize,
}

/// The rows of a commit; no row: it is deleted.
#[derive(Debug)]
struct Laid {
    by: CommitNo,
    rows: Vec<(UserKey, Option<Row>)>,
}

impl Overlay {
    /// Lays the rows of the next commit over the store.
    pub(crate) fn lay(&mut self, by: CommitNo, rows: Vec<(UserKey, Option<Row>)>) {
        let places = rows.iter().enumerate();
        self.places.extend(places.map(|(at, (key, _))| (key.clone(), Place { by, at })));
        self.commits.push_back(Laid { by, rows });
    }

    /// Drops rows that are in the store, written by commits up to this one.
    pub(crate) fn settle(&mut self, upto: CommitNo) {
        while let Some(laid) = self.commits.pop_front_if(|laid| laid.by <= upto) {
            for (key, _) in laid.rows {
                // A later commit may have laid its own row over this one.
                if let Entry::Occupied(place) = self.places.entry(key)
                    && place.get().by == laid.by
                {
                    place.remove();
                }
            }
        }
    }

    /// What stands over the store; no row in it: it is deleted.
    pub(crate) fn look(&self, key: &[u8]) -> Option<Option<&Row>> {
        if self.places.is_empty() { None } else { self.places.get(key).map(|at| self.row(at)) }
    }

    /// What stands over a span, which must not be empty.
    pub(crate) fn range<'a>(
        &'a self,
        span: &Span,
    ) -> impl DoubleEndedIterator<Item = (&'a UserKey, Option<&'a Row>)> + use<'a> {
        let keys = (Bound::Included(&span.from[..]), Bound::Excluded(&span.to[..]));
        self.places.range::<[u8], _>(keys).map(|(key, place)| (key, self.row(place)))
    }

    fn row(&self, place: &Place) -> Option<&Row> {
        let oldest = self.commits[0].by.0;
        self.commits[(place.by.0 - oldest) as usize].rows[place.at].1.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use nightjar_domain::EventRow;

    use super::*;

    fn row(json: &str) -> Option<Row> {
        Some(Row::Event(EventRow { number: 1, json: json.into() }))
    }

    fn look(overlay: &Overlay, key: &[u8]) -> Option<Option<Row>> {
        overlay.look(key).map(|row| row.cloned())
    }

    #[test]
    fn a_row_stays_until_the_last_commit_that_wrote_it_is_safe() {
        let mut overlay = Overlay::default();
        overlay.lay(CommitNo(1), vec![(b"a".into(), row("1")), (b"b".into(), row("1"))]);
        overlay.lay(CommitNo(2), vec![(b"a".into(), row("2"))]);
        overlay.lay(CommitNo(3), vec![(b"c".into(), row("3")), (b"c".into(), None)]);
        overlay.settle(CommitNo(1));
        assert_eq!(look(&overlay, b"a"), Some(row("2")), "written again");
        assert_eq!(look(&overlay, b"b"), None, "in the store");
        assert_eq!(look(&overlay, b"c"), Some(None), "deleted");
        overlay.settle(CommitNo(3));
        assert!(overlay.places.is_empty() && overlay.commits.is_empty(), "{overlay:?}");
    }
}
