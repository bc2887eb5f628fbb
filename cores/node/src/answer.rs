//! What a provider's answer means: the debt, the token, and what the device may be showing.

use nightjar_domain::{Missing, ranges};
use nightjar_model::{Binding, Step};
use nightjar_push::{
    Answer, Answered, Next, Outcome, PushKey, PushLane, Removed, SilentReason, Ticket,
    removes_token,
};

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
        let answered = self.queue.answered(ticket, &flight.binding, answer, ctx.now.mono, jitter);
        let Some(Answered { key, next, answer, give_back }) = answered else { return Ok(()) };
        self.trace_answer(ctx, &flight, &answer, &next);
        self.give_back(ctx, give_back)?;
        match next {
            Next::Settle => self.delivered(ctx, &key, &flight)?,
            Next::NextBinding => self.remove_dead(&key, &flight, &answer),
            Next::Silent(reason) => match key.lane {
                PushLane::Conversation(_) => {
                    let place = (&flight.conversation, flight.seq, flight.message_id);
                    self.tell_silence(ctx, &key, place, Some(&flight.binding.key), reason);
                    self.say_rejected(ctx, &key, &flight, reason)?;
                    self.silence(ctx, &key, &flight.conversation, flight.seq, reason);
                }
                PushLane::Withdrawals => self.withdrawals_left(&key, &flight.withdraws),
            },
            Next::Later { .. } | Next::Again => {}
        }
        if matches!(next, Next::Settle | Next::Silent(_)) {
            self.queue.next_message(&key);
        }
        match answer.outcome {
            Outcome::Delivered => {}
            // It may have come to the screen all the same, after what it was taken back with.
            _ if answer.may_have_arrived() && key.lane != PushLane::Withdrawals => {
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

    /// The provider says the token is dead: the device loses the binding, unless it was bound
    /// anew while the request was on its way.
    fn remove_dead(&mut self, key: &PushKey, flight: &InFlight, answer: &Answer) {
        let Some(user) = self.users.get_mut(&key.uid) else { return };
        let Some(device) = user.devices.get_mut(&key.device_id) else { return };
        let is_it = |binding: &&Binding| **binding == flight.binding;
        let Some(binding) = device.bindings.iter().find(is_it).cloned() else { return };
        if removes_token(answer, &binding, flight.sent_at) {
            device.unbind(&binding.key);
            user.forget_binding(&key.device_id, &binding, &mut self.changes);
            let (uid, device_id) = (key.uid.clone(), key.device_id.clone());
            self.queue.removed(Removed { uid, device_id, binding });
        }
    }

    fn say_rejected(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        flight: &InFlight,
        reason: SilentReason,
    ) -> Result<(), Missing> {
        let Some(conversation) = self.conversations.get(&flight.conversation) else {
            return Ok(());
        };
        if let Some(entry) = conversation.entry(ctx.rows, flight.seq)? {
            self.say_if_unreachable(ctx, key, &entry, reason);
        }
        Ok(())
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
