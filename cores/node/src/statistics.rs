//! What is counted of each credential's pushes, by day.
//!
//! Counts are gathered and written with the trace; of a day only its own rows are in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightjar_domain::{Changes, Key, Missing, Row, Rows, Scan};
use nightjar_model::{
    BindingKey, ConversationId, DeviceId, Seq, Statistic, Step, Uid, WallMs, limits,
};
use nightjar_push::{Answer, Outcome};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Where reasons beyond the limit are counted.
const OTHER: &str = "other";
/// Rows looked through for old ones when a node is opened.
const OLD_ROWS_MAX: usize = 10_000;
/// Reports that are remembered, so that an app and its provider who both tell of one push count
/// once. They come within seconds of each other.
const REPORTS_KEPT: usize = 10_000;

/// Something a device did with a push.
type Seen = (Uid, DeviceId, ConversationId, Seq, Step);

#[derive(Debug)]
pub(crate) struct Statistics {
    day: u32,
    rows: BTreeMap<BindingKey, Statistic>,
    /// Rows of `day` that are not written as they are now.
    dirty: BTreeSet<BindingKey>,
    /// Rows of days before that are still to be written.
    ended: Vec<Statistic>,
    seen: BTreeSet<Seen>,
    order: VecDeque<Seen>,
}

impl Statistics {
    /// Reads what was counted today, and drops what is too old to be kept.
    pub(crate) fn open(
        rows: &dyn Rows,
        changes: &mut Changes,
        now: WallMs,
    ) -> Result<Self, Missing> {
        let today = day_of(now);
        for row in scan(rows, 0, OLD_ROWS_MAX)? {
            if row.day.saturating_add(limits::STATISTIC_DAYS_KEPT) <= today {
                let BindingKey { provider, credential } = row.key;
                changes.delete(Key::Statistic(row.day, provider, credential));
            }
        }
        // A clock that was set back goes on with the newest day.
        let rows = scan(rows, today, OLD_ROWS_MAX)?;
        let day = rows.iter().map(|row| row.day).max().unwrap_or(today);
        let rows = rows.into_iter().filter(|row| row.day == day);
        Ok(Self {
            day,
            rows: rows.map(|row| (row.key.clone(), row)).collect(),
            dirty: BTreeSet::new(),
            ended: Vec::new(),
            seen: BTreeSet::new(),
            order: VecDeque::new(),
        })
    }

    /// A provider answered to a push of a message.
    pub(crate) fn answered(&mut self, key: &BindingKey, answer: &Answer, now: WallMs) {
        match answer.outcome {
            Outcome::Delivered => self.row(key, now).accepted += 1,
            _ => self.failed(key, &answer.reason, now),
        }
    }

    /// A push did not come about, or will not arrive.
    pub(crate) fn failed(&mut self, key: &BindingKey, reason: &str, now: WallMs) {
        let failed = &mut self.row(key, now).failed;
        let is_known = failed.iter().any(|(known, _)| known == reason);
        let has_room = failed.len() < limits::STATISTIC_REASONS_MAX - 1;
        let reason = if is_known || has_room { reason } else { OTHER };
        match failed.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => failed.push((reason.to_owned(), 1)),
        }
    }

    /// A push arrived or was opened.
    pub(crate) fn reported(&mut self, key: &BindingKey, step: Step, now: WallMs) {
        match step {
            Step::Arrived => self.row(key, now).arrived += 1,
            Step::Clicked => self.row(key, now).clicked += 1,
            _ => {}
        }
    }

    /// Whether nobody said so before, as far as is remembered; it is from now on.
    pub(crate) fn is_news(&mut self, seen: Seen) -> bool {
        if !self.seen.insert(seen.clone()) {
            return false;
        }
        self.order.push_back(seen);
        if self.order.len() > REPORTS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    /// The row to count in; it is to be written.
    fn row(&mut self, key: &BindingKey, now: WallMs) -> &mut Statistic {
        if day_of(now) > self.day {
            self.day = day_of(now);
            let dirty = std::mem::take(&mut self.dirty);
            let ended = std::mem::take(&mut self.rows).into_values();
            self.ended.extend(ended.filter(|row| dirty.contains(&row.key)));
        }
        self.dirty.insert(key.clone());
        let day = self.day;
        self.rows.entry(key.clone()).or_insert_with(|| Statistic {
            day,
            key: key.clone(),
            accepted: 0,
            failed: Vec::new(),
            arrived: 0,
            clicked: 0,
        })
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || !self.ended.is_empty()
    }

    /// Moves what changed into the next commit. A row that is new drops the one of its credential
    /// that is too old.
    pub(crate) fn write(&mut self, changes: &mut Changes) {
        let dirty = std::mem::take(&mut self.dirty);
        let rows = dirty.iter().filter_map(|key| self.rows.get(key)).cloned();
        for row in std::mem::take(&mut self.ended).into_iter().chain(rows) {
            if let Some(old) = row.day.checked_sub(limits::STATISTIC_DAYS_KEPT) {
                let BindingKey { provider, credential } = row.key.clone();
                changes.delete(Key::Statistic(old, provider, credential));
            }
            changes.put(Row::Statistic(row));
        }
    }

    /// From a day on, the newest counts included, up to `limit` rows.
    pub(crate) fn from(
        &self,
        rows: &dyn Rows,
        day: u32,
        limit: usize,
    ) -> Result<Vec<Statistic>, Missing> {
        let mut known: BTreeMap<(u32, BindingKey), Statistic> = scan(rows, day, limit)?
            .into_iter()
            .map(|row| ((row.day, row.key.clone()), row))
            .collect();
        let waiting = self.ended.iter().chain(self.rows.values()).filter(|row| row.day >= day);
        known.extend(waiting.map(|row| ((row.day, row.key.clone()), row.clone())));
        Ok(known.into_values().take(limit).collect())
    }
}

fn day_of(now: WallMs) -> u32 {
    u32::try_from(now.0 / DAY_MS).unwrap_or(u32::MAX)
}

fn scan(rows: &dyn Rows, from: u32, limit: usize) -> Result<Vec<Statistic>, Missing> {
    let rows = rows.scan(&Scan::Statistics { from, limit })?.into_iter();
    Ok(rows
        .filter_map(|row| match row {
            Row::Statistic(row) => Some(row),
            _ => None,
        })
        .collect())
}
