//! How long a network lets a connection be silent, found out by trying. For a process that stays
//! connected in the background, where every ping wakes the radio.
//!
//! Only a ping that went out on time and by the interval in question proves anything, and only one
//! that stayed unanswered speaks against it: connections also end for other reasons.

use nightjar_model::Mono;

use crate::defaults::{
    ADAPTIVE_FAILS, ADAPTIVE_LATE_MS, ADAPTIVE_MAX_S, ADAPTIVE_MIN_S, ADAPTIVE_NETWORKS,
    ADAPTIVE_OKS, ADAPTIVE_REPROBE_MS, ADAPTIVE_SAFETY_S, ADAPTIVE_STEP_S, ADAPTIVE_WARMUP,
};

/// No interval grows above it.
const TOP_S: u32 = ADAPTIVE_MAX_S - ADAPTIVE_SAFETY_S;

/// What was found out, by network.
#[derive(Debug, Default)]
pub(crate) struct Adaptive {
    /// The most recently used last; at most [`ADAPTIVE_NETWORKS`].
    networks: Vec<(u64, Learned)>,
    /// The one the connection goes over; `None`: nobody knows.
    network: Option<u64>,
    /// Pings that were answered on this connection.
    oks: u32,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    interval_s: u32,
    /// It is the longest that held; until then longer ones are tried.
    is_stable: bool,
    /// It forgets connections sooner than that, for as long as it is remembered.
    is_hopeless: bool,
    changed_at: Mono,
    oks: u32,
    fails: u32,
    late: u32,
    on_time: u32,
}

/// A ping of the heartbeat that was answered, or was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The silence that was meant to end in it.
    pub(crate) interval_s: u32,
    /// It went out so much later.
    pub(crate) late_ms: u32,
}

impl Adaptive {
    /// The system says which network it is.
    pub(crate) fn network(&mut self, network: Option<u64>) {
        self.network = network;
    }

    /// Another connection: it is warmed up with short intervals.
    pub(crate) fn connected(&mut self) {
        self.oks = 0;
    }

    /// The silence after which to ask, in seconds; `None` where not even the shortest one holds.
    pub(crate) fn interval_s(&self) -> Option<u32> {
        let known = self.networks.iter().find(|(network, _)| Some(*network) == self.network);
        match known {
            Some((_, learned)) if learned.is_hopeless => None,
            Some((_, learned)) if self.oks >= ADAPTIVE_WARMUP => Some(learned.interval_s),
            _ => Some(ADAPTIVE_MIN_S),
        }
    }

    /// A ping was answered, or something else came in time.
    pub(crate) fn answered(&mut self, asked: Asked, now: Mono) {
        let is_warm = self.oks >= ADAPTIVE_WARMUP;
        self.oks = self.oks.saturating_add(1);
        let Some(learned) = self.learned(now) else { return };
        match asked.late_ms >= ADAPTIVE_LATE_MS {
            true => learned.late += 1,
            false => learned.on_time += 1,
        }
        if learned.wakes_late() {
            (learned.interval_s, learned.is_stable) = (TOP_S, true);
        } else if is_warm
            && asked.interval_s == learned.interval_s
            && asked.late_ms < ADAPTIVE_LATE_MS
        {
            learned.held(now);
        }
    }

    /// A ping was not answered. Answers the interval, in seconds, that is taken to be the longest
    /// this network allows, once it is known.
    pub(crate) fn unanswered(&mut self, asked: Asked, now: Mono) -> Option<u32> {
        let learned = self.learned(now)?;
        if asked.interval_s != learned.interval_s || asked.late_ms >= ADAPTIVE_LATE_MS {
            return None;
        }
        learned.failed(now)
    }

    fn learned(&mut self, now: Mono) -> Option<&mut Learned> {
        let network = self.network?;
        let at = self.networks.iter().position(|(known, _)| *known == network);
        let entry = match at {
            Some(at) => self.networks.remove(at),
            None => (network, Learned::new(now)),
        };
        if self.networks.len() >= ADAPTIVE_NETWORKS {
            self.networks.remove(0);
        }
        self.networks.push(entry);
        self.networks.last_mut().map(|(_, learned)| learned)
    }
}

impl Learned {
    fn new(now: Mono) -> Self {
        let (oks, fails, late, on_time) = (0, 0, 0, 0);
        let interval_s = ADAPTIVE_MIN_S;
        let (is_stable, is_hopeless) = (false, false);
        Self { interval_s, is_stable, is_hopeless, changed_at: now, oks, fails, late, on_time }
    }

    /// A system that rings alarms when it likes tells nothing about the network: asking rarely
    /// costs least then.
    fn wakes_late(&self) -> bool {
        self.late >= 2 && self.late > 2 * self.on_time
    }

    fn change(&mut self, interval_s: u32, is_stable: bool, now: Mono) {
        (self.interval_s, self.is_stable, self.changed_at) = (interval_s, is_stable, now);
        (self.oks, self.fails) = (0, 0);
    }

    fn held(&mut self, now: Mono) {
        if self.is_stable {
            let is_old = now.since(self.changed_at) >= ADAPTIVE_REPROBE_MS;
            if is_old && self.interval_s < TOP_S {
                self.change(TOP_S.min(self.interval_s + ADAPTIVE_SAFETY_S), false, now);
            }
            return;
        }
        self.oks += 1;
        if self.oks >= ADAPTIVE_OKS {
            let next = TOP_S.min(self.interval_s + ADAPTIVE_STEP_S);
            self.change(next, next == TOP_S, now);
        }
    }

    fn failed(&mut self, now: Mono) -> Option<u32> {
        self.fails += 1;
        if self.fails < ADAPTIVE_FAILS {
            return None;
        }
        if self.is_stable {
            self.change(ADAPTIVE_MIN_S, false, now);
            return None;
        }
        if self.interval_s == ADAPTIVE_MIN_S {
            self.is_hopeless = true;
            return None;
        }
        let back = self.interval_s.saturating_sub(ADAPTIVE_STEP_S + ADAPTIVE_SAFETY_S);
        self.change(back.max(ADAPTIVE_MIN_S), true, now);
        Some(self.interval_s)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Pings over a network that forgets a connection after so much silence.
    struct Path {
        adaptive: Adaptive,
        forgets_after_s: u32,
        late_ms: u32,
        now: Mono,
        found: Option<u32>,
    }

    impl Path {
        fn new(forgets_after_s: u32) -> Self {
            let mut adaptive = Adaptive::default();
            adaptive.network(Some(7));
            Self { adaptive, forgets_after_s, late_ms: 0, now: Mono(0), found: None }
        }

        /// Answers the interval that was tried, and whether it held.
        fn ping(&mut self) -> (u32, bool) {
            let interval_s = self.adaptive.interval_s().unwrap_or(30);
            self.now = self.now.after(u64::from(interval_s) * 1_000);
            let asked = Asked { interval_s, late_ms: self.late_ms };
            let holds = interval_s <= self.forgets_after_s;
            if holds {
                self.adaptive.answered(asked, self.now);
            } else {
                let found = self.adaptive.unanswered(asked, self.now);
                self.found = found.or(self.found);
                self.adaptive.connected();
            }
            (interval_s, holds)
        }

        /// Intervals and how often each was tried in a row.
        fn line(&mut self, pings: u32) -> String {
            let mut runs: Vec<(u32, bool, u32)> = Vec::new();
            for _ in 0..pings {
                let (interval_s, holds) = self.ping();
                match runs.last_mut() {
                    Some((same, held, times)) if (*same, *held) == (interval_s, holds) => {
                        *times += 1;
                    }
                    _ => runs.push((interval_s, holds, 1)),
                }
            }
            let words = runs.iter().map(|(interval_s, holds, times)| {
                format!("{interval_s}{}x{times}", if *holds { " " } else { " lost " })
            });
            words.collect::<Vec<_>>().join(", ")
        }
    }

    #[test]
    fn it_finds_the_longest_silence_of_each_network() {
        let mut table = String::new();
        for forgets_after_s in [100, 250, 300, 400, 500, 3_600] {
            let mut path = Path::new(forgets_after_s);
            let line = path.line(70);
            let found = path.found.map_or("-".into(), |found| found.to_string());
            writeln!(table, "{forgets_after_s:5} s, found {found:3}: {line}").unwrap();
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_late_alarm_proves_nothing_and_many_end_the_search() {
        let mut path = Path::new(3_600);
        path.ping();
        path.late_ms = ADAPTIVE_LATE_MS;
        assert_eq!(path.line(3), "210 x3");
        assert_eq!(path.line(3), "580 x3", "three of four were late");
        assert_eq!(
            path.adaptive.unanswered(Asked { interval_s: 580, late_ms: 30_000 }, path.now),
            None
        );
        assert_eq!(path.adaptive.interval_s(), Some(580));
    }

    #[test]
    fn what_was_found_is_tried_a_little_longer_after_a_week() {
        let mut path = Path::new(300);
        path.line(22);
        assert_eq!(path.found, Some(250));
        path.forgets_after_s = 3_600;
        path.now = path.now.after(ADAPTIVE_REPROBE_MS);
        assert_eq!(path.line(6), "250 x1, 270 x5");
        assert_eq!(path.adaptive.interval_s(), Some(330));
    }

    #[test]
    fn networks_are_told_apart_and_the_oldest_are_forgotten() {
        let mut path = Path::new(3_600);
        path.line(9);
        assert_eq!(path.adaptive.interval_s(), Some(270));
        path.adaptive.network(None);
        assert_eq!(path.adaptive.interval_s(), Some(ADAPTIVE_MIN_S));
        for other in 100..100 + ADAPTIVE_NETWORKS as u64 {
            path.adaptive.network(Some(other));
            path.ping();
        }
        path.adaptive.network(Some(7));
        assert_eq!(path.adaptive.interval_s(), Some(ADAPTIVE_MIN_S));
        assert_eq!(path.adaptive.networks.len(), ADAPTIVE_NETWORKS);
    }

    #[test]
    fn a_new_connection_is_warmed_up() {
        let mut path = Path::new(3_600);
        path.line(9);
        path.adaptive.connected();
        assert_eq!(path.line(4), "210 x3, 270 x1");
    }
}
