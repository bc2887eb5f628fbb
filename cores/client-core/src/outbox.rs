//! What the user wrote and the server does not have.
//!
//! Time here is awake time: milliseconds since the start in which the process was not frozen.

use std::collections::BTreeMap;

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ClientMsgId, Target};

use crate::defaults::{LINK_CHECK_MS, RESEND_MS, RESENDS_MAX, SEND_BUDGET_MS};
use crate::{FailReason, OutgoingRow};

/// Where a message of the outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its row is being committed.
    Saving,
    /// Waits for its turn and for the link.
    Queued,
    /// Written at this moment, and not answered.
    InFlight {
        /// Awake time.
        sent_at: u64,
    },
    /// Given up until the user, or a link, brings it back.
    Failed,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) row: OutgoingRow,
    pub(crate) stage: Stage,
    /// Awake time at which its budget began.
    since: u64,
    /// Transmissions that waited in vain for their answer.
    unanswered: u32,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No answer for too long: write it again, or doubt the connection.
    Late { sent_at: u64 },
    /// Its time is over.
    Over(FailReason),
}

/// All of them, in the order they were written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    messages: BTreeMap<u64, Box<Outgoing>>,
    last_order: u64,
    /// Awake time of the next look at the budgets, while something waits.
    check_at: Option<u64>,
}

impl Outbox {
    /// What a store held: all of it may go out.
    pub(crate) fn restored(rows: Vec<OutgoingRow>, awake: u64) -> Self {
        let mut outbox = Self::default();
        for row in rows.into_iter().filter(|_| !Sabotage::OutboxLostOnRestart.is_on()) {
            let stage = if row.is_failed { Stage::Failed } else { Stage::Queued };
            outbox.put(row, stage, awake);
        }
        outbox
    }

    fn put(&mut self, row: OutgoingRow, stage: Stage, awake: u64) {
        self.last_order = self.last_order.max(row.order);
        let outgoing = Outgoing { row, stage, since: awake, unanswered: 0 };
        self.messages.insert(outgoing.row.order, Box::new(outgoing));
        self.watch(awake);
    }

    /// The order of the next message.
    pub(crate) fn next_order(&self) -> u64 {
        self.last_order + 1
    }

    /// A new message, which goes out once its row is committed.
    pub(crate) fn add(&mut self, row: OutgoingRow, awake: u64) {
        self.put(row, Stage::Saving, awake);
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn get_mut(&mut self, order: u64) -> Option<&mut Outgoing> {
        self.messages.get_mut(&order).map(Box::as_mut)
    }

    pub(crate) fn remove(&mut self, order: u64) -> Option<Outgoing> {
        let gone = self.messages.remove(&order).map(|outgoing| *outgoing);
        if self.messages.is_empty() {
            self.check_at = None;
        }
        gone
    }

    pub(crate) fn find(&self, id: &ClientMsgId) -> Option<u64> {
        let found = self.messages.values().find(|outgoing| outgoing.row.client_msg_id == *id);
        found.map(|outgoing| outgoing.row.order)
    }

    /// The message goes to the tail of the queue, with a new budget.
    pub(crate) fn requeue(&mut self, order: u64, awake: u64) -> Option<&OutgoingRow> {
        let mut outgoing = self.messages.remove(&order)?;
        outgoing.row.order = self.next_order();
        outgoing.row.is_failed = false;
        let order = outgoing.row.order;
        self.put(outgoing.row, Stage::Saving, awake);
        self.messages.get(&order).map(|outgoing| &outgoing.row)
    }

    /// The messages that wait for this upload.
    pub(crate) fn waiting_for(&self, upload: &str) -> Vec<u64> {
        let waits = |row: &OutgoingRow| row.depends_on.iter().any(|id| id == upload);
        let waiting = self.messages.iter().filter(|(_, outgoing)| waits(&outgoing.row));
        waiting.map(|(order, _)| *order).collect()
    }

    /// The link is there: what failed for want of it comes back at its old place.
    pub(crate) fn resume(&mut self, awake: u64, may: impl Fn(&OutgoingRow) -> bool) -> Vec<u64> {
        let mut back = Vec::new();
        for outgoing in self.messages.values_mut() {
            if outgoing.stage == Stage::Failed && outgoing.row.resumes && may(&outgoing.row) {
                outgoing.row.is_failed = false;
                outgoing.stage = Stage::Saving;
                (outgoing.since, outgoing.unanswered) = (awake, 0);
                back.push(outgoing.row.order);
            }
        }
        if !back.is_empty() {
            self.watch(awake);
        }
        back
    }

    /// The connection is gone: what was on its way is sent again, in order.
    pub(crate) fn link_lost(&mut self) {
        for outgoing in self.messages.values_mut() {
            if matches!(outgoing.stage, Stage::InFlight { .. }) {
                outgoing.stage = Stage::Queued;
            }
        }
    }

    /// The next message that may be written: the first of its conversation that is not on its
    /// way, where fewer than `window` are.
    pub(crate) fn next(&self, window: u32) -> Option<u64> {
        let mut busy: Vec<(&Target, u32)> = Vec::new();
        for (order, outgoing) in &self.messages {
            let at = busy.iter().position(|(to, _)| **to == outgoing.row.to);
            let taken = at.map_or(0, |at| busy[at].1);
            let now_taken = match outgoing.stage {
                Stage::Failed => continue,
                Stage::Queued if taken < window && outgoing.row.depends_on.is_empty() => {
                    return Some(*order);
                }
                Stage::InFlight { .. } => taken + 1,
                // Those after it wait, or they would overtake it.
                Stage::Queued | Stage::Saving => window,
            };
            match at {
                Some(at) => busy[at].1 = now_taken,
                None => busy.push((&outgoing.row.to, now_taken)),
            }
        }
        None
    }

    /// Awake time of the next [`Self::check`].
    pub(crate) fn check_at(&self) -> Option<u64> {
        self.check_at
    }

    /// Looks at every message whose time may be over.
    pub(crate) fn check(&mut self, awake: u64) -> Vec<(u64, Verdict)> {
        if self.check_at.is_none_or(|at| at > awake) {
            return Vec::new();
        }
        self.check_at = None;
        let mut found = Vec::new();
        let mut waits = false;
        let mut uploading: Vec<Target> = Vec::new();
        for (order, outgoing) in &mut self.messages {
            if outgoing.stage == Stage::Queued {
                if !outgoing.row.depends_on.is_empty() {
                    uploading.push(outgoing.row.to.clone());
                }
                // An upload takes its time, also for those behind it: budgets begin after it.
                if uploading.contains(&outgoing.row.to) {
                    outgoing.since = awake;
                }
            }
            waits |= outgoing.stage != Stage::Failed;
            if let Some(verdict) = outgoing.verdict(awake) {
                found.push((*order, verdict));
            }
        }
        if waits {
            self.watch(awake);
        }
        found
    }

    /// Whether a message still goes out by itself.
    pub(crate) fn is_waiting(&self) -> bool {
        self.messages.values().any(|outgoing| outgoing.stage != Stage::Failed)
    }

    fn watch(&mut self, awake: u64) {
        self.check_at.get_or_insert(awake + LINK_CHECK_MS);
    }
}

impl Outgoing {
    fn verdict(&self, awake: u64) -> Option<Verdict> {
        let is_over = awake.saturating_sub(self.since) >= SEND_BUDGET_MS;
        match self.stage {
            Stage::Queued if is_over => Some(Verdict::Over(FailReason::NoLink)),
            Stage::InFlight { .. } if is_over => Some(Verdict::Over(FailReason::NoAnswer)),
            Stage::InFlight { sent_at } if awake.saturating_sub(sent_at) >= RESEND_MS => {
                let is_last = self.unanswered >= RESENDS_MAX;
                Some(if is_last {
                    Verdict::Over(FailReason::NoAnswer)
                } else {
                    Verdict::Late { sent_at }
                })
            }
            _ => None,
        }
    }

    /// It is being written, for the first time or because no answer came.
    pub(crate) fn transmit(&mut self, awake: u64) {
        if matches!(self.stage, Stage::InFlight { .. }) {
            self.unanswered += 1;
        }
        self.stage = Stage::InFlight { sent_at: awake };
    }

    /// One upload less to wait for; the budget begins anew.
    pub(crate) fn uploaded(&mut self, upload: &str, awake: u64) {
        self.row.depends_on.retain(|id| id != upload);
        (self.since, self.unanswered) = (awake, 0);
        if self.stage == Stage::Queued {
            self.stage = Stage::Saving;
        }
    }

    /// It is given up.
    pub(crate) fn fail(&mut self, reason: FailReason) {
        self.stage = Stage::Failed;
        self.row.is_failed = true;
        self.row.resumes = reason == FailReason::NoLink;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use nightjar_model::{Uid, WallMs};

    use super::*;

    fn row(order: u64, to: &str) -> OutgoingRow {
        OutgoingRow {
            order,
            client_msg_id: ClientMsgId::parse(&format!("m{order}")).unwrap(),
            to: Target::User(Uid::parse(to).unwrap()),
            content: Bytes::from_static(b"{}"),
            push: None,
            expires_at: None,
            queued_at: WallMs(0),
            is_failed: false,
            depends_on: Vec::new(),
            resumes: false,
        }
    }

    fn outbox(to: &[&str]) -> Outbox {
        let rows = to.iter().zip(1..).map(|(to, order)| row(order, to)).collect();
        Outbox::restored(rows, 0)
    }

    /// Writes whatever may be written; answers the orders.
    fn transmit_all(outbox: &mut Outbox, window: u32, awake: u64) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(order) = outbox.next(window) {
            outbox.get_mut(order).unwrap().transmit(awake);
            sent.push(order);
        }
        sent
    }

    #[test]
    fn each_conversation_keeps_its_order_and_does_not_wait_for_others() {
        let mut outbox = outbox(&["bob", "bob", "carol", "bob"]);
        assert_eq!(transmit_all(&mut outbox, 1, 0), [1, 3]);
        outbox.remove(1);
        assert_eq!(transmit_all(&mut outbox, 1, 0), [2]);
        assert_eq!(transmit_all(&mut outbox, 3, 0), [4]);
    }

    #[test]
    fn a_message_that_is_being_saved_holds_back_those_after_it() {
        let mut outbox = Outbox::default();
        outbox.add(row(1, "bob"), 0);
        outbox.add(row(2, "bob"), 0);
        outbox.get_mut(2).unwrap().stage = Stage::Queued;
        assert_eq!(outbox.next(8), None);
        outbox.get_mut(1).unwrap().stage = Stage::Queued;
        assert_eq!(transmit_all(&mut outbox, 8, 0), [1, 2]);
    }

    #[test]
    fn a_failed_message_blocks_nobody() {
        let mut outbox = outbox(&["bob", "bob"]);
        outbox.get_mut(1).unwrap().fail(FailReason::NoAnswer);
        assert_eq!(outbox.next(1), Some(2));
    }

    #[test]
    fn after_three_resends_in_vain_it_fails() {
        let mut outbox = outbox(&["bob"]);
        let mut awake = 0;
        for _ in 0..4 {
            outbox.get_mut(1).unwrap().transmit(awake);
            assert_eq!(outbox.check(awake + RESEND_MS - 1), []);
            awake += RESEND_MS + LINK_CHECK_MS;
            if outbox.get_mut(1).unwrap().unanswered < RESENDS_MAX {
                assert!(matches!(outbox.check(awake)[..], [(1, Verdict::Late { .. })]));
            }
        }
        assert_eq!(outbox.check(awake), [(1, Verdict::Over(FailReason::NoAnswer))]);
    }

    #[test]
    fn without_a_link_it_fails_after_two_minutes_and_comes_back_with_one() {
        let mut outbox = outbox(&["bob"]);
        assert_eq!(SEND_BUDGET_MS, 120_000);
        assert_eq!(outbox.check(119_999), []);
        assert_eq!(outbox.check(122_000), [(1, Verdict::Over(FailReason::NoLink))]);
        outbox.get_mut(1).unwrap().fail(FailReason::NoLink);
        assert!(!outbox.is_waiting());
        assert_eq!(outbox.resume(500_000, |_| false), [0; 0]);
        assert_eq!(outbox.resume(500_000, |_| true), [1]);
        assert_eq!(outbox.check(502_000), []);
    }

    #[test]
    fn a_lost_connection_is_no_failed_transmission() {
        let mut outbox = outbox(&["bob", "bob"]);
        for awake in 0..20 {
            assert_eq!(transmit_all(&mut outbox, 8, awake), [1, 2]);
            outbox.link_lost();
        }
        assert_eq!(outbox.get_mut(1).unwrap().unanswered, 0);
    }
}
