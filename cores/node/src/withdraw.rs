//! Taking notifications back: read, recalled, or no longer anybody's business.

use std::collections::BTreeSet;

use nightjar_domain::{CursorRow, Device, Missing, Stop, ranges};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    Binding, ConversationId, DeviceId, Lane, Mono, Notice, NotificationId, PushClass, Reply, Seq,
    Step, Uid,
};
use nightjar_push::{
    Attempts, Choice, PushKey, PushLane, QuietBudget, is_on_request, render_withdrawal,
};

use crate::alert::InFlight;
use crate::device::Me;
use crate::node::{Ctx, Node};

/// A withdrawal over a connection that is not confirmed so long goes out as a push as well.
const CONFIRM_WITHIN_MS: u64 = 1_000;
/// Pushed entries looked through for one that a shared notification still stands for.
const PUSHED_LOOKED_MAX: usize = 64;
/// Notifications named in one withdrawal or carried by one push.
const NAMED_MAX: usize = 32;
/// Notifications of a conversation that a device may show, looked through for those.
const SHOWN_LOOKED_MAX: usize = 256;

/// A notification to be taken back, and the place it stands for.
type Owed = (NotificationId, ConversationId, Seq);

impl Node {
    /// The user read: what this device may show up to the read marker goes.
    pub(crate) fn withdraw_read(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        id: &ConversationId,
    ) -> Result<(), Missing> {
        if Sabotage::ReadDoesNotWithdraw.is_on() {
            return Ok(());
        }
        let (joined, read) = self.joined_and_read(uid, id);
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(device) = device else { return Ok(()) };
        let cursor = device.cursor(id, joined);
        let places: Vec<Seq> =
            ranges::places(&cursor.showing).take_while(|seq| *seq <= read).collect();
        let newest = places.len().saturating_sub(NAMED_MAX);
        self.withdraw_places(ctx, uid, device_id, id, &places[newest..])?;
        self.withdraw_shared(ctx, uid, device_id, id, &[])
    }

    /// Takes back the conversation's one notification if nobody needs to be told any more of what
    /// it stands for; `recalled` in this very input.
    pub(crate) fn withdraw_shared(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        id: &ConversationId,
        recalled: &[Seq],
    ) -> Result<(), Missing> {
        let (joined, read) = self.joined_and_read(uid, id);
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(device) = device else { return Ok(()) };
        let cursor = device.cursor(id, joined);
        let is_flying = self.is_shared_flying(uid, device_id, id, read);
        if !is_flying && is_shared_over(ctx, uid, &cursor, read, recalled)? {
            let shared = NotificationId::conversation(id);
            self.withdraw_ids(ctx, uid, device_id, vec![(shared, id.clone(), cursor.settled)]);
        }
        Ok(())
    }

    /// What is at the provider under the conversation's name and was not read stands for itself.
    fn is_shared_flying(
        &self,
        uid: &Uid,
        device_id: &DeviceId,
        id: &ConversationId,
        read: Seq,
    ) -> bool {
        let flying = self.flying(uid, device_id, id);
        flying.is_some_and(|(seq, is_shared)| is_shared && seq > read)
    }

    /// Takes back the notifications of these places, where the device may be showing them. One
    /// that is at the provider is looked at again when the answer comes, even if the device had
    /// posted it itself.
    pub(crate) fn withdraw_places(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        id: &ConversationId,
        places: &[Seq],
    ) -> Result<(), Missing> {
        let Some(conversation) = self.conversations.get(id) else { return Ok(()) };
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(device) = device else { return Ok(()) };
        let flying = self.flying(uid, device_id, id);
        let surfaced = device.cursor(id, 0).surfaced;
        let waits = |seq: Seq| flying == Some((seq, false)) && seq > surfaced;
        let mut ids = Vec::new();
        let shown = places.iter().filter(|seq| device.may_show(id, **seq));
        for seq in shown.filter(|seq| !waits(**seq)) {
            if let Some(entry) = conversation.entry(ctx.rows, *seq)? {
                ids.push((NotificationId::message(entry.message_id), id.clone(), *seq));
            }
        }
        self.withdraw_ids(ctx, uid, device_id, ids);
        Ok(())
    }

    /// Over the connection where there is one that answers, else as a push.
    fn withdraw_ids(&mut self, ctx: Ctx<'_>, uid: &Uid, device_id: &DeviceId, ids: Vec<Owed>) {
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else { return };
        let mut new = Vec::new();
        let mut conversations = BTreeSet::new();
        for (nid, conversation, seq) in ids {
            if device.withdraw(nid.clone(), &conversation, seq) {
                new.push(nid);
                conversations.insert(conversation);
            }
        }
        if new.is_empty() {
            return;
        }
        for id in conversations {
            self.keep_work(Lane::of_user(uid), &id);
        }
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else { return };
        let live = device.is_live().then(|| device.link.as_ref().map(|link| link.conn)).flatten();
        match live {
            Some(conn) => {
                self.notice(conn, Notice::Withdraw(new));
                let at = ctx.now.mono.after(CONFIRM_WITHIN_MS);
                self.withdraw_timers.insert((at, uid.clone(), device_id.clone()));
            }
            None => self.withdraw_by_push(uid, device_id),
        }
    }

    /// Withdrawals over connections that were not confirmed in time.
    pub(crate) fn fire_withdrawals(&mut self, ctx: Ctx<'_>) {
        while let Some((at, uid, device_id)) = self.withdraw_timers.first().cloned() {
            if at > ctx.now.mono {
                return;
            }
            self.withdraw_timers.remove(&(at, uid.clone(), device_id.clone()));
            self.withdraw_by_push(&uid, &device_id);
        }
    }

    /// Queues a withdrawal push if the device still owes a confirmation.
    pub(crate) fn withdraw_by_push(&mut self, uid: &Uid, device_id: &DeviceId) {
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        if device.is_some_and(|device| !device.withdrawing.is_empty()) {
            let lane = PushLane::Withdrawals;
            let key = PushKey { uid: uid.clone(), device_id: device_id.clone(), lane };
            self.queue.due(key, PushClass::Chat);
        }
    }

    /// Everything the device may show although it was read or recalled, for a hello or to ride
    /// along on a push.
    pub(crate) fn owed_withdrawals(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
    ) -> Result<Vec<NotificationId>, Missing> {
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(device) = device else { return Ok(Vec::new()) };
        let mut owed = Vec::new();
        for cursor in device.showing() {
            if owed.len() >= NAMED_MAX {
                break;
            }
            owed.extend(self.owed_of(ctx, uid, device_id, cursor)?);
        }
        owed.truncate(NAMED_MAX);
        let user = self.users.get_mut(uid);
        if let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) {
            for (nid, id, seq) in &owed {
                device.withdraw(nid.clone(), id, *seq);
            }
        }
        Ok(owed.into_iter().map(|(nid, ..)| nid).collect())
    }

    /// What a device may show of a conversation although it was read or recalled; the newest,
    /// when there is more than may be named: it was told of the others before.
    fn owed_of(
        &self,
        ctx: Ctx<'_>,
        uid: &Uid,
        device_id: &DeviceId,
        cursor: &CursorRow,
    ) -> Result<Vec<Owed>, Missing> {
        let id = &cursor.conversation;
        let (_, read) = self.joined_and_read(uid, id);
        let mut owed = Vec::new();
        if !self.is_shared_flying(uid, device_id, id, read)
            && is_shared_over(ctx, uid, cursor, read, &[])?
        {
            owed.push((NotificationId::conversation(id), id.clone(), read));
        }
        // Above the read marker only what was recalled, which has to be looked for.
        let newest = || ranges::places(&cursor.showing).rev();
        let was_read = newest().filter(|seq| *seq <= read);
        let unread = newest().take_while(|seq| *seq > read);
        for seq in was_read.chain(unread).take(SHOWN_LOOKED_MAX) {
            if owed.len() >= NAMED_MAX {
                break;
            }
            let Some(entry) = nightjar_domain::read::entry(ctx.rows, id, seq)? else { continue };
            if seq <= read || entry.recalled {
                owed.push((NotificationId::message(entry.message_id), id.clone(), seq));
            }
        }
        owed.sort_by_key(|(_, _, seq)| *seq);
        Ok(owed)
    }

    /// Open work of an earlier process: what the user's devices were not told, they are now.
    pub(crate) fn withdraw_again(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
    ) -> Result<(), Missing> {
        let Some(user) = self.users.get(uid) else { return Ok(()) };
        let mut owed = Vec::new();
        for device in user.devices.values() {
            for cursor in device.showing().filter(|cursor| cursor.conversation == *id) {
                let device_id = device.row.device_id.clone();
                let of_device = self.owed_of(ctx, uid, &device_id, cursor)?;
                owed.push((device_id, of_device));
            }
        }
        for (device_id, owed) in owed {
            self.withdraw_ids(ctx, uid, &device_id, owed);
        }
        Ok(())
    }

    /// Lets one withdrawal push leave for the device.
    pub(crate) fn next_withdrawal(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        attempts: &Attempts,
    ) -> Result<(), Missing> {
        let Some((ids, place)) = self.named(key) else {
            self.queue.done(key);
            return Ok(());
        };
        let mut bindings = self.usable_bindings(ctx, &key.uid, &key.device_id)?;
        bindings.retain(|binding| !is_on_request(&binding.key.provider));
        let binding = match self.choice(ctx, key, attempts, &bindings) {
            Choice::NoBinding | Choice::Refused => Err("no_binding"),
            Choice::Binding { at, not_before, .. } => {
                let binding = bindings[at].clone();
                if self.withdrawal_waits(key, (&binding, not_before), ctx.now.mono) {
                    return Ok(());
                }
                let user = self.users.get_mut(&key.uid);
                let device = user.and_then(|user| user.devices.get_mut(&key.device_id));
                let device = device.map(|device| &mut **device);
                is_in_budget(device, &binding, ctx.now.mono)
                    .then_some(binding)
                    .ok_or("beyond_budget")
            }
        };
        match binding {
            Ok(binding) => self.hand_over_withdrawal(ctx, key, binding, (ids, place)),
            Err(why) => {
                let (conversation, seq) = place;
                self.withdrawals_left(key, &ids);
                let (scope, device) = ((&key.uid, &conversation), Some(key.device_id.clone()));
                let step = Step::Withdrawn;
                self.recorder.step(ctx.now.wall, scope, device, (seq, seq), step, Some(why));
                self.queue.done(key);
            }
        }
        Ok(())
    }

    /// What one withdrawal push names, and the last place of it.
    fn named(&self, key: &PushKey) -> Option<(Vec<NotificationId>, (ConversationId, Seq))> {
        let device = self.users.get(&key.uid)?.devices.get(&key.device_id)?;
        let newest = device.withdrawing.len().saturating_sub(NAMED_MAX);
        let named = || device.withdrawing.iter().skip(newest);
        let (_, last) = named().max_by_key(|(_, (_, seq))| *seq)?;
        Some((named().map(|(nid, _)| nid.clone()).collect(), last.clone()))
    }

    fn hand_over_withdrawal(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        binding: Binding,
        (ids, (conversation, seq)): (Vec<NotificationId>, (ConversationId, Seq)),
    ) {
        let Some(user) = self.users.get_mut(&key.uid) else { return };
        let (badge, bv) = user.badge(&mut self.changes);
        let request = render_withdrawal(
            &key.uid,
            &key.device_id,
            &binding,
            (&conversation, seq),
            (badge, bv),
            ids.clone(),
        );
        let ticket = self.queue.sent(key, &binding);
        self.tickets.insert(
            ticket,
            InFlight {
                key: key.clone(),
                message_id: None,
                conversation,
                seq,
                is_shared: false,
                is_first: false,
                binding,
                sent_at: ctx.now.wall,
                withdraws: ids,
            },
        );
        self.stats.pushes += 1;
        self.effects.push(crate::Effect::Push { ticket, request: Box::new(request) });
    }

    /// A withdrawal push was taken or given up: no second one, but the next hello and the next
    /// push name them again until the device confirms.
    pub(crate) fn withdrawals_left(&mut self, key: &PushKey, ids: &[NotificationId]) {
        let user = self.users.get_mut(&key.uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(&key.device_id)) else {
            return;
        };
        for nid in ids {
            if let Some((id, _)) = device.withdrawing.remove(nid) {
                let lane = Lane::of_user(&key.uid);
                self.flush.work(lane, id);
            }
        }
    }

    /// The device took notifications off its screen.
    pub(crate) fn withdrawn(
        &mut self,
        ctx: Ctx<'_>,
        me: &Me,
        ids: &[NotificationId],
    ) -> Result<Reply, Stop> {
        for nid in ids {
            let user = self.users.get_mut(&me.uid);
            let device = user.and_then(|user| user.devices.get_mut(&me.device_id));
            let Some(device) = device else { break };
            let Some((id, seq)) = device.withdrawing.remove(nid) else { continue };
            let is_shared = *nid == NotificationId::conversation(&id);
            device.change_cursor(&id, 0, |row| {
                if is_shared {
                    // What was pushed since may have come after it was taken off.
                    row.showing_shared &= row.settled > seq;
                } else {
                    ranges::remove(&mut row.showing, seq);
                }
                true
            });
            let device = Some(me.device_id.clone());
            let why = Some("confirmed");
            let scope = (&me.uid, &id);
            self.recorder.step(ctx.now.wall, scope, device, (seq, seq), Step::Withdrawn, why);
            self.touched(ctx.now, &me.uid, &id);
        }
        Ok(Reply::Done)
    }
}

/// Takes a push without an alert from the budget that the binding's provider gives the device.
fn is_in_budget(device: Option<&mut Device>, binding: &Binding, now: Mono) -> bool {
    match (QuietBudget::of(&binding.key.provider), device) {
        (Some(budget), Some(device)) => budget.take(&mut device.quiet_spent_until, now),
        _ => true,
    }
}

/// Whether the device may be showing the conversation's one notification for nothing: all it
/// stands for was read, shown or taken back. It stands for what was pushed and has no
/// notification of its own.
fn is_shared_over(
    ctx: Ctx<'_>,
    uid: &Uid,
    cursor: &CursorRow,
    read: Seq,
    recalled: &[Seq],
) -> Result<bool, Missing> {
    let from = read.max(cursor.surfaced);
    if !cursor.showing_shared || from >= cursor.settled {
        return Ok(cursor.showing_shared);
    }
    let (id, below) = (&cursor.conversation, cursor.settled + 1);
    let pushed =
        nightjar_domain::read::entries(ctx.rows, id, from, below, PUSHED_LOOKED_MAX, true)?;
    let stands_for_it = pushed.iter().any(|entry| {
        entry.is_alertable()
            && entry.from != *uid
            && !recalled.contains(&entry.seq)
            && !ranges::contains(&cursor.showing, entry.seq)
    });
    Ok(!stands_for_it && pushed.len() < PUSHED_LOOKED_MAX)
}
