//! The wall clock. Ages are measured on tokio's clock instead, which never goes back.

use std::time::{SystemTime, UNIX_EPOCH};

use nightjar_model::WallMs;

/// The present moment; the epoch itself for a clock set before it.
pub(crate) fn wall_now() -> WallMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
