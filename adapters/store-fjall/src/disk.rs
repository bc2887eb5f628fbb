//! The files: two trees in one database, and the row that says their format.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, UserKey, UserValue};

use crate::failure::{Failure, engine};
use crate::key::{Span, Table};
use crate::store::Options;

/// The format this version writes. It covers keys, values and how they are spread over trees.
pub const FORMAT: u32 = 1;

/// Where the format is written: no table has the number 0.
const FORMAT_KEY: [u8; 3] = [0, 0, 0];
/// The file by which fjall knows its directories.
const MARKER: &str = "version";
/// Rows kept in memory before they are sorted into files, per tree. More means less rewriting, and
/// a longer replay at the next start.
const MEMTABLE_BYTES: u64 = 32 << 20;
/// Journals that may lie around until the slower tree is written out: what a start replays.
const JOURNALS_BYTES_MAX: u64 = 128 << 20;

/// The open files.
#[derive(Clone)]
pub(crate) struct Disk {
    database: Database,
    /// Tables whose rows are written once.
    log: Keyspace,
    /// Tables whose rows are overwritten.
    state: Keyspace,
}

impl Disk {
    /// Opens or makes the files. The format is not looked at.
    pub(crate) fn open(directory: &Path, options: &Options) -> Result<Self, Failure> {
        let database = Database::builder(directory)
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNALS_BYTES_MAX)
            .manual_journal_persist(true)
            .open()
            .map_err(|source| match source {
                fjall::Error::Locked => Failure::Locked { directory: directory.to_owned() },
                source => Failure::Engine { doing: "the database cannot be opened", source },
            })?;
        let tree = |name| {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            database.keyspace(name, options).map_err(engine("a tree cannot be opened"))
        };
        let (log, state) = (tree("log")?, tree("state")?);
        Ok(Self { database, log, state })
    }

    /// Opens the files of a store that must be there.
    pub(crate) fn open_present(directory: &Path, options: &Options) -> Result<Self, Failure> {
        if !directory.join(MARKER).is_file() {
            return Err(Failure::NoStore { directory: directory.to_owned() });
        }
        Self::open(directory, options)
    }

    /// Checks the format of an open store; writes it into an empty one.
    pub(crate) fn check_format(&self, directory: &Path) -> Result<(), Failure> {
        match self.format()? {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(Failure::Format { directory: directory.to_owned(), found }),
            None if self.is_empty()? => self.write_format(),
            None => Err(Failure::Unfinished { directory: directory.to_owned() }),
        }
    }

    fn format(&self) -> Result<Option<u32>, Failure> {
        let value =
            self.state.get(FORMAT_KEY).map_err(engine("the format of the store cannot be read"))?;
        // What is not four bytes was written by no version there is.
        Ok(value.map(|bytes| bytes[..].try_into().map_or(u32::MAX, u32::from_be_bytes)))
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> Result<bool, Failure> {
        for table in Table::ALL {
            if let Some(guard) = self.iter(&Span::whole(table)).next() {
                guard.key().map_err(engine("a row cannot be read"))?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says durably that everything in the store has the format of this version.
    pub(crate) fn write_format(&self) -> Result<(), Failure> {
        let doing = "the format of the store cannot be written";
        self.state.insert(FORMAT_KEY, FORMAT.to_be_bytes()).map_err(engine(doing))?;
        self.database.persist(PersistMode::SyncAll).map_err(engine(doing))
    }

    /// Takes the format away, so that the store does not open before it is written again.
    pub(crate) fn remove_format(&self) -> Result<(), Failure> {
        let doing = "the format of the store cannot be removed";
        self.state.remove(FORMAT_KEY).map_err(engine(doing))?;
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

    /// Writes all of these or none, and hands them to the kernel.
    pub(crate) fn write(
        &self,
        changes: impl Iterator<Item = (UserKey, Change)>,
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

    /// Waits until everything written is on stable storage.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        self.database.persist(PersistMode::SyncData).map_err(engine("an fsync failed"))
    }
}

/// What becomes of the row of a key; no value: it is deleted.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) table: Table,
    pub(crate) value: Option<UserValue>,
}
