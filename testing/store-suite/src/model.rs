//! What reads mean, said as plainly as possible.

use std::collections::BTreeMap;

use nightjar_domain::{Commit, Key, Row, Scan, Write};

/// Rows, and reads that look at every one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    rows: BTreeMap<Key, Row>,
}

impl Model {
    /// Applies the writes of a commit in order.
    pub fn apply(&mut self, commit: Commit) {
        for write in commit.writes {
            match write {
                Write::Put(row) => self.rows.insert(row.key(), row),
                Write::Delete(key) => self.rows.remove(&key),
            };
        }
    }

    /// The row of this name.
    #[must_use]
    pub fn load(&self, key: &Key) -> Option<Row> {
        self.rows.get(key).cloned()
    }

    /// Every row, in the order of keys.
    #[must_use]
    pub fn all_rows(&self) -> Vec<Row> {
        self.rows.values().cloned().collect()
    }

    /// The rows of a range.
    #[must_use]
    pub fn scan(&self, scan: &Scan) -> Vec<Row> {
        let found = self.rows.values().filter(|row| means(scan, row));
        match scan {
            Scan::Entries { limit, newest: true, .. } => last(found, *limit),
            Scan::LastOwn(..) | Scan::LastEvent | Scan::LastOutcome => last(found, 1),
            Scan::Entries { limit, .. }
            | Scan::Trace { limit, .. }
            | Scan::Events { limit, .. }
            | Scan::Outcomes { limit, .. }
            | Scan::Statistics { limit, .. }
            | Scan::Kept { limit, .. } => found.take(*limit).cloned().collect(),
            _ => found.cloned().collect(),
        }
    }
}

/// The highest of these, ascending.
fn last<'a>(rows: impl DoubleEndedIterator<Item = &'a Row>, limit: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.rev().take(limit).cloned().collect();
    rows.reverse();
    rows
}

/// Whether a row belongs to a range.
fn means(scan: &Scan, row: &Row) -> bool {
    match (scan, row) {
        (Scan::Entries { conversation, after, before, .. }, Row::Entry(row)) => {
            row.conversation == *conversation && *after < row.seq && row.seq < *before
        }
        (Scan::Members(group), Row::Member(row)) => row.conversation == *group,
        (Scan::LastOwn(conversation, uid, seq), Row::Own(row)) => {
            row.conversation == *conversation && row.uid == *uid && row.seq <= *seq
        }
        (Scan::RecalledAbove(conversation, seq), Row::Recalled(row)) => {
            row.conversation == *conversation && row.seq > *seq
        }
        (Scan::Work, Row::Work(_))
        | (Scan::Notes, Row::Note(_))
        | (Scan::LastEvent, Row::Event(_))
        | (Scan::LastOutcome, Row::Outcome(_))
        | (Scan::PushTemplates, Row::PushTemplate(_))
        | (Scan::Credentials, Row::Credential(_))
        | (Scan::Webhooks, Row::Webhook(_)) => true,
        (Scan::Devices(uid), Row::Device(row)) => row.uid == *uid,
        (Scan::Bindings(uid), Row::Binding(row)) => row.uid == *uid,
        (Scan::Cursors(uid), Row::Cursor(row)) => row.uid == *uid,
        (Scan::Places(uid), Row::Place(row)) => row.uid == *uid,
        (Scan::Contacts(uid), Row::Contact(row)) => row.uid == *uid,
        (Scan::ProfileChanges(uid), Row::ProfileChange(row)) => row.uid == *uid,
        (Scan::Trace { uid, conversation, from, .. }, Row::Trace(row)) => {
            row.uid == *uid && row.conversation == *conversation && row.at >= *from
        }
        (Scan::Events { after, .. }, Row::Event(row)) => row.number > *after,
        (Scan::Outcomes { after, .. }, Row::Outcome(row)) => row.number > *after,
        (Scan::Statistics { from, .. }, Row::Statistic(row)) => row.day >= *from,
        (Scan::Kept { gateway, from, .. }, Row::Kept(row)) => {
            row.gateway == *gateway && row.key >= *from
        }
        _ => false,
    }
}
