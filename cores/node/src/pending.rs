//! What earlier inputs of a turn decided. It is in no store yet, and the inputs after them must
//! see it: a resend in the same turn, a reader of what was just taken back.

use std::collections::BTreeMap;

use nightjar_domain::{Key, Missing, Row, Rows, Scan, Write};

/// Writes of this turn, in order.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    writes: Vec<Write>,
    /// The last write of each row, of the first `indexed` ones.
    last: BTreeMap<Key, usize>,
    indexed: usize,
}

impl Pending {
    pub(crate) fn add(&mut self, writes: &mut Vec<Write>) {
        self.writes.append(writes);
    }

    /// Everything, for the commit.
    pub(crate) fn take(&mut self) -> Vec<Write> {
        std::mem::take(self).writes
    }

    /// The store with these writes on top. A turn of one input never pays for the index.
    pub(crate) fn over<'a>(&'a mut self, rows: &'a dyn Rows) -> Seen<'a> {
        for at in self.indexed..self.writes.len() {
            self.last.insert(key_of(&self.writes[at]), at);
        }
        self.indexed = self.writes.len();
        Seen { rows, pending: self }
    }
}

fn key_of(write: &Write) -> Key {
    match write {
        Write::Put(row) => row.key(),
        Write::Delete(key) => key.clone(),
    }
}

/// Rows as they will be once the turn is submitted.
pub(crate) struct Seen<'a> {
    rows: &'a dyn Rows,
    pending: &'a Pending,
}

impl Rows for Seen<'_> {
    fn load(&self, key: &Key) -> Result<Option<Row>, Missing> {
        match self.pending.last.get(key).map(|at| &self.pending.writes[*at]) {
            Some(Write::Put(row)) => Ok(Some(row.clone())),
            Some(Write::Delete(_)) => Ok(None),
            None => self.rows.load(key),
        }
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Row>, Missing> {
        let found = self.rows.scan(scan)?;
        let new: Vec<(&Key, &usize)> =
            self.pending.last.iter().filter(|(key, _)| is_in(scan, key)).collect();
        if new.is_empty() {
            return Ok(found);
        }
        let mut all: BTreeMap<Key, Row> = found.into_iter().map(|row| (row.key(), row)).collect();
        for (key, at) in new {
            match &self.pending.writes[*at] {
                Write::Put(row) => all.insert(key.clone(), row.clone()),
                Write::Delete(key) => all.remove(key),
            };
        }
        Ok(cut(scan, all.into_values().collect()))
    }
}

fn is_in(scan: &Scan, key: &Key) -> bool {
    match (scan, key) {
        (Scan::Entries { conversation, after, before, .. }, Key::Entry(id, seq)) => {
            id == conversation && seq > after && seq < before
        }
        (Scan::Members(group), Key::Member(id, _)) => id == group,
        (Scan::LastOwn(conversation, uid, upto), Key::Own(id, of, seq)) => {
            id == conversation && of == uid && seq <= upto
        }
        (Scan::RecalledAbove(conversation, above), Key::Recalled(id, seq)) => {
            id == conversation && seq > above
        }
        (Scan::Work, Key::Work(..))
        | (Scan::Notes, Key::Note(..))
        | (Scan::LastEvent, Key::Event(_))
        | (Scan::LastOutcome, Key::Outcome(_))
        | (Scan::PushTemplates, Key::PushTemplate(..)) => true,
        (Scan::Devices(uid), Key::Device(of, _))
        | (Scan::Bindings(uid), Key::Binding(of, ..))
        | (Scan::Cursors(uid), Key::Cursor(of, ..))
        | (Scan::Places(uid), Key::Place(of, _))
        | (Scan::Contacts(uid), Key::Contact(of, _))
        | (Scan::ProfileChanges(uid), Key::ProfileChange(of, _)) => of == uid,
        (Scan::Trace { uid, conversation, from, .. }, Key::Trace(of, id, at, _)) => {
            of == uid && id == conversation && at >= from
        }
        (Scan::Events { after, .. }, Key::Event(number))
        | (Scan::Outcomes { after, .. }, Key::Outcome(number)) => number > after,
        (Scan::Kept { gateway, from, .. }, Key::Kept(of, key)) => of == gateway && key >= from,
        _ => false,
    }
}

/// As many as the scan asked for, from the end it asked for. Rows of a bounded scan are only ever
/// added, so the store's part of them was enough.
fn cut(scan: &Scan, mut rows: Vec<Row>) -> Vec<Row> {
    match scan {
        Scan::Entries { limit, newest: true, .. } => {
            rows.split_off(rows.len().saturating_sub(*limit))
        }
        Scan::LastOwn(..) | Scan::LastEvent | Scan::LastOutcome => {
            rows.split_off(rows.len().saturating_sub(1))
        }
        Scan::Entries { limit, .. }
        | Scan::Trace { limit, .. }
        | Scan::Events { limit, .. }
        | Scan::Outcomes { limit, .. }
        | Scan::Kept { limit, .. } => {
            rows.truncate(*limit);
            rows
        }
        _ => rows,
    }
}
