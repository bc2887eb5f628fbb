//! The writer thread: what queued up becomes one batch with one fsync.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use fjall::UserKey;
use nightjar_domain::{CommitNo, Durability};

use crate::counters::Counters;
use crate::disk::{Change, Disk};
use crate::failure::Failure;

/// A commit on its way to the disk.
pub(crate) struct Pending {
    pub(crate) number: CommitNo,
    pub(crate) changes: Vec<(UserKey, Change)>,
    /// Encoded bytes of the changes.
    pub(crate) bytes: u64,
    pub(crate) durability: Durability,
}

/// What the submitting thread and the writer share.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    more: Condvar,
    /// The newest safe commit; its rows are in the store.
    safe: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Bounded by whoever submits: it counts what waits.
    waiting: VecDeque<Pending>,
    closed: bool,
    broken: Option<String>,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }

    /// Queues a commit, or says why the writer ended.
    pub(crate) fn push(&self, pending: Pending) -> Result<(), String> {
        let mut state = self.state();
        if let Some(reason) = &state.broken {
            return Err(reason.clone());
        }
        state.waiting.push_back(pending);
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    pub(crate) fn safe(&self) -> CommitNo {
        CommitNo(self.safe.load(Ordering::Acquire))
    }

    /// Why the writer ended, if it did.
    pub(crate) fn broken(&self) -> Option<String> {
        self.state().broken.clone()
    }

    /// Lets the writer end once it wrote what waits.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.more.notify_one();
    }

    /// Everything that waits; `None` once the queue is closed and empty.
    fn take(&self) -> Option<VecDeque<Pending>> {
        let mut state = self.state();
        while state.waiting.is_empty() && !state.closed {
            state = self.more.wait(state).expect("no holder of this lock can panic");
        }
        let waiting = std::mem::take(&mut state.waiting);
        (!waiting.is_empty()).then_some(waiting)
    }

    fn fail(&self, reason: String) {
        let mut state = self.state();
        state.waiting.clear();
        state.broken = Some(reason);
    }
}

/// The thread's own side.
pub(crate) struct Writer<S, B> {
    pub(crate) disk: Disk,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) on_safe: S,
    pub(crate) on_broken: B,
}

impl<S: FnMut(CommitNo), B: FnOnce(&Failure)> Writer<S, B> {
    /// Writes until the queue is closed or a write fails.
    ///
    /// After a failed write or fsync nothing is tried again: the kernel may have dropped the pages
    /// it could not write, and a second fsync would report success over the hole.
    pub(crate) fn run(mut self) {
        let _panic = Panic(Arc::clone(&self.queue));
        while let Some(batch) = self.queue.take() {
            if let Err(failure) = self.write(batch) {
                let failure = self.disk.explain(failure);
                self.queue.fail(failure.chain());
                (self.on_broken)(&failure);
                return;
            }
        }
    }

    fn write(&mut self, batch: VecDeque<Pending>) -> Result<(), Failure> {
        let Some(last) = batch.back().map(|pending| pending.number) else { return Ok(()) };
        let commits = batch.len() as u64;
        let must_sync = batch.iter().any(|pending| pending.durability == Durability::Power);
        let (mut rows, mut bytes) = (0, 0);
        let mut newest = Vec::new();
        for pending in batch.into_iter().rev() {
            rows += pending.changes.len() as u64;
            bytes += pending.bytes;
            newest.extend(pending.changes.into_iter().rev());
        }
        // Neighbours in the trees one after the other, which their places in memory reward; a
        // stable sort keeps the newest first among rows of one key. Of rows that many messages
        // overwrite, such as heads, only that one is written.
        newest.sort_by(|(one, _), (other, _)| one.cmp(other));
        newest.dedup_by(|(older, _), (newer, _)| older == newer);
        let written = newest.iter().map(|(key, change)| change_bytes(key, change)).sum();
        self.counters.written(newest.len() as u64, written);
        self.disk.write(newest)?;
        if must_sync {
            let start = Instant::now();
            self.disk.sync()?;
            self.counters.fsynced(start.elapsed());
        }
        self.counters.safe(commits, rows, bytes);
        self.queue.safe.store(last.0, Ordering::Release);
        (self.on_safe)(last);
        Ok(())
    }
}

/// Encoded bytes of a change.
pub(crate) fn change_bytes(key: &UserKey, change: &Change) -> u64 {
    (key.len() + change.value.as_ref().map_or(0, |value| value.len())) as u64
}

/// Breaks the store when its thread dies of a bug, so that no submit waits for it.
struct Panic(Arc<Queue>);

impl Drop for Panic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the writer thread panicked".into());
        }
    }
}
