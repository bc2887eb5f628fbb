//! From a debt that falls due to a push that left.

use nightjar_domain::{Missing, ranges};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    Binding, ConversationId, DeviceId, DueReason, MessageId, Seq, Step, Uid, WallMs,
};
use nightjar_push::{
    Attempts, Decision, PushCase, PushKey, PushLane, PushRequest, SilentReason, Ticket,
    decide_push, render,
};

use crate::node::{Ctx, Node};

/// Pushes that leave in one call, so that a mass push does not keep senders waiting.
const PUSHES_A_TURN_MAX: usize = 128;
/// Entries looked through for the next owed one.
const SEARCH_MAX: usize = 64;
/// A request at a provider.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) key: PushKey,
    /// `None` for a withdrawal.
    pub(crate) message_id: Option<MessageId>,
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    pub(crate) is_shared: bool,
    /// No earlier request for the message left under this name: if this one is refused, nothing
    /// can be on the screen.
    pub(crate) is_first: bool,
    pub(crate) binding: Binding,
    pub(crate) sent_at: WallMs,
    pub(crate) withdraws: Vec<nightjar_model::NotificationId>,
}

/// What a key is owed next.
enum Owed {
    Nothing,
    /// Not due yet.
    Later,
    Case(Box<PushCase>),
}

impl Node {
    /// Arms the device's one deadline anew and says what is due at once.
    pub(crate) fn rearm(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
    ) -> Result<(), Missing> {
        self.presence.touch(uid);
        let deadlines = self.config.deadlines;
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else {
            return Ok(());
        };
        let unread = device.unread_by(ctx.now.mono, &deadlines);
        let next = device.next_due(&deadlines, &unread);
        for id in &unread {
            let (class, lane) = (device.urgency(id), PushLane::Conversation(id.clone()));
            let key = PushKey { uid: uid.clone(), device_id: device_id.clone(), lane };
            self.queue.due(key, class);
        }
        self.say_unread(ctx, (uid, device_id), &unread)?;
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else {
            return Ok(());
        };
        if let Some(old) = device.timer.take() {
            self.timers.remove(&(old, uid.clone(), device_id.clone()));
        }
        let Some(at) = next else { return Ok(()) };
        let waits = device.is_live();
        if at <= ctx.now.mono && !waits {
            return self.fall_due(ctx, uid, device_id);
        }
        // Nothing is waited for; a deadline that has passed waits for its timer, which lets the
        // sockets be read after a stall.
        let is_due = |id| {
            let due = device.due(id, &deadlines);
            due.is_some_and(|(at, why)| at <= ctx.now.mono && why == DueReason::Background)
        };
        if waits && device.debts().any(is_due) {
            return self.fall_due(ctx, uid, device_id);
        }
        if Sabotage::DeadlineNotArmed.is_on() {
            return Ok(());
        }
        device.timer = Some(at);
        self.timers.insert((at, uid.clone(), device_id.clone()));
        Ok(())
    }

    /// What the device showed and nobody read in time fell due as well: the back end is told.
    fn say_unread(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        unread: &[ConversationId],
    ) -> Result<(), Missing> {
        for id in unread {
            let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
            let over = device.and_then(|device| device.unread_in_time(id, ctx.now.mono));
            if let Some(range) = over {
                self.say_offline(ctx, uid, id, Some(device_id), range)?;
            }
        }
        Ok(())
    }

    /// Says of everything due now that it is: trace, back end, push queue.
    pub(crate) fn fall_due(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
    ) -> Result<(), Missing> {
        let deadlines = self.config.deadlines;
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else {
            return Ok(());
        };
        let open: Vec<ConversationId> = device.debts().cloned().collect();
        for id in open {
            let user = self.users.get_mut(uid);
            let device = user.and_then(|user| user.devices.get_mut(device_id));
            let Some(device) = device else { return Ok(()) };
            if device.due(&id, &deadlines).is_none_or(|(at, _)| at > ctx.now.mono) {
                continue;
            }
            let class = device.urgency(&id);
            let due = device.fall_due(&id, &deadlines, ctx.now.mono);
            if let Some((from, to, reason)) = due {
                let (step, why) = (Step::Deadline, Some(reason.as_str()));
                let device = Some(device_id.clone());
                self.recorder.step(ctx.now.wall, (uid, &id), device, (from, to), step, why);
                self.say_offline(ctx, uid, &id, Some(device_id), (from, to))?;
            }
            let lane = PushLane::Conversation(id);
            self.queue.due(PushKey { uid: uid.clone(), device_id: device_id.clone(), lane }, class);
        }
        Ok(())
    }

    /// Lets pushes leave as long as the queue allows. Answers whether more could.
    pub(crate) fn let_pushes_leave(&mut self, ctx: Ctx<'_>) -> Result<bool, Missing> {
        for _ in 0..PUSHES_A_TURN_MAX {
            let Some((key, attempts)) = self.queue.next(ctx.now.mono) else { return Ok(false) };
            match &key.lane {
                PushLane::Conversation(id) => {
                    let id = id.clone();
                    self.next_message(ctx, &key, &id, attempts)?;
                }
                PushLane::Withdrawals => self.next_withdrawal(ctx, &key, &attempts)?,
            }
        }
        Ok(true)
    }

    /// Decides about the next owed message of a key with the facts of this very moment.
    fn next_message(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        id: &ConversationId,
        mut attempts: Attempts,
    ) -> Result<(), Missing> {
        loop {
            let case = match self.owed(ctx, key, id, &attempts)? {
                Owed::Case(case) => case,
                Owed::Nothing => {
                    self.queue.done(key);
                    return Ok(());
                }
                Owed::Later => {
                    self.queue.done(key);
                    return self.rearm(ctx, &key.uid, &key.device_id);
                }
            };
            let seq = case.entry.seq;
            match decide_push(&case, ctx.now.wall) {
                Decision::Push { binding, reason } => {
                    let binding = case.bindings[binding].clone();
                    if self.waits_for_provider(ctx, key, &case, &binding) {
                        return Ok(());
                    }
                    let request = render(&case, &binding, attempts.trim);
                    self.trace_decision(ctx, key, id, seq, reason.as_str());
                    self.hand_over(ctx, key, id, seq, request);
                    return Ok(());
                }
                Decision::Hold { until, reason } => {
                    self.hold(ctx, key, (id, seq), (until, reason));
                    return Ok(());
                }
                Decision::Silent(reason) => {
                    let place = (id, seq, Some(case.entry.message_id));
                    let bound = self.first_binding(key);
                    self.tell_silence(ctx, key, place, bound.as_ref(), reason);
                    self.say_if_unreachable(ctx, key, &case.entry, reason);
                    self.silence(ctx, key, id, seq, reason);
                    self.queue.next_message(key);
                    attempts = self.queue.tried(key).cloned().unwrap_or_default();
                }
            }
        }
    }

    pub(crate) fn trace_decision(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        id: &ConversationId,
        seq: Seq,
        reason: &str,
    ) {
        let device = Some(key.device_id.clone());
        let scope = (&key.uid, id);
        let step = Step::Decided;
        self.recorder.step(ctx.now.wall, scope, device, (seq, seq), step, Some(reason));
    }

    fn hand_over(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        id: &ConversationId,
        seq: Seq,
        mut request: PushRequest,
    ) {
        if Sabotage::BadgeCountsPushes.is_on() {
            request.data.badge = self.stats.pushes + 1;
        }
        let ticket = self.queue.sent(key, &request.binding);
        let shared = nightjar_model::NotificationId::conversation(id);
        if Sabotage::NotificationIdChanges.is_on() && self.stats.pushes % 2 == 1 {
            request.data.nid = Some(shared.clone());
        }
        let is_shared = request.data.nid.as_ref() == Some(&shared);
        self.replaces(key, &mut request);
        let is_first = self.may_show(key, id, seq, is_shared);
        self.tickets.insert(
            ticket,
            InFlight {
                key: key.clone(),
                message_id: request.data.mid,
                conversation: id.clone(),
                seq,
                is_shared,
                is_first,
                binding: request.binding.clone(),
                sent_at: ctx.now.wall,
                withdraws: request.data.wd.clone(),
            },
        );
        self.stats.pushes += 1;
        self.effects.push(crate::Effect::Push { ticket, request: Box::new(request) });
    }

    /// What is posted anew under the same name is not taken back as well.
    fn replaces(&mut self, key: &PushKey, request: &mut PushRequest) {
        let Some(nid) = &request.data.nid else { return };
        request.data.wd.retain(|other| other != nid);
        let user = self.users.get_mut(&key.uid);
        if let Some(device) = user.and_then(|user| user.devices.get_mut(&key.device_id)) {
            device.withdrawing.remove(nid);
        }
    }

    /// The request leaves, and unless it is refused, the device may show it from now on. In the
    /// commit it leaves with: a crash must not forget under which name. Answers whether that is
    /// news.
    pub(crate) fn may_show(
        &mut self,
        key: &PushKey,
        id: &ConversationId,
        seq: Seq,
        is_shared: bool,
    ) -> bool {
        let (joined, _) = self.joined_and_read(&key.uid, id);
        let user = self.users.get_mut(&key.uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(&key.device_id)) else {
            return true;
        };
        let is_first = device.change_cursor(id, joined, |row| {
            if is_shared {
                return !std::mem::replace(&mut row.showing_shared, true);
            }
            let is_new = !ranges::contains(&row.showing, seq);
            ranges::insert(&mut row.showing, seq, seq);
            is_new
        });
        self.changes.put(nightjar_domain::Row::Cursor(device.cursor(id, joined)));
        let of_device = (&key.uid, &key.device_id);
        self.recorder.write_steps_of(&mut self.changes, of_device, id);
        is_first
    }

    /// the conversation's notification. Its answer decides whether it is to be taken back.
    pub(crate) fn flying(
        &self,
        uid: &Uid,
        device_id: &DeviceId,
        id: &ConversationId,
    ) -> Option<(Seq, bool)> {
        let lane = PushLane::Conversation(id.clone());
        let key = PushKey { uid: uid.clone(), device_id: device_id.clone(), lane };
        let ticket = self.queue.flying(&key)?;
        self.tickets.get(&ticket).map(|flight| (flight.seq, flight.is_shared))
    }

    /// The lowest open entry of the key, with everything the decision may look at.
    fn owed(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        id: &ConversationId,
        attempts: &Attempts,
    ) -> Result<Owed, Missing> {
        self.with_user(ctx, &key.uid)?;
        if !self.with_conversation(ctx, id)? {
            return Ok(Owed::Nothing);
        }
        let (joined, read) = self.joined_and_read(&key.uid, id);
        let deadlines = self.config.deadlines;
        let conversation = &self.conversations[id];
        let Some(user) = self.users.get_mut(&key.uid) else { return Ok(Owed::Nothing) };
        let Some(device) = user.devices.get_mut(&key.device_id) else { return Ok(Owed::Nothing) };
        device.close(id, device.settled(id, joined, read));
        let mut above = device.owed_above(id, joined, read);
        let Some((at, due)) = device.due(id, &deadlines) else { return Ok(Owed::Nothing) };
        if at > ctx.now.mono {
            return Ok(Owed::Later);
        }
        let entry = loop {
            let entries = conversation.entries_after(ctx.rows, above, SEARCH_MAX)?;
            let Some(last) = entries.last().map(|entry| entry.seq) else {
                device.close(id, Seq::MAX);
                return Ok(Owed::Nothing);
            };
            let owed = |entry: &&std::sync::Arc<nightjar_model::Entry>| {
                entry.is_countable() && entry.from != key.uid
            };
            match entries.iter().find(owed) {
                Some(entry) => break std::sync::Arc::clone(entry),
                None => above = last,
            }
        };
        let seq = entry.seq;
        let unseen = unseen(conversation, ctx, &key.uid, (joined, read), device, id, seq)?;
        let cursor = device.cursor(id, joined);
        let shows_alone = device.may_show(id, seq);
        let surfaced = seq <= cursor.surfaced;
        let due = device.fell_due(id, seq).filter(|_| !surfaced).unwrap_or(due);
        let withdraw = self.owed_withdrawals(ctx, &key.uid, &key.device_id)?;
        let facts = self.facts(ctx, (&key.uid, &key.device_id), &entry)?;
        let user = self.users.get_mut(&key.uid).expect("it was loaded above");
        let (badge, bv) = user.badge(&mut self.changes);
        Ok(Owed::Case(Box::new(PushCase {
            due,
            surfaced,
            held_until: cursor.held.filter(|held| held.0 == seq).map(|held| held.1),
            choice: self.choice(ctx, key, attempts, &facts.bindings),
            unseen,
            is_shared: (shows_alone || cursor.showing_shared).then_some(!shows_alone),
            badge,
            bv,
            withdraw,
            ..facts
        })))
    }

    /// A debt ends without a push, for a reason.
    pub(crate) fn silence(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        id: &ConversationId,
        seq: Seq,
        reason: SilentReason,
    ) {
        self.stats.silenced += 1;
        self.trace_decision(ctx, key, id, seq, reason.as_str());
        self.settle_to(ctx, &key.uid, &key.device_id, id, seq, |_| {});
    }

    pub(crate) fn settle_to(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        id: &ConversationId,
        seq: Seq,
        also: impl FnOnce(&mut nightjar_domain::CursorRow),
    ) {
        let (joined, read) = self.joined_and_read(uid, id);
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else { return };
        device.change_cursor(id, joined, |row| {
            row.settled = row.settled.max(seq + u64::from(Sabotage::SettledTooFar.is_on()));
            also(row);
            true
        });
        let settled = device.settled(id, joined, read);
        device.close(id, settled);
        self.touched(ctx.now, uid, id);
    }

    /// Calls back what is at the providers for a device that is owed nothing any more.
    pub(crate) fn call_back(&mut self, uid: &Uid, device_id: &DeviceId) {
        if Sabotage::PushNotCalledBack.is_on() {
            return;
        }
        self.queue.forget(uid, device_id);
        let flying: Vec<Ticket> = self
            .tickets
            .iter()
            .filter(|(_, flight)| flight.key.uid == *uid && flight.key.device_id == *device_id)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in flying {
            self.tickets.remove(&ticket);
            self.effects.push(crate::Effect::CancelPush { ticket });
        }
    }

    /// Tells the back end once per message and user that a debt fell due.
    pub(crate) fn say_offline(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
        device_id: Option<&DeviceId>,
        (from, to): (Seq, Seq),
    ) -> Result<(), Missing> {
        if !self.recorder.wants_events() {
            return Ok(());
        }
        let Some(user) = self.users.get_mut(uid) else { return Ok(()) };
        let said = user.place(id).map_or(0, |place| place.row.offline_said);
        let mut after = from.max(said + 1) - 1;
        if after >= to {
            return Ok(());
        }
        user.say_offline(id, to, &mut self.changes);
        let conversation = &self.conversations[id];
        while after < to {
            let entries = conversation.entries_after(ctx.rows, after, SEARCH_MAX)?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.seq;
            for entry in entries.iter().filter(|entry| entry.seq <= to) {
                let is_expired = entry.expires_at.is_some_and(|at| at <= ctx.now.wall);
                let is_wanted = entry.from != *uid && !user.blocks(&entry.from);
                if entry.is_alertable() && is_wanted && !is_expired {
                    self.recorder.offline(entry, uid, device_id, ctx.now.wall);
                }
            }
        }
        Ok(())
    }
}

/// Alertable entries the device neither showed nor read, up to and with `seq`, counted to six.
fn unseen(
    conversation: &nightjar_domain::Conversation,
    ctx: Ctx<'_>,
    uid: &Uid,
    (joined, read): (Seq, Seq),
    device: &nightjar_domain::Device,
    id: &ConversationId,
    seq: Seq,
) -> Result<u64, Missing> {
    const STORM: usize = 6;
    let from =
        device.cursor(id, joined).surfaced.max(read).max(seq.saturating_sub(SEARCH_MAX as u64));
    let entries = conversation.entries_after(ctx.rows, from, SEARCH_MAX)?;
    let counted = entries
        .iter()
        .take_while(|entry| entry.seq <= seq)
        .filter(|entry| entry.is_alertable() && entry.from != *uid)
        .take(STORM)
        .count();
    Ok(counted as u64)
}
