//! The promises of every store, and what a crash leaves of this one.

use std::sync::{Arc, Mutex};

use nightjar_domain::{CommitNo, Durability, Row, Store, Submitted};
use nightjar_store_memory::{Crash, MemoryStore};
use nightjar_store_suite::{History, Subject, conformance};

struct Memory {
    store: MemoryStore,
    is_held: bool,
    safe: Arc<Mutex<Vec<CommitNo>>>,
}

impl Subject for Memory {
    fn open(waiting_max: u64) -> Self {
        let safe = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&safe);
        let store = MemoryStore::held(waiting_max as usize, move |number| {
            said.lock().unwrap().push(number);
        });
        Self { store, is_held: false, safe }
    }

    fn store(&mut self) -> &mut dyn Store {
        if !self.is_held {
            self.store.make_safe(self.store.taken());
        }
        &mut self.store
    }

    fn hold(&mut self) {
        self.is_held = true;
    }

    fn settle(&mut self) {
        self.is_held = false;
        self.store.make_safe(self.store.taken());
    }

    fn safe(&self) -> Vec<CommitNo> {
        self.safe.lock().unwrap().clone()
    }

    fn all_rows(&self) -> Vec<Row> {
        self.store.all_rows().cloned().collect()
    }

    fn reopen(mut self) -> Self {
        self.settle();
        self.safe.lock().unwrap().clear();
        Self { store: self.store.crash(Crash::Kill), ..self }
    }
}

conformance!(Memory);

/// The store after `safe` of `taken` commits were made safe.
fn written(history: &History, safe: u64, taken: u64) -> MemoryStore {
    let mut store = MemoryStore::held(taken as usize, |_| {});
    for number in 1..=taken {
        assert_eq!(store.submit(history.commit(number)), Submitted::Taken(CommitNo(number)));
        if number == safe {
            store.make_safe(CommitNo(safe));
        }
    }
    store
}

#[test]
fn a_crash_between_any_two_writes_leaves_the_commits_before_it() {
    const COMMITS: u64 = 40;
    let history = History::seeded(1);
    for safe in 0..=COMMITS {
        let rows_after = |crash| -> Vec<Row> {
            written(&history, safe, COMMITS).crash(crash).all_rows().cloned().collect()
        };
        let left = history.check(&rows_after(Crash::Kill), CommitNo(safe), CommitNo(COMMITS));
        assert_eq!(left, safe, "a kill leaves what was written");
        let durable = (1..=safe)
            .rev()
            .find(|number| history.commit(*number).durability == Durability::Power)
            .unwrap_or(0);
        let rows = rows_after(Crash::PowerLoss);
        let left = history.check(&rows, CommitNo(durable), CommitNo(safe));
        assert_eq!(left, durable, "a loss of power leaves what was durable");
    }
}

#[test]
fn a_broken_store_takes_nothing_and_says_nothing_more_is_safe() {
    let history = History::seeded(2);
    let mut memory = Memory::open(10);
    memory.hold();
    memory.store().submit(history.commit(1));
    memory.store.fail("the disk is gone");
    let answer = memory.store().submit(history.commit(2));
    assert_eq!(answer, Submitted::Broken("the disk is gone".into()));
    memory.settle();
    assert_eq!(memory.safe(), []);
}
