//! The files: a lock, and two trees in one database that appear whole or not at all.
//!
//! A store is made beside its place and renamed into it, so that a crash, or an import that fails
//! half way, leaves no store instead of a part of one.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, UserKey, UserValue};
use nightjar_domain::{Key, Row};

use crate::failure::{Failure, engine, io};
use crate::key::{self, Span, Table};
use crate::store::Options;
use crate::{journal, value};

/// The format this version writes. It covers keys, values and how they are spread over trees.
pub const FORMAT: u32 = 1;

/// Where the format is written: no table has the number 0.
const FORMAT_KEY: [u8; 3] = [0, 0, 0];
/// Journals that may lie around until the slower tree is written out: with the one being written,
/// what a start replays. fjall takes no less.
const JOURNALS_BYTES_MAX: u64 = 64 << 20;
/// Held by the process that has the store open.
const LOCK: &str = "lock";
/// The database.
const DATA: &str = "data";
/// Written and removed to find out whether a disk is full.
const PROBE: &str = "probe";
/// The engine writes its tables in one go; less room than this is none.
const PROBE_BYTES: usize = 1 << 20;
/// A database that is being made.
const MAKING: &str = "making";

/// The open files.
#[derive(Clone)]
pub(crate) struct Disk {
    database: Database,
    /// Tables whose rows are written once.
    log: Keyspace,
    /// Tables whose rows are overwritten.
    state: Keyspace,
    directory: Arc<Path>,
    /// Given back after the database is closed: fields drop in this order.
    _lock: Arc<File>,
}

/// What becomes of the row of a key; no value: it is deleted.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) table: Table,
    pub(crate) value: Option<UserValue>,
}

impl Change {
    /// What a write does to the row of its key. Encoded in the buffer given, and copied from it
    /// once: the bytes live on as long as the files have them in memory.
    pub(crate) fn of(key: &Key, row: Option<&Row>, buffer: &mut Vec<u8>) -> (UserKey, Self) {
        let bytes = key::encode(key, cleared(buffer));
        let name = UserKey::from(&bytes[..]);
        *buffer = bytes;
        let value = row.map(|row| {
            let bytes = value::encode(row, cleared(buffer));
            let value = UserValue::from(&bytes[..]);
            *buffer = bytes;
            value
        });
        (name, Self { table: Table::of(key), value })
    }
}

/// The buffer, empty and with its room, to be given back.
pub(crate) fn cleared(buffer: &mut Vec<u8>) -> Vec<u8> {
    buffer.clear();
    std::mem::take(buffer)
}

impl Disk {
    /// Opens the store in a directory, or makes one there.
    pub(crate) fn open(directory: &Path, options: &Options) -> Result<Self, Failure> {
        let lock = lock(directory)?;
        if !directory.join(DATA).exists() {
            make(directory, options, &lock, |_| Ok(()))?;
        }
        Self::open_locked(directory, options, lock)
    }

    /// Opens a store that must be there.
    pub(crate) fn open_present(directory: &Path, options: &Options) -> Result<Self, Failure> {
        if !directory.join(DATA).exists() {
            return Err(Failure::NoStore { directory: directory.to_owned() });
        }
        Self::open_locked(directory, options, lock(directory)?)
    }

    /// Makes a store of what `fill` writes; there must be none.
    pub(crate) fn make_of(
        directory: &Path,
        options: &Options,
        fill: impl FnOnce(&Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let lock = lock(directory)?;
        if directory.join(DATA).exists() {
            return Err(Failure::Present { directory: directory.to_owned() });
        }
        make(directory, options, &lock, fill)
    }

    fn open_locked(directory: &Path, options: &Options, lock: Arc<File>) -> Result<Self, Failure> {
        journal::cut_torn_tail(&directory.join(DATA)).map_err(io("the journal cannot be read"))?;
        let disk = Self::open_trees(&directory.join(DATA), options, lock)?;
        let directory = directory.to_owned();
        match disk.format()? {
            Some(FORMAT) => Ok(disk),
            Some(found) => Err(Failure::Format { directory, found }),
            None => Err(Failure::NoFormat { directory }),
        }
    }

    fn open_trees(data: &Path, options: &Options, lock: Arc<File>) -> Result<Self, Failure> {
        let database = Database::builder(data)
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNALS_BYTES_MAX)
            .manual_journal_persist(true)
            // With more than one, the first asks over and over whether the others have finished
            // merging, and keeps a core busy with it (fjall 3.1, `worker_pool`).
            .worker_threads(1)
            .open()
            .map_err(engine("the database cannot be opened"))?;
        let settings =
            || KeyspaceCreateOptions::default().max_memtable_size(options.memtable_bytes);
        let tree = |name| {
            database
                .keyspace(name, settings)
                .map_err(engine("a tree of the store cannot be opened"))
        };
        let (log, state) = (tree("log")?, tree("state")?);
        let directory = data.parent().unwrap_or(data).into();
        Ok(Self { database, log, state, directory, _lock: lock })
    }

    fn format(&self) -> Result<Option<u32>, Failure> {
        let value =
            self.state.get(FORMAT_KEY).map_err(engine("the format of the store cannot be read"))?;
        // What is not four bytes was written by no version there is.
        Ok(value.map(|bytes| bytes[..].try_into().map_or(u32::MAX, u32::from_be_bytes)))
    }

    fn write_format(&self) -> Result<(), Failure> {
        let doing = "the format of the store cannot be written";
        self.state.insert(FORMAT_KEY, FORMAT.to_be_bytes()).map_err(engine(doing))?;
        self.database.persist(PersistMode::SyncAll).map_err(engine(doing))
    }

    fn tree(&self, table: Table) -> &Keyspace {
        if table.is_log() { &self.log } else { &self.state }
    }

    pub(crate) fn load(&self, table: Table, key: &[u8]) -> Result<Option<UserValue>, Failure> {
        self.tree(table).get(key).map_err(engine("a row cannot be read"))
    }

    /// The rows of a span, which must not be empty.
    pub(crate) fn iter(&self, span: &Span) -> fjall::Iter {
        self.tree(span.table).range(&span.from[..]..&span.to[..])
    }

    /// Writes all of these or none, and hands them to the kernel: they survive the process.
    /// No key may come twice: within a batch there is no first and last.
    pub(crate) fn write(
        &self,
        changes: impl IntoIterator<Item = (UserKey, Change)>,
    ) -> Result<(), Failure> {
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        for (key, change) in changes {
            let tree = self.tree(change.table);
            match change.value {
                Some(value) => batch.insert(tree, key, value),
                None => batch.remove(tree, key),
            }
        }
        batch.commit().map_err(engine("a batch cannot be written"))
    }

    /// Waits until everything written is on stable storage: it survives the loss of power.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        self.database.persist(PersistMode::SyncData).map_err(engine("an fsync failed"))
    }

    /// Says of a failed write that the disk is full, if it is. The engine writes its tables from
    /// threads of its own and then only tells that one of them failed, so the disk is asked.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        let probe = self.directory.join(PROBE);
        let written = std::fs::write(&probe, vec![0; PROBE_BYTES]);
        // What cannot be removed is written over by the next probe.
        let _ = std::fs::remove_file(&probe);
        match written {
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                let directory = self.directory.to_path_buf();
                Failure::Full { directory, source: Box::new(failure) }
            }
            _ => failure,
        }
    }
}

/// Takes the directory for this process.
fn lock(directory: &Path) -> Result<Arc<File>, Failure> {
    let doing = "the directory of the store cannot be locked";
    std::fs::create_dir_all(directory).map_err(io("the directory of the store cannot be made"))?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(LOCK))
        .map_err(io(doing))?;
    match file.try_lock() {
        Ok(()) => Ok(Arc::new(file)),
        Err(TryLockError::WouldBlock) => Err(Failure::Locked { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io(doing)(error)),
    }
}

/// Makes a store beside its place, fills it, and renames it into place.
fn make(
    directory: &Path,
    options: &Options,
    lock: &Arc<File>,
    fill: impl FnOnce(&Disk) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let doing = "the store cannot be made";
    let making = directory.join(MAKING);
    if making.exists() {
        std::fs::remove_dir_all(&making).map_err(io("an unfinished store cannot be removed"))?;
    }
    let disk = Disk::open_trees(&making, options, Arc::clone(lock))?;
    fill(&disk)?;
    disk.write_format()?;
    drop(disk);
    std::fs::rename(&making, directory.join(DATA)).map_err(io(doing))?;
    // The rename, and the directory itself when it is new, must survive the loss of power.
    for name in [Some(directory), directory.parent()].into_iter().flatten() {
        let name = if name.as_os_str().is_empty() { Path::new(".") } else { name };
        File::open(name).and_then(|file| file.sync_all()).map_err(io(doing))?;
    }
    Ok(())
}
