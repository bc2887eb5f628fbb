//! Time as an argument: no core reads a clock.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch. Shown to people and stored; deadlines never use it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct WallMs(pub u64);

/// Milliseconds on a clock that never goes back, from an arbitrary start in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// This moment and `ms` later.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, 0 if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl WallMs {
    /// This moment and `ms` later.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The two clocks, read together by a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines.
    pub mono: Mono,
    /// For people and for storage.
    pub wall: WallMs,
}

impl Now {
    /// The monotonic moment of an earlier wall time; the first one where that was before it.
    #[must_use]
    pub fn mono_of(&self, earlier: WallMs) -> Mono {
        Mono(self.mono.0.saturating_sub(self.wall.0.saturating_sub(earlier.0)))
    }
}
