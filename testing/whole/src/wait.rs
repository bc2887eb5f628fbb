//! Waiting that ends.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than anything a test waits for may take; a wait that reaches it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What `future` answers.
///
/// # Panics
/// When it takes longer than [`PATIENCE`]; the text says what was waited for.
#[track_caller]
pub fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(answer) => answer,
            Err(_) => panic!("waited {PATIENCE:?} in vain for {what} at {caller}"),
        }
    }
}

/// A moment as the protocol writes it.
#[must_use]
pub fn ms_since_epoch(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
