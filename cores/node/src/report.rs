//! What became of notifications on a device, as the app or its extension says.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_domain::{Stop, ranges, read};
use nightjar_model::{
    ConversationId, DeviceId, FetchedCommand, NotificationId, Reply, ReportCommand, Seq, Step, Uid,
};

use crate::device::Me;
use crate::node::{Ctx, Node};

/// Entries looked at for one that is still owed, behind what an extension showed.
const SEARCH_MAX: usize = 64;

/// What a notification stands for, as a closed range of places the user may see.
struct Shown {
    conversation: ConversationId,
    places: (Seq, Seq),
    is_shared: bool,
}

impl Node {
    /// Pushes that arrived on the device, were opened or swiped away there.
    pub(crate) fn report(
        &mut self,
        ctx: Ctx<'_>,
        me: &Me,
        report: &ReportCommand,
    ) -> Result<Reply, Stop> {
        let device = (&me.uid, &me.device_id);
        let steps = [
            (Step::Arrived, self.shown(ctx, device, &report.arrived)?),
            (Step::Clicked, self.shown(ctx, device, &report.clicked)?),
            (Step::Dismissed, self.shown(ctx, device, &report.dismissed)?),
        ];
        for (step, shown) in &steps {
            self.write_down(ctx, device, *step, shown);
        }
        let [_, _, (_, dismissed)] = &steps;
        self.is_off_screen(ctx, device, &report.dismissed, dismissed);
        Ok(Reply::Done)
    }

    /// What an extension did: what it showed is surfaced and owed no more, and what it took off
    /// the screen need not be taken back again.
    pub(crate) fn fetched(
        &mut self,
        ctx: Ctx<'_>,
        fetched: &FetchedCommand,
    ) -> Result<Reply, Stop> {
        let device = (&fetched.uid, &fetched.device_id);
        self.check_push_token(ctx, device, fetched.token_issued_at)?;
        let arrived = self.shown(ctx, device, &fetched.arrived)?;
        let withdrawn = self.shown(ctx, device, &fetched.withdrawn)?;
        let surfaced = self.shown(ctx, device, &fetched.surfaced)?;
        let mut places: BTreeMap<ConversationId, BTreeSet<Seq>> = BTreeMap::new();
        for shown in surfaced.iter().filter(|shown| !shown.is_shared) {
            places.entry(shown.conversation.clone()).or_default().insert(shown.places.0);
        }
        let mut upto = Vec::with_capacity(places.len());
        for (id, places) in &places {
            upto.push(self.contiguous(ctx, device, id, places)?);
        }
        self.write_down(ctx, device, Step::Arrived, &arrived);
        self.write_down(ctx, device, Step::Surfaced, &surfaced);
        self.is_off_screen(ctx, device, &fetched.withdrawn, &withdrawn);
        for ((id, places), upto) in places.iter().zip(upto) {
            self.extension_showed(ctx, device, id, places, upto);
        }
        self.rearm(ctx, &fetched.uid, &fetched.device_id)?;
        Ok(Reply::Done)
    }

    /// What the notifications stand for; without those whose messages are unknown or not the
    /// user's to see.
    fn shown(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        ids: &[NotificationId],
    ) -> Result<Vec<Shown>, Stop> {
        let mut found = Vec::with_capacity(ids.len());
        for nid in ids {
            let place = match nid.message_id() {
                Some(id) => read::message(ctx.rows, id)?.map(|row| (row.conversation, row.seq)),
                None => nid.conversation_id().map(|id| (id, 0)),
            };
            let Some((conversation, seq)) = place else { continue };
            if !self.with_conversation(ctx, &conversation)? {
                continue;
            }
            let visible = self.conversations[&conversation].visible(uid);
            let Some((above, upto)) = visible else { continue };
            let is_shared = nid.message_id().is_none();
            let places = match is_shared {
                false => (seq, seq),
                true => self.stands_for(uid, device_id, &conversation),
            };
            if places.0 > above && places.1 <= upto && places.0 <= places.1 {
                found.push(Shown { conversation, places, is_shared });
            }
        }
        Ok(found)
    }

    /// The conversation's one notification stands for what was pushed and neither read nor shown.
    fn stands_for(&self, uid: &Uid, device_id: &DeviceId, id: &ConversationId) -> (Seq, Seq) {
        let (joined, read) = self.joined_and_read(uid, id);
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(device) = device else { return (1, 0) };
        let cursor = device.cursor(id, joined);
        (read.max(cursor.surfaced).max(joined) + 1, cursor.settled)
    }

    fn write_down(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        step: Step,
        shown: &[Shown],
    ) {
        for Shown { conversation, places, .. } in shown {
            self.count(ctx, (uid, device_id), (conversation, places.1), step);
            let device_id = Some(device_id.clone());
            self.recorder.step(ctx.now.wall, (uid, conversation), device_id, *places, step, None);
            self.flush.plan(ctx.now);
        }
    }

    /// Counts a push that arrived or was opened with the binding the device prefers.
    fn count(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        (id, seq): (&ConversationId, Seq),
        step: Step,
    ) {
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let binding = device.and_then(|device| device.bindings.first());
        let Some(key) = binding.map(|binding| binding.key.clone()) else { return };
        let seen = (uid.clone(), device_id.clone(), id.clone(), seq, step);
        if matches!(step, Step::Arrived | Step::Clicked) && self.recorder.statistics.is_news(seen) {
            self.recorder.statistics.reported(&key, step, ctx.now.wall);
        }
    }

    /// Nothing is left to take back of these notifications.
    fn is_off_screen(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        ids: &[NotificationId],
        shown: &[Shown],
    ) {
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else { return };
        for nid in ids {
            device.withdrawing.remove(nid);
        }
        for Shown { conversation, places, is_shared } in shown {
            device.change_cursor(conversation, 0, |row| match is_shared {
                true => std::mem::take(&mut row.showing_shared),
                false => {
                    let was_showing = ranges::contains(&row.showing, places.0);
                    ranges::remove(&mut row.showing, places.0);
                    was_showing
                }
            });
        }
        for shown in shown {
            self.touched(ctx.now, uid, &shown.conversation);
        }
    }

    /// How far nothing is owed once these places are shown, and how far everything is shown.
    fn contiguous(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        id: &ConversationId,
        places: &BTreeSet<Seq>,
    ) -> Result<(Seq, Seq), Stop> {
        let (joined, read) = self.joined_and_read(uid, id);
        let device = self.users.get(uid).and_then(|user| user.devices.get(device_id));
        let Some(device) = device else { return Ok((0, 0)) };
        let settled = device.settled(id, joined, read);
        let surfaced = device.cursor(id, joined).surfaced.max(read);
        let conversation = &self.conversations[id];
        let past = |after: Seq| -> Result<Seq, Stop> {
            let mut upto = after;
            for entry in conversation.entries_after(ctx.rows, after, SEARCH_MAX)? {
                let is_owed = entry.is_alertable() && entry.from != *uid;
                if is_owed && !places.contains(&entry.seq) {
                    break;
                }
                upto = entry.seq;
            }
            Ok(upto.min(places.last().copied().unwrap_or(after)).max(after))
        };
        Ok((past(settled)?, past(surfaced)?))
    }

    fn extension_showed(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        id: &ConversationId,
        places: &BTreeSet<Seq>,
        (settled, surfaced): (Seq, Seq),
    ) {
        let (joined, read) = self.joined_and_read(uid, id);
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(device_id)) else { return };
        device.change_cursor(id, joined, |row| {
            // On the screen, so there may be something to take back; under the conversation's
            // name, if the push of it came under that.
            let is_shared = |row: &nightjar_domain::CursorRow, seq: Seq| {
                row.showing_shared && seq <= row.settled && !ranges::contains(&row.showing, seq)
            };
            for seq in places.iter().filter(|seq| **seq > read) {
                if !is_shared(row, *seq) {
                    ranges::insert(&mut row.showing, *seq, *seq);
                }
            }
            row.settled = row.settled.max(settled);
            row.surfaced = row.surfaced.max(surfaced);
            true
        });
        self.close_debts(ctx, uid, id);
        self.touched(ctx.now, uid, id);
    }
}
