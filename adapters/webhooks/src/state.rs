//! How a receiver fares, and for how long it is left alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The first wait after a failure; it doubles up to [`WAIT_MAX`].
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Growing waits.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    tries: u32,
}

impl Pace {
    /// The next wait, up to a fifth longer by chance.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = WAIT_FIRST.saturating_mul(1 << self.tries.min(16)).min(WAIT_MAX);
        self.tries += 1;
        wait + wait.mul_f64(fastrand::f64() * 0.2)
    }
}

/// What is known of a receiver since it was set up, or the server started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fares {
    /// Events it took.
    pub taken: u64,
    /// Requests it did not take.
    pub refused: u64,
    /// When it last took one, in ms since the Unix epoch.
    pub last_success_at: Option<u64>,
    /// When it last did not, and why.
    pub last_failure: Option<(u64, String)>,
}

/// Shared by everything that is under way to one receiver.
#[derive(Debug, Default)]
pub(crate) struct State(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    fares: Fares,
    pace: Pace,
    alone_until: Option<Instant>,
}

impl State {
    pub(crate) fn fares(&self) -> Fares {
        self.lock().fares.clone()
    }

    pub(crate) fn taken(&self, at: u64) {
        let mut inner = self.lock();
        inner.fares.taken += 1;
        inner.fares.last_success_at = Some(at);
        (inner.pace, inner.alone_until) = (Pace::default(), None);
    }

    /// `is_receivers`: it is left alone for a while. Those that were under way together count as
    /// one failure.
    pub(crate) fn refused(&self, at: u64, reason: String, is_receivers: bool) {
        let mut inner = self.lock();
        inner.fares.refused += 1;
        inner.fares.last_failure = Some((at, reason));
        let now = Instant::now();
        if is_receivers && inner.alone_until.is_none_or(|until| until <= now) {
            inner.alone_until = Some(now + inner.pace.next());
        }
    }

    /// Waits while the receiver is left alone.
    pub(crate) async fn pause(&self) {
        loop {
            let until = self.lock().alone_until;
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_five_minutes() {
        let mut pace = Pace::default();
        let waits: Vec<u64> = (0..12).map(|_| pace.next().as_secs()).collect();
        assert_eq!(waits[0], 1);
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1] || pair[1] >= 300), "{waits:?}");
        assert!((300..=360).contains(&waits[11]), "{waits:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_fails_is_left_alone_and_one_event_that_is_refused_holds_nobody() {
        let state = State::default();
        let before = Instant::now();
        state.refused(1, "it answered 422".into(), false);
        state.pause().await;
        assert_eq!(before.elapsed(), Duration::ZERO);
        for _ in 0..8 {
            state.refused(2, "it answered 503".into(), true);
        }
        state.pause().await;
        let waited = before.elapsed();
        assert!((1_000..1_300).contains(&waited.as_millis()), "together they are one: {waited:?}");
        state.taken(3);
        let fares = state.fares();
        assert_eq!((fares.taken, fares.refused, fares.last_success_at), (1, 9, Some(3)));
    }
}
