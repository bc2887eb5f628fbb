//! Room for many open sockets.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files a process opens besides the clients' sockets.
const OTHER_FILES: u64 = 200;

/// Raises this process's limit of open files, and with it that of what it starts, to what so many
/// connections need.
///
/// # Errors
/// The system allows less; the message says how to allow more.
pub(crate) fn make_room(connections: usize) -> anyhow::Result<()> {
    let needed = connections as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    // As far as the system lets anybody, so that a server started by this one has room, too.
    let wanted = limit.maximum.map_or(needed, |maximum| maximum.max(needed));
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum.map(|_| wanted) };
    if setrlimit(Resource::Nofile, raised).is_err() {
        bail!(
            "{connections} connections need {needed} open files and this shell allows {}; \
             run 'ulimit -n {needed}' first, as an administrator if it is refused",
            limit.maximum.unwrap_or_default(),
        );
    }
    Ok(())
}
