//! The file: who may read it, how safe a commit is, and its format.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Another process may be closing the file: how long to wait for it.
const BUSY_MS: u64 = 2_000;

/// Tells our files from those of other programs ("njcl").
const APPLICATION_ID: i64 = 0x6e6a_636c;

/// Step n leads from format n to format n + 1. A step that was released is never changed.
const STEPS: &[&str] = &[
    include_str!("format_1.sql"),
    include_str!("format_2.sql"),
    include_str!("format_3.sql"),
    include_str!("format_4.sql"),
    include_str!("format_5.sql"),
];

/// Opens or creates the file and brings it to the newest format.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    make_private(path)?;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        // One process a file: a client holds in memory what it wrote, and would overwrite what
        // another one writes. The lock stands until the file is closed or the process ends.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        Ok(connection)
    };
    let mut connection = open().map_err(|error| StoreError::of(path, "open", error))?;
    check(path, &connection)?;
    set_up(&mut connection).map_err(|error| StoreError::of(path, "set up", error))?;
    Ok(connection)
}

/// Whether whoever had it open last ended without closing it: then commits are still in the log.
pub(super) fn was_left_open(path: &Path) -> bool {
    std::fs::metadata(log_of(path)).is_ok_and(|log| log.len() > 0)
}

/// Joins the log into the file and gives the descriptors back.
pub(super) fn close(path: &Path, connection: Connection) -> Result<(), StoreError> {
    let joined = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let closed = connection.close().map_err(|(_, error)| error);
    joined.and(closed).map_err(|error| StoreError::of(path, "close", error))
}

/// Refuses files of other programs and of later versions, before anything in them is changed.
fn check(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let number = |sql| {
        let found = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        found.map_err(|error| StoreError::of(path, "open", error))
    };
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    if !is_empty && number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let (found, known) = (number("PRAGMA user_version")?, STEPS.len() as i64);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

fn set_up(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // With WAL only FULL syncs the log at each commit: what is told as safe survives a loss of
    // power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let format: usize = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for step in &STEPS[format.min(STEPS.len())..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", STEPS.len())?;
    transaction.commit()
}

/// The resume token is in the file, so only its owner may read it.
#[cfg(unix)]
pub(crate) fn make_private(path: &Path) -> Result<(), StoreError> {
    use std::fs::{OpenOptions, Permissions, set_permissions};
    use std::io::ErrorKind;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    let failed = |doing, source| StoreError::File { path: path.to_owned(), doing, source };
    // A file that exists is not opened here: closing it again would drop the locks of another
    // store of this process (POSIX).
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed("create", error));
        }
        _ => {}
    }
    // SQLite gives a new log the mode of the file; one of an earlier run has its own.
    for path in [path.to_owned(), log_of(path)] {
        match set_permissions(&path, Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(failed("protect", error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn make_private(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Where SQLite keeps the commits that are not in the file yet.
pub(super) fn log_of(path: &Path) -> std::path::PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
