//! Is the server still there? Only what was received proves it.

use nightjar_model::Mono;

use crate::adaptive::Asked;
use crate::defaults::{HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS, PROBE_MS};

/// Silence, the ping that questions it, and the verdict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    /// As the server wants it.
    fixed_ms: u32,
    /// A longer silence, in seconds, that this network allows; 0 for none.
    slow_s: u32,
    /// Spreads clients, from 0 to 1.
    jitter: f32,
    heard_at: Mono,
    question: Option<Question>,
    /// A probe is wanted and its ping not yet sent.
    wants_probe: bool,
}

#[derive(Debug, Clone, Copy)]
struct Question {
    /// The moment by which an answer must have come.
    until: Mono,
    /// What it shows of the network; `None` of a probe, which comes at any moment.
    asked: Option<Asked>,
}

/// What the moment asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// It is too early for anything.
    Rest,
    /// Ask the server.
    Ping,
    /// The server is gone.
    Dead,
}

impl Pulse {
    /// A connection that was just greeted. The client asks a little later than the server, whose
    /// ping usually spares it its own.
    pub(crate) fn new(heartbeat_s: u32, jitter: f64, now: Mono) -> Self {
        let told_ms = heartbeat_s.saturating_mul(1_000);
        let fixed_ms = if told_ms == 0 { HEARTBEAT_MS as u32 } else { told_ms };
        let jitter = jitter as f32;
        let (question, wants_probe) = (None, false);
        Self { fixed_ms, slow_s: 0, jitter, heard_at: now, question, wants_probe }
    }

    /// Asks after so many seconds of silence, at the latest; `None`: as the server wants it.
    pub(crate) fn slow_down(&mut self, slow_s: Option<u32>) {
        self.slow_s = slow_s.unwrap_or(0);
    }

    /// Spread upwards behind the server's own ping, and downwards where the network sets the end.
    fn interval_ms(&self) -> u64 {
        let spread = |ms: u64| (ms as f64 * 0.1 * f64::from(self.jitter)) as u64;
        let fixed_ms = u64::from(self.fixed_ms);
        match self.slow_s {
            0 => fixed_ms + spread(fixed_ms),
            slow_s => {
                let slow_ms = u64::from(slow_s) * 1_000;
                slow_ms - spread(slow_ms)
            }
        }
    }

    /// Anything came; answers the ping of the heartbeat that it answers.
    pub(crate) fn heard(&mut self, now: Mono) -> Option<Asked> {
        self.heard_at = now;
        self.wants_probe = false;
        self.question.take()?.asked
    }

    /// When anything came last.
    pub(crate) fn heard_at(&self) -> Mono {
        self.heard_at
    }

    /// The ping of the heartbeat that has no answer.
    pub(crate) fn asked(&self) -> Option<Asked> {
        self.question?.asked
    }

    /// Something speaks against the connection: ask soon, and wait only briefly.
    pub(crate) fn doubt(&mut self, now: Mono) {
        let until = now.after(PROBE_MS);
        self.wants_probe = self.question.is_none_or(|question| question.until > until);
    }

    /// When to call [`Self::beat`].
    pub(crate) fn wait_until(&self) -> Mono {
        match self.question {
            _ if self.wants_probe => Mono(0),
            Some(question) => question.until,
            None => self.heard_at.after(self.interval_ms()),
        }
    }

    /// The time is now; answers [`Beat::Ping`] once for each ping to send.
    pub(crate) fn beat(&mut self, now: Mono) -> Beat {
        if now < self.wait_until() {
            return Beat::Rest;
        }
        if std::mem::take(&mut self.wants_probe) {
            self.question = Some(Question { until: now.after(PROBE_MS), asked: None });
            return Beat::Ping;
        }
        if self.question.is_some() {
            return Beat::Dead;
        }
        let late_ms = u32::try_from(now.since(self.wait_until())).unwrap_or(u32::MAX);
        let interval_s = self.slow_s;
        let asked = (interval_s > 0).then_some(Asked { interval_s, late_ms });
        self.question = Some(Question { until: now.after(HEARTBEAT_TIMEOUT_MS), asked });
        Beat::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_asked_once_and_then_given_up() {
        let mut pulse = Pulse::new(30, 0.0, Mono(0));
        assert_eq!(pulse.beat(Mono(29_999)), Beat::Rest);
        assert_eq!(pulse.beat(Mono(30_000)), Beat::Ping);
        assert_eq!(pulse.beat(Mono(44_999)), Beat::Rest);
        assert_eq!(pulse.beat(Mono(45_000)), Beat::Dead);
    }

    #[test]
    fn any_word_starts_it_anew() {
        let mut pulse = Pulse::new(30, 1.0, Mono(0));
        assert_eq!(pulse.wait_until(), Mono(33_000));
        pulse.beat(Mono(33_000));
        pulse.heard(Mono(40_000));
        assert_eq!(pulse.wait_until(), Mono(73_000));
    }

    #[test]
    fn doubt_asks_at_once_and_waits_briefly() {
        let mut pulse = Pulse::new(0, 0.0, Mono(0));
        pulse.doubt(Mono(5_000));
        assert_eq!(pulse.beat(Mono(5_000)), Beat::Ping);
        pulse.doubt(Mono(6_000));
        assert_eq!(pulse.beat(Mono(7_999)), Beat::Rest, "the first probe stands");
        assert_eq!(pulse.beat(Mono(8_000)), Beat::Dead);
    }

    #[test]
    fn doubt_shortens_a_ping_that_waits() {
        let mut pulse = Pulse::new(30, 0.0, Mono(0));
        assert_eq!(pulse.beat(Mono(30_000)), Beat::Ping);
        pulse.doubt(Mono(31_000));
        assert_eq!(pulse.beat(Mono(31_000)), Beat::Ping);
        assert_eq!(pulse.beat(Mono(34_000)), Beat::Dead);
    }

    #[test]
    fn a_network_that_allows_it_is_asked_rarely_and_says_how_late() {
        let mut pulse = Pulse::new(30, 1.0, Mono(0));
        pulse.slow_down(Some(300));
        assert_eq!(pulse.wait_until(), Mono(270_000));
        assert_eq!(pulse.beat(Mono(275_000)), Beat::Ping);
        let asked = Asked { interval_s: 300, late_ms: 5_000 };
        assert_eq!(pulse.asked(), Some(asked));
        assert_eq!(pulse.heard(Mono(276_000)), Some(asked));
        pulse.doubt(Mono(277_000));
        assert_eq!(pulse.beat(Mono(277_000)), Beat::Ping);
        assert_eq!(pulse.heard(Mono(278_000)), None, "a probe says nothing of the interval");
        pulse.slow_down(None);
        assert_eq!(pulse.wait_until(), Mono(278_000 + 33_000));
    }
}
