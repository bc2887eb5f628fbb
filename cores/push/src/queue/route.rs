//! One credential, as the queue sees it: whether it answers, and who waits for it.

use std::collections::BTreeSet;

use nightjar_model::{Binding, BindingKey, Mono};

use super::line::{Line, Places};
use super::{PushKey, PushLane, RouteState};

use crate::LATE_AFTER_MS;
use crate::circuit::{Circuit, CircuitEvent};
use crate::outcome::{Answer, Outcome, Scope};
use crate::times::wait_ms;

/// Keys that must fail one after the other, none of another device working in between, before
/// everything waits: one message that no vendor digests must not stop the others.
const FAILING_KEYS: usize = 5;

/// What fails together: a credential, and where tokens are addresses of their own (Web Push,
/// `UnifiedPush`), the host in them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKey {
    /// Provider and credential.
    pub credential: BindingKey,
    /// Host and port of the token's address, where the vendor is not the same for all tokens.
    pub host: Option<String>,
}

impl RouteKey {
    /// Where a binding's requests go.
    #[must_use]
    pub fn of(binding: &Binding) -> Self {
        let has_hosts = ["webpush", "unifiedpush", "webhook"];
        let is_host = has_hosts.contains(&binding.key.provider.as_str());
        let host = is_host.then(|| host_in(binding.token.expose())).flatten();
        Self { credential: binding.key.clone(), host }
    }
}

/// Host and port of the first `https://` address in a token: a subscription is JSON with one
/// `endpoint`, or the address itself. Who writes another one first only fails alone.
fn host_in(token: &str) -> Option<String> {
    let (_, rest) = token.split_once("://")?;
    let end = rest.find(['/', '?', '#', '"', '\\']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// A route's state.
#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) circuit: Circuit,
    /// Keys that failed since one worked.
    failing: BTreeSet<PushKey>,
    /// Since when.
    failing_since: Option<Mono>,
    /// Nothing leaves an open circuit before.
    pub(super) until: Mono,
    /// Probes that failed in a row.
    probes_failed: u32,
    /// Requests under way and keys invited to leave.
    pub(super) places: Places,
    /// Of these places, those of invited keys.
    pub(super) invited: usize,
    /// Keys that wait for it.
    pub(super) parked: Line,
    /// When it is looked at again by itself.
    pub(super) wakes_at: Option<Mono>,
}

impl Route {
    /// Whether one more key may be on its way: what is under way and invited counts.
    pub(super) fn has_place(&self, may_have_one: bool, now: Mono) -> bool {
        match self.circuit {
            Circuit::Closed => may_have_one,
            Circuit::Open => self.until <= now && self.invited == 0,
            Circuit::Probing => false,
        }
    }

    /// From when on it counts as late to everybody; `None` while it works. Once a probe is due
    /// and nobody waits to be it, whoever comes is.
    pub(super) fn late_at(&self, now: Mono) -> Option<Mono> {
        let wants_probe = self.has_place(false, now) && self.parked.is_empty();
        if self.circuit == Circuit::Closed || wants_probe {
            return None;
        }
        let since = self.failing_since.unwrap_or(now);
        let is_long = self.until.since(now) > LATE_AFTER_MS;
        Some(if is_long { now } else { since.after(LATE_AFTER_MS) })
    }

    /// Nothing is to be remembered of it.
    pub(super) fn is_idle(&self) -> bool {
        self.is_unused() && self.circuit == Circuit::Closed && self.failing.is_empty()
    }

    /// The credential has other keys: what was is forgotten. A probe that is under way goes on as
    /// any request.
    pub(super) fn start_anew(&mut self) {
        self.circuit = Circuit::Closed;
        self.failing.clear();
        self.failing_since = None;
        self.probes_failed = 0;
    }

    pub(super) fn state(&self, key: &RouteKey, is_doubted: bool) -> RouteState {
        RouteState {
            route: key.clone(),
            is_up: self.circuit == Circuit::Closed,
            is_doubted,
            failing_since: self.failing_since,
            under_way: self.places.taken() - self.invited,
            waiting: self.parked.len(),
        }
    }

    /// Nobody waits for it or is on the way.
    pub(super) fn is_unused(&self) -> bool {
        self.places.taken() == 0 && self.parked.is_empty()
    }

    /// The answer to a request of a key. `jitter` is a random byte.
    pub(super) fn answered(
        &mut self,
        key: &PushKey,
        is_probe: bool,
        answer: &Answer,
        now: Mono,
        jitter: u8,
    ) {
        let works = match answer.outcome {
            Outcome::Delivered | Outcome::TokenInvalid | Outcome::TooLarge | Outcome::Reject => {
                true
            }
            Outcome::Retry | Outcome::Throttled | Outcome::AuthExpired | Outcome::ConfigError => {
                false
            }
        };
        // A device that gets too many is one, however many conversations it has.
        let one_lane = (answer.scope == Scope::Device).then_some(PushLane::Withdrawals);
        let lane = one_lane.unwrap_or_else(|| key.lane.clone());
        if works && (is_probe || self.circuit == Circuit::Closed) {
            self.failing.clear();
            self.failing_since = None;
            self.probes_failed = 0;
        } else if !works {
            self.failing_since.get_or_insert(now);
            if self.failing.len() < FAILING_KEYS {
                self.failing.insert(PushKey { lane, ..key.clone() });
            }
        }
        let event = match (is_probe, works) {
            (true, true) => CircuitEvent::ProbeWorked,
            (true, false) => CircuitEvent::ProbeFailed,
            (false, true) => CircuitEvent::Worked,
            (false, false) if answer.scope == Scope::Credential => CircuitEvent::Refused,
            (false, false) if self.failing.len() >= FAILING_KEYS => CircuitEvent::Failing,
            (false, false) => return,
        };
        if self.happens(event) && self.circuit == Circuit::Open {
            let own_ms = wait_ms(self.probes_failed, answer, jitter);
            self.probes_failed += 1;
            self.until = now.after(own_ms);
        } else if event == CircuitEvent::Refused && answer.retry_after_ms.is_some() {
            // Another request learnt for how long.
            self.until = self.until.max(now.after(wait_ms(0, answer, jitter)));
        }
    }

    /// Answers whether that changed something.
    pub(super) fn happens(&mut self, event: CircuitEvent) -> bool {
        let next = self.circuit.next(event);
        self.circuit = next.unwrap_or(self.circuit);
        next.is_some()
    }
}
