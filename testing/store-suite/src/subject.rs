//! A store under test.

use nightjar_domain::{CommitNo, Row, Store};

/// A store under test, and the hold its test has on it.
pub trait Subject: Sized {
    /// An empty store in which about this many commits may wait to become safe: it must not
    /// take more than twice as many while it is held.
    fn open(waiting_max: u64) -> Self;

    /// The store.
    fn store(&mut self) -> &mut dyn Store;

    /// From now on nothing is said to be safe, and sooner or later the store is full.
    fn hold(&mut self);

    /// Ends a hold and returns once everything taken was said to be safe.
    fn settle(&mut self);

    /// What was said to be safe, in the order it was said.
    fn safe(&self) -> Vec<CommitNo>;

    /// Every row, as `verify` and `export` read them.
    fn all_rows(&self) -> Vec<Row>;

    /// Closes the store in order and opens it again.
    fn reopen(self) -> Self;
}
