//! Open work: what members of a user lane may be owed in a conversation.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use nightjar_domain::{Missing, WorkRow};
use nightjar_model::{
    ConnId, ConversationId, Delivery, DeviceId, Entry, EntryKind, Lane, Notice, PushClass, Seq,
    SharedPackets, Step, Uid, WallMs,
};
use nightjar_push::{class_for, class_of};

use crate::node::{Ctx, Node};

/// Wake-ups after which a call stops: a large group takes turns with everybody else. A connection
/// that is woken costs tens of microseconds, so this is about a millisecond.
const WAKES_A_TURN: u64 = 32;
/// A call looks at this part of the ready lanes at least, so that a long list is done with in so
/// many calls however slow the disk is that they wait for.
const TURNS_A_LIST_MAX: usize = 64;
/// Entries looked at in one go; the rest of a long backlog follows in the next turn.
const ENTRIES_A_LOOK_MAX: usize = 256;
/// Sends whose connection is remembered, so that it gets no delivery of its own message.
const SENDERS_MAX: usize = 256;

/// One open work row, written once when it opens, and what memory adds to it.
#[derive(Debug)]
pub(crate) struct OpenWork {
    from: Seq,
    head: Seq,
    /// Entries up to here were delivered and their debts opened.
    looked: Seq,
    senders: VecDeque<(Seq, ConnId)>,
    /// The store has a row of it.
    pub(crate) is_stored: bool,
    /// It waits in the ready list.
    pub(crate) is_queued: bool,
    /// Of an earlier process, and not looked at yet: devices may also be owed withdrawals.
    is_reopened: bool,
}

impl OpenWork {
    pub(crate) fn new(from: Seq) -> Self {
        Self {
            from,
            head: from,
            looked: from - 1,
            senders: VecDeque::new(),
            is_stored: false,
            is_queued: false,
            is_reopened: false,
        }
    }

    pub(crate) fn reopened(row: WorkRow) -> Self {
        Self {
            is_stored: true,
            is_queued: true,
            is_reopened: true,
            head: row.head,
            ..Self::new(row.from.max(1))
        }
    }

    pub(crate) fn grow(&mut self, head: Seq, sender: Option<ConnId>) {
        self.head = head;
        if let Some(conn) = sender {
            self.senders.push_back((head, conn));
            if self.senders.len() > SENDERS_MAX {
                self.senders.pop_front();
            }
        }
    }

    pub(crate) fn row(&self, lane: Lane, conversation: &ConversationId) -> WorkRow {
        WorkRow { lane, conversation: conversation.clone(), from: self.from, head: self.head }
    }

    fn sent_by(&self, seq: Seq, conn: ConnId) -> bool {
        self.senders.iter().any(|sender| *sender == (seq, conn))
    }
}

/// An entry as a look sees it: with the author of what a recall takes back, and encoded once.
pub(crate) struct Fresh {
    pub(crate) entry: Arc<Entry>,
    recalled_from: Option<Uid>,
    /// How urgent it is to who is not mentioned.
    class: PushClass,
    packets: SharedPackets,
}

impl Node {
    /// Looks at ready work, a few lanes at a time.
    pub(crate) fn work_off(&mut self, ctx: Ctx<'_>) -> Result<(), Missing> {
        let enough = self.stats.deliveries + WAKES_A_TURN;
        let lanes_min = self.ready.len() / TURNS_A_LIST_MAX;
        let mut lanes = 0;
        while self.stats.deliveries < enough || lanes < lanes_min {
            let Some((lane, id)) = self.ready.front().cloned() else { return Ok(()) };
            self.takes_room = true;
            lanes += 1;
            self.look_at(ctx, lane, &id)?;
            self.ready.pop_front();
            if let Some(work) = self.work.get_mut(&(lane, id.clone())) {
                work.is_queued = work.looked < work.head;
                if work.is_queued {
                    self.ready.push_back((lane, id));
                }
            }
        }
        Ok(())
    }

    /// Wakes the devices of the lane's members and opens what they are owed.
    pub(crate) fn look_at(
        &mut self,
        ctx: Ctx<'_>,
        lane: Lane,
        id: &ConversationId,
    ) -> Result<(), Missing> {
        let key = (lane, id.clone());
        if !self.with_conversation(ctx, id)? {
            self.work.remove(&key);
            return Ok(());
        }
        let Some(work) = self.work.get_mut(&key) else { return Ok(()) };
        // A row of an earlier process is older than the messages that came while it was open.
        work.head = self.conversations[id].head();
        let (looked, head) = (work.looked, work.head);
        let fresh = self.fresh_entries(ctx, id, looked, head)?;
        let members: Vec<Uid> = self.conversations[id].members_in(lane).cloned().collect();
        for uid in &members {
            self.with_user(ctx, uid)?;
        }
        let last = fresh.last().map_or(head, |fresh| fresh.entry.seq);
        for uid in &members {
            self.catch_up(ctx, uid, id, &fresh)?;
            self.wake(ctx, uid, id, &fresh, &key);
            self.open_debts(ctx, uid, id, &fresh)?;
        }
        let is_reopened = self.work.get(&key).is_some_and(|work| work.is_reopened);
        for uid in members.iter().filter(|_| is_reopened) {
            self.withdraw_again(ctx, uid, id)?;
        }
        if let Some(work) = self.work.get_mut(&key) {
            work.looked = last;
            work.is_reopened = false;
            work.senders.retain(|(seq, _)| *seq > last);
        }
        self.flush.work(key.0, key.1);
        self.flush.plan(ctx.now);
        Ok(())
    }

    fn fresh_entries(
        &self,
        ctx: Ctx<'_>,
        id: &ConversationId,
        after: Seq,
        head: Seq,
    ) -> Result<Vec<Fresh>, Missing> {
        let conversation = &self.conversations[id];
        let entries = conversation.entries_after(ctx.rows, after, ENTRIES_A_LOOK_MAX)?;
        let members = conversation.size();
        let mut fresh = Vec::with_capacity(entries.len());
        for entry in entries.into_iter().filter(|entry| entry.seq <= head) {
            let recalled_from = match entry.kind {
                EntryKind::Recall { target } => {
                    conversation.entry(ctx.rows, target)?.map(|target| target.from.clone())
                }
                _ => None,
            };
            let class = class_of(&entry, members);
            let packets = SharedPackets::default();
            fresh.push(Fresh { entry, recalled_from, class, packets });
        }
        Ok(fresh)
    }

    /// Brings the user's place and badge up to the entries.
    fn catch_up(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
        fresh: &[Fresh],
    ) -> Result<(), Missing> {
        let (Some(user), Some(conversation)) =
            (self.users.get_mut(uid), self.conversations.get(id))
        else {
            return Ok(());
        };
        user.enter(ctx.rows, conversation, &mut self.changes)?;
        for fresh in fresh {
            user.apply(&fresh.entry, fresh.recalled_from.as_ref());
        }
        Ok(())
    }

    /// Hands the entries to the user's connections.
    fn wake(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
        fresh: &[Fresh],
        key: &(Lane, ConversationId),
    ) {
        let Some(user) = self.users.get(uid) else { return };
        let Some(place) = user.place(id) else { return };
        let work = &self.work[key];
        for device in user.devices.values() {
            let Some(link) = &device.link else { continue };
            for fresh in fresh {
                let entry = &fresh.entry;
                if !place.sees(entry.seq) || work.sent_by(entry.seq, link.conn) {
                    continue;
                }
                let delivery = Delivery {
                    entry: Arc::clone(entry),
                    alert: entry.seq > place.row.read && self.is_news(uid, entry, ctx.now.wall),
                    pushed: device.was_pushed(id, entry.seq),
                    packets: fresh.packets.clone(),
                };
                self.stats.deliveries += 1;
                self.effects.push(crate::Effect::Notice {
                    conn: link.conn,
                    notice: Notice::Wake(delivery),
                });
                let device_id = device.row.device_id.clone();
                self.recorder.step(
                    ctx.now.wall,
                    (uid, id),
                    Some(device_id),
                    (entry.seq, entry.seq),
                    Step::Delivered,
                    None,
                );
            }
        }
    }

    /// Opens the debts of the user's devices, and says so where they are due at once.
    fn open_debts(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
        fresh: &[Fresh],
    ) -> Result<(), Missing> {
        let hushed = self.hushed(uid, id, fresh);
        let Some(user) = self.users.get_mut(uid) else { return Ok(()) };
        let Some(place) = user.place(id) else { return Ok(()) };
        let (joined, read) = (place.row.joined, place.row.read);
        let is_news =
            |entry: &Entry| entry.is_alertable() && entry.from != *uid && place.sees(entry.seq);
        let news: Vec<(Seq, PushClass, WallMs)> = fresh
            .iter()
            .filter(|fresh| is_news(&fresh.entry))
            .map(|Fresh { entry, class, .. }| (entry.seq, class_for(*class, entry, uid), entry.at))
            .collect();
        let recalled: Vec<Seq> = fresh
            .iter()
            .filter_map(|fresh| match fresh.entry.kind {
                EntryKind::Recall { target } => Some(target),
                _ => None,
            })
            .collect();
        let mut owed: Vec<DeviceId> = Vec::new();
        for device in user.devices.values_mut() {
            if device.row.signed_out {
                continue;
            }
            let settled = device.settled(id, joined, read);
            for (seq, class, at) in news.iter().filter(|(seq, ..)| *seq > settled) {
                // A wait to be read began with the message, also when it is of a process before.
                let waits_to_be_read = device.unread_wait_ms.is_some();
                let since = if waits_to_be_read { ctx.now.mono_of(*at) } else { ctx.now.mono };
                device.owe(id, (*seq, *class), since);
            }
            owed.push(device.row.device_id.clone());
        }
        if owed.is_empty() {
            let places: Vec<Seq> = news.iter().map(|(seq, ..)| *seq).collect();
            self.nobody_home(ctx, uid, id, &places)?;
        }
        for device_id in &owed {
            self.rearm(ctx, uid, device_id)?;
            if !recalled.is_empty() {
                self.withdraw_places(ctx, uid, device_id, id, &recalled)?;
                self.withdraw_shared(ctx, uid, device_id, id, &recalled)?;
            }
        }
        self.tell_hushed(ctx, uid, id, &hushed);
        Ok(())
    }

    /// A user without any device: nothing can be pushed, the back end is told. The trace needs no
    /// row for it, or a message would cost one for each such member (`Node::nobody_was_home`).
    fn nobody_home(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
        news: &[Seq],
    ) -> Result<(), Missing> {
        let (Some(first), Some(last)) = (news.first(), news.last()) else { return Ok(()) };
        self.say_offline(ctx, uid, id, None, (*first, *last))
    }

    /// A device of the lane is owed a withdrawal: the work row that says so is in the commit of
    /// what it is owed for, so that the next process tells it if this one does not come to it.
    pub(crate) fn keep_work(&mut self, lane: Lane, id: &ConversationId) {
        let Some(conversation) = self.conversations.get(id) else { return };
        let head = conversation.head();
        let key = (lane, id.clone());
        let work = self.work.entry(key).or_insert_with(|| OpenWork {
            head,
            looked: head,
            ..OpenWork::new(head + 1)
        });
        if !work.is_stored {
            work.is_stored = true;
            self.changes.put(nightjar_domain::Row::Work(work.row(lane, id)));
        }
    }

    /// Removes work whose debts are all closed, in the commit that writes the cursors.
    pub(crate) fn close_done_work(&mut self, lane: Lane, maybe_done: BTreeSet<ConversationId>) {
        for key in maybe_done.into_iter().map(|id| (lane, id)) {
            let Some(work) = self.work.get(&key) else { continue };
            if work.looked < work.head || !self.is_done(&key) {
                continue;
            }
            if work.is_stored {
                self.changes.delete(nightjar_domain::Key::Work(key.0, key.1.clone()));
            }
            self.work.remove(&key);
            if let Some(conversation) = self.conversations.get_mut(&key.1) {
                conversation.trim();
            }
        }
    }

    /// Whether the lane of this user has looked at the entry.
    pub(crate) fn has_looked(&self, uid: &Uid, id: &ConversationId, seq: Seq) -> bool {
        let work = self.work.get(&(Lane::of_user(uid), id.clone()));
        work.is_none_or(|work| work.looked >= seq)
    }

    fn is_done(&self, key: &(Lane, ConversationId)) -> bool {
        let Some(conversation) = self.conversations.get(&key.1) else { return true };
        conversation.members_in(key.0).filter_map(|uid| self.users.get(uid)).all(|user| {
            user.devices.values().all(|device| {
                let withdraws = device.withdrawing.values().any(|(id, _)| *id == key.1);
                !device.owes(&key.1) && !withdraws
            })
        })
    }
}
