//! What a provider's answer means: the debt, the token, and what the device may be showing.

use nightjar_domain::{Missing, ranges};
use nightjar_model::Step;
use nightjar_push::{Answer, Next, Outcome, PushKey, PushLane, Ticket, removes_token};

use crate::alert::InFlight;
use crate::node::{Ctx, Node};

impl Node {
    /// A provider answered.
    pub(crate) fn answered(
        &mut self,
        ctx: Ctx<'_>,
        ticket: Ticket,
        answer: &Answer,
    ) -> Result<(), Missing> {
        let Some(flight) = self.tickets.remove(&ticket) else { return Ok(()) };
        let jitter = ctx.random[15];
        let Some((key, next)) = self.queue.answered(ticket, answer, ctx.now.mono, jitter) else {
            return Ok(());
        };
        self.trace_answer(ctx, &flight, answer, &next);
        match next {
            Next::Settle => self.delivered(ctx, &key, &flight)?,
            Next::NextBinding { remove_token } => {
                if remove_token && self.is_gone(&key, &flight, answer) {
                    self.queue.binding_removed(&key);
                }
            }
            Next::Silent(reason) => match key.lane {
                PushLane::Conversation(_) => {
                    let place = (&flight.conversation, flight.seq, flight.message_id);
                    self.tell_silence(ctx, &key, place, Some(&flight.binding.key), reason);
                    self.silence(ctx, &key, &flight.conversation, flight.seq, reason);
                }
                PushLane::Withdrawals => self.withdrawals_left(&key, &flight.withdraws),
            },
            Next::Later { .. } | Next::Again => {}
        }
        match answer.outcome {
            Outcome::Delivered => {}
            // It may have come to the screen all the same, after what it was taken back with.
            Outcome::Retry if key.lane != PushLane::Withdrawals => {
                self.may_show(&key, &flight.conversation, flight.seq, flight.is_shared);
                self.take_back_if_over(ctx, &key, &flight)?;
            }
            _ if flight.is_first && key.lane != PushLane::Withdrawals => self.cannot_show(&flight),
            _ => {}
        }
        Ok(())
    }

    fn trace_answer(&mut self, ctx: Ctx<'_>, flight: &InFlight, answer: &Answer, next: &Next) {
        let reason = format!("{} {}", answer.outcome.as_str(), answer.reason);
        let detail = match next {
            Next::Later { at } => {
                format!("{}; again in {} ms", flight.binding.key.provider, at.since(ctx.now.mono))
            }
            _ => flight.binding.key.provider.clone(),
        };
        let is_withdrawal = flight.key.lane == PushLane::Withdrawals;
        let step = match (is_withdrawal, answer.outcome) {
            (true, Outcome::Delivered) => Step::Withdrawn,
            _ => Step::Provider,
        };
        self.recorder.step_with(
            ctx.now.wall,
            (&flight.key.uid, &flight.conversation),
            Some(flight.key.device_id.clone()),
            (flight.seq, flight.seq),
            step,
            Some(reason),
            Some(detail),
        );
        self.recorder.outcome(flight, answer, ctx.now.wall);
        self.flush.plan(ctx.now);
    }

    /// The provider took it: the debt is closed, and the device may be showing it.
    fn delivered(&mut self, ctx: Ctx<'_>, key: &PushKey, flight: &InFlight) -> Result<(), Missing> {
        if key.lane == PushLane::Withdrawals {
            self.withdrawals_left(key, &flight.withdraws);
            return Ok(());
        }
        let (id, seq, is_shared) = (&flight.conversation, flight.seq, flight.is_shared);
        self.settle_to(ctx, &key.uid, &key.device_id, id, seq, |row| {
            if is_shared {
                row.showing_shared = true;
            } else {
                ranges::insert(&mut row.showing, seq, seq);
            }
        });
        self.take_back_if_over(ctx, key, flight)
    }

    /// Read or recalled while the request was on its way: it is taken back at once.
    fn take_back_if_over(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        flight: &InFlight,
    ) -> Result<(), Missing> {
        let (id, seq) = (&flight.conversation, flight.seq);
        let (_, read) = self.joined_and_read(&key.uid, id);
        let recalled = match self.conversations.get(id) {
            Some(conversation) => {
                conversation.entry(ctx.rows, seq)?.is_some_and(|entry| entry.recalled)
            }
            None => false,
        };
        if read >= seq {
            self.withdraw_read(ctx, &key.uid, &key.device_id, id)?;
        } else if recalled {
            self.withdraw_places(ctx, &key.uid, &key.device_id, id, &[seq])?;
            self.withdraw_shared(ctx, &key.uid, &key.device_id, id, &[])?;
        }
        Ok(())
    }

    /// The provider says the token is dead: the device loses the binding. Answers whether the
    /// device has it no more, so that the one after it stands at its place; one that was bound
    /// anew while the request was on its way is another binding.
    fn is_gone(&mut self, key: &PushKey, flight: &InFlight, answer: &Answer) -> bool {
        let Some(user) = self.users.get_mut(&key.uid) else { return false };
        let Some(device) = user.devices.get_mut(&key.device_id) else { return false };
        let now = device.bindings.iter().find(|binding| binding.key == flight.binding.key);
        let Some(now) = now else { return false };
        if *now != flight.binding {
            return true;
        }
        let is_dead = removes_token(answer, now, flight.sent_at);
        if is_dead {
            device.unbind(&flight.binding.key);
            user.forget_binding(&key.device_id, &flight.binding, &mut self.changes);
        }
        is_dead
    }

    /// The provider refused the only request that named the notification. What the device said
    /// meanwhile that it showed, it posted itself.
    fn cannot_show(&mut self, flight: &InFlight) {
        let PushKey { uid, device_id, .. } = &flight.key;
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else { return };
        device.change_cursor(&flight.conversation, 0, |row| {
            if flight.is_shared {
                row.showing_shared = false;
            } else if flight.seq > row.surfaced {
                ranges::remove(&mut row.showing, flight.seq);
            }
            true
        });
        self.flush.cursor(uid);
    }
}
