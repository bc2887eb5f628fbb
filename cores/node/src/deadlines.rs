//! When a device has been silent for too long, and when it is not its fault.

use nightjar_domain::{Missing, ReachEvent};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{DeviceId, Mono, Notice, Uid};

use crate::node::{Ctx, Node};

/// A deadline found so late means the process stood still; a commit that took so long to be safe,
/// that the disk did.
const STALL_MS: u64 = 250;
/// After a stall, sockets are read for at most so long before deadlines fire.
const STALL_SHIFT_MS_MAX: u64 = 1_000;

impl Node {
    /// Commits of turns up to this one are safe. Deadlines that waited for a slow disk get some
    /// time: what they are for has just left, and its answers come.
    pub(crate) fn safe(&mut self, turn: u64, now: Mono) {
        if let (true, Some((_, began))) = (self.waits_for_safe, self.unsafe_turns.front()) {
            let stood = now.since(*began);
            if stood > STALL_MS {
                self.shifted_until =
                    self.shifted_until.max(now.after(stood.min(STALL_SHIFT_MS_MAX)));
            }
        }
        self.waits_for_safe = false;
        while self.unsafe_turns.front().is_some_and(|(first, _)| *first <= turn) {
            self.unsafe_turns.pop_front();
        }
    }

    /// Whether what the device was silent about may still be here, waiting for its commit.
    fn may_not_have_left(&self, uid: &Uid, device_id: &DeviceId, now: Mono) -> bool {
        let Some((_, began)) = self.unsafe_turns.front() else { return false };
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let since = device.and_then(|device| device.due_since(&self.config.deadlines, now));
        since.is_some_and(|since| since >= *began)
    }

    /// Fires deadlines that have passed. After a stall the sockets are read first, so that
    /// answers which wait there count.
    pub(crate) fn fire_deadlines(&mut self, ctx: Ctx<'_>) -> Result<(), Missing> {
        let now = ctx.now.mono;
        self.waits_for_safe = false;
        while let Some((at, uid, device_id)) = self.timers.first().cloned() {
            if at > now || self.shifted_until > now {
                return Ok(());
            }
            if self.may_not_have_left(&uid, &device_id, now) {
                // Nor can a push leave before that commit is safe.
                self.waits_for_safe = true;
                return Ok(());
            }
            let late = now.since(at.max(self.shifted_until));
            if late > STALL_MS {
                self.shifted_until = now.after(late.min(STALL_SHIFT_MS_MAX));
                return Ok(());
            }
            self.timers.remove(&(at, uid.clone(), device_id.clone()));
            self.miss_deadline(ctx, &uid, &device_id)?;
        }
        Ok(())
    }

    fn miss_deadline(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
    ) -> Result<(), Missing> {
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else {
            return Ok(());
        };
        device.timer = None;
        // Who showed everything has answered; only reading is waited for.
        let has_answered = device.has_shown_all(ctx.now.mono, &self.config.deadlines);
        self.stats.deadlines_missed += u64::from(!has_answered);
        self.fall_due(ctx, uid, device_id)?;
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else {
            return Ok(());
        };
        if Sabotage::UnresponsiveNeverSet.is_on() {
            return Ok(());
        }
        if !has_answered
            && let Some(link) = &mut device.link
            && let Some(next) = link.reach.next(ReachEvent::DeadlineMissed)
        {
            link.reach = next;
            device.state_since = ctx.now.wall;
            let conn = link.conn;
            self.notice(conn, Notice::Unresponsive);
        }
        // Whatever else it is owed need not wait for a device that does not answer.
        self.rearm(ctx, uid, device_id)
    }
}
