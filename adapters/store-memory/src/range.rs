//! Which rows a scan names, by the order of keys.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

use nightjar_domain::{Key, Row, Scan};
use nightjar_model::{ConversationId, DeviceId, Lane, Uid, WallMs};

/// The rows of a range.
pub(crate) fn range(rows: &BTreeMap<Key, Row>, scan: &Scan) -> Vec<Row> {
    match scan {
        Scan::Entries { conversation, after, before, limit, newest } => {
            let entry = |seq: &u64| Key::Entry(conversation.clone(), *seq);
            let keys = (Bound::Excluded(entry(after)), Bound::Excluded(entry(before)));
            if after >= before {
                Vec::new()
            } else if *newest {
                newest_of(rows, keys, *limit)
            } else {
                oldest_of(rows, keys, *limit)
            }
        }
        Scan::Members(group) => take_while(
            rows,
            &Key::Member(group.clone(), least_uid()),
            |key| matches!(key, Key::Member(of, _) if of == group),
        ),
        Scan::LastOwn(conversation, uid, seq) => {
            let own = |seq| Key::Own(conversation.clone(), uid.clone(), seq);
            newest_of(rows, own(0)..=own(*seq), 1)
        }
        Scan::RecalledAbove(conversation, seq) => {
            let recalled = |seq| Key::Recalled(conversation.clone(), seq);
            let keys = (Bound::Excluded(recalled(*seq)), Bound::Included(recalled(u64::MAX)));
            oldest_of(rows, keys, usize::MAX)
        }
        Scan::Work => {
            let first = Key::Work(Lane(0), least_conversation());
            take_while(rows, &first, |key| matches!(key, Key::Work(..)))
        }
        Scan::Notes => {
            let first = Key::Note(least_uid(), None);
            take_while(rows, &first, |key| matches!(key, Key::Note(..)))
        }
        Scan::Devices(_)
        | Scan::Bindings(_)
        | Scan::Cursors(_)
        | Scan::Places(_)
        | Scan::Contacts(_)
        | Scan::ProfileChanges(_) => of_user(rows, scan),
        Scan::Trace { uid, conversation, from, limit } => {
            let at = |at, n| Key::Trace(uid.clone(), conversation.clone(), at, n);
            oldest_of(rows, at(*from, 0)..=at(WallMs(u64::MAX), u64::MAX), *limit)
        }
        Scan::Events { after, limit } => {
            let keys = (Bound::Excluded(Key::Event(*after)), Bound::Included(Key::Event(u64::MAX)));
            oldest_of(rows, keys, *limit)
        }
        Scan::LastEvent => newest_of(rows, Key::Event(0)..=Key::Event(u64::MAX), 1),
        _ => of_operator(rows, scan),
    }
}

/// What operators set up, and what is written down for them.
fn of_operator(rows: &BTreeMap<Key, Row>, scan: &Scan) -> Vec<Row> {
    match scan {
        Scan::PushTemplates => {
            let first = Key::PushTemplate(String::new(), None);
            take_while(rows, &first, |key| matches!(key, Key::PushTemplate(..)))
        }
        Scan::Outcomes { after, limit } => {
            let above = Bound::Excluded(Key::Outcome(*after));
            oldest_of(rows, (above, Bound::Included(Key::Outcome(u64::MAX))), *limit)
        }
        Scan::LastOutcome => newest_of(rows, Key::Outcome(0)..=Key::Outcome(u64::MAX), 1),
        Scan::Credentials => {
            let first = Key::Credential(String::new(), String::new());
            take_while(rows, &first, |key| matches!(key, Key::Credential(..)))
        }
        Scan::Webhooks => {
            take_while(rows, &Key::Webhook(String::new()), |key| matches!(key, Key::Webhook(..)))
        }
        Scan::Statistics { from, limit } => {
            let first = Key::Statistic(*from, String::new(), String::new());
            let mut found = take_while(rows, &first, |key| matches!(key, Key::Statistic(..)));
            found.truncate(*limit);
            found
        }
        Scan::Kept { gateway, from, limit } => {
            let first = Key::Kept(gateway.clone(), from.clone());
            let of = |key: &Key| matches!(key, Key::Kept(of, _) if of == gateway);
            let mut found = take_while(rows, &first, of);
            found.truncate(*limit);
            found
        }
        _ => Vec::new(),
    }
}

fn of_user(rows: &BTreeMap<Key, Row>, scan: &Scan) -> Vec<Row> {
    match scan {
        Scan::Devices(uid) => take_while(
            rows,
            &Key::Device(uid.clone(), least_device()),
            |key| matches!(key, Key::Device(of, _) if of == uid),
        ),
        Scan::Bindings(uid) => take_while(
            rows,
            &Key::Binding(uid.clone(), least_device(), String::new(), String::new()),
            |key| matches!(key, Key::Binding(of, ..) if of == uid),
        ),
        Scan::Cursors(uid) => take_while(
            rows,
            &Key::Cursor(uid.clone(), least_device(), least_conversation()),
            |key| matches!(key, Key::Cursor(of, ..) if of == uid),
        ),
        Scan::Places(uid) => take_while(
            rows,
            &Key::Place(uid.clone(), least_conversation()),
            |key| matches!(key, Key::Place(of, _) if of == uid),
        ),
        Scan::Contacts(uid) => take_while(
            rows,
            &Key::Contact(uid.clone(), least_uid()),
            |key| matches!(key, Key::Contact(of, _) if of == uid),
        ),
        Scan::ProfileChanges(uid) => take_while(
            rows,
            &Key::ProfileChange(uid.clone(), least_uid()),
            |key| matches!(key, Key::ProfileChange(of, _) if of == uid),
        ),
        _ => Vec::new(),
    }
}

/// The lowest `limit` rows of a range, ascending.
fn oldest_of(rows: &BTreeMap<Key, Row>, keys: impl RangeBounds<Key>, limit: usize) -> Vec<Row> {
    rows.range(keys).take(limit).map(|(_, row)| row.clone()).collect()
}

/// The highest `limit` rows of a range, ascending.
fn newest_of(rows: &BTreeMap<Key, Row>, keys: impl RangeBounds<Key>, limit: usize) -> Vec<Row> {
    let mut found: Vec<Row> =
        rows.range(keys).rev().take(limit).map(|(_, row)| row.clone()).collect();
    found.reverse();
    found
}

fn take_while(
    rows: &BTreeMap<Key, Row>,
    first: &Key,
    is_inside: impl Fn(&Key) -> bool,
) -> Vec<Row> {
    rows.range(first..).take_while(|(key, _)| is_inside(key)).map(|(_, row)| row.clone()).collect()
}

/// Ids hold no control and no blank, so nothing sorts before this one.
const LEAST: &str = "!";

fn least_uid() -> Uid {
    Uid::parse(LEAST).expect("an exclamation mark is allowed in a uid")
}

fn least_device() -> DeviceId {
    DeviceId::parse(LEAST).expect("an exclamation mark is allowed in a device id")
}

fn least_conversation() -> ConversationId {
    ConversationId::parse(LEAST).expect("an exclamation mark is allowed in a conversation id")
}
