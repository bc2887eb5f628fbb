//! The promises of every store.

use std::sync::{Arc, Condvar, Mutex};

use nightjar_domain::{CommitNo, Row, Store};
use nightjar_store_fjall::{Failure, FjallStore, Options};
use nightjar_store_suite::{Subject, conformance};
use tempfile::TempDir;

#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_held: bool,
    safe: Vec<CommitNo>,
}

impl Gate {
    /// Runs on the writer's thread: a hold keeps it from its next batch.
    fn pass(&self, number: CommitNo) {
        let state = self.state.lock().unwrap();
        let mut state = self.changed.wait_while(state, |state| state.is_held).unwrap();
        state.safe.push(number);
        self.changed.notify_all();
    }
}

struct Fjall {
    store: Option<FjallStore>,
    gate: Arc<Gate>,
    options: Options,
    directory: TempDir,
}

fn start(directory: &TempDir, options: &Options, gate: &Arc<Gate>) -> FjallStore {
    let gate = Arc::clone(gate);
    let on_broken = |failure: &Failure| panic!("{}", failure.chain());
    FjallStore::open(directory.path(), options.clone(), move |number| gate.pass(number), on_broken)
        .unwrap()
}

impl Fjall {
    fn open_store(&self) -> &FjallStore {
        self.store.as_ref().expect("it is open between two reopenings")
    }
}

impl Subject for Fjall {
    fn open(waiting_max: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Small enough that rows also lie in sorted files.
        let options = Options {
            commits_waiting_max: waiting_max,
            memtable_bytes: 16 << 10,
            ..Options::default()
        };
        let gate = Arc::new(Gate::default());
        let store = Some(start(&directory, &options, &gate));
        Self { store, gate, options, directory }
    }

    fn store(&mut self) -> &mut dyn Store {
        self.store.as_mut().expect("it is open between two reopenings")
    }

    fn hold(&mut self) {
        self.gate.state.lock().unwrap().is_held = true;
    }

    fn settle(&mut self) {
        let taken = self.open_store().taken();
        let mut state = self.gate.state.lock().unwrap();
        state.is_held = false;
        self.gate.changed.notify_all();
        let waits = |state: &mut State| state.safe.last().copied().unwrap_or_default() < taken;
        drop(self.gate.changed.wait_while(state, waits).unwrap());
    }

    fn safe(&self) -> Vec<CommitNo> {
        self.gate.state.lock().unwrap().safe.clone()
    }

    fn all_rows(&self) -> Vec<Row> {
        self.open_store().all_rows().map(Result::unwrap).collect()
    }

    fn reopen(mut self) -> Self {
        self.store = None;
        self.gate = Arc::new(Gate::default());
        self.store = Some(start(&self.directory, &self.options, &self.gate));
        self
    }
}

impl Drop for Fjall {
    fn drop(&mut self) {
        // A test that fails while it holds the store must not wait for its writer.
        self.gate.state.lock().unwrap().is_held = false;
        self.gate.changed.notify_all();
    }
}

conformance!(Fjall);
