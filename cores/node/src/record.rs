//! What is written down about what happened: the trace, and events for the back end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightjar_domain::{Changes, EventRow, Key, Missing, OutcomeRow, Row, Rows, Scan, TraceRow};
use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    BindingKey, ConversationId, DeviceId, Entry, MessageId, Now, Seq, Step, Uid, WallMs, limits,
};
use nightjar_push::{Answer, SilentReason};
use serde_json::{Value, json};

use crate::alert::InFlight;
use crate::statistics::Statistics;

/// Rows this close together are one row if they continue each other.
const MERGE_MS: u64 = 50;
/// Why a user who has no device stayed silent.
pub(crate) const NO_DEVICE: &str = "no_device";
/// Turns whose safety is not known yet.
const TURNS_MAX: usize = 4_096;

/// Entries of a conversation, as a closed range.
type Accepted = (ConversationId, Seq, Seq);
/// What the rows that may continue each other have in common.
type Thread = (ConversationId, Option<Uid>, Option<DeviceId>, Step);

/// Steps and events, gathered until the next flush.
#[derive(Debug)]
pub(crate) struct Recorder {
    rows: BTreeMap<u64, TraceRow>,
    /// Those rows by thread.
    threads: BTreeSet<(Thread, u64)>,
    events: Vec<EventRow>,
    wants_events: bool,
    next_event: u64,
    outcomes: Vec<OutcomeRow>,
    pub(crate) statistics: Statistics,
    next_outcome: u64,
    next_row: u64,
    /// Entries accepted in the current turn, and those of turns not known to be safe.
    accepted: Vec<Accepted>,
    unsafe_turns: VecDeque<(u64, Vec<Accepted>)>,
}

/// What the row may continue.
fn thread(row: &TraceRow) -> Thread {
    (row.conversation.clone(), row.uid.clone(), row.device_id.clone(), row.step)
}

impl Recorder {
    pub(crate) fn open(
        rows: &dyn Rows,
        changes: &mut Changes,
        wants_events: bool,
        now: Now,
    ) -> Result<Self, Missing> {
        let last = rows.scan(&Scan::LastEvent)?.into_iter().next();
        let last = last.map_or(0, |row| match row {
            Row::Event(row) => row.number,
            _ => 0,
        });
        Ok(Self {
            rows: BTreeMap::new(),
            threads: BTreeSet::new(),
            events: Vec::new(),
            outcomes: Vec::new(),
            next_outcome: last_outcome(rows)? + 1,
            statistics: Statistics::open(rows, changes, now.wall)?,
            wants_events,
            next_event: last + 1,
            // Rows of two processes never share a key, even within one millisecond.
            next_row: now.wall.0 << 20,
            accepted: Vec::new(),
            unsafe_turns: VecDeque::new(),
        })
    }

    pub(crate) fn wants_events(&self) -> bool {
        self.wants_events
    }

    pub(crate) fn want_events(&mut self, is_wanted: bool) {
        self.wants_events = is_wanted;
    }

    /// The number of the newest event; 0 before any.
    pub(crate) fn last_event(&self) -> u64 {
        self.next_event - 1
    }

    /// Steps of the trace wait for the next flush.
    pub(crate) fn has_rows(&self) -> bool {
        !self.rows.is_empty() || !self.outcomes.is_empty() || self.statistics.is_dirty()
    }

    /// How many rows are not written yet.
    pub(crate) fn waiting_rows(&self) -> usize {
        self.rows.len()
    }

    /// Rows not written yet.
    pub(crate) fn waiting<'a>(
        &'a self,
        uid: Option<&'a Uid>,
        id: &'a ConversationId,
    ) -> impl Iterator<Item = &'a TraceRow> + 'a {
        self.rows.values().filter(move |row| row.uid.as_ref() == uid && row.conversation == *id)
    }

    /// Moves the first gathered steps into the next commit.
    pub(crate) fn write_steps(&mut self, changes: &mut Changes, steps_max: usize) {
        for _ in 0..steps_max {
            let Some((n, row)) = self.rows.pop_first() else { break };
            self.threads.remove(&(thread(&row), n));
            changes.put(Row::Trace(row));
        }
        self.statistics.write(changes);
        let count = steps_max.min(self.outcomes.len());
        for row in self.outcomes.drain(..count) {
            if let Some(oldest) = row.number.checked_sub(limits::OUTCOMES_KEPT) {
                changes.delete(Key::Outcome(oldest));
            }
            changes.put(Row::Outcome(row));
        }
    }

    /// Moves the gathered steps of one device in a conversation into the next commit, which holds
    /// how far it is: a crash must not keep that and forget why.
    pub(crate) fn write_steps_of(
        &mut self,
        changes: &mut Changes,
        (uid, device_id): (&Uid, &DeviceId),
        id: &ConversationId,
    ) {
        let thread = |step| (id.clone(), Some(uid.clone()), Some(device_id.clone()), step);
        let of_device = (thread(Step::Accepted), 0)..=(thread(Step::Clicked), u64::MAX);
        let numbers: Vec<_> = self.threads.range(of_device).cloned().collect();
        for key in numbers {
            self.threads.remove(&key);
            if let Some(row) = self.rows.remove(&key.1) {
                changes.put(Row::Trace(row));
            }
        }
    }

    /// Moves events into the commit of what they tell, so that a crash leaves both or neither;
    /// answers whether there are any.
    pub(crate) fn write_events(&mut self, changes: &mut Changes) -> bool {
        let has_events = !self.events.is_empty();
        for row in self.events.drain(..) {
            if let Some(oldest) = row.number.checked_sub(limits::EVENTS_KEPT) {
                changes.delete(Key::Event(oldest));
            }
            changes.put(Row::Event(row));
        }
        has_events
    }

    /// One step of a range of entries, for one user.
    pub(crate) fn step(
        &mut self,
        at: WallMs,
        scope: (&Uid, &ConversationId),
        device_id: Option<DeviceId>,
        range: (Seq, Seq),
        step: Step,
        reason: Option<&str>,
    ) {
        self.step_with(at, scope, device_id, range, step, reason.map(str::to_owned), None);
    }

    #[allow(clippy::too_many_arguments, reason = "one row of the trace, field by field")]
    pub(crate) fn step_with(
        &mut self,
        at: WallMs,
        (uid, id): (&Uid, &ConversationId),
        device_id: Option<DeviceId>,
        (from, to): (Seq, Seq),
        step: Step,
        reason: Option<String>,
        detail: Option<String>,
    ) {
        self.push(TraceRow {
            uid: Some(uid.clone()),
            conversation: id.clone(),
            at,
            n: 0,
            device_id,
            from,
            to,
            step,
            reason,
            detail,
        });
    }

    fn push(&mut self, mut row: TraceRow) {
        if row.step == Step::Provider && Sabotage::TraceStepMissing.is_on() {
            return;
        }
        let key = (thread(&row), u64::MAX);
        let newest = self.threads.range(..=&key).next_back().filter(|newest| newest.0 == key.0);
        if let Some(last) = newest.and_then(|(_, n)| self.rows.get_mut(n))
            && last.to + 1 == row.from
            && row.at.0.saturating_sub(last.at.0) <= MERGE_MS
            && (&last.reason, &last.detail) == (&row.reason, &row.detail)
        {
            last.to = row.to;
            return;
        }
        row.n = self.next_row;
        self.next_row += 1;
        self.threads.insert((key.0, row.n));
        self.rows.insert(row.n, row);
    }

    /// An entry waits for its commit to be safe.
    pub(crate) fn accepted(&mut self, entry: &Entry) {
        match self.accepted.last_mut() {
            Some((id, _, to)) if *id == entry.conversation && *to + 1 == entry.seq => {
                *to = entry.seq;
            }
            _ => self.accepted.push((entry.conversation.clone(), entry.seq, entry.seq)),
        }
    }

    pub(crate) fn end_turn(&mut self, turn: u64) {
        if !self.accepted.is_empty() && self.unsafe_turns.len() < TURNS_MAX {
            self.unsafe_turns.push_back((turn, std::mem::take(&mut self.accepted)));
        }
        self.accepted.clear();
    }

    /// Everything up to this turn is on stable storage.
    pub(crate) fn safe(&mut self, turn: u64, at: WallMs) {
        while self.unsafe_turns.front().is_some_and(|(number, _)| *number <= turn) {
            let Some((_, entries)) = self.unsafe_turns.pop_front() else { return };
            for (conversation, from, to) in entries {
                self.push(TraceRow {
                    uid: None,
                    conversation,
                    at,
                    n: 0,
                    device_id: None,
                    from,
                    to,
                    step: Step::Committed,
                    reason: None,
                    detail: None,
                });
            }
        }
    }

    fn event(&mut self, kind: &str, at: WallMs, data: Value) {
        if !self.wants_events {
            return;
        }
        let number = self.next_event;
        self.next_event += 1;
        let id = format!("evt_{number}");
        let json = json!({"id": id, "type": kind, "at": at.0, "data": data}).to_string();
        self.events.push(EventRow { number, json });
    }

    /// A message exists.
    pub(crate) fn created(&mut self, entry: &Entry) {
        if self.wants_events {
            self.event("message.created", entry.at, message_json(entry));
        }
    }

    /// A debt fell due.
    pub(crate) fn offline(
        &mut self,
        entry: &Entry,
        uid: &Uid,
        device_id: Option<&DeviceId>,
        at: WallMs,
    ) {
        let devices: Vec<&str> = device_id.map(DeviceId::as_str).into_iter().collect();
        let data = json!({
            "message": message_json(entry),
            "uids": [uid.as_str()],
            "devices": devices,
        });
        self.event("message.offline", at, data);
        if device_id.is_none() {
            let place = (&entry.conversation, entry.seq, Some(entry.message_id));
            let why = (SilentReason::NoBinding.established(), NO_DEVICE);
            self.silent((uid, None), place, None, why, at);
        }
    }

    /// Nobody takes a push of a message for a device.
    pub(crate) fn unreachable(
        &mut self,
        entry: &Entry,
        (uid, device_id): (&Uid, &DeviceId),
        reason: &str,
        at: WallMs,
    ) {
        if self.wants_events {
            let data = json!({
                "message": message_json(entry),
                "uids": [uid.as_str()],
                "devices": [device_id.as_str()],
                "reason": reason,
            });
            self.event("message.unreachable", at, data);
        }
    }

    /// A device connected or is gone.
    pub(crate) fn presence(&mut self, uid: &Uid, device_id: &DeviceId, online: bool, at: WallMs) {
        let kind = if online { "user.online" } else { "user.offline" };
        self.event(kind, at, json!({"uid": uid.as_str(), "device_id": device_id.as_str()}));
    }

    /// A device was kicked.
    pub(crate) fn kicked(&mut self, uid: &Uid, device_id: &DeviceId, reason: &str, at: WallMs) {
        let data = json!({
            "uid": uid.as_str(), "device_id": device_id.as_str(), "reason": reason,
        });
        self.event("device.kicked", at, data);
    }

    /// A token is another device's now.
    pub(crate) fn token_moved(&mut self, uid: &Uid, device_id: &DeviceId, key: &BindingKey) {
        let data = json!({
            "uid": uid.as_str(), "device_id": device_id.as_str(),
            "provider": key.provider, "credential": key.credential,
        });
        self.event("token.moved", WallMs(self.next_row >> 20), data);
    }

    /// A provider answered.
    pub(crate) fn outcome(&mut self, flight: &InFlight, answer: &Answer, at: WallMs) {
        let mut data = json!({
            "at": at.0,
            "message_id": flight.message_id.map(|id| id.to_string()),
            "conversation": flight.conversation.as_str(),
            "seq": flight.seq,
            "uid": flight.key.uid.as_str(),
            "device_id": flight.key.device_id.as_str(),
            "provider": flight.binding.key.provider,
            "credential": flight.binding.key.credential,
            "outcome": answer.outcome.as_str(),
            "reason": answer.reason,
            "vendor": answer.vendor,
        });
        if flight.message_id.is_some() {
            self.statistics.answered(&flight.binding.key, answer, at);
        }
        let number = self.next_outcome;
        self.next_outcome += 1;
        self.outcomes.push(OutcomeRow { number, json: data.to_string() });
        if let Some(name) = answer.outcome.established() {
            data["established"] = name.into();
        }
        self.event("push.outcome", at, data);
    }

    /// Somebody was to be told and was not. The reason is the name apps already know, where there
    /// is one, and `silence` is ours.
    pub(crate) fn silent(
        &mut self,
        (uid, device_id): (&Uid, Option<&DeviceId>),
        (id, seq, message_id): (&ConversationId, Seq, Option<MessageId>),
        binding: Option<&BindingKey>,
        (established, silence): (Option<&str>, &str),
        at: WallMs,
    ) {
        let data = json!({
            "at": at.0,
            "message_id": message_id.map(|id| id.to_string()),
            "conversation": id.as_str(),
            "seq": seq,
            "uid": uid.as_str(),
            "device_id": device_id.map(DeviceId::as_str),
            "provider": binding.map(|key| &key.provider),
            "credential": binding.map(|key| &key.credential),
            "outcome": "silent",
            "reason": established.unwrap_or(silence),
            "silence": silence,
            "vendor": "",
        });
        self.event("push.outcome", at, data);
    }
}

/// The number of the newest answer that is written; 0 before any.
pub(crate) fn last_outcome(rows: &dyn Rows) -> Result<u64, Missing> {
    let last = rows.scan(&Scan::LastOutcome)?.into_iter().next();
    Ok(last.map_or(0, |row| match row {
        Row::Outcome(row) => row.number,
        _ => 0,
    }))
}

fn message_json(entry: &Entry) -> Value {
    let content: Value = serde_json::from_slice(&entry.content).unwrap_or(Value::Null);
    json!({
        "message_id": entry.message_id.to_string(),
        "conversation": entry.conversation.as_str(),
        "seq": entry.seq,
        "from": entry.from.as_str(),
        "client_msg_id": entry.client_msg_id.as_str(),
        "at": entry.at.0,
        "content": content,
    })
}
