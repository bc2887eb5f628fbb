//! When something is tried again.

use crate::outcome::Answer;

/// The first wait without a word from the vendor; it doubles.
const FIRST_MS: u64 = 1_000;
/// The longest wait without a word from the vendor.
const MS_MAX: u64 = 30_000;
/// A vendor that asks for less is asked again so soon: "at once" would be a storm.
const ASKED_MS_MIN: u64 = 500;
/// A vendor may ask for no more than this.
const ASKED_MS_MAX: u64 = 3_600_000;

/// How long to wait after so many tries that failed, before this one. `jitter` is a random byte:
/// without a word from the vendor the wait is between three quarters and all of its step, so that
/// many do not return at once.
pub(crate) fn wait_ms(tries_before: u32, answer: &Answer, jitter: u8) -> u64 {
    if let Some(asked_ms) = answer.retry_after_ms {
        return asked_ms.clamp(ASKED_MS_MIN, ASKED_MS_MAX);
    }
    let step_ms = (FIRST_MS << tries_before.min(10)).min(MS_MAX);
    step_ms - step_ms / 4 * u64::from(jitter) / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    #[test]
    fn waits_by_tries() {
        let mut table = String::new();
        for tries in 0..8 {
            let answer = Answer::new(Outcome::Retry, "test");
            let (most, least) = (wait_ms(tries, &answer, 0), wait_ms(tries, &answer, 255));
            table.push_str(&format!("after {tries}: {least} to {most} ms\n"));
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_vendor_is_given_the_time_it_asks_for_within_reason() {
        let asked = |ms| Answer { retry_after_ms: Some(ms), ..Answer::new(Outcome::Retry, "test") };
        assert_eq!(wait_ms(5, &asked(0), 255), ASKED_MS_MIN);
        assert_eq!(wait_ms(0, &asked(90_000), 255), 90_000);
        assert_eq!(wait_ms(0, &asked(u64::MAX), 0), ASKED_MS_MAX);
    }
}
