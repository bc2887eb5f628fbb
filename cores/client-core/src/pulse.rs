//! Is the server still there? Only what was received proves it.

use nightjar_model::Mono;

use crate::defaults::{HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS, PROBE_MS};

/// Silence, the ping that questions it, and the verdict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    interval_ms: u64,
    heard_at: Mono,
    /// The moment by which an answer must have come.
    asked_until: Option<Mono>,
    /// A probe is wanted and its ping not yet sent.
    wants_probe: bool,
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
    /// ping usually spares it its own; `jitter` spreads clients, from 0 to 1.
    pub(crate) fn new(heartbeat_s: u32, jitter: f64, now: Mono) -> Self {
        let told_ms = u64::from(heartbeat_s) * 1_000;
        let base_ms = if told_ms == 0 { HEARTBEAT_MS } else { told_ms };
        let interval_ms = base_ms + (base_ms as f64 * 0.1 * jitter) as u64;
        Self { interval_ms, heard_at: now, asked_until: None, wants_probe: false }
    }

    /// Anything came.
    pub(crate) fn heard(&mut self, now: Mono) {
        self.heard_at = now;
        self.asked_until = None;
        self.wants_probe = false;
    }

    /// When anything came last.
    pub(crate) fn heard_at(&self) -> Mono {
        self.heard_at
    }

    /// Something speaks against the connection: ask soon, and wait only briefly.
    pub(crate) fn doubt(&mut self, now: Mono) {
        let until = now.after(PROBE_MS);
        self.wants_probe = self.asked_until.is_none_or(|asked| asked > until);
    }

    /// When to call [`Self::beat`].
    pub(crate) fn wait_until(&self) -> Mono {
        match self.asked_until {
            _ if self.wants_probe => Mono(0),
            Some(until) => until,
            None => self.heard_at.after(self.interval_ms),
        }
    }

    /// The time is now; answers [`Beat::Ping`] once for each ping to send.
    pub(crate) fn beat(&mut self, now: Mono) -> Beat {
        if now < self.wait_until() {
            return Beat::Rest;
        }
        if std::mem::take(&mut self.wants_probe) {
            self.asked_until = Some(now.after(PROBE_MS));
            return Beat::Ping;
        }
        if self.asked_until.is_some() {
            return Beat::Dead;
        }
        self.asked_until = Some(now.after(HEARTBEAT_TIMEOUT_MS));
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
}
