//! What a store is: typed rows with absolute values, commits in order, and a say on when they are
//! safe.

use crate::keys::{Key, Scan};
use crate::rows::Row;

/// One change of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Make the row be this.
    Put(Row),
    /// Make the row not be.
    Delete(Key),
}

/// How safe a commit must be before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Survives the end of the process, not of the machine.
    Process,
    /// Survives the loss of power.
    Power,
}

/// Rows that are written together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// What changes, in order.
    pub writes: Vec<Write>,
    /// How safe it must be.
    pub durability: Durability,
}

/// Numbers commits of one process, from 1, in the order they were submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct CommitNo(pub u64);

/// What became of a submitted commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// Reads see it from now on; it is safe once the store says so for this number.
    Taken(CommitNo),
    /// Too much waits to be made safe; the commit, given back, may be submitted later.
    Full(Commit),
    /// The store failed for good: the process must end, and with it everything not yet safe.
    Broken(String),
}

/// The rows a decision asked for are not at hand; the caller loads them and asks again.
///
/// An embedded store always has them at hand and never answers this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A row.
    Row(Key),
    /// A range.
    Range(Scan),
    /// The store failed for good.
    Broken(String),
}

/// Reading side of a store. Decisions take it as an argument.
///
/// It shows every commit submitted before, safe or not: what it shows may leave the process only
/// after the newest submitted commit is safe.
pub trait Rows {
    /// The row of this name.
    ///
    /// # Errors
    /// [`Missing`] when it is not at hand.
    fn load(&self, key: &Key) -> Result<Option<Row>, Missing>;

    /// The rows of a range.
    ///
    /// # Errors
    /// [`Missing`] when they are not at hand.
    fn scan(&self, scan: &Scan) -> Result<Vec<Row>, Missing>;
}

/// Writing side of a store. It tells its opener, by a callback given when it was opened, up to
/// which [`CommitNo`] everything is as safe as it was asked to be.
pub trait Store: Rows {
    /// Takes a commit. Commits become visible and safe in the order they were taken.
    fn submit(&mut self, commit: Commit) -> Submitted;
}
