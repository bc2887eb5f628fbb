//! The two clocks, read together.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use nightjar_model::{Mono, Now, WallMs};

/// Counts from the start of the process; cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

/// `Mono` starts above 0 so that "long ago" has a place.
const START_MS: u64 = 1_000_000;

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now {
            mono: Mono(START_MS + mono),
            wall: WallMs(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// The instant of a moment.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Instant {
        self.start + std::time::Duration::from_millis(at.0.saturating_sub(START_MS).min(1 << 40))
    }
}
