//! One device of a user: what it has, what it is owed, and how long it may stay silent.

use std::collections::{BTreeMap, VecDeque};

use nightjar_model::{
    AppState, Binding, BindingKey, ConversationId, DeviceId, DueReason, Mono, NotificationId,
    Platform, PushClass, PushSettings, Seq, Uid, WallMs, limits,
};

use crate::link::{Deadlines, Link, Reach, Told};
use crate::ranges;
use crate::rows::{CursorRow, DeviceRow};

/// Runs of a debt with a commit time of their own. Beyond it the newest run's time counts, which
/// is earlier than the truth.
const RUNS_MAX: usize = 64;
/// Messages committed this close together fall due together.
const RUN_MS: u64 = 50;
/// Notifications being taken back at a time.
const WITHDRAWING_MAX: usize = 256;

/// A device of a user.
#[derive(Debug)]
pub struct Device {
    /// What is stored.
    pub row: DeviceRow,
    /// Where it can be pushed, best first.
    pub bindings: Vec<Binding>,
    /// Its connection, if any.
    pub link: Option<Link>,
    /// When the state that operators see began.
    pub state_since: WallMs,
    /// The deadline that is armed for it.
    pub timer: Option<Mono>,
    /// What it showed is owed on until it is read, and pushed after so long; `None` is not.
    pub unread_wait_ms: Option<u64>,
    /// Notifications it was asked to take back and has not confirmed.
    pub withdrawing: BTreeMap<NotificationId, (ConversationId, Seq)>,
    /// When it may be sent its whole budget of pushes without an alert again.
    pub quiet_spent_until: Mono,
    cursors: BTreeMap<ConversationId, Cursor>,
    debts: BTreeMap<ConversationId, Debt>,
}

#[derive(Debug)]
struct Cursor {
    row: CursorRow,
    is_dirty: bool,
}

/// Alertable entries of a conversation that are neither shown, read, pushed nor silenced.
#[derive(Debug)]
struct Debt {
    /// `(first place, when it was committed)` of runs, ascending.
    runs: VecDeque<(Seq, Mono)>,
    last: Seq,
    /// Up to here it was said that they fell due.
    said: Seq,
    /// Why they did.
    reason: DueReason,
    /// The most urgent of them.
    class: PushClass,
}

impl Debt {
    /// The last place of a run.
    fn ends(&self, at: usize) -> Seq {
        self.runs.get(at + 1).map_or(self.last, |(first, _)| first - 1)
    }

    /// When the first entry above a place was committed.
    fn committed_above(&self, seq: Seq) -> Option<Mono> {
        let at = (0..self.runs.len()).find(|at| self.ends(*at) > seq)?;
        Some(self.runs[at].1)
    }
}

impl Device {
    /// A device as it is stored, without a connection.
    #[must_use]
    pub fn new(row: DeviceRow) -> Self {
        Self {
            state_since: row.seen_at,
            row,
            bindings: Vec::new(),
            link: None,
            timer: None,
            unread_wait_ms: None,
            withdrawing: BTreeMap::new(),
            quiet_spent_until: Mono(0),
            cursors: BTreeMap::new(),
            debts: BTreeMap::new(),
        }
    }

    /// A device nobody has seen before.
    #[must_use]
    pub fn fresh(uid: &Uid, id: &DeviceId, platform: Option<Platform>, now: WallMs) -> Self {
        Self::new(DeviceRow {
            uid: uid.clone(),
            device_id: id.clone(),
            platform,
            created_at: now,
            seen_at: now,
            session: String::new(),
            resume_hash: Vec::new(),
            signed_out: false,
            tokens_valid_from: WallMs(0),
            push_if_unread_after_s: None,
        })
    }

    /// Takes a stored cursor.
    pub fn restore_cursor(&mut self, row: CursorRow) {
        self.cursors.insert(row.conversation.clone(), Cursor { row, is_dirty: false });
    }

    /// Takes what its user chose of what it showed and nobody read; where they chose nothing, the
    /// device's own wait holds.
    pub fn choose_unread_wait(&mut self, settings: &PushSettings) {
        self.unread_wait_ms = settings.unread_wait_ms(self.row.push_if_unread_after_s);
    }

    /// What the server believes of its app.
    #[must_use]
    pub fn app_state(&self) -> AppState {
        self.link.as_ref().map_or(AppState::Offline, Link::app_state)
    }

    /// Whether it answers at the moment.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.reach == Reach::Live)
    }

    /// Whether its app told that this conversation is open on the screen.
    #[must_use]
    pub fn has_open(&self, conversation: &ConversationId) -> bool {
        let told = self.link.as_ref().map(|link| &link.told);
        matches!(told, Some(Told::Foreground(Some(open))) if open == conversation)
    }

    /// Adds or replaces a binding; the last one bound is preferred. Answers the bindings that had
    /// to make room.
    pub fn bind(&mut self, binding: Binding) -> Vec<Binding> {
        let mut gone = self.unbind(&binding.key);
        gone.retain(|old| old.token != binding.token);
        self.bindings.insert(0, binding);
        if self.bindings.len() > limits::BINDINGS_MAX {
            gone.extend(self.bindings.drain(limits::BINDINGS_MAX..));
        }
        gone
    }

    /// Removes a binding and answers it.
    pub fn unbind(&mut self, key: &BindingKey) -> Vec<Binding> {
        let (gone, kept) =
            std::mem::take(&mut self.bindings).into_iter().partition(|binding| binding.key == *key);
        self.bindings = kept;
        gone
    }

    /// How far it is; a conversation it never heard of starts where its user joined.
    #[must_use]
    pub fn cursor(&self, conversation: &ConversationId, joined: Seq) -> CursorRow {
        match self.cursors.get(conversation) {
            Some(cursor) => cursor.row.clone(),
            None => self.first_cursor(conversation, joined),
        }
    }

    fn first_cursor(&self, conversation: &ConversationId, at: Seq) -> CursorRow {
        CursorRow {
            uid: self.row.uid.clone(),
            device_id: self.row.device_id.clone(),
            conversation: conversation.clone(),
            stored: at,
            surfaced: at,
            settled: at,
            showing: Vec::new(),
            showing_shared: false,
            held: None,
        }
    }

    /// Changes a cursor; it will be written with the next flush if `change` says so.
    pub fn change_cursor(
        &mut self,
        conversation: &ConversationId,
        joined: Seq,
        change: impl FnOnce(&mut CursorRow) -> bool,
    ) -> bool {
        if !self.cursors.contains_key(conversation) {
            let row = self.first_cursor(conversation, joined);
            self.cursors.insert(conversation.clone(), Cursor { row, is_dirty: false });
        }
        let cursor = self.cursors.get_mut(conversation).expect("it was put there above");
        let changed = change(&mut cursor.row);
        cursor.is_dirty |= changed;
        changed
    }

    /// Conversations in which it may be showing notifications.
    pub fn showing(&self) -> impl Iterator<Item = &CursorRow> + '_ {
        self.cursors
            .values()
            .map(|cursor| &cursor.row)
            .filter(|row| !row.showing.is_empty() || row.showing_shared)
    }

    /// Cursors changed since they were last written.
    pub fn take_dirty(&mut self) -> Vec<CursorRow> {
        let dirty = self.cursors.values_mut().filter(|cursor| cursor.is_dirty);
        dirty
            .map(|cursor| {
                cursor.is_dirty = false;
                cursor.row.clone()
            })
            .collect()
    }

    /// Nothing up to the answer is owed: shown, read, pushed, or silent for a reason. Where what
    /// was shown waits to be read, it is still owed.
    #[must_use]
    pub fn settled(&self, conversation: &ConversationId, joined: Seq, read: Seq) -> Seq {
        let cursor = self.cursors.get(conversation).map(|cursor| &cursor.row);
        let shown = |row: &CursorRow| if self.unread_wait_ms.is_some() { 0 } else { row.surfaced };
        cursor.map_or(joined, |row| row.settled.max(shown(row))).max(read)
    }

    fn surfaced(&self, conversation: &ConversationId) -> Seq {
        self.cursors.get(conversation).map_or(0, |cursor| cursor.row.surfaced)
    }

    /// Up to where the device showed what is owed, if what follows it was not shown: then that
    /// decides when the debt is due. `None` where all of it was shown and waits to be read.
    fn unshown_above(&self, conversation: &ConversationId, debt: &Debt) -> Option<Seq> {
        let surfaced = self.surfaced(conversation);
        (debt.last > surfaced).then_some(surfaced)
    }

    /// Whether the place's notification may be on its screen.
    #[must_use]
    pub fn may_show(&self, conversation: &ConversationId, seq: Seq) -> bool {
        self.cursors
            .get(conversation)
            .is_some_and(|cursor| ranges::contains(&cursor.row.showing, seq))
    }

    /// Whether a provider took a push of the place, alone or in the conversation's one
    /// notification.
    #[must_use]
    pub fn was_pushed(&self, conversation: &ConversationId, seq: Seq) -> bool {
        self.cursors.get(conversation).is_some_and(|Cursor { row, .. }| {
            let is_shared = row.showing_shared && seq > row.surfaced;
            seq <= row.settled && (is_shared || ranges::contains(&row.showing, seq))
        })
    }

    /// Opens a debt for an alertable entry of that urgency committed then.
    pub fn owe(
        &mut self,
        conversation: &ConversationId,
        (seq, class): (Seq, PushClass),
        committed: Mono,
    ) {
        let debt = self.debts.entry(conversation.clone()).or_insert_with(|| Debt {
            runs: VecDeque::new(),
            last: 0,
            said: 0,
            reason: DueReason::Offline,
            class,
        });
        if seq <= debt.last {
            return;
        }
        debt.last = seq;
        debt.class = debt.class.min(class);
        let is_new_run = match debt.runs.back() {
            Some((_, at)) => committed.since(*at) >= RUN_MS && debt.runs.len() < RUNS_MAX,
            None => true,
        };
        if is_new_run {
            debt.runs.push_back((seq, committed));
        }
    }

    /// How urgent what is owed in the conversation is: as its most urgent message since nothing was.
    #[must_use]
    pub fn urgency(&self, conversation: &ConversationId) -> PushClass {
        self.debts.get(conversation).map_or(PushClass::Chat, |debt| debt.class)
    }

    /// Closes debts up to a place.
    pub fn close(&mut self, conversation: &ConversationId, settled: Seq) {
        let Some(debt) = self.debts.get_mut(conversation) else { return };
        if debt.last <= settled {
            self.debts.remove(conversation);
            return;
        }
        while debt.runs.get(1).is_some_and(|(first, _)| *first <= settled + 1) {
            debt.runs.pop_front();
        }
        if let Some(front) = debt.runs.front_mut() {
            front.0 = front.0.max(settled + 1);
        }
    }

    /// Forgets every debt: the device is owed nothing any more.
    pub fn forgive(&mut self) {
        self.debts.clear();
    }

    /// Whether something is owed in the conversation.
    #[must_use]
    pub fn owes(&self, conversation: &ConversationId) -> bool {
        self.debts.contains_key(conversation)
    }

    /// Conversations with open debts.
    pub fn debts(&self) -> impl Iterator<Item = &ConversationId> + '_ {
        self.debts.keys()
    }

    /// When the first open entry of the conversation falls due, and why then.
    #[must_use]
    pub fn due(
        &self,
        conversation: &ConversationId,
        deadlines: &Deadlines,
    ) -> Option<(Mono, DueReason)> {
        let debt = self.debts.get(conversation)?;
        let (_, committed) = *debt.runs.front()?;
        let unshown = self.unshown_above(conversation, debt);
        if let (None, Some(wait_ms)) = (unshown, self.unread_wait_ms) {
            return Some((committed.after(wait_ms), DueReason::Unread));
        }
        let committed = debt.committed_above(unshown.unwrap_or(0)).unwrap_or(committed);
        Some(match &self.link {
            Some(link) => link.due(committed, deadlines),
            None => (committed, DueReason::Offline),
        })
    }

    /// When the first of what is due now was committed.
    #[must_use]
    pub fn due_since(&self, deadlines: &Deadlines, now: Mono) -> Option<Mono> {
        let due = self
            .debts
            .iter()
            .filter(|(id, _)| self.due(id, deadlines).is_some_and(|(at, _)| at <= now));
        due.filter_map(|(_, debt)| debt.runs.front()).map(|(_, committed)| *committed).min()
    }

    /// The place above which the next owed entry is. What was shown and waits to be read is
    /// passed over while something after it was not shown.
    #[must_use]
    pub fn owed_above(&self, conversation: &ConversationId, joined: Seq, read: Seq) -> Seq {
        let debt = self.debts.get(conversation);
        let passed = debt.and_then(|debt| self.unshown_above(conversation, debt)).unwrap_or(0);
        self.settled(conversation, joined, read).max(passed)
    }

    /// Whether nothing is due but to be read.
    #[must_use]
    pub fn has_shown_all(&self, now: Mono, deadlines: &Deadlines) -> bool {
        let mut due = self.debts.keys().filter_map(|id| self.due(id, deadlines));
        due.all(|(at, why)| at > now || why == DueReason::Unread)
    }

    /// The entries of the conversation that are due now and were not answered before, as a closed
    /// range, and why they are due.
    pub fn fall_due(
        &mut self,
        conversation: &ConversationId,
        deadlines: &Deadlines,
        now: Mono,
    ) -> Option<(Seq, Seq, DueReason)> {
        let (link, surfaced) = (self.link.clone(), self.surfaced(conversation));
        let debt = self.debts.get_mut(conversation)?;
        if debt.last <= surfaced {
            // It fell due, or was shown before it did; what is due now is reading it.
            return None;
        }
        let due = |committed: Mono| match &link {
            Some(link) => link.due(committed, deadlines),
            None => (committed, DueReason::Offline),
        };
        let (first, _) = *debt.runs.front()?;
        let reason = due(debt.committed_above(surfaced)?).1;
        let above = debt.runs.iter().enumerate().skip_while(|(at, _)| debt.ends(*at) <= surfaced);
        let mut above = above.map(|(at, (_, committed))| (at, *committed));
        let open = above.find(|(_, committed)| due(*committed).0 > now).map(|(at, _)| at);
        let to = match open {
            Some(0) => return None,
            Some(at) => debt.runs[at].0 - 1,
            None => debt.last,
        };
        let from = first.max(debt.said + 1).max(surfaced + 1);
        debt.said = debt.said.max(to);
        if from > to {
            return None;
        }
        debt.reason = reason;
        Some((from, to, reason))
    }

    /// Why the entry fell due, if it did: the state of the device may be another by now.
    #[must_use]
    pub fn fell_due(&self, conversation: &ConversationId, seq: Seq) -> Option<DueReason> {
        let debt = self.debts.get(conversation)?;
        (seq <= debt.said).then_some(debt.reason)
    }

    /// The entries of the conversation that it showed, that are owed and that nobody read in time,
    /// as a closed range.
    #[must_use]
    pub fn unread_in_time(&self, conversation: &ConversationId, now: Mono) -> Option<(Seq, Seq)> {
        let (debt, wait_ms) = (self.debts.get(conversation)?, self.unread_wait_ms?);
        let (first, _) = *debt.runs.front()?;
        let is_over = |(_, committed): &(Seq, Mono)| committed.after(wait_ms) <= now;
        let over = debt.runs.iter().take_while(|run| is_over(run)).count();
        let to = debt.ends(over.checked_sub(1)?).min(self.surfaced(conversation));
        (first <= to).then_some((first, to))
    }

    /// Conversations in which it showed all it is owed and nobody read it in time: the device need
    /// not answer any more.
    #[must_use]
    pub fn unread_by(&self, now: Mono, deadlines: &Deadlines) -> Vec<ConversationId> {
        let is_over = |id: &&ConversationId| {
            let due = self.due(id, deadlines);
            due.is_some_and(|(at, why)| at <= now && why == DueReason::Unread)
        };
        self.debts.keys().filter(is_over).cloned().collect()
    }

    /// The earliest moment at which any debt falls due, but for those that did.
    #[must_use]
    pub fn next_due(&self, deadlines: &Deadlines, fell: &[ConversationId]) -> Option<Mono> {
        let waiting = self.debts.keys().filter(|id| !fell.contains(id));
        waiting.filter_map(|id| self.due(id, deadlines)).map(|(at, _)| at).min()
    }

    /// Remembers that it was asked to take a notification back; false when too many are open.
    pub fn withdraw(
        &mut self,
        id: NotificationId,
        conversation: &ConversationId,
        seq: Seq,
    ) -> bool {
        if self.withdrawing.len() >= WITHDRAWING_MAX {
            return false;
        }
        self.withdrawing.insert(id, (conversation.clone(), seq));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        let uid = Uid::parse("bob").unwrap();
        Device::fresh(&uid, &DeviceId::parse("phone").unwrap(), None, WallMs(0))
    }

    fn chat() -> ConversationId {
        ConversationId::direct(&Uid::parse("alice").unwrap(), &Uid::parse("bob").unwrap())
    }

    #[test]
    fn each_message_has_its_own_deadline() {
        let (mut device, chat, deadlines) = (device(), chat(), Deadlines::default());
        device.link = Some(Link::new(
            nightjar_model::ConnId(1),
            crate::link::Told::Foreground(None),
            nightjar_model::Voice::Telling,
            Mono(0),
        ));
        device.owe(&chat, (1, PushClass::Chat), Mono(1_000));
        device.owe(&chat, (2, PushClass::Chat), Mono(3_000));
        assert_eq!(device.next_due(&deadlines, &[]), Some(Mono(6_000)));
        device.close(&chat, 1);
        assert_eq!(device.next_due(&deadlines, &[]), Some(Mono(8_000)));
        device.close(&chat, 2);
        assert_eq!(device.next_due(&deadlines, &[]), None);
    }

    #[test]
    fn a_burst_costs_no_memory_per_message() {
        let (mut device, chat) = (device(), chat());
        for seq in 1..10_000 {
            device.owe(&chat, (seq, PushClass::Chat), Mono(seq));
        }
        assert!(device.debts[&chat].runs.len() <= RUNS_MAX);
        device.close(&chat, 9_998);
        assert!(device.owes(&chat));
        device.close(&chat, 9_999);
        assert!(!device.owes(&chat));
    }

    #[test]
    fn the_last_binding_is_preferred_and_replaces_its_namesake() {
        let mut device = device();
        let binding = |credential: &str, token: &str| Binding {
            key: BindingKey { provider: "apns".into(), credential: credential.into() },
            token: nightjar_model::Secret::new(token.into()),
            locale: None,
            environment: None,
            bound_at: WallMs(0),
        };
        assert!(device.bind(binding("a", "one")).is_empty());
        assert!(device.bind(binding("b", "two")).is_empty());
        let gone = device.bind(binding("a", "three"));
        assert_eq!(gone.len(), 1);
        assert_eq!(gone[0].token.expose(), "one");
        let order: Vec<&str> = device.bindings.iter().map(|b| b.token.expose().as_str()).collect();
        assert_eq!(order, ["three", "two"]);
    }
}
