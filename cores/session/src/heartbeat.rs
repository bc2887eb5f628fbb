//! Is the peer still there? Only what was received proves it.

use nightjar_model::Mono;

use crate::SessionConfig;

/// Silence, the pings that question it, and the verdict.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    interval_s: u32,
    timeout_s: u32,
    misses_max: u32,
    heard_at: Mono,
    /// The pings since then, and when the last was sent.
    pings: u32,
    pinged_at: Mono,
}

/// What the moment asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// It is too early for anything.
    Rest,
    /// Ask the peer.
    Ping,
    /// The peer is gone.
    Dead,
}

impl Heartbeat {
    pub(crate) fn new(config: &SessionConfig, now: Mono) -> Self {
        Self {
            // A second at least: 0 would ask without end.
            interval_s: config.heartbeat_interval_s.max(1),
            timeout_s: config.heartbeat_timeout_s.max(1),
            misses_max: config.heartbeat_misses.max(1),
            heard_at: now,
            pings: 0,
            pinged_at: now,
        }
    }

    /// Any packet came, or the time before now does not count as silence.
    pub(crate) fn heard(&mut self, now: Mono) {
        self.heard_at = now;
        self.pings = 0;
    }

    /// When to call [`Self::beat`].
    pub(crate) fn wait_until(&self) -> Mono {
        if self.pings == 0 {
            self.heard_at.after(u64::from(self.interval_s) * 1_000)
        } else {
            self.pinged_at.after(u64::from(self.timeout_s) * 1_000)
        }
    }

    /// The time is now; answers [`Beat::Ping`] once for each ping to send.
    pub(crate) fn beat(&mut self, now: Mono) -> Beat {
        if now < self.wait_until() {
            return Beat::Rest;
        }
        if self.pings >= self.misses_max {
            return Beat::Dead;
        }
        self.pings += 1;
        self.pinged_at = now;
        Beat::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(misses: u32) -> Heartbeat {
        let config = SessionConfig { heartbeat_misses: misses, ..SessionConfig::default() };
        Heartbeat::new(&config, Mono(0))
    }

    #[test]
    fn a_silent_peer_is_asked_once_and_then_given_up() {
        let mut heartbeat = heartbeat(1);
        assert_eq!(heartbeat.beat(Mono(29_999)), Beat::Rest);
        assert_eq!(heartbeat.beat(Mono(30_000)), Beat::Ping);
        assert_eq!(heartbeat.wait_until(), Mono(45_000));
        assert_eq!(heartbeat.beat(Mono(44_999)), Beat::Rest);
        assert_eq!(heartbeat.beat(Mono(45_000)), Beat::Dead);
    }

    #[test]
    fn any_packet_counts_as_an_answer() {
        let mut heartbeat = heartbeat(1);
        assert_eq!(heartbeat.beat(Mono(30_000)), Beat::Ping);
        heartbeat.heard(Mono(40_000));
        assert_eq!(heartbeat.wait_until(), Mono(70_000));
        assert_eq!(heartbeat.beat(Mono(70_000)), Beat::Ping);
    }

    #[test]
    fn more_misses_may_be_allowed() {
        let mut heartbeat = heartbeat(3);
        for ping in 0..3 {
            assert_eq!(heartbeat.beat(Mono(30_000 + ping * 15_000)), Beat::Ping);
        }
        assert_eq!(heartbeat.beat(Mono(75_000)), Beat::Dead);
    }
}
