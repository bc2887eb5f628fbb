//! How often a provider lets pushes through that nobody sees.

use nightjar_model::Mono;

/// A budget of pushes without an alert, for each device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietBudget {
    /// So many may leave at once.
    burst: u64,
    /// Then one in so many milliseconds.
    every_ms: u64,
}

impl QuietBudget {
    /// The provider's; `None` where it has none.
    ///
    /// Apple: no more than two or three background notifications an hour (Pushing background
    /// updates to your App). Firebase slows down only the traffic of one device beyond 240
    /// messages a minute, whatever their priority.
    #[must_use]
    pub fn of(provider: &str) -> Option<Self> {
        (provider == "apns").then_some(Self { burst: 5, every_ms: 30 * 60 * 1_000 })
    }

    /// Takes one from the budget, if there is one left. `spent_until` is the device's: the time at
    /// which its whole budget is there again; it starts at 0.
    #[must_use]
    pub fn take(self, spent_until: &mut Mono, now: Mono) -> bool {
        let from = (*spent_until).max(now);
        if from.since(now) > (self.burst - 1) * self.every_ms {
            return false;
        }
        *spent_until = from.after(self.every_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_at_once_then_two_an_hour() {
        let budget = QuietBudget::of("apns").unwrap();
        let mut spent_until = Mono(0);
        let mut left_in = |from_ms: u64, tries: usize| {
            (0..tries).filter(|_| budget.take(&mut spent_until, Mono(from_ms))).count()
        };
        assert_eq!(left_in(1_000, 20), 5);
        assert_eq!(left_in(1_000 + 29 * 60_000, 20), 0);
        assert_eq!(left_in(1_000 + 60 * 60_000, 20), 2);
        assert_eq!(left_in(1_000 + 24 * 3_600_000, 20), 5, "what was not used is not saved up");
    }

    #[test]
    fn only_apple_counts() {
        assert_eq!(QuietBudget::of("fcm"), None);
    }
}
