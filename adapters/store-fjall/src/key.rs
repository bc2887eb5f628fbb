//! Keys as bytes: byte order is the order of [`Key`].
//!
//! A key is the app id, the table, and the parts of the name. Numbers are big-endian. Text ends
//! with a zero byte; the bytes 0 and 1 within it, which no id holds, are escaped so that a text
//! still sorts before every longer one and no two names share their bytes.

use nightjar_domain::{Key, Scan};
use nightjar_model::WallMs;

/// The only app so far. Every key begins with it, so that one store can hold several.
const APP: u16 = 0;

/// Where a row lies. The values are on the disk; gaps leave room for tables in between, because
/// the order of tables is part of the order of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Table {
    Conversation = 0x08,
    Member = 0x10,
    Entry = 0x18,
    Sent = 0x20,
    Message = 0x28,
    Own = 0x30,
    Recalled = 0x38,
    Amended = 0x3c,
    Work = 0x40,
    Note = 0x44,
    User = 0x48,
    Password = 0x4c,
    Device = 0x50,
    Binding = 0x58,
    Token = 0x60,
    Cursor = 0x68,
    Place = 0x70,
    Contact = 0x74,
    ProfileChange = 0x76,
    Trace = 0x78,
    Event = 0x80,
    EventCursor = 0x88,
    PushSettings = 0x90,
    PushPolicy = 0x98,
    PushTemplate = 0xa0,
    Outcome = 0xa8,
    Credential = 0xb0,
    Webhook = 0xb8,
    Statistic = 0xc0,
    Kept = 0xc8,
}

impl Table {
    /// All tables, in the order of keys.
    pub(crate) const ALL: [Self; 30] = [
        Self::Conversation,
        Self::Member,
        Self::Entry,
        Self::Sent,
        Self::Message,
        Self::Own,
        Self::Recalled,
        Self::Amended,
        Self::Work,
        Self::Note,
        Self::User,
        Self::Password,
        Self::Device,
        Self::Binding,
        Self::Token,
        Self::Cursor,
        Self::Place,
        Self::Contact,
        Self::ProfileChange,
        Self::Trace,
        Self::Event,
        Self::EventCursor,
        Self::PushSettings,
        Self::PushPolicy,
        Self::PushTemplate,
        Self::Outcome,
        Self::Credential,
        Self::Webhook,
        Self::Statistic,
        Self::Kept,
    ];

    /// Whether its rows are written once and then only read or dropped: they lie apart from those
    /// that are overwritten with every message, which so stay few and are merged cheaply.
    pub(crate) fn is_log(self) -> bool {
        matches!(
            self,
            Self::Entry
                | Self::Sent
                | Self::Message
                | Self::Own
                | Self::Recalled
                | Self::Trace
                | Self::Event
                | Self::Outcome
        )
    }

    pub(crate) fn of(key: &Key) -> Self {
        match key {
            Key::Conversation(..) => Self::Conversation,
            Key::Member(..) => Self::Member,
            Key::Entry(..) => Self::Entry,
            Key::Sent(..) => Self::Sent,
            Key::Message(..) => Self::Message,
            Key::Own(..) => Self::Own,
            Key::Recalled(..) => Self::Recalled,
            Key::Amended(..) => Self::Amended,
            Key::Work(..) => Self::Work,
            Key::Note(..) => Self::Note,
            Key::User(..) => Self::User,
            Key::Password(..) => Self::Password,
            Key::Device(..) => Self::Device,
            Key::Binding(..) => Self::Binding,
            Key::Token(..) => Self::Token,
            Key::Cursor(..) => Self::Cursor,
            Key::Place(..) => Self::Place,
            Key::Contact(..) => Self::Contact,
            Key::ProfileChange(..) => Self::ProfileChange,
            Key::Trace(..) => Self::Trace,
            Key::Event(..) => Self::Event,
            Key::EventCursor(..) => Self::EventCursor,
            Key::PushSettings(..) => Self::PushSettings,
            Key::PushPolicy => Self::PushPolicy,
            Key::PushTemplate(..) => Self::PushTemplate,
            Key::Outcome(..) => Self::Outcome,
            Key::Credential(..) => Self::Credential,
            Key::Webhook(..) => Self::Webhook,
            Key::Statistic(..) => Self::Statistic,
            Key::Kept(..) => Self::Kept,
        }
    }
}

/// A key being written.
#[derive(Debug, Clone)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn of(table: Table) -> Self {
        Self::into(Vec::with_capacity(64), table)
    }

    fn into(mut bytes: Vec<u8>, table: Table) -> Self {
        bytes.extend_from_slice(&APP.to_be_bytes());
        bytes.push(table as u8);
        Self(bytes)
    }

    fn text(mut self, text: &str) -> Self {
        if text.bytes().any(|byte| byte <= 1) {
            for byte in text.bytes() {
                match byte {
                    0 | 1 => self.0.extend_from_slice(&[1, byte + 1]),
                    _ => self.0.push(byte),
                }
            }
        } else {
            self.0.extend_from_slice(text.as_bytes());
        }
        self.0.push(0);
        self
    }

    /// `None` sorts before every text.
    fn optional(mut self, text: Option<&str>) -> Self {
        self.0.push(u8::from(text.is_some()));
        match text {
            Some(text) => self.text(text),
            None => self,
        }
    }

    fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The first bytes behind this key.
    fn next(mut self) -> Self {
        self.0.push(0);
        self
    }

    /// The first bytes behind every key that begins like this.
    fn end(mut self) -> Self {
        let last = self.0.last_mut().expect("every key begins with an app and a table");
        // A prefix ends with a table or with the end of a text, and neither is 255.
        *last += 1;
        self
    }
}

/// Appends the bytes of a key to `out`.
pub(crate) fn encode(key: &Key, out: Vec<u8>) -> Vec<u8> {
    let bytes = Bytes::into(out, Table::of(key));
    let bytes = match key {
        Key::Conversation(id) => bytes.text(id.as_str()),
        Key::Member(id, uid) => bytes.text(id.as_str()).text(uid.as_str()),
        Key::Entry(id, seq) | Key::Recalled(id, seq) => bytes.text(id.as_str()).number(*seq),
        Key::Sent(uid, client) => bytes.text(uid.as_str()).text(client.as_str()),
        Key::Message(id) => bytes.raw(id.as_bytes()),
        Key::Own(id, uid, seq) => bytes.text(id.as_str()).text(uid.as_str()).number(*seq),
        Key::Amended(id, seq, uid) => bytes.text(id.as_str()).number(*seq).text(uid.as_str()),
        Key::Work(lane, id) => bytes.raw(&[lane.0]).text(id.as_str()),
        Key::Note(from, to) => {
            bytes.text(from.as_str()).optional(to.as_ref().map(|uid| uid.as_str()))
        }
        Key::User(uid) | Key::Password(uid) | Key::PushSettings(uid) => bytes.text(uid.as_str()),
        Key::Device(uid, device) => bytes.text(uid.as_str()).text(device.as_str()),
        Key::Binding(uid, device, provider, credential) => {
            bytes.text(uid.as_str()).text(device.as_str()).text(provider).text(credential)
        }
        Key::Token(provider, credential, token) => {
            bytes.text(provider).text(credential).text(token.expose())
        }
        Key::Cursor(uid, device, id) => {
            bytes.text(uid.as_str()).text(device.as_str()).text(id.as_str())
        }
        Key::Place(uid, id) => bytes.text(uid.as_str()).text(id.as_str()),
        Key::Contact(uid, other) | Key::ProfileChange(uid, other) => {
            bytes.text(uid.as_str()).text(other.as_str())
        }
        Key::Trace(uid, id, at, n) => bytes
            .optional(uid.as_ref().map(|uid| uid.as_str()))
            .text(id.as_str())
            .number(at.0)
            .number(*n),
        Key::Event(number) | Key::Outcome(number) => bytes.number(*number),
        Key::EventCursor(name) | Key::Webhook(name) => bytes.text(name),
        Key::Credential(provider, name) => bytes.text(provider).text(name),
        Key::Statistic(day, provider, name) => {
            bytes.raw(&day.to_be_bytes()).text(provider).text(name)
        }
        Key::PushPolicy => bytes,
        Key::Kept(gateway, key) => bytes.text(gateway).text(key),
        Key::PushTemplate(name, locale) => bytes.text(name).optional(locale.as_deref()),
    };
    bytes.0
}

/// The keys of a scan: from the first up to before the second, of one table.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) table: Table,
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
    /// How many rows, at most.
    pub(crate) limit: usize,
    /// Take them from the upper end.
    pub(crate) newest: bool,
}

impl Span {
    /// Everything in a table.
    pub(crate) fn whole(table: Table) -> Self {
        Self::prefix(table, Bytes::of(table))
    }

    pub(crate) fn of(scan: &Scan) -> Self {
        let of_user = |table, uid: &str| Self::prefix(table, Bytes::of(table).text(uid));
        match scan {
            Scan::Entries { conversation, after, before, limit, newest } => {
                let log = Bytes::of(Table::Entry).text(conversation.as_str());
                Self {
                    limit: *limit,
                    newest: *newest,
                    ..Self::between(
                        Table::Entry,
                        log.clone().number(*after).next(),
                        log.number(*before),
                    )
                }
            }
            Scan::Members(group) => {
                Self::prefix(Table::Member, Bytes::of(Table::Member).text(group.as_str()))
            }
            Scan::LastOwn(conversation, uid, seq) => {
                let own = Bytes::of(Table::Own).text(conversation.as_str()).text(uid.as_str());
                let upto = own.clone().number(*seq).next();
                Self { limit: 1, newest: true, ..Self::between(Table::Own, own, upto) }
            }
            Scan::RecalledAbove(conversation, seq) => {
                let recalled = Bytes::of(Table::Recalled).text(conversation.as_str());
                let above = recalled.clone().number(*seq).next();
                Self::between(Table::Recalled, above, recalled.end())
            }
            Scan::Work => Self::whole(Table::Work),
            Scan::Notes => Self::whole(Table::Note),
            Scan::Devices(uid) => of_user(Table::Device, uid.as_str()),
            Scan::Bindings(uid) => of_user(Table::Binding, uid.as_str()),
            Scan::Cursors(uid) => of_user(Table::Cursor, uid.as_str()),
            Scan::Places(uid) => of_user(Table::Place, uid.as_str()),
            Scan::Contacts(uid) => of_user(Table::Contact, uid.as_str()),
            Scan::ProfileChanges(uid) => of_user(Table::ProfileChange, uid.as_str()),
            Scan::Trace { uid, conversation, from: WallMs(from), limit } => {
                let uid = uid.as_ref().map(|uid| uid.as_str());
                let trace = Bytes::of(Table::Trace).optional(uid).text(conversation.as_str());
                let start = trace.clone().number(*from);
                Self { limit: *limit, ..Self::between(Table::Trace, start, trace.end()) }
            }
            Scan::Events { after, limit } => Self::numbered(Table::Event, *after, *limit),
            Scan::LastEvent => Self { limit: 1, newest: true, ..Self::whole(Table::Event) },
            Scan::PushTemplates => Self::whole(Table::PushTemplate),
            Scan::Outcomes { after, limit } => Self::numbered(Table::Outcome, *after, *limit),
            Scan::LastOutcome => Self { limit: 1, newest: true, ..Self::whole(Table::Outcome) },
            Scan::Credentials => Self::whole(Table::Credential),
            Scan::Webhooks => Self::whole(Table::Webhook),
            Scan::Statistics { from, limit } => {
                let days = Bytes::of(Table::Statistic);
                let start = days.clone().raw(&from.to_be_bytes());
                Self { limit: *limit, ..Self::between(Table::Statistic, start, days.end()) }
            }
            Scan::Kept { gateway, from, limit } => {
                let kept = Bytes::of(Table::Kept).text(gateway);
                let start = kept.clone().text(from);
                Self { limit: *limit, ..Self::between(Table::Kept, start, kept.end()) }
            }
        }
    }

    /// Rows named by a number, above one.
    fn numbered(table: Table, after: u64, limit: usize) -> Self {
        let rows = Bytes::of(table);
        let start = rows.clone().number(after).next();
        Self { limit, ..Self::between(table, start, rows.end()) }
    }

    fn between(table: Table, from: Bytes, to: Bytes) -> Self {
        Self { table, from: from.0, to: to.0, limit: usize::MAX, newest: false }
    }

    fn prefix(table: Table, prefix: Bytes) -> Self {
        Self::between(table, prefix.clone(), prefix.end())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.from >= self.to
    }
}

#[cfg(test)]
mod tests {
    use nightjar_model::{ConversationId, Secret, Uid};
    use nightjar_store_suite::Source;

    use super::*;

    fn bytes(key: &Key) -> Vec<u8> {
        encode(key, Vec::new())
    }

    #[test]
    fn bytes_sort_as_keys_do_and_no_two_keys_share_them() {
        let mut source = Source::seeded(1);
        let mut keys: Vec<Key> = (0..20_000).map(|_| source.key()).collect();
        keys.sort();
        keys.dedup();
        assert!(keys.len() > 1_000, "{} different keys", keys.len());
        let bytes: Vec<Vec<u8>> = keys.iter().map(bytes).collect();
        let wrong = (1..keys.len()).find(|at| bytes[at - 1] >= bytes[*at]);
        assert_eq!(wrong.map(|at| (&keys[at - 1], &keys[at])), None);
    }

    #[test]
    fn tables_stand_in_the_order_of_keys() {
        let numbers: Vec<u8> = Table::ALL.iter().map(|table| *table as u8).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        let mut source = Source::seeded(2);
        let mut met: Vec<u8> = (0..5_000).map(|_| Table::of(&source.key()) as u8).collect();
        met.sort_unstable();
        met.dedup();
        assert_eq!(met, numbers, "every table was met");
    }

    #[test]
    fn the_bytes_on_the_disk_stay_what_they_are() {
        let group = ConversationId::parse("g:x").unwrap();
        assert_eq!(bytes(&Key::Entry(group.clone(), 258)), b"\0\0\x18g:x\0\0\0\0\0\0\0\x01\x02");
        let trace = Key::Trace(Some(Uid::parse("a").unwrap()), group.clone(), WallMs(1), 2);
        assert_eq!(bytes(&trace), b"\0\0\x78\x01a\0g:x\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02");
        assert_eq!(bytes(&Key::Trace(None, group, WallMs(1), 2))[..4], *b"\0\0\x78\0");
        let token = Key::Token("\0".into(), "\u{1}".into(), Secret::new("t".into()));
        assert_eq!(bytes(&token), b"\0\0\x60\x01\x01\0\x01\x02\0t\0");
    }
}
