//! A long series of commits that can be checked after a crash, wherever it broke off.

use nightjar_domain::{Commit, CommitNo, EventCursorRow, Key, Row, Write};

use crate::model::Model;
use crate::source::Source;

/// The row each commit writes its own number to. The names [`Source`] makes are others.
const MARK: &str = "how far the history was written";

/// Commits numbered from 1, the same for the same seed.
#[derive(Debug, Clone)]
pub struct History {
    seed: u64,
}

impl History {
    /// The history of this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed }
    }

    /// The commit of this number.
    #[must_use]
    pub fn commit(&self, number: u64) -> Commit {
        let mut commit = Source::seeded(self.seed ^ number.rotate_left(32)).commit();
        let mark = EventCursorRow { receiver: MARK.into(), number };
        // In the middle, so that neither half of a torn commit passes for all of it.
        commit.writes.insert(commit.writes.len() / 2, Write::Put(Row::EventCursor(mark)));
        commit
    }

    /// The key of the row that says how many commits are there.
    #[must_use]
    pub fn mark() -> Key {
        Key::EventCursor(MARK.into())
    }

    /// How many commits these rows say they are.
    #[must_use]
    pub fn length(rows: &[Row]) -> u64 {
        let mark = rows.iter().find_map(|row| match row {
            Row::EventCursor(row) if row.receiver == MARK => Some(row.number),
            _ => None,
        });
        mark.unwrap_or(0)
    }

    /// Checks what a crash left, every row in the order of keys, and says how many commits it is:
    /// all that were safe, none that was never submitted, each of them whole.
    ///
    /// # Panics
    /// When it is anything else.
    pub fn check(&self, rows: &[Row], safe: CommitNo, submitted: CommitNo) -> u64 {
        let length = Self::length(rows);
        assert!(length >= safe.0, "commit {} was safe and {length} are left", safe.0);
        assert!(length <= submitted.0, "{} were submitted and {length} are left", submitted.0);
        let expected = self.rows_after(length);
        if let Some((left, expected)) =
            rows.iter().zip(&expected).find(|(left, expected)| left != expected)
        {
            panic!("after commit {length} there is {left:?} instead of {expected:?}");
        }
        assert_eq!(rows.len(), expected.len(), "rows after commit {length}");
        length
    }

    /// Every row after this commit, in the order of keys.
    #[must_use]
    pub fn rows_after(&self, number: u64) -> Vec<Row> {
        let mut model = Model::default();
        (1..=number).for_each(|number| model.apply(self.commit(number)));
        model.all_rows()
    }
}
