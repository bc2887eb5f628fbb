//! Is the peer still there? Only what was received proves it.

use nightjar_model::{Mono, limits};

use crate::SessionConfig;

/// A client that asks by itself may be late by so much before it is asked.
const ANNOUNCED_LATE_S: u32 = 15;

/// Silence, the pings that question it, and the verdict.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    interval_s: u32,
    /// The client asks by itself, more rarely than that.
    announced_s: u32,
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
            announced_s: 0,
            timeout_s: config.heartbeat_timeout_s.max(1),
            misses_max: config.heartbeat_misses.max(1),
            heard_at: now,
            pings: 0,
            pinged_at: now,
        }
    }

    /// The client asks after so much silence, where that is longer than the interval here; at most
    /// [`limits::HEARTBEAT_S_MAX`]. It saves power: a ping of this side would wake its radio.
    pub(crate) fn announced(&mut self, heartbeat_s: Option<u32>) {
        let announced_s = heartbeat_s.unwrap_or(0).min(limits::HEARTBEAT_S_MAX);
        self.announced_s = if announced_s > self.interval_s { announced_s } else { 0 };
    }

    fn silence_s(&self) -> u32 {
        match self.announced_s {
            0 => self.interval_s,
            announced_s => announced_s + ANNOUNCED_LATE_S,
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
            self.heard_at.after(u64::from(self.silence_s()) * 1_000)
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
    fn a_client_that_asks_rarely_is_waited_for() {
        let mut heartbeat = heartbeat(1);
        heartbeat.announced(Some(300));
        assert_eq!(heartbeat.wait_until(), Mono(315_000));
        heartbeat.announced(Some(u32::MAX));
        assert_eq!(heartbeat.wait_until(), Mono(915_000));
        for announced_s in [None, Some(0), Some(30)] {
            heartbeat.announced(announced_s);
            assert_eq!(heartbeat.wait_until(), Mono(30_000), "{announced_s:?}");
        }
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
