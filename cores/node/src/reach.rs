//! Which of its bindings a message leaves by, what it waits for where it may not leave yet, and
//! who is told when nobody takes it.

use nightjar_domain::{Missing, read};
use nightjar_model::{Binding, Entry, Mono, limits};
use nightjar_push::{
    Attempts, Choice, HoldReason, LATE_AFTER_MS, PushCase, PushKey, Removed, SilentReason, Wait,
    choose,
};

use crate::node::{Ctx, Node};

/// A withdrawal that waits for a provider is looked at again so often: it may not be owed any
/// more.
const WITHDRAWAL_LOOKED_AT_MS: u64 = 60_000;

impl Node {
    /// Where a key's message goes next.
    pub(crate) fn choice(
        &self,
        ctx: Ctx<'_>,
        key: &PushKey,
        attempts: &Attempts,
        bindings: &[Binding],
    ) -> Choice {
        choose(bindings, attempts, ctx.now.mono, |binding| self.queue.late_at(key, binding))
    }

    /// Whether the message has to wait for its provider. Then the key waits, in the line of its
    /// credential or by itself; at the message's own end it is looked at again, and where the
    /// device has another binding, from time to time.
    pub(crate) fn waits_for_provider(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        case: &PushCase,
        binding: &Binding,
    ) -> bool {
        let Choice::Binding { not_before, is_late, .. } = case.choice else { return false };
        if is_late {
            let reason = HoldReason::AwaitingProvider.as_str();
            self.say_unreachable(ctx, key, &case.entry, reason);
        }
        let now = ctx.now.mono;
        let ends_in_ms = case.expires_at().0.saturating_sub(ctx.now.wall.0);
        let mut again = now.after(ends_in_ms);
        if not_before > now {
            // Its trace says so already: the answer named the time.
            self.queue.wait(key, not_before.min(again));
            return true;
        }
        if case.bindings.len() > 1 {
            again = again.min(now.after(LATE_AFTER_MS));
        }
        match self.queue.may_leave(key, binding) {
            Ok(()) => return false,
            Err(Wait::Device(at)) => self.queue.wait(key, at.min(again)),
            Err(Wait::Busy | Wait::Down) => self.queue.park(key, binding, again),
        }
        let said = self.queue.attempts(key).map(|attempts| &mut attempts.said_waiting);
        if said.is_some_and(|said| !std::mem::replace(said, true)) {
            let (id, seq) = (&case.entry.conversation, case.entry.seq);
            self.trace_decision(ctx, key, id, seq, HoldReason::AwaitingProvider.as_str());
        }
        true
    }

    /// A withdrawal waits as a message does, and is told to nobody.
    pub(crate) fn withdrawal_waits(
        &mut self,
        key: &PushKey,
        (binding, not_before): (&Binding, Mono),
        now: Mono,
    ) -> bool {
        if not_before > now {
            self.queue.wait(key, not_before);
            return true;
        }
        match self.queue.may_leave(key, binding) {
            Ok(()) => return false,
            Err(Wait::Device(at)) => self.queue.wait(key, at),
            Err(Wait::Busy | Wait::Down) => {
                self.queue.park(key, binding, now.after(WITHDRAWAL_LOOKED_AT_MS));
            }
        }
        true
    }

    /// A message ends without a push. Where that is not what anybody chose, the back end is told.
    pub(crate) fn say_if_unreachable(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        entry: &Entry,
        reason: SilentReason,
    ) {
        let has_waited = || self.queue.tried(key).is_some_and(Attempts::has_waited);
        let nowhere = || {
            let user = self.users.get(&key.uid);
            user.is_some_and(|user| user.devices.values().all(|device| device.bindings.is_empty()))
        };
        let is_unreachable = match reason {
            SilentReason::IllegalBinding | SilentReason::ProviderReject => true,
            SilentReason::NoBinding => nowhere(),
            SilentReason::Expired => has_waited(),
            _ => false,
        };
        if is_unreachable {
            self.say_unreachable(ctx, key, entry, reason.as_str());
        }
    }

    /// Tells the back end that nobody takes a message, once for each device.
    fn say_unreachable(&mut self, ctx: Ctx<'_>, key: &PushKey, entry: &Entry, reason: &str) {
        let said = self.queue.attempts(key).map(|attempts| &mut attempts.said_unreachable);
        if said.is_some_and(|said| !std::mem::replace(said, true)) {
            self.recorder.unreachable(entry, (&key.uid, &key.device_id), reason, ctx.now.wall);
        }
    }

    /// It was the key and not the tokens: devices get back what they lost, unless they have
    /// something else there by now, are signed out, or the token is another's.
    pub(crate) fn give_back(&mut self, ctx: Ctx<'_>, all: Vec<Removed>) -> Result<(), Missing> {
        for Removed { uid, device_id, binding } in all {
            let key = &binding.key;
            let owner = read::token(ctx.rows, &key.provider, &key.credential, &binding.token)?;
            let user = self.with_user(ctx, &uid)?;
            let Some(device) = user.devices.get_mut(&device_id) else { continue };
            let has_room = device.bindings.len() < limits::BINDINGS_MAX;
            let is_free = device.bindings.iter().all(|other| other.key != *key);
            let is_others = owner.is_some_and(|row| row.uid != uid || row.device_id != device_id);
            if is_others || device.row.signed_out || !has_room || !is_free {
                continue;
            }
            device.bindings.push(binding.clone());
            device.bindings.sort_by_key(|binding| std::cmp::Reverse(binding.bound_at));
            let user = self.users.get_mut(&uid).expect("it was loaded above");
            user.write_binding(&device_id, &binding, &mut self.changes);
            self.queue_debts(&uid, &device_id);
        }
        Ok(())
    }
}
