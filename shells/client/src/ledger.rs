//! The ledger as a small SQLite file, shared by an app and its extension or worker.
//!
//! Nothing of it stays open: each order opens the file, carries out one transaction that excludes
//! every other process, and closes it again. A process that is frozen or killed between two orders
//! holds no lock, and one that waits for another waits [`BUSY_MS`] at most. What an order answers
//! survives a crash.

mod rows;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nightjar_client_core::{LedgerAnswer, LedgerOrder, carry_out};
use nightjar_model::WallMs;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::store::{StoreError, make_private};
use rows::Rows;

/// Another process may have an order of its own: how long to wait for it. Who waits holds no lock;
/// who gives up alerts, although somebody else may: a disk that is slow for a moment is worth more
/// patience than that.
const BUSY_MS: u64 = 2_000;

/// Tells our files from those of other programs ("njlg").
const APPLICATION_ID: i64 = 0x6e6a_6c67;

/// Step n leads from format n to format n + 1. A step that was released is never changed.
const STEPS: &[&str] = &[include_str!("ledger/format_1.sql")];

/// Where the ledger is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LedgerFile {
    path: PathBuf,
}

impl LedgerFile {
    /// The file is made, for the eyes of this user only, by the first order.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Carries out one order. Blocks for the time of one small transaction: not for a thread that
    /// drives tasks.
    ///
    /// # Errors
    /// What is wrong with the file; then nothing was changed.
    pub fn order(&self, order: &LedgerOrder, now: WallMs) -> Result<LedgerAnswer, StoreError> {
        let failed = |error| StoreError::of(&self.path, "use", error);
        let mut connection = self.open()?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        self.set_up(&transaction)?;
        let answer = carry_out(&mut Rows(&transaction), order, now).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        connection.close().map_err(|(_, error)| failed(error))?;
        Ok(answer)
    }

    /// The same, on a thread where one may wait. A file that cannot be used is an answer, too.
    pub(crate) async fn answer(&self, order: LedgerOrder, now: WallMs) -> LedgerAnswer {
        let file = self.clone();
        let done = tokio::task::spawn_blocking(move || file.order(&order, now)).await;
        done.ok().and_then(Result::ok).unwrap_or(LedgerAnswer::Failed)
    }

    fn open(&self) -> Result<Connection, StoreError> {
        make_private(&self.path)?;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(&self.path)?;
            connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
            Ok(connection)
        };
        open().map_err(|error| StoreError::of(&self.path, "open", error))
    }

    /// Refuses files of other programs and of later versions, and brings ours to the newest
    /// format.
    fn set_up(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let failed = |error| StoreError::of(&self.path, "open", error);
        let pragma = |name| -> Result<i64, StoreError> {
            transaction.pragma_query_value(None, name, |row| row.get(0)).map_err(failed)
        };
        let (found, known) = (pragma("user_version")?, STEPS.len() as i64);
        if found > known {
            return Err(StoreError::Newer { path: self.path.clone(), found, known });
        }
        if found == known && pragma("application_id")? == APPLICATION_ID {
            return Ok(());
        }
        let sql = "SELECT count(*) FROM sqlite_schema";
        let tables: i64 = transaction.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
        if tables != 0 && pragma("application_id")? != APPLICATION_ID {
            return Err(StoreError::Foreign { path: self.path.clone() });
        }
        let write = || -> rusqlite::Result<()> {
            let from = usize::try_from(found).unwrap_or(0);
            for step in &STEPS[from.min(STEPS.len())..] {
                transaction.execute_batch(step)?;
            }
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", known)
        };
        write().map_err(failed)
    }
}
