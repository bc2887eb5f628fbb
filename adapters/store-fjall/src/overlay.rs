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
    rows: BTreeMap<UserKey, Over>,
    /// Which commit put which rows, oldest first.
    commits: VecDeque<(CommitNo, Vec<UserKey>)>,
}

/// What stands over the store.
#[derive(Debug)]
pub(crate) struct Over {
    by: CommitNo,
    /// No row: it is deleted.
    pub(crate) row: Option<Row>,
}

impl Overlay {
    /// Lays the rows of a commit over the store.
    pub(crate) fn lay(&mut self, by: CommitNo, rows: Vec<(UserKey, Option<Row>)>) {
        let keys = rows.iter().map(|(key, _)| key.clone()).collect();
        self.rows.extend(rows.into_iter().map(|(key, row)| (key, Over { by, row })));
        self.commits.push_back((by, keys));
    }

    /// Drops rows that are in the store, written by commits up to this one.
    pub(crate) fn settle(&mut self, upto: CommitNo) {
        while self.commits.front().is_some_and(|(by, _)| *by <= upto) {
            let Some((by, keys)) = self.commits.pop_front() else { return };
            for key in keys {
                // A later commit may have laid its own row over this one.
                if let Entry::Occupied(over) = self.rows.entry(key)
                    && over.get().by == by
                {
                    over.remove();
                }
            }
        }
    }

    pub(crate) fn look(&self, key: &[u8]) -> Option<&Over> {
        if self.rows.is_empty() { None } else { self.rows.get(key) }
    }

    /// The rows of a span, which must not be empty.
    pub(crate) fn range<'a>(
        &'a self,
        span: &Span,
    ) -> impl DoubleEndedIterator<Item = (&'a UserKey, &'a Over)> + use<'a> {
        let keys = (Bound::Included(&span.from[..]), Bound::Excluded(&span.to[..]));
        self.rows.range::<[u8], _>(keys)
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
        overlay.look(key).map(|over| over.row.clone())
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
        assert!(overlay.rows.is_empty() && overlay.commits.is_empty(), "{overlay:?}");
    }
}
