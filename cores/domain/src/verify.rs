//! Whether a stopped store is whole: `nightjar verify` feeds every row and prints the report.

mod contacts;

use std::collections::{BTreeMap, BTreeSet};

use nightjar_model::{ConversationId, DeviceId, Entry, Lane, Seq, Uid};

use crate::rows::{ConversationRow, CursorRow, Row};

/// Problems named in a report; beyond it they are only counted.
const NAMED_MAX: usize = 100;

/// Reads rows in the order of their keys and looks for what cannot be.
#[derive(Debug, Default)]
pub struct Verifier {
    report: Report,
    heads: BTreeMap<ConversationId, ConversationRow>,
    logs: BTreeMap<ConversationId, Log>,
    work: BTreeSet<(Lane, ConversationId)>,
    /// Devices with alertable entries above what their cursor settles, until a place or the
    /// device itself explains it.
    unsettled: BTreeMap<(Uid, ConversationId), Vec<(DeviceId, Seq)>>,
    signed_out: BTreeSet<(Uid, DeviceId)>,
    contacts: contacts::Contacts,
}

/// What one log came to so far.
#[derive(Debug, Default)]
struct Log {
    last: Option<(Seq, u64, u64)>,
    own: BTreeMap<Uid, u64>,
    /// The newest alertable entry, and the newest of somebody other than its author.
    alert: Option<(Uid, Seq)>,
    alert_of_another: Option<Seq>,
}

/// What was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Rows read, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// How many things cannot be.
    pub problems_count: u64,
    /// The first of them, in words.
    pub problems: Vec<String>,
    /// Open work rows.
    pub open_work: u64,
}

impl Verifier {
    /// Takes the next row.
    pub fn row(&mut self, row: &Row) {
        *self.report.rows.entry(row.table()).or_default() += 1;
        match row {
            Row::Conversation(row) => {
                self.heads.insert(row.conversation.clone(), row.clone());
            }
            Row::Entry(entry) => self.entry(entry),
            Row::Work(row) => {
                self.report.open_work += 1;
                let head = self.head(&row.conversation);
                if row.from == 0 || row.from > row.head + 1 || row.head > head {
                    let at = (&row.conversation, row.from, row.head);
                    self.problem(format!("work row {at:?} does not fit the head {head}"));
                }
                self.work.insert((row.lane, row.conversation.clone()));
            }
            Row::Device(row) if row.signed_out => {
                self.signed_out.insert((row.uid.clone(), row.device_id.clone()));
            }
            Row::User(row) => self.contacts.user(row),
            Row::Contact(row) => self.contacts.contact(row),
            Row::Cursor(row) => self.cursor(row),
            Row::Place(row) => {
                let head = self.head(&row.conversation);
                if row.read > head.max(row.joined) {
                    let read = row.read;
                    self.problem(format!(
                        "{} read {} up to {read}, above its head {head}",
                        row.uid, row.conversation
                    ));
                }
                let key = (row.uid.clone(), row.conversation.clone());
                let (read, left) = (row.read, row.left.is_some());
                if let Some(open) = self.unsettled.get_mut(&key) {
                    open.retain(|(_, seq)| *seq > read && !left);
                }
            }
            _ => {}
        }
    }

    fn head(&self, id: &ConversationId) -> Seq {
        self.heads.get(id).map_or(0, |row| row.head)
    }

    fn problem(&mut self, text: String) {
        self.report.problems_count += 1;
        if self.report.problems.len() < NAMED_MAX {
            self.report.problems.push(text);
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let floor = self.heads.get(&entry.conversation).map_or(0, |row| row.floor);
        let log = self.logs.entry(entry.conversation.clone()).or_default();
        let counted = u64::from(entry.is_countable());
        let own = log.own.entry(entry.from.clone()).or_default();
        let own_before = std::mem::replace(own, entry.own_ordinal);
        let before = log.last.replace((entry.seq, entry.ordinal, entry.at.0));
        if entry.is_alertable() {
            match &log.alert {
                Some((from, seq)) if *from != entry.from => log.alert_of_another = Some(*seq),
                _ => {}
            }
            log.alert = Some((entry.from.clone(), entry.seq));
        }
        let at = format!("{} #{}", entry.conversation, entry.seq);
        let Some((seq, ordinal, time)) = before else {
            if entry.seq != floor + 1 {
                self.problem(format!("{at} is the first entry but the floor is {floor}"));
            }
            return;
        };
        if entry.seq != seq + 1 {
            self.problem(format!("{at} follows #{seq}: a hole"));
        }
        if entry.ordinal != ordinal + counted {
            self.problem(format!("{at} has ordinal {} after {ordinal}", entry.ordinal));
        }
        if floor == 0 && entry.own_ordinal != own_before + counted {
            self.problem(format!("{at} has own ordinal {} after {own_before}", entry.own_ordinal));
        }
        if entry.at.0 < time {
            self.problem(format!("{at} is earlier than its predecessor"));
        }
    }

    fn cursor(&mut self, row: &CursorRow) {
        let head = self.head(&row.conversation);
        for (what, seq) in
            [("stored", row.stored), ("surfaced", row.surfaced), ("settled", row.settled)]
        {
            if seq > head {
                self.problem(format!(
                    "{}/{} {what} {} up to {seq}, above its head {head}",
                    row.uid, row.device_id, row.conversation
                ));
            }
        }
        let owed = self.logs.get(&row.conversation).and_then(|log| match &log.alert {
            Some((from, seq)) if *from != row.uid => Some(*seq),
            _ => log.alert_of_another,
        });
        let settled = row.settled.max(row.surfaced);
        if let Some(owed) = owed.filter(|owed| *owed > settled)
            && !self.signed_out.contains(&(row.uid.clone(), row.device_id.clone()))
        {
            let key = (row.uid.clone(), row.conversation.clone());
            self.unsettled.entry(key).or_default().push((row.device_id.clone(), owed));
        }
    }

    /// The report, after the last row.
    #[must_use]
    pub fn finish(mut self) -> Report {
        for (id, head) in std::mem::take(&mut self.heads) {
            let last = self.logs.get(&id).and_then(|log| log.last);
            let (seq, ordinal, _) = last.unwrap_or((head.floor, head.ordinal, 0));
            if seq != head.head || ordinal != head.ordinal {
                self.problem(format!(
                    "{id} has head #{} ({} countable) but its log ends at #{seq} ({ordinal})",
                    head.head, head.ordinal
                ));
            }
        }
        for ((uid, id), open) in std::mem::take(&mut self.unsettled) {
            for (device_id, seq) in open {
                if !self.work.contains(&(Lane::of_user(&uid), id.clone())) {
                    self.problem(format!(
                        "{uid}/{device_id} is owed {id} #{seq} but no work is open"
                    ));
                }
            }
        }
        for problem in std::mem::take(&mut self.contacts).problems() {
            self.problem(problem);
        }
        let count = |table| self.report.rows.get(table).copied().unwrap_or(0);
        if count("message") != count("own") {
            let (messages, own) = (count("message"), count("own"));
            self.problem(format!("{messages} message ids but {own} sender counts"));
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use nightjar_model::{ClientMsgId, ConversationKind, EntryKind, MessageId, WallMs};

    use super::*;

    fn id() -> ConversationId {
        ConversationId::direct(&Uid::parse("alice").unwrap(), &Uid::parse("bob").unwrap())
    }

    fn entry(seq: Seq) -> Row {
        Row::Entry(Entry {
            conversation: id(),
            seq,
            message_id: MessageId::new(WallMs(seq), &[0; 10]),
            from: Uid::parse("alice").unwrap(),
            client_msg_id: ClientMsgId::parse("x").unwrap(),
            at: WallMs(seq),
            kind: EntryKind::Message,
            ordinal: seq,
            own_ordinal: seq,
            content: "{}".into(),
            sealed: false,
            recalled: false,
            push: None,
            expires_at: None,
        })
    }

    fn head(head: Seq) -> Row {
        Row::Conversation(ConversationRow {
            conversation: id(),
            kind: ConversationKind::Direct,
            name: None,
            owner: None,
            head,
            floor: 0,
            ordinal: head,
            last_at: WallMs(head),
        })
    }

    fn cursor(settled: Seq) -> Row {
        Row::Cursor(CursorRow {
            uid: Uid::parse("bob").unwrap(),
            device_id: DeviceId::parse("phone").unwrap(),
            conversation: id(),
            stored: 0,
            surfaced: 0,
            settled,
            showing: Vec::new(),
            showing_shared: false,
            held: None,
        })
    }

    fn problems(rows: &[Row]) -> Vec<String> {
        let mut verifier = Verifier::default();
        rows.iter().for_each(|row| verifier.row(row));
        verifier.finish().problems
    }

    #[test]
    fn a_whole_store_has_no_problems() {
        assert_eq!(problems(&[head(2), entry(1), entry(2), cursor(2)]), Vec::<String>::new());
    }

    #[test]
    fn a_hole_a_wrong_head_and_a_forgotten_debt_are_named() {
        let hole = problems(&[head(3), entry(1), entry(3)]);
        assert!(hole.iter().any(|text| text.contains("hole")), "{hole:?}");
        let short = problems(&[head(3), entry(1), entry(2)]);
        assert!(short.iter().any(|text| text.contains("log ends at #2")), "{short:?}");
        let owed = problems(&[head(2), entry(1), entry(2), cursor(1)]);
        assert!(owed.iter().any(|text| text.contains("no work is open")), "{owed:?}");
    }
}
