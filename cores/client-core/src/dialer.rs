//! When to connect again, and where.

use nightjar_model::Mono;

use crate::defaults::{
    BACKOFF_BASE_MS, BACKOFF_MAX_MS, NUDGE_MS, PATIENT_WAITS_S, RECONNECT_AFTER_MAX_MS, STABLE_MS,
};
use crate::dice::Dice;
use crate::io::Dial;

/// Failures, servers in turn, and the moment of the next attempt.
///
/// Within a round every server is tried at once after the one before; rounds are spread by full
/// jitter: a random wait below a bound that doubles, so that a crowd cut off together does not
/// come back together.
#[derive(Debug)]
pub(crate) struct Dialer {
    servers: usize,
    /// The server of the next attempt.
    server: usize,
    /// Servers that failed in this round.
    tried: usize,
    /// Rounds that failed.
    failures: u32,
    redirect: Option<Box<str>>,
    /// `None` while nothing is to be tried.
    next_try: Option<Mono>,
    /// The server asked for peace until then.
    not_before: Mono,
    online_since: Option<Mono>,
    nudged_at: Option<Mono>,
    has_network: bool,
    /// Nobody is in front of it and the process stays: the waits of a table, which saves power.
    is_patient: bool,
    /// The server takes the token, as far as one knows.
    has_token: bool,
    protocol_errors: u32,
}

impl Dialer {
    pub(crate) fn new(servers: usize) -> Self {
        Self {
            servers: servers.max(1),
            server: 0,
            tried: 0,
            failures: 0,
            redirect: None,
            next_try: None,
            not_before: Mono(0),
            online_since: None,
            nudged_at: None,
            has_network: true,
            is_patient: false,
            has_token: true,
            protocol_errors: 0,
        }
    }

    /// When to connect; `None` without a network or a token.
    pub(crate) fn next_try(&self) -> Option<Mono> {
        self.next_try.filter(|_| self.has_network && self.has_token)
    }

    /// A connection is wanted now, or as soon as the server allows.
    pub(crate) fn now(&mut self, now: Mono) {
        self.next_try = Some(now.max(self.not_before));
    }

    /// The user or the network makes an attempt promising: forget the failures, but not too often.
    pub(crate) fn nudge(&mut self, now: Mono) {
        if self.nudged_at.is_some_and(|at| now.since(at) < NUDGE_MS) {
            return;
        }
        self.nudged_at = Some(now);
        (self.failures, self.tried) = (0, 0);
        self.now(now);
    }

    /// Whether the system sees a network.
    pub(crate) fn network(&mut self, is_there: bool) {
        self.has_network = is_there;
    }

    /// Whether there is a token to try; answers whether one was missing.
    pub(crate) fn token(&mut self, is_there: bool) -> bool {
        !std::mem::replace(&mut self.has_token, is_there)
    }

    /// Where the attempt that starts now goes.
    pub(crate) fn dial(&mut self) -> Dial {
        match self.redirect.take() {
            Some(address) => Dial::Redirect(address.into()),
            None => Dial::Server(self.server),
        }
    }

    pub(crate) fn online(&mut self, now: Mono) {
        self.online_since = Some(now);
        self.tried = 0;
    }

    /// The attempt failed or the connection ended.
    pub(crate) fn lost(&mut self, now: Mono, dice: Dice) {
        let since = self.online_since.take();
        if since.is_some_and(|since| now.since(since) >= STABLE_MS) {
            (self.failures, self.protocol_errors) = (0, 0);
        }
        if since.is_none() {
            self.server = (self.server + 1) % self.servers;
            self.tried += 1;
            if self.tried < self.servers {
                return self.now(now);
            }
        }
        self.tried = 0;
        let wait_ms = if self.is_patient { self.patient_ms(dice) } else { self.jittered_ms(dice) };
        self.failures = self.failures.saturating_add(1);
        self.now(now.after(wait_ms));
    }

    fn jittered_ms(&self, dice: Dice) -> u64 {
        let most = BACKOFF_BASE_MS.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX_MS);
        dice.below(most)
    }

    fn patient_ms(&self, dice: Dice) -> u64 {
        let at = (self.failures as usize).min(PATIENT_WAITS_S.len() - 1);
        match PATIENT_WAITS_S[at] * 1_000 {
            0 => dice.below(BACKOFF_BASE_MS),
            wait_ms => wait_ms - wait_ms / 10 + dice.below(wait_ms / 5),
        }
    }

    /// Whether failures are met with the waits of [`PATIENT_WAITS_S`].
    pub(crate) fn patience(&mut self, is_patient: bool) {
        self.is_patient = is_patient;
    }

    /// After a rest nothing counts that failed before it.
    pub(crate) fn afresh(&mut self, now: Mono) {
        self.online_since = None;
        (self.failures, self.tried) = (0, 0);
        self.now(now);
    }

    /// A server goes away and names the time within which its clients are to come back, and
    /// perhaps the place: each picks a moment of its own, so that they do not come together.
    pub(crate) fn asked(&mut self, after_ms: u64, redirect: Option<&str>, now: Mono, dice: Dice) {
        self.not_before = now.after(dice.below(Self::bounded(after_ms)));
        self.redirect = redirect.filter(|address| !address.is_empty()).map(Box::from);
        self.online_since = None;
        self.server = (self.server + 1) % self.servers;
        self.now(now);
    }

    /// The server asked for peace for so long. It gets that and up to half as much again: others
    /// were told the same.
    pub(crate) fn not_within(&mut self, after_ms: u64, now: Mono, dice: Dice) {
        let after_ms = Self::bounded(after_ms);
        let at = now.after(after_ms + dice.below(after_ms / 2));
        self.not_before = self.not_before.max(at);
        self.next_try = self.next_try.map(|next| next.max(at));
    }

    fn bounded(after_ms: u64) -> u64 {
        after_ms.min(RECONNECT_AFTER_MAX_MS)
    }

    /// One side could not read the other; answers how often that came in a row.
    pub(crate) fn misread(&mut self) -> u32 {
        self.protocol_errors += 1;
        self.protocol_errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Dice = Dice::most();

    #[test]
    fn every_server_is_tried_before_a_wait() {
        let mut dialer = Dialer::new(3);
        dialer.now(Mono(10));
        let mut tried = Vec::new();
        for _ in 0..3 {
            assert_eq!(dialer.next_try(), Some(Mono(10)));
            tried.push(dialer.dial());
            dialer.lost(Mono(10), MOST);
        }
        assert_eq!(tried, [0, 1, 2].map(Dial::Server));
        assert_eq!(dialer.next_try(), Some(Mono(10 + 999)));
        assert_eq!(dialer.dial(), Dial::Server(0));
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut dialer = Dialer::new(1);
        let waits: Vec<u64> = (0..9)
            .map(|_| {
                dialer.lost(Mono(0), MOST);
                dialer.next_try().unwrap().0
            })
            .collect();
        assert_eq!(waits, [999, 1999, 3999, 7999, 15999, 31999, 59999, 59999, 59999]);
    }

    #[test]
    fn a_process_nobody_looks_at_waits_by_a_table() {
        let waits = |dice| -> Vec<u64> {
            let mut dialer = Dialer::new(1);
            dialer.patience(true);
            let mut wait = || {
                dialer.lost(Mono(0), dice);
                dialer.next_try().unwrap().0
            };
            (0..8).map(|_| wait()).collect()
        };
        let least = [0, 54, 108, 216, 324, 432, 540, 540];
        assert_eq!(waits(Dice::default()), least.map(|s| s * 1_000));
        let most = [999, 65_999, 131_999, 263_999, 395_999, 527_999, 659_999, 659_999];
        assert_eq!(waits(MOST), most);
    }

    #[test]
    fn a_stable_connection_clears_the_failures_and_a_short_one_does_not() {
        let mut dialer = Dialer::new(1);
        (0..5).for_each(|_| dialer.lost(Mono(0), MOST));
        dialer.online(Mono(0));
        dialer.lost(Mono(STABLE_MS - 1), MOST);
        assert_eq!(dialer.next_try(), Some(Mono(STABLE_MS - 1 + 31_999)));
        dialer.online(Mono(100_000));
        dialer.lost(Mono(100_000 + STABLE_MS), MOST);
        assert_eq!(dialer.next_try(), Some(Mono(100_000 + STABLE_MS + 999)));
    }

    #[test]
    fn a_server_that_asks_for_peace_gets_it_even_from_the_user() {
        for (dice, at) in [(Dice::default(), 8_000), (MOST, 11_999)] {
            let mut dialer = Dialer::new(1);
            dialer.lost(Mono(0), dice);
            dialer.not_within(8_000, Mono(0), dice);
            dialer.nudge(Mono(100));
            assert_eq!(dialer.next_try(), Some(Mono(at)));
        }
    }

    #[test]
    fn those_who_are_drained_spread_over_the_time_they_are_given() {
        for (dice, at) in [(Dice::default(), 0), (MOST, 7_999)] {
            let mut dialer = Dialer::new(1);
            dialer.asked(8_000, None, Mono(0), dice);
            assert_eq!(dialer.next_try(), Some(Mono(at)));
        }
    }

    #[test]
    fn a_redirect_holds_for_one_attempt() {
        let mut dialer = Dialer::new(1);
        dialer.asked(8_000, Some("nightjar://elsewhere:1"), Mono(0), Dice::default());
        assert_eq!(dialer.dial(), Dial::Redirect("nightjar://elsewhere:1".into()));
        assert_eq!(dialer.dial(), Dial::Server(0));
    }

    #[test]
    fn the_user_shortens_a_wait_but_not_every_moment() {
        let mut dialer = Dialer::new(1);
        (0..9).for_each(|_| dialer.lost(Mono(0), MOST));
        dialer.nudge(Mono(5_000));
        assert_eq!(dialer.next_try(), Some(Mono(5_000)));
        dialer.lost(Mono(5_000), MOST);
        dialer.nudge(Mono(5_001));
        assert_eq!(dialer.next_try(), Some(Mono(5_999)));
    }

    #[test]
    fn without_a_network_nothing_is_tried() {
        let mut dialer = Dialer::new(1);
        dialer.now(Mono(5));
        dialer.network(false);
        assert_eq!(dialer.next_try(), None);
        dialer.network(true);
        assert_eq!(dialer.next_try(), Some(Mono(5)));
    }
}
