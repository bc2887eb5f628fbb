//! What can be wrong with the file, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the store cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system refuses.
    #[error("cannot {doing} {path}; check that its folder exists and may be written")]
    File {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A later version wrote it.
    #[error(
        "{path} has format {found}, and this version only knows formats up to {known}; install \
         the version that wrote it, or name another file"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format of this version.
        known: i64,
    },
    /// It is some other file.
    #[error("{path} is not the store of a client; name another file")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// It is open elsewhere.
    #[error(
        "{path} is in use by another process; end that one, or name another file, as each device \
         has its own"
    )]
    Locked {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// No room.
    #[error("there is no room to write {path}; free some space on its disk and start again")]
    DiskFull {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// What is in it makes no sense.
    #[error(
        "{path} is damaged; move it away to start with an empty one. The server still has every \
         message but those that were not sent yet"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Anything else.
    #[error("cannot {doing} {path}; check its disk, then start again")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// No thread could be started.
    #[error("cannot start the thread of the store; the system has no room for one more")]
    Thread(#[source] io::Error),
    /// A fault of this program.
    #[error("the thread of the store ended by itself; start again")]
    Stopped,
}

impl StoreError {
    pub(crate) fn of(path: &Path, doing: &'static str, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked { path, source }
            }
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, source },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            None if is_no_value_of_ours(&source) => Self::Damaged { path, source },
            _ => Self::Sqlite { path, doing, source },
        }
    }
}

fn is_no_value_of_ours(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
    )
}
