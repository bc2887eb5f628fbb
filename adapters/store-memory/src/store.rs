//! The store itself.

use std::collections::{BTreeMap, VecDeque};

use nightjar_domain::{
    Commit, CommitNo, Durability, Key, Missing, Row, Rows, Scan, Store, Submitted, Write,
};

use crate::range::range;

/// What ended the process that had the store open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process ended, the machine did not: whatever was written is still there.
    Kill,
    /// The machine lost its power: only what was made durable is still there.
    PowerLoss,
}

/// Rows in memory.
pub struct MemoryStore {
    /// What reads show: every commit taken.
    rows: BTreeMap<Key, Row>,
    /// What a loss of power leaves.
    durable: BTreeMap<Key, Row>,
    /// Written behind the last durable commit: a kill leaves them, a loss of power does not.
    written: Vec<Write>,
    /// Taken and not written.
    waiting: VecDeque<Commit>,
    /// How many commits may wait; `None` when none ever does.
    waiting_max: Option<usize>,
    taken: CommitNo,
    broken: Option<String>,
    on_safe: Box<dyn FnMut(CommitNo) + Send>,
}

impl MemoryStore {
    /// A store whose commits are safe as soon as they are taken.
    pub fn new(on_safe: impl FnMut(CommitNo) + Send + 'static) -> Self {
        Self::open(BTreeMap::new(), None, Box::new(on_safe))
    }

    /// A store whose commits wait until [`MemoryStore::make_safe`]; the one after `waiting_max`
    /// waiting ones finds it full.
    pub fn held(waiting_max: usize, on_safe: impl FnMut(CommitNo) + Send + 'static) -> Self {
        Self::open(BTreeMap::new(), Some(waiting_max), Box::new(on_safe))
    }

    fn open(
        rows: BTreeMap<Key, Row>,
        waiting_max: Option<usize>,
        on_safe: Box<dyn FnMut(CommitNo) + Send>,
    ) -> Self {
        Self {
            durable: rows.clone(),
            rows,
            written: Vec::new(),
            waiting: VecDeque::new(),
            waiting_max,
            taken: CommitNo(0),
            broken: None,
            on_safe,
        }
    }

    /// Writes every waiting commit up to this one and says so. One that asked for
    /// [`Durability::Power`] makes itself and everything before it durable.
    pub fn make_safe(&mut self, upto: CommitNo) {
        if self.broken.is_some() {
            return;
        }
        let first = self.taken.0 - self.waiting.len() as u64 + 1;
        let count = (upto.0 + 1).saturating_sub(first).min(self.waiting.len() as u64);
        for commit in self.waiting.drain(..count as usize) {
            self.written.extend(commit.writes);
            if commit.durability == Durability::Power {
                apply(&mut self.durable, self.written.drain(..));
            }
        }
        if count > 0 {
            (self.on_safe)(CommitNo(first + count - 1));
        }
    }

    /// The newest commit that was taken.
    #[must_use]
    pub fn taken(&self) -> CommitNo {
        self.taken
    }

    /// The disk fails: nothing is taken and nothing becomes safe any more.
    pub fn fail(&mut self, reason: &str) {
        self.broken = Some(reason.to_owned());
    }

    /// The store the next process opens: what the crash left, numbered from the start again, with
    /// the same callback.
    #[must_use]
    pub fn crash(self, crash: Crash) -> Self {
        let mut rows = self.durable;
        if crash == Crash::Kill {
            apply(&mut rows, self.written);
        }
        Self::open(rows, self.waiting_max, self.on_safe)
    }

    /// Every row that reads show, in the order of keys.
    pub fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }
}

impl Rows for MemoryStore {
    fn load(&self, key: &Key) -> Result<Option<Row>, Missing> {
        Ok(self.rows.get(key).cloned())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>, Missing> {
        Ok(range(&self.rows, scan))
    }
}

impl Store for MemoryStore {
    fn submit(&mut self, commit: Commit) -> Submitted {
        if let Some(reason) = &self.broken {
            return Submitted::Broken(reason.clone());
        }
        if self.waiting_max.is_some_and(|max| self.waiting.len() >= max) {
            return Submitted::Full(commit);
        }
        apply(&mut self.rows, commit.writes.iter().cloned());
        self.taken.0 += 1;
        self.waiting.push_back(commit);
        if self.waiting_max.is_none() {
            self.make_safe(self.taken);
        }
        Submitted::Taken(self.taken)
    }
}

fn apply(rows: &mut BTreeMap<Key, Row>, writes: impl IntoIterator<Item = Write>) {
    for write in writes {
        match write {
            Write::Put(row) => {
                rows.insert(row.key(), row);
            }
            Write::Delete(key) => {
                rows.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nightjar_domain::EventRow;

    use super::*;

    fn event(number: u64, durability: Durability) -> Commit {
        let row = Row::Event(EventRow { number, json: "{}".into() });
        Commit { writes: vec![Write::Put(row)], durability }
    }

    fn numbers(store: &MemoryStore) -> Vec<u64> {
        let number = |row: &Row| match row {
            Row::Event(row) => row.number,
            other => panic!("only events were written, not {other:?}"),
        };
        store.all_rows().map(number).collect()
    }

    /// 1 durable, 2 written, 3 only seen.
    fn store() -> MemoryStore {
        let mut store = MemoryStore::held(10, |_| {});
        store.submit(event(1, Durability::Power));
        store.submit(event(2, Durability::Process));
        store.submit(event(3, Durability::Power));
        store.make_safe(CommitNo(2));
        assert_eq!(numbers(&store), [1, 2, 3]);
        store
    }

    #[test]
    fn a_kill_leaves_what_was_written() {
        assert_eq!(numbers(&store().crash(Crash::Kill)), [1, 2]);
    }

    #[test]
    fn a_loss_of_power_leaves_what_is_durable() {
        assert_eq!(numbers(&store().crash(Crash::PowerLoss)), [1]);
    }

    #[test]
    fn a_durable_commit_takes_those_before_it_along() {
        let mut store = store();
        store.make_safe(CommitNo(3));
        assert_eq!(numbers(&store.crash(Crash::PowerLoss)), [1, 2, 3]);
    }

    #[test]
    fn a_full_store_takes_the_commit_later() {
        let mut store = MemoryStore::held(1, |_| {});
        assert_eq!(store.submit(event(1, Durability::Power)), Submitted::Taken(CommitNo(1)));
        let second = event(2, Durability::Power);
        assert_eq!(store.submit(second.clone()), Submitted::Full(second));
        assert_eq!(numbers(&store), [1]);
        store.make_safe(CommitNo(1));
        assert_eq!(store.submit(event(2, Durability::Power)), Submitted::Taken(CommitNo(2)));
    }
}
