//! Which of a name's addresses to try, in what order and when (RFC 8305, "Happy Eyeballs").
//!
//! For shells that open their sockets themselves; systems that race addresses of their own accord
//! (`NWConnection`, browsers) do not need it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use nightjar_model::Mono;

use crate::defaults::{
    ADDRESS_FORGOTTEN_MS, ADDRESS_WAIT_MAX_MS, ADDRESS_WAIT_MS, ADDRESSES_KNOWN_MAX, ADDRESSES_MAX,
    RACE_MAX, RACE_STAGGER_MS,
};

/// What earlier attempts showed of addresses.
#[derive(Debug, Default)]
pub struct Addresses {
    known: BTreeMap<SocketAddr, Known>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    worked_at: Option<Mono>,
    /// In a row.
    failures: u32,
    heard_at: Mono,
}

impl Addresses {
    /// The order in which to try what a look-up found: what worked last comes first, then the
    /// families take turns, beginning with the one the system named first; what failed lately
    /// comes last. At most [`ADDRESSES_MAX`].
    #[must_use]
    pub fn order(&self, found: &[SocketAddr], now: Mono) -> Vec<SocketAddr> {
        let mut found: Vec<SocketAddr> = found.to_vec();
        let is_first = found.first().map(SocketAddr::is_ipv6);
        let (mut same, mut other) = (0, 0);
        let mut ranked: Vec<_> = found
            .drain(..)
            .map(|address| {
                let is_same = Some(address.is_ipv6()) == is_first;
                let turn = if is_same { &mut same } else { &mut other };
                *turn += 1;
                let known = self.known.get(&address).copied().unwrap_or_default();
                let worked = known.worked_at.filter(|_| known.failures == 0);
                let latest = worked.map(|at| std::cmp::Reverse(at.0));
                (known.is_shunned(now), worked.is_none(), latest, *turn, !is_same, address)
            })
            .collect();
        ranked.sort_by_key(|(shunned, untried, latest, turn, is_other, _)| {
            (*shunned, *untried, *latest, *turn, *is_other)
        });
        let addresses = ranked.into_iter().map(|(.., address)| address);
        addresses.take(ADDRESSES_MAX).collect()
    }

    /// A connection over it was opened, TLS and all.
    pub fn worked(&mut self, address: SocketAddr, now: Mono) {
        let known = Known { worked_at: Some(now), failures: 0, heard_at: now };
        self.remember(address, known);
    }

    /// It failed, or took too long.
    pub fn failed(&mut self, address: SocketAddr, now: Mono) {
        let mut known = self.known.get(&address).copied().unwrap_or_default();
        if now.since(known.heard_at) >= ADDRESS_FORGOTTEN_MS {
            known.failures = 0;
        }
        known.failures = known.failures.saturating_add(1);
        known.heard_at = now;
        self.remember(address, known);
    }

    fn remember(&mut self, address: SocketAddr, known: Known) {
        self.known.insert(address, known);
        if self.known.len() > ADDRESSES_KNOWN_MAX {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.heard_at);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.known.remove(&oldest);
            }
        }
    }
}

impl Known {
    /// Others are tried before it for a while, which grows with its failures.
    fn is_shunned(&self, now: Mono) -> bool {
        let exponent = self.failures.saturating_sub(1).min(4);
        let wait_ms = (ADDRESS_WAIT_MS * 10_u64.pow(exponent)).min(ADDRESS_WAIT_MAX_MS);
        self.failures > 0 && now.since(self.heard_at) < wait_ms
    }
}

/// One attempt over several addresses: the first that opens wins, and the shell drops the others.
#[derive(Debug)]
pub struct Race {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    /// The next one may start then, though another still runs.
    next_at: Mono,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Try this one, too.
    Start(SocketAddr),
    /// Nothing before this moment, or before one of those that run fails.
    Wait(Option<Mono>),
    /// Every address failed.
    Over,
}

impl Race {
    /// A race of these, in order.
    #[must_use]
    pub fn new(order: Vec<SocketAddr>, now: Mono) -> Self {
        Self { waiting: order.into(), running: 0, next_at: now }
    }

    /// What to do now; ask again after each start, failure, and at the moment it names.
    pub fn turn(&mut self, now: Mono) -> Turn {
        if self.waiting.is_empty() {
            return if self.running == 0 { Turn::Over } else { Turn::Wait(None) };
        }
        if self.running >= RACE_MAX {
            return Turn::Wait(None);
        }
        if self.running > 0 && now < self.next_at {
            return Turn::Wait(Some(self.next_at));
        }
        self.running += 1;
        self.next_at = now.after(RACE_STAGGER_MS);
        self.waiting.pop_front().map_or(Turn::Over, Turn::Start)
    }

    /// One of those that run failed; the next need not wait.
    pub fn failed(&mut self, now: Mono) {
        self.running = self.running.saturating_sub(1);
        self.next_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 7301))
    }

    fn v6(last: u16) -> SocketAddr {
        SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], 7301))
    }

    #[test]
    fn families_take_turns_as_the_system_named_them() {
        let order = Addresses::default().order(&[v6(1), v6(2), v6(3), v4(1), v4(2)], Mono(0));
        assert_eq!(order, [v6(1), v4(1), v6(2), v4(2), v6(3)]);
    }

    #[test]
    fn what_worked_comes_first_and_what_failed_lately_last() {
        let mut addresses = Addresses::default();
        let found = [v6(1), v6(2), v4(1), v4(2)];
        addresses.worked(v4(2), Mono(10));
        addresses.failed(v6(1), Mono(20));
        assert_eq!(addresses.order(&found, Mono(30)), [v4(2), v4(1), v6(2), v6(1)]);
        assert_eq!(addresses.order(&found, Mono(1_020)), [v4(2), v6(1), v4(1), v6(2)]);
        for at in [2_000, 3_000, 4_000] {
            addresses.failed(v6(1), Mono(at));
        }
        let last = |now| addresses.order(&found, Mono(now)).last() == Some(&v6(1));
        assert!(last(33_999) && !last(34_000), "no longer than half a minute");
        let later = 4_000 + ADDRESS_FORGOTTEN_MS;
        addresses.failed(v6(1), Mono(later));
        assert_eq!(addresses.known[&v6(1)].failures, 1, "old failures are forgotten");
    }

    #[test]
    fn two_run_at_a_time_a_quarter_of_a_second_apart() {
        let mut race = Race::new(vec![v6(1), v4(1), v6(2)], Mono(0));
        assert_eq!(race.turn(Mono(0)), Turn::Start(v6(1)));
        assert_eq!(race.turn(Mono(0)), Turn::Wait(Some(Mono(250))));
        assert_eq!(race.turn(Mono(250)), Turn::Start(v4(1)));
        assert_eq!(race.turn(Mono(900)), Turn::Wait(None));
        race.failed(Mono(901));
        assert_eq!(race.turn(Mono(901)), Turn::Start(v6(2)), "a failure makes room at once");
        race.failed(Mono(950));
        assert_eq!(race.turn(Mono(950)), Turn::Wait(None));
        race.failed(Mono(960));
        assert_eq!(race.turn(Mono(960)), Turn::Over);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut addresses = Addresses::default();
        for at in 0..200 {
            addresses.failed(v6(at), Mono(u64::from(at)));
        }
        assert_eq!(addresses.known.len(), ADDRESSES_KNOWN_MAX);
        assert!(addresses.known.contains_key(&v6(199)));
    }
}
