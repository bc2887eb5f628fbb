//! `nightjar verify` names each class of damage it claims to find, and nothing in a whole store.

use std::collections::BTreeMap;

use nightjar_domain::{
    Changes, Conversation, CursorRow, DeviceRow, Draft, Key, MessageRow, Report, Row, User,
    Verifier, WorkRow, Write,
};
use nightjar_model::{
    ClientMsgId, ConversationId, DeviceId, Entry, Lane, MessageId, Mono, Now, Seq, Uid, WallMs,
};
use nightjar_store_memory::MemoryStore;

type Rows = BTreeMap<Key, Row>;

fn uid(name: &str) -> Uid {
    Uid::parse(name).unwrap()
}

fn chat() -> ConversationId {
    ConversationId::direct(&uid("alice"), &uid("bob"))
}

fn phone() -> DeviceId {
    DeviceId::parse("phone").unwrap()
}

fn put(rows: &mut Rows, writes: Vec<Write>) {
    for write in writes {
        match write {
            Write::Put(row) => rows.insert(row.key(), row),
            Write::Delete(key) => rows.remove(&key),
        };
    }
}

/// Alice wrote 1, 2 and 4 and took 2 back by 5; bob wrote 3, read up to 1, and his phone is owed 4.
fn whole() -> Rows {
    let mut rows = Rows::new();
    let nothing = MemoryStore::new(|_| {});
    let mut conversation = Conversation::direct(&chat(), (uid("alice"), uid("bob")));
    let mut bob = User::load(&nothing, &uid("bob"), WallMs(0)).unwrap();
    let mut changes = Changes::default();
    bob.enter(&nothing, &conversation, &mut changes).unwrap();
    let at = |n: u64| Now { mono: Mono(n), wall: WallMs(n) };
    for (n, from) in (1_u64..).zip(["alice", "alice", "bob", "alice"]) {
        let draft = Draft {
            client_msg_id: ClientMsgId::parse(&format!("c{n}")).unwrap(),
            content: "{}".into(),
            sealed: false,
            push: None,
            expires_at: None,
        };
        let accepted =
            conversation.accept(&nothing, &uid(from), draft, at(n), &[n as u8; 10]).unwrap();
        bob.apply(&accepted.entry, None);
        put(&mut rows, accepted.writes);
    }
    let recall = conversation.recall(&nothing, &uid("alice"), 2, at(5), &[5; 10]).unwrap();
    bob.apply(&recall.entry, Some(&uid("alice")));
    put(&mut rows, recall.writes);
    bob.mark_read(&nothing, &conversation, 1, &mut changes).unwrap();
    put(&mut rows, changes.writes);
    let device = DeviceRow {
        uid: uid("bob"),
        device_id: phone(),
        platform: None,
        created_at: WallMs(0),
        seen_at: WallMs(0),
        session: String::new(),
        resume_hash: Vec::new(),
        signed_out: false,
        tokens_valid_from: WallMs(0),
        push_if_unread_after_s: None,
    };
    let cursor = CursorRow {
        uid: uid("bob"),
        device_id: phone(),
        conversation: chat(),
        stored: 3,
        surfaced: 3,
        settled: 3,
        showing: Vec::new(),
        showing_shared: false,
        held: None,
    };
    let lane = Lane::of_user(&uid("bob"));
    let work = WorkRow { lane, conversation: chat(), from: 4, head: 5 };
    for row in [Row::Device(device), Row::Cursor(cursor), Row::Work(work)] {
        rows.insert(row.key(), row);
    }
    rows
}

fn verify(rows: &Rows) -> Report {
    let mut verifier = Verifier::default();
    rows.values().for_each(|row| verifier.row(row));
    verifier.finish()
}

fn entry(rows: &mut Rows, seq: Seq) -> &mut Entry {
    match rows.get_mut(&Key::Entry(chat(), seq)) {
        Some(Row::Entry(entry)) => entry,
        other => panic!("{other:?}"),
    }
}

macro_rules! the {
    ($name:ident -> $variant:ident($row:ty), $key:expr) => {
        fn $name(rows: &mut Rows) -> &mut $row {
            match rows.get_mut(&$key) {
                Some(Row::$variant(row)) => row,
                other => panic!("{other:?}"),
            }
        }
    };
}

the!(cursor -> Cursor(CursorRow), Key::Cursor(uid("bob"), phone(), chat()));
the!(device -> Device(DeviceRow), Key::Device(uid("bob"), phone()));
the!(work -> Work(WorkRow), Key::Work(Lane::of_user(&uid("bob")), chat()));
the!(place -> Place(nightjar_domain::PlaceRow), Key::Place(uid("bob"), chat()));
the!(head -> Conversation(nightjar_domain::ConversationRow), Key::Conversation(chat()));

#[test]
fn a_whole_store_is_whole() {
    let report = verify(&whole());
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.rows["entry"], report.open_work), (5, 1));
}

#[test]
fn each_class_of_damage_is_named() {
    type Damage = (&'static str, fn(&mut Rows));
    let damages: [Damage; 17] = [
        ("a hole", |rows| drop(rows.remove(&Key::Entry(chat(), 3)))),
        ("is the first entry", |rows| drop(rows.remove(&Key::Entry(chat(), 1)))),
        ("is the first entry", |rows| head(rows).floor = 2),
        ("log ends at #4", |rows| drop(rows.remove(&Key::Entry(chat(), 5)))),
        ("log ends at #5", |rows| head(rows).head = 4),
        ("has head #5 (9 countable)", |rows| head(rows).ordinal = 9),
        ("has ordinal 9", |rows| entry(rows, 3).ordinal = 9),
        ("has own ordinal 7", |rows| entry(rows, 4).own_ordinal = 7),
        ("earlier than its predecessor", |rows| entry(rows, 4).at = WallMs(2)),
        ("does not fit the head 5", |rows| work(rows).head = 6),
        ("does not fit the head 5", |rows| work(rows).from = 0),
        ("does not fit the head 5", |rows| work(rows).from = 9),
        ("read d:alice:bob up to 6", |rows| place(rows).read = 6),
        ("stored d:alice:bob up to 6", |rows| cursor(rows).stored = 6),
        ("surfaced d:alice:bob up to 6", |rows| cursor(rows).surfaced = 6),
        ("settled d:alice:bob up to 6", |rows| cursor(rows).settled = 6),
        ("bob/phone is owed d:alice:bob #4 but no work is open", |rows| {
            rows.remove(&Key::Work(Lane::of_user(&uid("bob")), chat()));
        }),
    ];
    for (expected, damage) in damages {
        let mut rows = whole();
        damage(&mut rows);
        let report = verify(&rows);
        let found = report.problems.iter().any(|problem| problem.contains(expected));
        assert!(found, "'{expected}' in {:?}", report.problems);
        assert_eq!(report.problems_count, report.problems.len() as u64);
    }
}

#[test]
fn a_message_id_without_its_senders_count_is_named() {
    let mut rows = whole();
    let message_id = MessageId::new(WallMs(9), &[9; 10]);
    let row = Row::Message(MessageRow { message_id, conversation: chat(), seq: 9 });
    rows.insert(row.key(), row);
    let problems = verify(&rows).problems;
    assert_eq!(problems, ["5 message ids but 4 sender counts"]);
}

#[test]
fn what_explains_an_unsettled_message_is_no_damage() {
    let explanations: [fn(&mut Rows); 5] = [
        |rows| device(rows).signed_out = true,
        |rows| place(rows).read = 4,
        |rows| place(rows).left = Some(3),
        |rows| entry(rows, 4).recalled = true,
        |rows| cursor(rows).surfaced = 4,
    ];
    for (n, explain) in explanations.into_iter().enumerate() {
        let mut rows = whole();
        rows.remove(&Key::Work(Lane::of_user(&uid("bob")), chat()));
        explain(&mut rows);
        assert_eq!(verify(&rows).problems, Vec::<String>::new(), "explanation {n}");
    }
}

#[test]
fn a_thousand_problems_are_counted_and_a_hundred_named() {
    let mut rows = whole();
    for n in 0..1_000 {
        let user = uid(&format!("user{n}"));
        let row = Row::Cursor(CursorRow { uid: user, stored: 99, ..cursor(&mut rows).clone() });
        rows.insert(row.key(), row);
    }
    let report = verify(&rows);
    assert!(report.problems_count >= 1_000);
    assert_eq!(report.problems.len(), 100);
}
