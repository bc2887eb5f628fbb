//! Runs of many seeds, and what came of them in one object.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};

use serde::Serialize;

use crate::faults::{Fault, Seat, impossible, seat_name, seats};
use crate::invariants::Violation;
use crate::shrink::Without;
use crate::world::World;

/// What one seed came to.
#[derive(Debug)]
pub struct Outcome {
    /// The promise that was not kept, if any.
    pub violation: Option<Violation>,
    /// What people, systems and operators did.
    pub(crate) acts: u64,
    pub(crate) phones: usize,
    /// Things that happened.
    pub events: u64,
    /// Milliseconds of virtual time, times devices.
    pub device_ms: u64,
    /// Messages, times the devices they were to be told on.
    pub pairs: u64,
    /// How often what is worth seeing happened.
    pub counts: BTreeMap<&'static str, u64>,
    /// How often each kind of fault hit a client in each state.
    pub(crate) hits: BTreeMap<(Fault, Seat), u64>,
    /// Of `device_ms`, what lies in hours of a device that had a message and a fault.
    pub busy_ms: u64,
    /// The run as a play; empty unless it was to be written.
    pub play: String,
}

/// Runs the world of one seed to its end, or to the first promise that is not kept.
#[must_use]
pub fn run(seed: u64, is_written: bool) -> Outcome {
    run_without(seed, &Without::default(), is_written)
}

/// The same, and clients are told again and again what is stale: ends of connections they left,
/// commits they know of, moments that have not come. The play must be the same.
#[must_use]
pub fn run_stale(seed: u64) -> Outcome {
    let mut world = World::wild(seed, true);
    world.repeats_stale = true;
    live(world)
}

/// The same, and something is left out.
pub(crate) fn run_without(seed: u64, without: &Without, is_written: bool) -> Outcome {
    let mut world = World::wild(seed, is_written);
    world.without = without.clone();
    live(world)
}

fn live(mut world: World) -> Outcome {
    let lives = panic::catch_unwind(AssertUnwindSafe(|| {
        world.live();
        world.finish();
    }));
    if lives.is_err() {
        world.violated("panic", "something panicked; its words stand above".into());
    }
    Outcome {
        acts: world.acts,
        phones: world.phones.len(),
        events: world.events,
        device_ms: world.agenda.now_ms() * world.phones.len() as u64,
        pairs: world.reference.pairs.count(),
        play: world.play(),
        busy_ms: world.hits.busy_ms(world.agenda.now_ms()),
        violation: world.violation,
        counts: world.counts,
        hits: world.hits.cells,
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
    /// Violations of what a client keeps to by itself (I3, I8, I9, I10, I12).
    pub by_itself: u64,
    /// Seeds in which something panicked.
    pub panicked: u64,
    /// How often what is worth seeing happened.
    pub counts: BTreeMap<&'static str, u64>,
    /// The part of the device-hours in which the device had a message and a fault.
    pub busy_hours: f64,
    /// How often each kind of fault hit a client in each state.
    pub coverage: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Cells of it that are possible and were not hit.
    pub not_covered: Vec<String>,
    /// The first violation.
    pub found: Option<Found>,
    #[serde(skip)]
    busy_ms: u64,
    #[serde(skip)]
    device_ms: u64,
}

/// Where a violation was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// `P1` to `P7`, one of `I3` to `I12`, or `panic`.
    pub invariant: &'static str,
}

impl Report {
    /// Sums up what cannot be added seed by seed.
    pub fn close(&mut self) {
        self.simulated_hours = (self.device_ms as f64 / 360_000.0).round() / 10.0;
        let busy = self.busy_ms as f64 / self.device_ms.max(1) as f64;
        self.busy_hours = (busy * 1_000.0).round() / 1_000.0;
        let cells = Fault::ALL.into_iter().flat_map(|fault| seats().map(move |seat| (fault, seat)));
        self.not_covered = cells
            .filter(|(fault, seat)| impossible(*fault, *seat).is_none())
            .map(|(fault, seat)| (fault.name(), seat_name(seat)))
            .filter(|(fault, seat)| {
                self.coverage.get(fault).is_none_or(|states| !states.contains_key(seat))
            })
            .map(|(fault, seat)| format!("{fault} in {seat}"))
            .collect();
    }

    /// Takes one seed's outcome in.
    pub fn take(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.pairs += outcome.pairs;
        self.busy_ms += outcome.busy_ms;
        self.device_ms += outcome.device_ms;
        for (what, count) in &outcome.counts {
            *self.counts.entry(what).or_default() += count;
        }
        for ((fault, seat), count) in &outcome.hits {
            let states = self.coverage.entry(fault.name()).or_default();
            *states.entry(seat_name(*seat)).or_default() += count;
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
            "panic" => self.panicked += 1,
            _ => self.by_itself += 1,
        }
        self.found.get_or_insert(Found { seed, invariant: violation.invariant });
    }
}
