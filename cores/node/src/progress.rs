//! How far devices and users are: acknowledgements, read markers, pulls and history.

use std::sync::Arc;

use nightjar_domain::{Link, Stop, Told, ranges};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    AckItem, ConversationId, Delivery, DeviceId, Entry, HistoryCommand, Notice, Reject, Reply, Seq,
    SharedPackets, Step, Uid, Voice, limits,
};
use nightjar_push::SilentReason;

use crate::device::Me;
use crate::node::{Ctx, Node};

/// What an acknowledgement moved, for the trace: the places newly covered.
#[derive(Default)]
struct Moved {
    stored: Option<(Seq, Seq)>,
    surfaced: Option<(Seq, Seq)>,
    /// Stored while the conversation was open on the screen: that is enough.
    open: Option<(Seq, Seq)>,
}

impl Node {
    /// The device stored and showed entries. The session has clamped both to what it was given.
    pub(crate) fn ack(&mut self, ctx: Ctx<'_>, me: &Me, items: &[AckItem]) -> Result<Reply, Stop> {
        self.proved_alive(ctx, me);
        for item in items {
            self.ack_one(ctx, me, item);
            self.close_debts(ctx, &me.uid, &item.conversation);
        }
        self.rearm(ctx, &me.uid, &me.device_id)?;
        Ok(Reply::Done)
    }

    /// An acknowledgement of a device that says nothing else ends its time to start, and shows
    /// that it runs.
    fn proved_alive(&mut self, ctx: Ctx<'_>, me: &Me) {
        let user = self.users.get_mut(&me.uid);
        let device = user.and_then(|user| user.devices.get_mut(&me.device_id));
        let Some(link) = device.and_then(|device| device.link.as_mut()) else { return };
        if link.voice != Voice::Telling {
            link.patient_until = link.patient_until.min(ctx.now.mono);
            link.heard(ctx.now.mono);
        }
    }

    fn ack_one(&mut self, ctx: Ctx<'_>, me: &Me, item: &AckItem) {
        let id = &item.conversation;
        let Some(user) = self.users.get_mut(&me.uid) else { return };
        let Some(place) = user.place(id) else { return };
        let (joined, head) = (place.row.joined, place.head());
        let Some(device) = user.devices.get_mut(&me.device_id) else { return };
        let posts_itself =
            device.link.as_ref().is_some_and(|link| matches!(link.told, Told::Background { .. }));
        let is_open = device.has_open(id);
        let shows = device.link.as_ref().is_none_or(Link::receipt_shows);
        let (stored, surfaced) =
            (item.stored.min(head), if shows { item.surfaced.min(head) } else { 0 });
        let mut moved = Moved::default();
        device.change_cursor(id, joined, |row| {
            if stored > row.stored {
                moved.stored = Some((row.stored + 1, stored));
                row.stored = stored;
            }
            if surfaced > row.surfaced {
                moved.surfaced = Some((row.surfaced + 1, surfaced));
                // In the background the device posted notifications itself; in the foreground
                // the person is looking, and the app clears what it had posted.
                if posts_itself {
                    ranges::insert(&mut row.showing, row.surfaced + 1, surfaced);
                } else {
                    ranges::remove_upto(&mut row.showing, surfaced);
                    row.showing_shared &= surfaced < row.settled;
                }
                row.surfaced = surfaced;
            }
            let settled = row.settled.max(row.surfaced);
            if is_open && stored > settled {
                moved.open = Some((settled + 1, stored));
                row.settled = stored;
            }
            moved.stored.is_some() || moved.surfaced.is_some() || moved.open.is_some()
        });
        if moved.surfaced.is_some() && !posts_itself {
            device
                .withdrawing
                .retain(|_, (conversation, seq)| conversation != id || *seq > surfaced);
        }
        let steps = [(Step::Stored, moved.stored), (Step::Surfaced, moved.surfaced)];
        for (step, range) in steps {
            if let Some(range) = range {
                let device_id = Some(me.device_id.clone());
                self.recorder.step(ctx.now.wall, (&me.uid, id), device_id, range, step, None);
            }
        }
        if let Some(range) = moved.open {
            let (step, why) = (Step::Decided, Some(SilentReason::OpenConversation.as_str()));
            let device_id = Some(me.device_id.clone());
            self.recorder.step(ctx.now.wall, (&me.uid, id), device_id, range, step, why);
        }
        self.touched(ctx.now, &me.uid, id);
    }

    /// Closes what the cursors and the read marker cover, on all devices of the user.
    pub(crate) fn close_debts(&mut self, ctx: Ctx<'_>, uid: &Uid, id: &ConversationId) {
        let (joined, read) = self.joined_and_read(uid, id);
        let Some(user) = self.users.get_mut(uid) else { return };
        for device in user.devices.values_mut() {
            let settled = device.settled(id, joined, read);
            device.close(id, settled);
        }
        self.touched(ctx.now, uid, id);
    }

    /// The user read a conversation up to `seq`, on a device or as their back end says: every
    /// device may forget it.
    pub(crate) fn read(
        &mut self,
        ctx: Ctx<'_>,
        (uid, by): (&Uid, Option<&DeviceId>),
        id: &ConversationId,
        seq: Seq,
    ) -> Result<Reply, Stop> {
        let before = self.joined_and_read(uid, id).1;
        if !self.with_conversation(ctx, id)? {
            return Err(Reject::UnknownConversation.into());
        }
        let conversation = &self.conversations[id];
        let user = self.users.get_mut(uid).ok_or(Reject::Internal)?;
        if user.place(id).is_none() {
            return Err(Reject::UnknownConversation.into());
        }
        let moved = user.mark_read(ctx.rows, conversation, seq, &mut self.changes)?;
        let (unread, bv) = user.badge(&mut self.changes);
        if !moved {
            return Ok(Reply::Badge { unread, bv });
        }
        self.changes.needs_power = true;
        let read = user.place(id).map_or(seq, |place| place.row.read);
        let range = (before + 1, read);
        self.recorder.step(ctx.now.wall, (uid, id), by.cloned(), range, Step::Read, None);
        if let Some(device_id) = by {
            self.saw_up_to((uid, device_id), id, read);
            self.recorder.write_steps_of(&mut self.changes, (uid, device_id), id);
        }
        self.close_debts(ctx, uid, id);
        self.tell_other_devices(ctx, (uid, by), id, (read, unread, bv))?;
        Ok(Reply::Badge { unread, bv })
    }

    /// The reading device shows nothing of what was read any more. The conversation's one
    /// notification may stand for more.
    fn saw_up_to(&mut self, (uid, by): (&Uid, &DeviceId), id: &ConversationId, read: Seq) {
        let (joined, _) = self.joined_and_read(uid, id);
        let user = self.users.get_mut(uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(by)) else {
            return;
        };
        device.change_cursor(id, joined, |row| {
            let had = row.showing.len();
            ranges::remove_upto(&mut row.showing, read);
            let shared = row.showing_shared;
            row.showing_shared &= read < row.settled;
            had != row.showing.len() || shared != row.showing_shared
        });
        device.withdrawing.retain(|_, (conversation, seq)| conversation != id || *seq > read);
    }

    fn tell_other_devices(
        &mut self,
        ctx: Ctx<'_>,
        (uid, by): (&Uid, Option<&DeviceId>),
        id: &ConversationId,
        (seq, unread, bv): (Seq, u64, u64),
    ) -> Result<(), Stop> {
        let Some(user) = self.users.get(uid) else { return Ok(()) };
        let others: Vec<_> = user
            .devices
            .values()
            .filter(|device| Some(&device.row.device_id) != by)
            .map(|device| {
                (device.row.device_id.clone(), device.link.as_ref().map(|link| link.conn))
            })
            .collect();
        for (device_id, conn) in others {
            if let Some(conn) = conn {
                let conversation = id.clone();
                self.notice(conn, Notice::ReadMarker { conversation, seq, unread, bv });
            }
            self.withdraw_read(ctx, uid, &device_id, id)?;
            self.rearm(ctx, uid, &device_id)?;
        }
        Ok(())
    }

    /// Entries above what the connection was given, to be delivered in order.
    pub(crate) fn pull(
        &mut self,
        ctx: Ctx<'_>,
        me: &Me,
        id: &ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Reply, Stop> {
        let (entries, head_seq) = self.visible_entries(
            ctx,
            &me.uid,
            &HistoryCommand {
                conversation: id.clone(),
                after: Some(after.saturating_sub(u64::from(Sabotage::DeliveryRepeated.is_on()))),
                before: None,
                limit: limit.min(limits::HISTORY_MAX),
            },
        )?;
        let user = self.users.get(&me.uid).ok_or(Reject::Internal)?;
        let device = user.devices.get(&me.device_id).ok_or(Reject::UnknownDevice)?;
        let read = user.place(id).map_or(0, |place| place.row.read);
        let deliveries: Vec<Delivery> = entries
            .into_iter()
            .map(|entry| Delivery {
                alert: entry.seq > read && self.is_news(&me.uid, &entry, ctx.now.wall),
                pushed: device.was_pushed(id, entry.seq),
                entry,
                packets: SharedPackets::default(),
            })
            .collect();
        if let (Some(first), Some(last)) = (deliveries.first(), deliveries.last()) {
            let range = (first.entry.seq, last.entry.seq);
            let device_id = Some(me.device_id.clone());
            self.stats.deliveries += deliveries.len() as u64;
            self.recorder.step(
                ctx.now.wall,
                (&me.uid, id),
                device_id,
                range,
                Step::Delivered,
                None,
            );
        }
        Ok(Reply::Pulled { conversation: id.clone(), deliveries, head_seq })
    }

    /// Entries of a conversation as one user may see them.
    pub(crate) fn history(
        &mut self,
        ctx: Ctx<'_>,
        viewer: &Uid,
        history: &HistoryCommand,
    ) -> Result<Reply, Stop> {
        let (entries, head_seq) = self.visible_entries(ctx, viewer, history)?;
        Ok(Reply::History { entries, head_seq })
    }

    /// The one place that decides who sees what of a log.
    pub(crate) fn visible_entries(
        &mut self,
        ctx: Ctx<'_>,
        viewer: &Uid,
        history: &HistoryCommand,
    ) -> Result<(Vec<Arc<Entry>>, Seq), Stop> {
        let id = &history.conversation;
        if !self.with_conversation(ctx, id)? {
            return Err(Reject::UnknownConversation.into());
        }
        let conversation = &self.conversations[id];
        let (above, upto) = conversation.visible(viewer).ok_or(Reject::UnknownConversation)?;
        let after = history.after.unwrap_or(0).max(above);
        let before = history.before.unwrap_or(Seq::MAX).min(upto.saturating_add(1));
        let limit = history.limit.clamp(1, limits::HISTORY_MAX);
        // Without a lower bound the newest below the upper one are wanted.
        let newest = history.after.is_none();
        let entries = nightjar_domain::read::entries(ctx.rows, id, after, before, limit, newest)?;
        Ok((entries, conversation.head().min(upto)))
    }
}
