//! What the store did since it was opened, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts that any thread may read at any time.
#[derive(Debug, Default)]
pub struct Counters {
    commits: AtomicU64,
    rows_committed: AtomicU64,
    bytes_committed: AtomicU64,
    batches: AtomicU64,
    rows_written: AtomicU64,
    bytes_written: AtomicU64,
    fsyncs: AtomicU64,
    fsync_ns_total: AtomicU64,
    fsync_ns_last: AtomicU64,
    commits_waiting: AtomicU64,
    bytes_waiting: AtomicU64,
    rows_loaded: AtomicU64,
    rows_scanned: AtomicU64,
}

/// The counts at one moment; all but the waiting ones only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commits that became safe.
    pub commits: u64,
    /// Rows put or deleted by them.
    pub rows_committed: u64,
    /// Encoded bytes of those rows, keys and values.
    pub bytes_committed: u64,
    /// Batches the writer made of them.
    pub batches: u64,
    /// Rows in those batches: of several writes of one row only the last is written.
    pub rows_written: u64,
    /// Encoded bytes in those batches, keys and values.
    pub bytes_written: u64,
    /// Fsyncs of the writer.
    pub fsyncs: u64,
    /// Time they took, in nanoseconds.
    pub fsync_ns_total: u64,
    /// Time the last one took, in nanoseconds.
    pub fsync_ns_last: u64,
    /// Commits taken and not yet safe.
    pub commits_waiting: u64,
    /// Their encoded bytes.
    pub bytes_waiting: u64,
    /// Rows asked for by name, found or not.
    pub rows_loaded: u64,
    /// Rows answered by scans. Right after a server opened its node over the store, this and
    /// `rows_loaded` are what a restart reads.
    pub rows_scanned: u64,
}

impl Counters {
    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            commits: self.commits.load(Relaxed),
            rows_committed: self.rows_committed.load(Relaxed),
            bytes_committed: self.bytes_committed.load(Relaxed),
            batches: self.batches.load(Relaxed),
            rows_written: self.rows_written.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed),
            fsyncs: self.fsyncs.load(Relaxed),
            fsync_ns_total: self.fsync_ns_total.load(Relaxed),
            fsync_ns_last: self.fsync_ns_last.load(Relaxed),
            commits_waiting: self.commits_waiting.load(Relaxed),
            bytes_waiting: self.bytes_waiting.load(Relaxed),
            rows_loaded: self.rows_loaded.load(Relaxed),
            rows_scanned: self.rows_scanned.load(Relaxed),
        }
    }

    pub(crate) fn submitted(&self, bytes: u64) {
        self.commits_waiting.fetch_add(1, Relaxed);
        self.bytes_waiting.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn safe(&self, commits: u64, rows: u64, bytes: u64) {
        self.commits.fetch_add(commits, Relaxed);
        self.rows_committed.fetch_add(rows, Relaxed);
        self.bytes_committed.fetch_add(bytes, Relaxed);
        self.commits_waiting.fetch_sub(commits, Relaxed);
        self.bytes_waiting.fetch_sub(bytes, Relaxed);
    }

    pub(crate) fn written(&self, rows: u64, bytes: u64) {
        self.batches.fetch_add(1, Relaxed);
        self.rows_written.fetch_add(rows, Relaxed);
        self.bytes_written.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn fsynced(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.fsyncs.fetch_add(1, Relaxed);
        self.fsync_ns_total.fetch_add(ns, Relaxed);
        self.fsync_ns_last.store(ns, Relaxed);
    }

    pub(crate) fn loaded(&self) {
        self.rows_loaded.fetch_add(1, Relaxed);
    }

    pub(crate) fn scanned(&self, rows: usize) {
        self.rows_scanned.fetch_add(rows as u64, Relaxed);
    }

    /// Commits taken and not yet safe, and their bytes: what bounds the queue.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        (self.commits_waiting.load(Relaxed), self.bytes_waiting.load(Relaxed))
    }
}
