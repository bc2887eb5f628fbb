//! P2: for every message to tell and every device that can be pushed, in time: shown or read, or
//! handed to the provider, or a retry planned, or silent for a named reason.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_model::{ConnId, ConversationId, Seq};
use nightjar_push::{Answer, Outcome, Ticket};

use crate::invariants::SLACK_MS;
use crate::phone::PhoneNo;
use crate::reference::{Known, Place};

/// A foreground device may be silent so long.
const FOREGROUND_MS: u64 = 5_000;
/// A device in its grace may be silent so long.
const GRACE_MS: u64 = 2_000;
/// The longest wait between two attempts when the provider names none.
const RETRY_MS_MAX: u64 = 30_000;
/// The longest time a request to it takes.
const ANSWER_MS_MAX: u64 = 10_000;

/// The watch.
#[derive(Debug, Default)]
pub(crate) struct Dark {
    views: Vec<View>,
    debts: BTreeMap<(PhoneNo, ConversationId, Seq), Debt>,
    lanes: BTreeMap<(PhoneNo, ConversationId), Lane>,
    /// What each device was ever given.
    given: BTreeMap<PhoneNo, BTreeSet<Place>>,
    /// The provider failed somebody, and is tried again until then; what waits for it may wait.
    tried_until_ms: u64,
    excused_until_ms: u64,
}

/// A device as its own words let the server see it.
#[derive(Debug, Default)]
struct View {
    conn: Option<ConnId>,
    told: Told,
    since_ms: u64,
    /// When its connection ended.
    lost_ms: u64,
    /// It let a deadline pass then, and was silent since.
    unresponsive_since_ms: Option<u64>,
}

/// What the app told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Told {
    #[default]
    Foreground,
    /// Until then it posts notifications itself.
    Background { grace_until_ms: u64 },
}

/// One message for one device.
#[derive(Debug, Default)]
struct Debt {
    /// When the message was accepted: waits count from there.
    since_ms: u64,
    /// When it was safe: nothing could leave before.
    safe_ms: Option<u64>,
}

/// The pushes of one conversation to one device.
#[derive(Debug, Default)]
struct Lane {
    flying: Option<Ticket>,
    /// The next attempt is to come until then.
    retry_until_ms: u64,
    /// When a request left.
    handed_ms: u64,
    /// When it was said that what is owed waits for its provider.
    waits_since_ms: Option<u64>,
}

/// How long the next attempt may be away.
fn wait_ms(answer: &Answer) -> u64 {
    match answer.outcome {
        Outcome::Retry | Outcome::Throttled | Outcome::AuthExpired | Outcome::ConfigError => {
            answer.retry_after_ms.unwrap_or(RETRY_MS_MAX)
        }
        _ => 0,
    }
}

impl Lane {
    fn is_on_its_way(&self, now_ms: u64, tried_until_ms: u64) -> bool {
        let waits = self.waits_since_ms.is_some_and(|since_ms| since_ms >= self.handed_ms);
        self.flying.is_some() || self.retry_until_ms > now_ms || waits && tried_until_ms > now_ms
    }
}

impl View {
    /// Whether the device has a while to answer, once it is connected.
    fn may_wait(&self, since_ms: u64) -> bool {
        match self.told {
            Told::Foreground => true,
            Told::Background { grace_until_ms } => grace_until_ms > since_ms,
        }
    }

    fn due_ms(&self, since_ms: u64) -> u64 {
        if self.conn.is_none() {
            return since_ms.max(self.lost_ms);
        }
        if let Some(unresponsive_since_ms) = self.unresponsive_since_ms {
            return since_ms.max(unresponsive_since_ms);
        }
        let start_ms = since_ms.max(self.since_ms);
        match self.told {
            Told::Foreground => start_ms + FOREGROUND_MS,
            Told::Background { grace_until_ms } if grace_until_ms <= since_ms => since_ms,
            Told::Background { grace_until_ms } => (start_ms + GRACE_MS).min(grace_until_ms),
        }
    }
}

impl Dark {
    pub(crate) fn add_phone(&mut self) {
        self.views.push(View::default());
    }

    pub(crate) fn excuse(&mut self, until_ms: u64) {
        self.excused_until_ms = self.excused_until_ms.max(until_ms);
    }

    /// The message is to be told on the device.
    pub(crate) fn owe(&mut self, phone: PhoneNo, place: &Place, now_ms: u64) {
        let debt = Debt { since_ms: now_ms, safe_ms: None };
        self.debts.insert((phone, place.0.clone(), place.1), debt);
    }

    /// The message's commit is safe.
    pub(crate) fn safe(&mut self, place: &Place, now_ms: u64) {
        for (key, debt) in &mut self.debts {
            if key.1 == place.0 && key.2 == place.1 {
                debt.safe_ms.get_or_insert(now_ms);
            }
        }
    }

    /// Shown, read, taken, silenced or taken back.
    pub(crate) fn close(&mut self, phone: PhoneNo, conversation: &ConversationId, upto: Seq) {
        self.debts.retain(|key, _| key.0 != phone || key.1 != *conversation || key.2 > upto);
    }

    pub(crate) fn close_one(&mut self, phone: PhoneNo, place: &Place) {
        self.debts.remove(&(phone, place.0.clone(), place.1));
    }

    /// The device cannot be pushed any more.
    pub(crate) fn forgive(&mut self, phone: PhoneNo) {
        self.debts.retain(|key, _| key.0 != phone);
        self.lanes.retain(|key, _| key.0 != phone);
    }

    /// The connection was given a message.
    pub(crate) fn gave(&mut self, phone: PhoneNo, place: Place) {
        self.given.entry(phone).or_default().insert(place);
    }

    /// The device says it showed everything up to here. Only what it was given can be meant.
    pub(crate) fn claimed(&mut self, phone: PhoneNo, conversation: &ConversationId, upto: Seq) {
        let given = self.given.entry(phone).or_default();
        self.debts.retain(|key, _| {
            let is_meant = key.0 == phone && key.1 == *conversation && key.2 <= upto;
            !(is_meant && given.contains(&(key.1.clone(), key.2)))
        });
    }

    /// The device logged in over this connection.
    pub(crate) fn joined(&mut self, phone: PhoneNo, conn: ConnId, told: Told, now_ms: u64) {
        self.views[phone] = View { conn: Some(conn), told, since_ms: now_ms, ..View::default() };
    }

    /// The server comes to a frame of this connection. A device that let a deadline pass is waited
    /// for anew; what excuses a late push does not excuse the device. With `is_back` the session
    /// says that it answers again: behind a slow disk later than its first frame.
    pub(crate) fn heard(&mut self, phone: PhoneNo, conn: ConnId, is_back: bool, now_ms: u64) {
        if self.views[phone].conn != Some(conn) {
            return;
        }
        self.catch_up(phone, now_ms);
        let missed_ms = self.first_deadline_ms(phone);
        let view = &mut self.views[phone];
        let was_late = missed_ms.is_some_and(|missed_ms| missed_ms < now_ms);
        if view.unresponsive_since_ms.take().is_some() || was_late || is_back {
            view.since_ms = now_ms;
        }
    }

    /// The app's state was told, over its connection or by its back end.
    pub(crate) fn told(&mut self, phone: PhoneNo, conn: Option<ConnId>, told: Told, now_ms: u64) {
        let is_current = conn.is_none() || self.views[phone].conn == conn;
        if !is_current {
            return;
        }
        self.catch_up(phone, now_ms);
        let view = &mut self.views[phone];
        let changes = (view.told == Told::Foreground) != (told == Told::Foreground);
        if changes {
            view.since_ms = now_ms;
        }
        view.told = told;
    }

    /// The connection is over.
    pub(crate) fn lost(&mut self, phone: PhoneNo, conn: ConnId, now_ms: u64) {
        let view = &mut self.views[phone];
        if view.conn == Some(conn) {
            view.conn = None;
            view.lost_ms = now_ms;
        }
    }

    pub(crate) fn conn(&self, phone: PhoneNo) -> Option<ConnId> {
        self.views[phone].conn
    }

    /// A device that let a deadline pass is unresponsive.
    fn catch_up(&mut self, phone: PhoneNo, now_ms: u64) {
        let view = &self.views[phone];
        if view.conn.is_none() || view.unresponsive_since_ms.is_some() {
            return;
        }
        let missed_ms = self.first_deadline_ms(phone).map(|ms| ms.max(self.excused_until_ms));
        self.views[phone].unresponsive_since_ms = missed_ms.filter(|ms| *ms < now_ms);
    }

    /// The first deadline of the device. What is due at once waits for nobody, and nobody lets it
    /// pass.
    fn first_deadline_ms(&self, phone: PhoneNo) -> Option<u64> {
        let view = &self.views[phone];
        let mine = self.debts.iter().filter(|(key, _)| key.0 == phone);
        let since_ms = mine.map(|(_, debt)| debt.since_ms).filter(|ms| view.may_wait(*ms));
        since_ms.map(|since_ms| view.due_ms(since_ms)).min()
    }

    /// A request for a message is handed over.
    pub(crate) fn handed(
        &mut self,
        phone: PhoneNo,
        conversation: &ConversationId,
        by: Ticket,
        now_ms: u64,
    ) {
        let lane = self.lanes.entry((phone, conversation.clone())).or_default();
        lane.flying = Some(by);
        lane.handed_ms = now_ms;
    }

    /// The trace says that what is owed waits for its provider.
    pub(crate) fn waits(&mut self, phone: PhoneNo, conversation: &ConversationId, at_ms: u64) {
        let lane = self.lanes.entry((phone, conversation.clone())).or_default();
        lane.waits_since_ms = Some(at_ms);
    }

    /// A provider answered some request, also one that only takes back: while it refuses, what is
    /// owed waits for the next that is tried.
    pub(crate) fn tried(&mut self, answer: &Answer, now_ms: u64) {
        let wait_ms = wait_ms(answer);
        if wait_ms > 0 {
            let until_ms = now_ms + wait_ms + ANSWER_MS_MAX + SLACK_MS;
            self.tried_until_ms = self.tried_until_ms.max(until_ms);
        }
    }

    /// Whether the provider refused a moment ago.
    pub(crate) fn is_refused(&self, now_ms: u64) -> bool {
        self.tried_until_ms > now_ms
    }

    /// A provider answered a request.
    pub(crate) fn answered(
        &mut self,
        phone: PhoneNo,
        place: &Place,
        ticket: Ticket,
        answer: &Answer,
        now_ms: u64,
    ) {
        self.catch_up(phone, now_ms);
        let wait_ms = wait_ms(answer);
        let lane = self.lanes.entry((phone, place.0.clone())).or_default();
        if lane.flying != Some(ticket) {
            return;
        }
        lane.flying = None;
        lane.retry_until_ms = now_ms + wait_ms + SLACK_MS;
        if answer.outcome == Outcome::Delivered {
            self.close(phone, &place.0, place.1);
        }
    }

    /// A process is gone: connections and requests with it.
    pub(crate) fn crashed(&mut self, known: &Known) {
        self.lanes.clear();
        self.tried_until_ms = 0;
        self.debts.retain(|key, _| known.message(&(key.1.clone(), key.2)).is_some());
        for view in &mut self.views {
            *view = View::default();
        }
    }

    pub(crate) fn is_watching(&self) -> bool {
        !self.debts.is_empty()
    }

    /// The first debt that is late.
    pub(crate) fn late(&mut self, now_ms: u64) -> Option<(PhoneNo, Place, u64)> {
        for phone in 0..self.views.len() {
            self.catch_up(phone, now_ms);
        }
        self.debts.iter().find_map(|((phone, conversation, seq), debt)| {
            let due_ms = self.views[*phone].due_ms(debt.since_ms).max(debt.safe_ms?);
            let limit_ms = (due_ms + SLACK_MS).max(self.excused_until_ms);
            let lane = self.lanes.get(&(*phone, conversation.clone()));
            let is_on_its_way =
                lane.is_some_and(|lane| lane.is_on_its_way(now_ms, self.tried_until_ms));
            (now_ms > limit_ms && !is_on_its_way)
                .then(|| (*phone, (conversation.clone(), *seq), due_ms))
        })
    }
}
