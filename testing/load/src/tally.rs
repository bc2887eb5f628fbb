//! What a group of clients counts together.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Latencies are recorded up to this; longer ones count as this.
const LATENCY_US_MAX: u64 = 120_000_000;

/// Counts and latencies of the clients of one kind, all on one thread.
#[derive(Debug)]
pub(crate) struct Tally {
    /// What the moments in message ids count from.
    zero: Instant,
    /// Messages whose moment lies in it are measured.
    window: Cell<(u64, u64)>,
    /// Messages acknowledged to their writers.
    pub(crate) sent: Cell<u64>,
    /// Messages readers got.
    pub(crate) delivered: Cell<u64>,
    /// Deliveries that are owed for all messages acknowledged so far.
    pub(crate) owed: Cell<u64>,
    answers_us: RefCell<Histogram<u32>>,
    deliveries_us: RefCell<Histogram<u32>>,
}

/// Counts at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Messages acknowledged to their writers.
    pub(crate) sent: u64,
    /// Messages readers got.
    pub(crate) delivered: u64,
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { sent: self.sent - earlier.sent, delivered: self.delivered - earlier.delivered }
    }
}

impl Tally {
    /// Nothing counted, nothing measured yet.
    pub(crate) fn new(zero: Instant) -> Self {
        let histogram = || {
            let histogram = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3);
            RefCell::new(histogram.expect("these bounds are in order"))
        };
        Self {
            zero,
            window: Cell::new((u64::MAX, u64::MAX)),
            sent: Cell::new(0),
            delivered: Cell::new(0),
            owed: Cell::new(0),
            answers_us: histogram(),
            deliveries_us: histogram(),
        }
    }

    /// A moment as it stands in a message id.
    pub(crate) fn moment(&self, at: Instant) -> u64 {
        micros(at.saturating_duration_since(self.zero))
    }

    /// Messages from now on, for so long, are measured.
    pub(crate) fn open(&self, now: Instant, measured: Duration) {
        self.window.set((self.moment(now), self.moment(now + measured)));
    }

    /// A message of this moment was acknowledged; so many clients are to get it.
    pub(crate) fn sent(&self, moment: u64, readers: u64, now: Instant) {
        self.sent.set(self.sent.get() + 1);
        self.owed.set(self.owed.get() + readers);
        self.record(&self.answers_us, moment, now);
    }

    /// A message of this moment arrived.
    pub(crate) fn delivered(&self, moment: u64, now: Instant) {
        self.delivered.set(self.delivered.get() + 1);
        self.record(&self.deliveries_us, moment, now);
    }

    fn record(&self, into: &RefCell<Histogram<u32>>, moment: u64, now: Instant) {
        let (from, to) = self.window.get();
        if (from..to).contains(&moment) {
            into.borrow_mut().saturating_record(self.moment(now).saturating_sub(moment));
        }
    }

    /// The counts now.
    pub(crate) fn counts(&self) -> Counts {
        Counts { sent: self.sent.get(), delivered: self.delivered.get() }
    }

    /// From a message's moment to its arrival at a reader; ms, `None` without any.
    pub(crate) fn delivery_ms(&self, quantile: f64) -> Option<f64> {
        quantile_ms(&self.deliveries_us.borrow(), quantile)
    }

    /// From a message's moment to the durable answer to its writer; ms, `None` without any.
    pub(crate) fn answer_ms(&self, quantile: f64) -> Option<f64> {
        quantile_ms(&self.answers_us.borrow(), quantile)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn quantile_ms(histogram: &Histogram<u32>, quantile: f64) -> Option<f64> {
    if histogram.is_empty() {
        return None;
    }
    Some(histogram.value_at_quantile(quantile) as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_the_window_are_measured_however_late_they_arrive() {
        let zero = Instant::now();
        let tally = Tally::new(zero);
        let at = |ms| zero + Duration::from_millis(ms);
        tally.delivered(tally.moment(at(5)), at(900));
        tally.open(at(10), Duration::from_millis(10));
        tally.delivered(tally.moment(at(9)), at(900));
        tally.delivered(tally.moment(at(12)), at(112));
        tally.delivered(tally.moment(at(20)), at(900));
        assert_eq!(tally.delivered.get(), 4);
        assert_eq!(tally.deliveries_us.borrow().len(), 1);
        let p50 = tally.delivery_ms(0.5).unwrap();
        assert!((99.9..100.2).contains(&p50), "{p50}");
    }

    #[test]
    fn without_messages_there_is_no_latency() {
        assert_eq!(Tally::new(Instant::now()).delivery_ms(0.99), None);
    }
}
