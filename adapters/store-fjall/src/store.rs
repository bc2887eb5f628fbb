//! The store itself.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use nightjar_domain::{Commit, CommitNo, Key, Missing, Row, Rows, Scan, Store, Submitted, Write};

use crate::counters::Counters;
use crate::disk::{Change, Disk, cleared};
use crate::failure::{Failure, io};
use crate::key::{self, Span, Table};
use crate::overlay::Overlay;
use crate::writer::{Pending, Queue, Writer, change_bytes};
use crate::{merge, value};

/// What a store may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for blocks of files that were read, in bytes.
    pub cache_bytes: u64,
    /// Rows kept in memory before they are sorted into files, in bytes, for each of the two trees.
    /// More means less rewriting and a longer next start. Used when the store is made.
    pub memtable_bytes: u64,
    /// Commits that may wait to become safe; more are refused as [`Submitted::Full`].
    pub commits_waiting_max: u64,
    /// Encoded bytes that may wait; the commit that passes it is still taken, the next is not.
    pub bytes_waiting_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            memtable_bytes: 32 << 20,
            commits_waiting_max: 4096,
            bytes_waiting_max: 32 << 20,
        }
    }
}

/// Rows on disk, read and submitted by one thread and written by another.
///
/// Dropping it writes what was submitted, says so, and ends the writer.
pub struct FjallStore {
    disk: Disk,
    overlay: Overlay,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    options: Options,
    taken: CommitNo,
    writer: Option<JoinHandle<()>>,
    /// Keys and rows are encoded here.
    buffer: RefCell<Vec<u8>>,
}

impl FjallStore {
    /// Opens the store in a directory, or makes one there.
    ///
    /// The writer thread calls `on_safe` with the newest safe commit, in order; and `on_broken`
    /// once, when a write or an fsync failed: nothing becomes safe after it, and the process should
    /// end.
    ///
    /// # Errors
    /// [`Failure`]; among others when another process has it open, or when a later version wrote it.
    pub fn open(
        directory: &Path,
        options: Options,
        on_safe: impl FnMut(CommitNo) + Send + 'static,
        on_broken: impl FnOnce(&Failure) + Send + 'static,
    ) -> Result<Self, Failure> {
        Self::over(Disk::open(directory, &options)?, options, on_safe, on_broken)
    }

    /// Opens a store that must be there, to read it.
    ///
    /// # Errors
    /// [`Failure::NoStore`], and those of [`Self::open`].
    pub fn open_present(directory: &Path) -> Result<Self, Failure> {
        let options = Options::default();
        Self::over(Disk::open_present(directory, &options)?, options, |_| {}, |_| {})
    }

    fn over(
        disk: Disk,
        options: Options,
        on_safe: impl FnMut(CommitNo) + Send + 'static,
        on_broken: impl FnOnce(&Failure) + Send + 'static,
    ) -> Result<Self, Failure> {
        let queue = Arc::new(Queue::default());
        let counters = Arc::new(Counters::default());
        let writer = Writer {
            disk: disk.clone(),
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            on_safe,
            on_broken,
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run())
            .map_err(io("the writer thread cannot be made"))?;
        Ok(Self {
            disk,
            overlay: Overlay::default(),
            queue,
            counters,
            options,
            taken: CommitNo(0),
            writer: Some(writer),
            buffer: RefCell::default(),
        })
    }

    /// What the store did since it was opened; stays readable while the store is elsewhere.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// The newest commit that was taken.
    #[must_use]
    pub fn taken(&self) -> CommitNo {
        self.taken
    }

    /// Every row that reads show, in the order of keys.
    pub fn all_rows(&self) -> impl Iterator<Item = Result<Row, Failure>> + '_ {
        Table::ALL
            .into_iter()
            .flat_map(|table| merge::rows(&self.disk, &self.overlay, &Span::whole(table)))
    }

    fn is_full(&self) -> bool {
        let (commits, bytes) = self.counters.waiting();
        commits >= self.options.commits_waiting_max || bytes >= self.options.bytes_waiting_max
    }
}

impl Rows for FjallStore {
    fn load(&self, key: &Key) -> Result<Option<Row>, Missing> {
        self.counters.loaded();
        let mut buffer = self.buffer.borrow_mut();
        let bytes = key::encode(key, cleared(&mut buffer));
        let row = match self.overlay.look(&bytes) {
            Some(row) => Ok(row.cloned()),
            None => {
                let table = Table::of(key);
                self.disk
                    .load(table, &bytes)
                    .and_then(|found| found.map(|bytes| value::decode(table, &bytes)).transpose())
            }
        };
        *buffer = bytes;
        row.map_err(missing)
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>, Missing> {
        let span = Span::of(scan);
        let rows = merge::rows(&self.disk, &self.overlay, &span).take(span.limit);
        let mut rows = rows.collect::<Result<Vec<Row>, Failure>>().map_err(missing)?;
        if span.newest {
            rows.reverse();
        }
        self.counters.scanned(rows.len());
        Ok(rows)
    }
}

fn missing(failure: Failure) -> Missing {
    Missing::Broken(failure.chain())
}

impl Store for FjallStore {
    fn submit(&mut self, commit: Commit) -> Submitted {
        self.overlay.settle(self.queue.safe());
        if let Some(reason) = self.queue.broken() {
            return Submitted::Broken(reason);
        }
        if self.is_full() {
            return Submitted::Full(commit);
        }
        let number = CommitNo(self.taken.0 + 1);
        let count = commit.writes.len();
        let (mut changes, mut rows) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for write in commit.writes {
            let (key, row) = match write {
                Write::Put(row) => (row.key(), Some(row)),
                Write::Delete(key) => (key, None),
            };
            let (key, change) = Change::of(&key, row.as_ref(), self.buffer.get_mut());
            rows.push((key.clone(), row));
            changes.push((key, change));
        }
        let bytes = changes.iter().map(|(key, change)| change_bytes(key, change)).sum();
        self.counters.submitted(bytes);
        let pending = Pending { number, changes, bytes, durability: commit.durability };
        if let Err(reason) = self.queue.push(pending) {
            return Submitted::Broken(reason);
        }
        self.taken = number;
        self.overlay.lay(number, rows);
        Submitted::Taken(number)
    }
}

impl Drop for FjallStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer thread panicked");
        }
    }
}
