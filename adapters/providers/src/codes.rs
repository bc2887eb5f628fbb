//! Answers that are numbers: the tables of vendors that say everything under HTTP 200.

use http::StatusCode;
use nightjar_model::WallMs;
use nightjar_push::{Answer, Outcome, Scope};
use serde_json::Value;

use crate::answers;

/// China Standard Time is eight hours ahead of UTC all year; the vendors' days end there.
const CST_AHEAD_MS: u64 = 8 * HOUR_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const HOUR_MS: u64 = 3_600_000;

/// Until when nothing more is worth sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As the queue thinks right.
    Unsaid,
    /// So long.
    Seconds(u64),
    /// The quota of the day is used up; the day ends at this hour in China.
    UntilHour(u8),
}

impl Wait {
    fn ms(self, now: WallMs) -> Option<u64> {
        match self {
            Self::Unsaid => None,
            Self::Seconds(seconds) => Some(seconds * 1000),
            Self::UntilHour(hour) => Some(until_hour_ms(now, hour)),
        }
    }
}

/// From `now` to the next time it is `hour` o'clock in China; a whole day at that moment itself.
fn until_hour_ms(now: WallMs, hour: u8) -> u64 {
    let of_day = now.0.saturating_add(CST_AHEAD_MS) % DAY_MS;
    let target = u64::from(hour) * HOUR_MS;
    if of_day < target { target - of_day } else { target + DAY_MS - of_day }
}

/// One line of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) code: i64,
    /// What the vendor means by it, shortly.
    pub(crate) meaning: &'static str,
    pub(crate) outcome: Outcome,
    /// Who has to wait.
    pub(crate) scope: Scope,
    pub(crate) wait: Wait,
}

/// A line without a wait of its own.
pub(crate) const fn row(code: i64, meaning: &'static str, outcome: Outcome) -> Row {
    wait(code, meaning, outcome, Wait::Unsaid)
}

/// A quota or a rate of the whole app.
pub(crate) const fn limit(code: i64, meaning: &'static str, until: Wait) -> Row {
    let row = wait(code, meaning, Outcome::Throttled, until);
    Row { scope: Scope::Credential, ..row }
}

/// A quota or a rate of one device.
pub(crate) const fn limit_device(code: i64, meaning: &'static str, until: Wait) -> Row {
    let row = wait(code, meaning, Outcome::Throttled, until);
    Row { scope: Scope::Device, ..row }
}

/// A line with a wait.
pub(crate) const fn wait(code: i64, meaning: &'static str, outcome: Outcome, wait: Wait) -> Row {
    Row { code, meaning, outcome, scope: answers::scope(outcome), wait }
}

/// Rates are counted by the second; a part of the next one is left to others.
pub(crate) const RATE: Wait = Wait::Seconds(2);

impl Row {
    /// As the trace shows it: `10027 too frequent`.
    pub(crate) fn reason(&self) -> String {
        format!("{} {}", self.code, self.meaning)
    }

    /// The answer it stands for.
    pub(crate) fn answer(&self, now: WallMs) -> Answer {
        let retry_after_ms = self.wait.ms(now);
        let answer = Answer::new(self.outcome, self.reason()).about(self.scope);
        Answer { retry_after_ms, ..answer }
    }
}

/// The line of a code.
pub(crate) fn find(rows: &'static [Row], code: i64) -> Option<&'static Row> {
    rows.iter().find(|row| row.code == code)
}

/// The answer for a code no line has: `outcome`, or what the status says where that is no success.
pub(crate) fn unknown(code: i64, status: StatusCode, outcome: Outcome) -> Answer {
    let outcome = if status.is_success() { outcome } else { answers::by_status(status) };
    Answer::new(outcome, format!("{code} unknown")).about(answers::scope(outcome))
}

/// An answer of a vendor whose keys do not end: what is not authorised never will be.
pub(crate) fn without_renewal(answer: Answer) -> Answer {
    let outcome = match answer.outcome {
        Outcome::AuthExpired => Outcome::ConfigError,
        outcome => outcome,
    };
    Answer { outcome, ..answer }
}

/// A number, whether it came as one or as text: vendors do both.
pub(crate) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The table as people read it.
#[cfg(test)]
pub(crate) fn printed(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let wait = match row.wait {
            Wait::Unsaid => String::new(),
            Wait::Seconds(seconds) => format!(", {seconds} s"),
            Wait::UntilHour(hour) => format!(", until {hour:02}:00 in China"),
        };
        let scope = format!("{:?}", row.scope).to_lowercase();
        let (code, meaning, outcome) = (row.code, row.meaning, row.outcome.as_str());
        format!("{code:>7}  {meaning:<36} {outcome:<13} {scope}{wait}")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_a_quota_ends_at_midnight_in_china() {
        // 2026-11-25T15:59:59.999Z is 23:59:59.999 in China.
        let last = 1_795_622_399_999;
        assert_eq!(until_hour_ms(WallMs(last), 0), 1);
        assert_eq!(until_hour_ms(WallMs(last + 1), 0), DAY_MS);
        assert_eq!(until_hour_ms(WallMs(last + 1), 7), 7 * HOUR_MS);
        assert_eq!(until_hour_ms(WallMs(last + 1 + 8 * HOUR_MS), 7), 23 * HOUR_MS);
    }

    #[test]
    fn a_code_may_be_text() {
        assert_eq!(number(&Value::from(-2)), Some(-2));
        assert_eq!(number(&Value::from(" 110003")), Some(110_003));
        assert_eq!(number(&Value::from("ok")), None);
        assert_eq!(number(&Value::Null), None);
    }
}
