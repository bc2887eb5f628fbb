//! Time for the client's machine.

use std::time::{Duration, Instant, SystemTime};

use nightjar_model::{Mono, Now, WallMs};

/// A clock that goes on while the computer sleeps: `Instant` may stand still then, and the wall
/// clock does not. When somebody sets the wall clock forward, that looks like a sleep and costs a
/// reconnection; set back, it changes nothing.
#[derive(Debug)]
pub(crate) struct Clock {
    at: Instant,
    wall: SystemTime,
    mono: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { at: Instant::now(), wall: SystemTime::now(), mono: Duration::ZERO }
    }

    /// Both clocks, now.
    pub(crate) fn now(&mut self) -> Now {
        self.pass(Instant::now(), SystemTime::now())
    }

    fn pass(&mut self, at: Instant, wall: SystemTime) -> Now {
        let awake = at.saturating_duration_since(self.at);
        let by_the_wall = wall.duration_since(self.wall).unwrap_or_default();
        // Clocks differ by little; only a sleep makes them differ by seconds.
        let slept = by_the_wall.saturating_sub(awake) > Duration::from_secs(2);
        self.mono += if slept { by_the_wall } else { awake };
        (self.at, self.wall) = (at, wall);
        let since_epoch = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { mono: Mono(ms(self.mono)), wall: WallMs(ms(since_epoch)) }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_counts_and_a_clock_set_back_does_not() {
        let mut clock = Clock::start();
        let (at, wall) = (clock.at, clock.wall);
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
        assert_eq!(clock.pass(at + second, wall + second).mono, Mono(1_000));
        assert_eq!(clock.pass(at + second, wall + hour).mono, Mono(3_600_000));
        assert_eq!(clock.pass(at + 2 * second, wall).mono, Mono(3_601_000));
    }
}
