//! Makes a failing seed small: phones, kinds of faults and acts are left out one group at a time, as
//! long as the same promise breaks. What people do has dice of its own for every act, so leaving one
//! out does not change what the others are.

use std::collections::BTreeSet;

use crate::faults::Fault;
use crate::phone::PhoneNo;
use crate::report::{Outcome, run_without};

/// Worlds that are run to make one small.
const TRIES_MAX: u32 = 400;

/// What is left out of a world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Without {
    pub(crate) phones: BTreeSet<PhoneNo>,
    pub(crate) faults: BTreeSet<Fault>,
    pub(crate) acts: BTreeSet<u64>,
}

/// The smallest world that was found to break the same promise.
#[derive(Debug)]
pub struct Small {
    /// What the world came to, with its play.
    pub outcome: Outcome,
    /// What was left out, for people.
    pub text: String,
}

struct Search {
    seed: u64,
    invariant: &'static str,
    without: Without,
    tries: u32,
}

/// Makes the world of a seed small; `None` if it keeps its promises.
#[must_use]
pub fn shrink(seed: u64) -> Option<Small> {
    let first = run_without(seed, &Without::default(), false);
    let invariant = first.violation.as_ref()?.invariant;
    let mut search = Search { seed, invariant, without: Without::default(), tries: 0 };
    search.leave_out_acts(first.acts);
    for no in (0..first.phones).rev() {
        search.leave_out(|without| {
            without.phones.insert(no);
        });
    }
    for fault in Fault::ALL {
        search.leave_out(|without| {
            without.faults.insert(fault);
        });
    }
    // Without those there may be less to do.
    search.leave_out_acts(first.acts);
    let Search { without, tries, .. } = search;
    let outcome = run_without(seed, &without, true);
    let left = (1..=first.acts).filter(|act| !without.acts.contains(act)).count();
    let text = format!(
        "Seed {seed}, made small in {tries} tries: {left} of {} acts and {} of {} phones are left, \
         {} kinds of faults are not.\n",
        first.acts,
        first.phones - without.phones.len(),
        first.phones,
        without.faults.len(),
    );
    Some(Small { outcome, text })
}

impl Search {
    /// Leaves something out for good if the same promise breaks without it.
    fn leave_out(&mut self, change: impl FnOnce(&mut Without)) -> bool {
        if self.tries >= TRIES_MAX {
            return false;
        }
        self.tries += 1;
        let mut less = self.without.clone();
        change(&mut less);
        let violation = run_without(self.seed, &less, false).violation;
        let breaks = violation.is_some_and(|violation| violation.invariant == self.invariant);
        if breaks {
            self.without = less;
        }
        breaks
    }

    /// Halves, quarters, and so on down to single acts; the last ones first.
    fn leave_out_acts(&mut self, acts: u64) {
        let mut size = (acts / 2).max(1) as usize;
        loop {
            let left: Vec<u64> =
                (1..=acts).rev().filter(|act| !self.without.acts.contains(act)).collect();
            for some in left.chunks(size) {
                self.leave_out(|without| without.acts.extend(some));
            }
            if size == 1 {
                return;
            }
            size /= 2;
        }
    }
}
