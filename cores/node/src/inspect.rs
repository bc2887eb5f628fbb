//! What operators ask: devices, unread, members, traces, events, outcomes.

use nightjar_domain::{EventCursorRow, Key, Missing, Row, Scan, Stop, read};
use nightjar_model::{
    ConversationId, DeviceView, Entry, GroupId, MessageId, Reject, Reply, Seq, Step, TraceEvent,
    Uid, UnreadView, WallMs, limits,
};

use crate::node::{Ctx, Node};
use crate::record::{NO_DEVICE, last_outcome};

/// Trace rows looked through for one message.
const TRACE_LOOKED_MAX: usize = 4_096;
/// Clocks of a step and of its message may differ by so much.
const TRACE_SLACK_MS: u64 = 1_000;

impl Node {
    pub(crate) fn devices(&mut self, ctx: Ctx<'_>, uid: &Uid) -> Result<Reply, Stop> {
        let user = self.with_user(ctx, uid)?;
        let views = user.devices.values().map(|device| DeviceView {
            device_id: device.row.device_id.clone(),
            platform: device.row.platform,
            app_state: device.app_state(),
            since: device.state_since,
            bindings: device
                .bindings
                .iter()
                .map(|binding| (binding.key.clone(), shorten(binding.token.expose())))
                .collect(),
            debts: device.debts().count() as u64,
        });
        Ok(Reply::Devices(views.collect()))
    }

    pub(crate) fn unread(&mut self, ctx: Ctx<'_>, uid: &Uid) -> Result<Reply, Stop> {
        self.with_user(ctx, uid)?;
        let user = self.users.get_mut(uid).expect("it was loaded above");
        let (total, bv) = user.badge(&mut self.changes);
        let open: Vec<(ConversationId, u64)> = user
            .places()
            .filter(|place| place.unread() > 0)
            .map(|place| (place.row.conversation.clone(), place.unread()))
            .collect();
        let mut conversations = Vec::with_capacity(open.len());
        for (id, unread) in open {
            let mentions = self.mentions(ctx, uid, &id)?;
            conversations.push((id, unread, mentions));
        }
        Ok(Reply::Unread(UnreadView { total, bv, conversations }))
    }

    /// Members of a group, or what changed; for a user only if they are one.
    pub(crate) fn members(
        &mut self,
        ctx: Ctx<'_>,
        viewer: Option<&Uid>,
        group: &GroupId,
        since: Option<&str>,
    ) -> Result<Reply, Stop> {
        let id = ConversationId::group(group);
        if !self.with_conversation(ctx, &id)? {
            return Err(Reject::UnknownGroup.into());
        }
        let conversation = &self.conversations[&id];
        if viewer.is_some_and(|uid| !conversation.is_member(uid)) {
            return Err(Reject::NotMember.into());
        }
        Ok(Reply::Members(conversation.members_since(since)?))
    }

    /// The recorded life of a message for one user.
    pub(crate) fn trace(
        &mut self,
        ctx: Ctx<'_>,
        message_id: MessageId,
        uid: &Uid,
    ) -> Result<Reply, Stop> {
        let row = read::message(ctx.rows, message_id)?.ok_or(Reject::UnknownMessage)?;
        let (id, seq) = (row.conversation, row.seq);
        if !self.with_conversation(ctx, &id)? {
            return Err(Reject::UnknownMessage.into());
        }
        let sight = self.conversations[&id].visible(uid).ok_or(Reject::UnknownMessage)?;
        if seq <= sight.0 || seq > sight.1 {
            return Err(Reject::UnknownMessage.into());
        }
        let entry = read::entry(ctx.rows, &id, seq)?.ok_or(Reject::UnknownMessage)?;
        let mut events = vec![TraceEvent {
            at: entry.at,
            device_id: None,
            step: Step::Accepted,
            reason: None,
            detail: Some(format!("{id} #{seq}")),
        }];
        events.extend(self.trace_rows(ctx, None, &id, seq, entry.at)?);
        let of_user = self.trace_rows(ctx, Some(uid.clone()), &id, seq, entry.at)?;
        if of_user.is_empty() && self.nobody_was_home(uid, &entry, &events) {
            events.push(TraceEvent {
                at: entry.at,
                device_id: None,
                step: Step::Decided,
                reason: Some(NO_DEVICE.into()),
                detail: None,
            });
        }
        events.extend(of_user);
        // Nothing that follows from a message happens before it is safe, however early it was
        // decided; and a row of several entries has the time of its first step.
        let committed = events.iter().find(|event| event.step == Step::Committed);
        let safe_at = committed.map_or(entry.at, |event| event.at.max(entry.at));
        for event in events.iter_mut().skip(1) {
            event.at = event.at.max(safe_at);
        }
        events.sort_by_key(|event| (event.at, event.step));
        Ok(Reply::Trace(events))
    }

    /// Every device of a member leaves steps. A member whose lane has looked and who has none had
    /// no device then; a message as old as that its commit is not in the trace any more tells
    /// nothing.
    fn nobody_was_home(&self, uid: &Uid, entry: &Entry, of_all: &[TraceEvent]) -> bool {
        entry.is_alertable()
            && entry.from != *uid
            && of_all.iter().any(|event| event.step == Step::Committed)
            && self.has_looked(uid, &entry.conversation, entry.seq)
    }

    fn trace_rows(
        &self,
        ctx: Ctx<'_>,
        uid: Option<Uid>,
        id: &ConversationId,
        seq: Seq,
        at: WallMs,
    ) -> Result<Vec<TraceEvent>, Missing> {
        let scan = Scan::Trace {
            uid: uid.clone(),
            conversation: id.clone(),
            from: WallMs(at.0.saturating_sub(TRACE_SLACK_MS)),
            limit: TRACE_LOOKED_MAX,
        };
        let stored = ctx.rows.scan(&scan)?.into_iter().filter_map(|row| match row {
            Row::Trace(row) => Some(row),
            _ => None,
        });
        let waiting = self.recorder.waiting(uid.as_ref(), id).cloned();
        Ok(stored
            .chain(waiting)
            .filter(|row| (row.from..=row.to).contains(&seq))
            .map(|row| TraceEvent {
                at: row.at,
                device_id: row.device_id,
                step: row.step,
                reason: row.reason,
                detail: row.detail,
            })
            .collect())
    }

    /// What providers answered, the oldest kept first.
    pub(crate) fn outcomes(
        &mut self,
        ctx: Ctx<'_>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Reply, Stop> {
        let limit = limit.clamp(1, limits::PAGE_MAX);
        let after = match after {
            Some(after) => after,
            None => last_outcome(ctx.rows)?.saturating_sub(limit as u64),
        };
        let scan = Scan::Outcomes { after, limit };
        let rows = ctx.rows.scan(&scan)?.into_iter().filter_map(|row| match row {
            Row::Outcome(row) => Some((row.number, row.json)),
            _ => None,
        });
        Ok(Reply::Outcomes(rows.collect()))
    }

    /// What was counted of each credential, by day.
    pub(crate) fn statistics(
        &mut self,
        ctx: Ctx<'_>,
        from: u32,
        limit: usize,
    ) -> Result<Reply, Stop> {
        let limit = limit.clamp(1, limits::STATISTICS_MAX);
        Ok(Reply::Statistics(self.recorder.statistics.from(ctx.rows, from, limit)?))
    }

    pub(crate) fn events(&mut self, ctx: Ctx<'_>, after: u64, limit: usize) -> Result<Reply, Stop> {
        let scan = Scan::Events { after, limit: limit.clamp(1, limits::PAGE_MAX) };
        let rows = ctx.rows.scan(&scan)?.into_iter().filter_map(|row| match row {
            Row::Event(row) => Some((row.number, row.json)),
            _ => None,
        });
        Ok(Reply::Events(rows.collect()))
    }

    pub(crate) fn event_cursor(&mut self, ctx: Ctx<'_>, receiver: String) -> Result<Reply, Stop> {
        let row = ctx.rows.load(&Key::EventCursor(receiver))?;
        Ok(Reply::EventCursor(row.map_or(0, |row| match row {
            Row::EventCursor(row) => row.number,
            _ => 0,
        })))
    }

    /// The receiver took events: a crash repeats some of them, never skips one.
    pub(crate) fn events_taken(&mut self, receiver: String, number: u64) -> Result<Reply, Stop> {
        self.changes.put(Row::EventCursor(EventCursorRow { receiver, number }));
        Ok(Reply::Done)
    }
}

/// Enough of a token to tell two apart.
fn shorten(token: &str) -> String {
    let head: String = token.chars().take(6).collect();
    format!("{head}…")
}
