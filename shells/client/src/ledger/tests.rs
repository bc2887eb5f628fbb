//! The file answers as the ledger in memory does, and stands processes that share it.

use std::sync::Arc;

use nightjar_client_core::{Claim, Ledger, MessageRow, Poster, Verdict};
use nightjar_model::{
    ClientMsgId, ConversationId, Measure, MessageId, Metric, NotificationId, Seq, Uid,
};

use super::*;

fn mid(n: u64) -> MessageId {
    let mut bytes = [7; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    MessageId::from_bytes(bytes)
}

fn nid(n: u64) -> NotificationId {
    NotificationId::message(mid(n))
}

fn chat(name: &str) -> ConversationId {
    ConversationId::parse(&format!("g:{name}")).unwrap()
}

fn claim(n: u64, by: Poster, is_shared: bool) -> LedgerOrder {
    let conversation = chat(if n.is_multiple_of(2) { "even" } else { "odd" });
    let notification = if is_shared { NotificationId::conversation(&conversation) } else { nid(n) };
    LedgerOrder::Claim(Box::new(Claim {
        message_id: mid(n),
        notification,
        conversation,
        seq: n,
        by,
    }))
}

fn message(n: Seq) -> Arc<MessageRow> {
    Arc::new(MessageRow {
        message_id: mid(n),
        conversation: chat("odd"),
        seq: n,
        from: Uid::parse("alice").unwrap(),
        client_msg_id: ClientMsgId::parse("c").unwrap(),
        at: WallMs(n),
        content: r#"{"type":"text"}"#.into(),
        alert: true,
    })
}

fn session(uid: &str) -> LedgerOrder {
    LedgerOrder::SignedIn(Box::new(nightjar_client_core::fetch::PushSession {
        uid: Uid::parse(uid).unwrap(),
        device_id: nightjar_model::DeviceId::parse("phone").unwrap(),
        push_token: nightjar_model::Secret::new(format!("of {uid}")),
    }))
}

/// Any order; the numbers say which and about what.
fn any_order(kind: u64, n: u64) -> LedgerOrder {
    let shared = NotificationId::conversation(&chat("odd"));
    match kind % 16 {
        0 | 1 => claim(n, Poster::App, false),
        2 => claim(n, Poster::Extension, true),
        3 | 4 => LedgerOrder::Posted(mid(n)),
        5 => LedgerOrder::NotPosted(mid(n)),
        6 => LedgerOrder::OnScreen(vec![nid(n), shared]),
        7 => LedgerOrder::Withdraw(vec![nid(n)]),
        8 => LedgerOrder::Withdraw(vec![shared]),
        9 => LedgerOrder::Seen(vec![(chat("odd"), n), (chat("even"), n / 2)]),
        10 => LedgerOrder::Removed(vec![nid(n), shared]),
        11 => LedgerOrder::Dismissed(vec![nid(n)]),
        12 => LedgerOrder::Badge { unread: n, bv: n * 3 % 7 },
        13 if n == 3 => LedgerOrder::Forget,
        13 => session(if n.is_multiple_of(2) { "bob" } else { "carol" }),
        14 => {
            let measure = Measure { metric: Metric::PushReceived, value: n % 2, count: n };
            LedgerOrder::Spool(vec![message(n)], vec![measure])
        }
        _ if n.is_multiple_of(3) => LedgerOrder::Imported(n),
        _ if n.is_multiple_of(2) => LedgerOrder::Session,
        _ => LedgerOrder::Spooled,
    }
}

fn sorted(mut answer: LedgerAnswer) -> LedgerAnswer {
    if let LedgerAnswer::Spooled { measures, .. } = &mut answer {
        measures.sort_by_key(|measure| (measure.metric, measure.value));
    }
    answer
}

#[test]
fn it_answers_as_the_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = LedgerFile::new(&folder.path().join("any.ledger"));
    let mut memory = Ledger::default();
    // A linear congruential generator (Knuth).
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut now = 1_000_000_000;
    for _ in 0..600 {
        now += draw(10_000);
        let order = any_order(draw(16), draw(9));
        let answer = memory.order(&order, WallMs(now));
        assert_eq!(sorted(file.order(&order, WallMs(now)).unwrap()), sorted(answer), "{order:?}");
    }
}

#[test]
fn of_threads_that_claim_at_the_same_time_one_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.ledger");
    let ask = |by| {
        let file = LedgerFile::new(&path);
        move || {
            let verdict = |n| loop {
                match file.order(&claim(n, by, false), WallMs(5)) {
                    Ok(LedgerAnswer::Claimed { verdict, .. }) => break verdict == Verdict::Granted,
                    // Nothing was changed then; on a busy machine a turn may be long in coming.
                    Err(StoreError::Locked { .. }) => {}
                    other => panic!("{other:?}"),
                }
            };
            (1..=20).filter(|n| verdict(*n)).count()
        }
    };
    let posters = [Poster::App, Poster::Extension, Poster::Extension];
    let threads: Vec<_> = posters.map(|by| std::thread::spawn(ask(by))).into();
    let granted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(granted, 20);
}

#[test]
fn who_finds_it_busy_for_too_long_is_told_so_and_nothing_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.ledger");
    let file = LedgerFile::new(&path);
    file.order(&claim(1, Poster::App, false), WallMs(5)).unwrap();
    let mut other = Connection::open(&path).unwrap();
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let refused = file.order(&LedgerOrder::Posted(mid(1)), WallMs(6));
    assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
    held.rollback().unwrap();
    drop(other);
    file.order(&LedgerOrder::Posted(mid(1)), WallMs(6)).unwrap();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        std::fs::read_link(entry.unwrap().path()).ok().filter(|target| target.starts_with(&folder))
    });
    assert_eq!(open.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn files_of_others_and_of_later_versions_are_refused_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x); PRAGMA user_version = 1").unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = LedgerFile::new(&path).order(&LedgerOrder::Session, WallMs(1));
    assert!(matches!(refused, Err(StoreError::Foreign { .. })), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    connection.execute_batch("PRAGMA user_version = 99").unwrap();
    let refused = LedgerFile::new(&path).order(&LedgerOrder::Session, WallMs(1));
    assert!(matches!(refused, Err(StoreError::Newer { found: 99, .. })), "{refused:?}");
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.ledger");
    LedgerFile::new(&path).order(&session("bob"), WallMs(1)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
