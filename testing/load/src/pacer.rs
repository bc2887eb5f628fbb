//! Fixed moments to write at, whatever the answers do.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// One writer's moments: they come from a thread of their own, because the runtime's timers are
/// a millisecond coarse.
#[derive(Debug)]
pub(crate) struct Pace {
    due: Arc<Semaphore>,
    next: Instant,
    step: Duration,
}

impl Pace {
    /// Waits for the next moment and answers it; it may be past already.
    pub(crate) async fn due(&mut self) -> Instant {
        // Nobody closes the semaphore: it lives as long as this.
        if let Ok(permit) = self.due.acquire().await {
            permit.forget();
        }
        let due = self.next;
        self.next += self.step;
        due
    }

    /// Lets the moments go that came before anybody wanted to write.
    pub(crate) fn skip(&mut self) {
        let past = self.due.forget_permits(usize::MAX);
        self.next += self.step * u32::try_from(past).unwrap_or(u32::MAX);
    }
}

/// Spreads `rate` moments a second evenly over so many writers, from `start` on.
pub(crate) fn paces(rate: f64, writers: usize, start: Instant) -> Vec<Pace> {
    let gap = Duration::from_secs_f64(1.0 / rate);
    let step = Duration::from_secs_f64(writers as f64 / rate);
    let mut paces = Vec::with_capacity(writers);
    let mut bells = Vec::with_capacity(writers);
    for writer in 0..writers {
        let due = Arc::new(Semaphore::new(0));
        bells.push(Arc::downgrade(&due));
        paces.push(Pace { due, next: start + gap.mul_f64(writer as f64), step });
    }
    std::thread::spawn(move || ring(&bells, start, step));
    paces
}

/// Rings every writer's bell in turn until all writers are gone.
fn ring(bells: &[Weak<Semaphore>], start: Instant, step: Duration) {
    for round in 0.. {
        let mut is_heard = false;
        for (index, bell) in bells.iter().enumerate() {
            let turns = f64::from(round) + index as f64 / bells.len() as f64;
            let at = start + step.mul_f64(turns);
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if let Some(bell) = bell.upgrade() {
                bell.add_permits(1);
                is_heard = true;
            }
        }
        if !is_heard {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn moments_are_evenly_spread_and_never_early() {
        let start = Instant::now();
        let mut paces = paces(1_000.0, 2, start);
        for turn in 0..5_u32 {
            for (writer, pace) in paces.iter_mut().enumerate() {
                let due = pace.due().await;
                let expected = start + Duration::from_millis(u64::from(turn) * 2 + writer as u64);
                assert!(due.abs_diff(expected) < Duration::from_micros(10));
                assert!(Instant::now() >= due);
            }
        }
    }

    trait AbsDiff {
        fn abs_diff(self, other: Self) -> Duration;
    }

    impl AbsDiff for Instant {
        fn abs_diff(self, other: Self) -> Duration {
            self.max(other) - self.min(other)
        }
    }
}
