//! Runs of many seeds, and what came of them in one object.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};

use serde::Serialize;

use crate::invariants::Violation;
use crate::world::World;

/// What one seed came to.
#[derive(Debug)]
pub struct Outcome {
    /// The promise that was not kept, if any.
    pub violation: Option<Violation>,
    /// Things that happened.
    pub events: u64,
    /// Milliseconds of virtual time, times devices.
    pub device_ms: u64,
    /// Messages, times the devices they were to be told on.
    pub pairs: u64,
    /// How often what is worth seeing happened.
    pub coverage: BTreeMap<&'static str, u64>,
    /// The run as a play; empty unless it was to be written.
    pub play: String,
}

/// Runs the world of one seed to its end, or to the first promise that is not kept.
#[must_use]
pub fn run(seed: u64, is_written: bool) -> Outcome {
    let mut world = World::wild(seed, is_written);
    let lives = panic::catch_unwind(AssertUnwindSafe(|| {
        world.live();
        world.finish();
    }));
    if lives.is_err() {
        world.violated("panic", "something panicked; its words stand above".into());
    }
    Outcome {
        events: world.events,
        device_ms: world.agenda.now_ms() * world.phones.len() as u64,
        pairs: world.reference.pairs.count(),
        play: world.play(),
        violation: world.violation,
        coverage: world.coverage,
    }
}

impl Outcome {
    /// A number that stands for the play: FNV-1a, 64 bits. It is the same in every build and on
    /// every machine.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.play.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// What many seeds came to.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Seeds that were run.
    pub seeds: u64,
    /// Virtual hours, summed over devices.
    pub simulated_hours: f64,
    /// Things that happened.
    pub events: u64,
    /// Seeds with a promise that was not kept.
    pub violations: u64,
    /// Events in a second of real time.
    pub events_per_s: u64,
    /// Messages, times the devices they were to be told on.
    pub pairs: u64,
    /// Violations of P3: a second alert.
    pub doubled: u64,
    /// Violations of P2: no alert, no retry to come, no recorded reason.
    pub missing: u64,
    /// Violations of P1: not on stable storage, not on a device, not in order.
    pub not_stored: u64,
    /// Violations of P5.
    pub badge_wrong: u64,
    /// Violations of P4.
    pub withdrawals_left: u64,
    /// Violations of P6: a push where it does not belong.
    pub misdirected: u64,
    /// Violations of P7.
    pub unexplained: u64,
    /// Seeds in which something panicked.
    pub panicked: u64,
    /// How often what is worth seeing happened.
    pub coverage: BTreeMap<&'static str, u64>,
    /// The first violation.
    pub found: Option<Found>,
}

/// Where a violation was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// `P1` to `P7`, or `panic`.
    pub invariant: &'static str,
}

impl Report {
    /// Takes one seed's outcome in.
    pub fn take(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.pairs += outcome.pairs;
        self.simulated_hours += outcome.device_ms as f64 / 3_600_000.0;
        for (what, count) in &outcome.coverage {
            *self.coverage.entry(what).or_default() += count;
        }
        let Some(violation) = &outcome.violation else { return };
        self.violations += 1;
        match violation.invariant {
            "P1" => self.not_stored += 1,
            "P2" => self.missing += 1,
            "P3" => self.doubled += 1,
            "P4" => self.withdrawals_left += 1,
            "P5" => self.badge_wrong += 1,
            "P6" => self.misdirected += 1,
            "P7" => self.unexplained += 1,
            _ => self.panicked += 1,
        }
        self.found.get_or_insert(Found { seed, invariant: violation.invariant });
    }
}
