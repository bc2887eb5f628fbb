//! On real files: what was committed is there again, whole batches only, and nothing else is
//! touched.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nightjar_client_core::{
    AccountRow, Amendment, AmendmentRow, Commit, ConversationRow, Listed, MessageRow, OutgoingRow,
    PlaceRow, Restored, Row, Standing, defaults,
};
use nightjar_model::{
    ClientMsgId, ContactState, ContactView, ConversationId, ConversationKind, DeviceId, GroupId,
    Mentions, MessageId, PushSpec, Removed, Secret, Seq, Target, Uid, WallMs,
};
use rusqlite::Connection;

use super::file::log_of;
use super::{Owner, Store, StoreError, file, write};

fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

fn direct(peer: &str) -> ConversationId {
    ConversationId::direct(&uid("me"), &uid(peer))
}

fn message(peer: &str, seq: Seq, content: &str) -> MessageRow {
    MessageRow {
        message_id: MessageId::new(WallMs(1_700_000_000_000 + seq), &[seq as u8; 10]),
        conversation: direct(peer),
        seq,
        from: uid(peer),
        client_msg_id: ClientMsgId::parse(&format!("key {seq}")).unwrap(),
        at: WallMs(1_700_000_000_000 + seq),
        content: content.to_owned().into(),
        alert: seq.is_multiple_of(2),
    }
}

fn place(peer: &str, stored: Seq) -> PlaceRow {
    PlaceRow {
        conversation: direct(peer),
        stored,
        pieces: vec![(stored + 2, stored + 3), (u64::MAX - 1, u64::MAX)],
        guessed_above: (stored > 1).then_some(stored - 1),
        proven: stored.saturating_sub(1),
        surfaced: stored.saturating_sub(2),
        read_told: stored.saturating_sub(3),
        list: 2,
        standing: Standing { head: u64::MAX, unread: 4, mentions: 1, read: 2 },
    }
}

fn outgoing(order: u64, to: Target) -> OutgoingRow {
    OutgoingRow {
        order,
        client_msg_id: ClientMsgId::parse(&format!("out {order}")).unwrap(),
        to,
        content: br#"{"type":"text","text":"on its way"}"#.as_slice().into(),
        push: order.is_multiple_of(2).then(|| {
            Box::new(PushSpec {
                title: Some("A title".into()),
                silent: true,
                mentions: Mentions::Users(vec![uid("bob")]),
                ..PushSpec::default()
            })
        }),
        expires_at: order.is_multiple_of(2).then_some(WallMs(u64::MAX)),
        queued_at: WallMs(order),
        is_failed: order.is_multiple_of(2),
        depends_on: vec!["a photo".into(); usize::from(order.is_multiple_of(2))],
        resumes: order.is_multiple_of(3),
    }
}

fn account(unread: u64) -> AccountRow {
    AccountRow {
        resume: Some(Secret::new("resume-secret".into())),
        sync: Some("token".into()),
        said_hello: true,
        is_synced: true,
        unread,
        bv: u64::MAX,
        app_order_end: 9,
        owes_unbind: Some(Box::new(Secret::new("login-secret".into()))),
        list: 4,
        is_listing: true,
        is_leaving: true,
    }
}

fn conversation(peer: &str, kind: Option<ConversationKind>) -> ConversationRow {
    let name = kind.map(|_| format!("The name of {peer}"));
    ConversationRow { conversation: direct(peer), kind, peer: kind.map(|_| uid(peer)), name }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("client.db")
    }
}

/// Writes batches and closes the file.
async fn write_all(path: &Path, batches: Vec<Vec<Row>>) {
    let (store, _) = Store::open(path).await.unwrap();
    for (number, rows) in (1..).zip(batches) {
        store.commit(Commit { number, rows }).await.unwrap();
    }
    store.close().await.unwrap();
}

async fn restored(path: &Path) -> Restored {
    let (store, restored) = Store::open(path).await.unwrap();
    store.close().await.unwrap();
    restored
}

async fn refusal(path: &Path) -> StoreError {
    Store::open(path).await.expect_err("the file must be refused")
}

#[tokio::test]
async fn a_new_file_holds_nothing() {
    let folder = Folder::new();
    assert_eq!(restored(&folder.file()).await, Restored::default());
    assert_eq!(restored(&folder.file()).await, Restored::default());
}

#[tokio::test]
async fn reopening_gives_back_exactly_what_was_committed() {
    let folder = Folder::new();
    let expected = Restored {
        account: account(5),
        places: vec![place("carol", 9), place("alice", 3), place("bob", 1)],
        outgoing: vec![
            outgoing(1, Target::User(uid("bob"))),
            outgoing(2, Target::Group(GroupId::parse("team").unwrap())),
            outgoing(6, Target::User(uid("carol"))),
        ],
        was_left_open: false,
    };
    let mut rows = vec![Row::Account(Box::new(account(4)))];
    rows.extend(expected.places.iter().rev().map(|row| Row::Place(Box::new(row.clone()))));
    rows.extend(expected.outgoing.iter().rev().map(|row| Row::Outgoing(Box::new(row.clone()))));
    rows.push(Row::Account(Box::new(expected.account.clone())));
    write_all(&folder.file(), vec![rows]).await;

    assert_eq!(restored(&folder.file()).await, expected);
}

#[tokio::test]
async fn a_later_row_replaces_and_a_gone_row_is_gone() {
    let folder = Folder::new();
    let mut again = outgoing(2, Target::User(uid("bob")));
    again.is_failed = false;
    write_all(
        &folder.file(),
        vec![
            vec![
                Row::Place(Box::new(place("alice", 1))),
                Row::Place(Box::new(place("bob", 1))),
                Row::Outgoing(Box::new(outgoing(1, Target::User(uid("bob"))))),
                Row::Outgoing(Box::new(outgoing(2, Target::User(uid("bob"))))),
            ],
            vec![
                Row::Place(Box::new(place("alice", 2))),
                Row::OutgoingGone(ClientMsgId::parse("out 1").unwrap()),
                Row::Outgoing(Box::new(again.clone())),
            ],
        ],
    )
    .await;

    let restored = restored(&folder.file()).await;
    assert_eq!(restored.places, [place("alice", 2), place("bob", 1)]);
    assert_eq!(restored.outgoing, [again]);
}

#[tokio::test]
async fn only_as_many_places_are_restored_as_a_client_holds_and_the_newest_of_them() {
    let folder = Folder::new();
    let peers = 0..defaults::PLACES_MAX + 10;
    let rows = peers.map(|n| Row::Place(Box::new(place(&format!("user{n}"), 1)))).collect();
    write_all(&folder.file(), vec![rows]).await;

    let places = restored(&folder.file()).await.places;
    assert_eq!(places.len(), defaults::PLACES_MAX);
    assert_eq!(places.first().unwrap().conversation, direct("user10009"));
    assert_eq!(places.last().unwrap().conversation, direct("user10"));
}

#[tokio::test]
async fn messages_and_conversations_are_read_back_as_they_came() {
    let folder = Folder::new();
    let (store, _) = Store::open(&folder.file()).await.unwrap();
    let odd = "{\"type\":\"text\",  \"text\":\"\u{1f319}\\u0000\"}";
    let rows = vec![
        Row::Conversation(Box::new(conversation("alice", None))),
        Row::Conversation(Box::new(conversation("bob", Some(ConversationKind::Direct)))),
        Row::Conversation(Box::new(conversation("alice", Some(ConversationKind::Group)))),
        Row::Message(message("alice", 2, odd).into()),
        Row::Message(message("alice", 1, "{}").into()),
        Row::Message(message("alice", 3, "{}").into()),
        Row::Message(message("alice", 3, "{\"another\":1}").into()),
        Row::Message(message("bob", 1, "{}").into()),
    ];
    store.commit(Commit { number: 1, rows }).await.unwrap();

    let conversations = store.conversations().await.unwrap();
    let expected = [
        conversation("alice", Some(ConversationKind::Group)),
        conversation("bob", Some(ConversationKind::Direct)),
    ];
    assert_eq!(conversations, expected);
    let all = [message("alice", 1, "{}"), message("alice", 2, odd), message("alice", 3, "{}")];
    assert_eq!(store.messages(direct("alice"), None, 10).await.unwrap(), all);
    assert_eq!(store.messages(direct("alice"), None, 2).await.unwrap(), all[1..]);
    assert_eq!(store.messages(direct("alice"), Some(3), 1).await.unwrap(), all[1..2]);
    assert_eq!(store.messages(direct("alice"), Some(u64::MAX), 9).await.unwrap(), all);
    store.close().await.unwrap();
}

#[tokio::test]
async fn only_its_sender_takes_a_message_back() {
    let folder = Folder::new();
    let (store, _) = Store::open(&folder.file()).await.unwrap();
    let recalled = |by, seq| Row::Recalled { conversation: direct("alice"), seq, by: uid(by) };
    let rows = vec![
        Row::Message(message("alice", 1, "{\"text\":\"one\"}").into()),
        Row::Message(message("alice", 2, "{\"text\":\"two\"}").into()),
        recalled("mallory", 1),
        recalled("alice", 2),
        recalled("alice", 3),
    ];
    store.commit(Commit { number: 1, rows }).await.unwrap();

    let expected =
        [message("alice", 1, "{\"text\":\"one\"}"), message("alice", 2, r#"{"type":"recalled"}"#)];
    assert_eq!(store.messages(direct("alice"), None, 10).await.unwrap(), expected);
    store.close().await.unwrap();
}

#[tokio::test]
async fn commits_are_told_in_order_once_they_are_in_the_file() {
    let folder = Folder::new();
    let (mut store, _) = Store::open(&folder.file()).await.unwrap();
    let count = 3 * super::REQUESTS_MAX as u64;
    for number in 1..=count {
        let rows = vec![Row::Message(message("alice", number, "{}").into())];
        store.commit(Commit { number, rows }).await.unwrap();
    }
    let mut last = 0;
    while last < count {
        let told = store.committed().await.unwrap();
        assert!(told > last, "{told} after {last}");
        last = told;
    }
    assert_eq!(last, count);
    store.close().await.unwrap();
}

// Crashes.

const CHILD: &str = "NIGHTJAR_STORE_CHILD";

/// Batch `n` sets every number to `n` and adds messages 3n−2 to 3n, so half a batch shows.
fn batch(n: u64) -> Vec<Row> {
    let mut rows: Vec<Row> = (3 * n - 2..=3 * n)
        .map(|seq| Row::Message(message("alice", seq, "{\"type\":\"text\"}").into()))
        .collect();
    rows.push(Row::Place(Box::new(place("alice", 3 * n))));
    rows.push(Row::Account(Box::new(account(n))));
    rows
}

/// Commits batches on top of what is there, and says each one that is safe, until it is killed.
async fn write_until_killed(path: &Path) {
    let (mut store, restored) = Store::open(path).await.unwrap();
    let before = restored.account.unread;
    let mut given = 0;
    loop {
        for _ in 0..8 {
            given += 1;
            let commit = Commit { number: given, rows: batch(before + given) };
            store.commit(commit).await.unwrap();
        }
        let safe = before + store.committed().await.unwrap();
        // Not println: the harness would keep it.
        writeln!(std::io::stdout(), "safe {safe}").unwrap();
    }
}

/// Starts this test again as a process of its own, and kills it once so many batches are safe.
fn write_and_kill(path: &Path, test: &str, batches: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut safe = lines.filter_map(|line| line.ok()?.split("safe ").nth(1)?.parse::<u64>().ok());
    let reached = safe.find(|safe| *safe >= batches);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said between the decision and the kill counts, too.
    let reached = reached.expect("the child ended by itself");
    safe.last().unwrap_or(reached)
}

#[tokio::test]
async fn a_killed_process_leaves_whole_batches_and_all_it_called_safe() {
    if let Some(path) = std::env::var_os(CHILD) {
        return write_until_killed(Path::new(&path)).await;
    }
    let folder = Folder::new();
    let test = "store::tests::a_killed_process_leaves_whole_batches_and_all_it_called_safe";
    for batches in [1, 5, 10, 20, 40, 80, 160, 300] {
        let safe = write_and_kill(&folder.file(), test, batches);
        let (store, restored) = Store::open(&folder.file()).await.unwrap();
        let found = restored.account.unread;
        assert!(found >= safe, "{safe} batches were safe, {found} are there");
        assert_eq!(restored.account, account(found));
        assert_eq!(restored.places, [place("alice", 3 * found)]);
        let messages = store.messages(direct("alice"), None, u32::MAX).await.unwrap();
        let seqs: Vec<Seq> = messages.iter().map(|message| message.seq).collect();
        assert_eq!(seqs, (1..=3 * found).collect::<Vec<_>>());
        store.close().await.unwrap();
    }
}

// The file.

fn open_files(path: &Path) -> usize {
    let path = path.to_str().unwrap();
    let links = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    targets.filter(|target| target.to_str().is_some_and(|text| text.starts_with(path))).count()
}

#[tokio::test]
async fn closing_finishes_what_was_given_and_leaves_no_descriptor() {
    let folder = Folder::new();
    let path = folder.file();
    let (store, _) = Store::open(&path).await.unwrap();
    for number in 1..=20 {
        store.commit(Commit { number, rows: batch(number) }).await.unwrap();
    }
    assert!(open_files(&path) >= 2, "the file and its log");
    store.close().await.unwrap();

    assert_eq!(open_files(&path), 0);
    assert!(!log_of(&path).exists(), "the log is joined into the file");
    assert_eq!(restored(&path).await.account, account(20));
}

#[tokio::test]
async fn nobody_else_may_read_the_file_or_its_log() {
    let folder = Folder::new();
    let path = folder.file();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    let (store, _) = Store::open(&path).await.unwrap();
    store.commit(Commit { number: 1, rows: batch(1) }).await.unwrap();
    assert_eq!(store.conversations().await.unwrap(), []);
    assert_eq!((mode(&path), mode(&log_of(&path))), (0o600, 0o600));
    store.close().await.unwrap();

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    // SQLite itself corrects the mode of an empty one.
    std::fs::write(log_of(&path), "left behind").unwrap();
    std::fs::set_permissions(log_of(&path), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (store, _) = Store::open(&path).await.unwrap();
    assert_eq!((mode(&path), mode(&log_of(&path))), (0o600, 0o600));
    store.close().await.unwrap();
}

#[tokio::test]
async fn commits_are_synced_to_the_disk() {
    let folder = Folder::new();
    let connection = file::open(&folder.file()).unwrap();
    let value = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, String>(0));
    assert_eq!(value("journal_mode").unwrap(), "wal");
    let synchronous =
        connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0));
    assert_eq!(synchronous.unwrap(), 2, "FULL");
}

// What is refused.

#[tokio::test]
async fn a_file_of_a_later_version_is_refused_and_not_touched() {
    let folder = Folder::new();
    let path = folder.file();
    write_all(&path, vec![batch(1)]).await;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();

    let error = refusal(&path).await;
    assert!(matches!(error, StoreError::Newer { found: 99, known: 5, .. }), "{error}");
    assert!(error.to_string().contains("install the version that wrote it"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_not_touched() {
    let folder = Folder::new();
    let (text, database) = (folder.0.path().join("text"), folder.0.path().join("database"));
    std::fs::write(&text, "Dear diary, ".repeat(100)).unwrap();
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE diary (day)").unwrap();
    for path in [text, database] {
        let before = std::fs::read(&path).unwrap();
        let error = refusal(&path).await;
        assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_file_that_is_open_elsewhere_is_refused_until_it_is_closed() {
    let folder = Folder::new();
    let (store, _) = Store::open(&folder.file()).await.unwrap();
    let error = refusal(&folder.file()).await;
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    store.commit(Commit { number: 1, rows: batch(1) }).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(restored(&folder.file()).await.account, account(1));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let folder = Folder::new();
    let path = folder.0.path().join("missing").join("client.db");
    let error = refusal(&path).await;
    assert!(matches!(error, StoreError::File { doing: "create", .. }), "{error:?}");
    assert!(error.to_string().contains("missing/client.db"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let folder = Folder::new();
    let path = folder.file();
    write_all(&path, (1..=20).map(batch).collect()).await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_value_that_makes_no_sense_is_damage_and_is_not_repeated_in_the_error() {
    for (change, secret) in [
        ("UPDATE places SET pieces = '[\"private words\"]'", "private words"),
        ("UPDATE places SET conversation = 'private/words'", "private/words"),
    ] {
        let folder = Folder::new();
        write_all(&folder.file(), vec![batch(1)]).await;
        Connection::open(folder.file()).unwrap().execute_batch(change).unwrap();
        let error = refusal(&folder.file()).await;
        assert!(matches!(error, StoreError::Damaged { .. }), "{change}: {error:?}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

#[tokio::test]
async fn after_a_commit_that_failed_nothing_more_is_written() {
    let folder = Folder::new();
    let path = folder.file();
    write_all(&path, vec![batch(1)]).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN new.seq = 9
                  BEGIN SELECT RAISE(FAIL, 'no'); END";
    Connection::open(&path).unwrap().execute_batch(refuse).unwrap();

    let (mut store, _) = Store::open(&path).await.unwrap();
    store.commit(Commit { number: 1, rows: batch(2) }).await.unwrap();
    store.commit(Commit { number: 2, rows: batch(3) }).await.unwrap();
    let failure = loop {
        match store.committed().await {
            Ok(number) => assert_eq!(number, 1),
            Err(failure) => break failure,
        }
    };
    assert!(matches!(&*failure, StoreError::Sqlite { doing: "write", .. }), "{failure:?}");
    // Until the thread has ended a commit can still be given; it is not written either.
    while store.commit(Commit { number: 3, rows: batch(4) }).await.is_ok() {}
    let closing = store.close().await.unwrap_err();
    assert_eq!(closing.to_string(), failure.to_string());

    let (store, restored) = Store::open(&path).await.unwrap();
    assert_eq!(restored.account, account(2));
    assert_eq!(store.messages(direct("alice"), None, 99).await.unwrap().len(), 6);
    store.close().await.unwrap();
}

#[test]
fn a_full_disk_is_named_and_the_batch_leaves_nothing() {
    let folder = Folder::new();
    let path = folder.file();
    let mut connection = file::open(&path).unwrap();
    connection.pragma_update_and_check(None, "max_page_count", 100, |_| Ok(())).unwrap();
    let content = "x".repeat(64 << 10);
    let rows = (1..=9).map(|seq| Row::Message(message("alice", seq, &content).into())).collect();
    let failed = write::commit(&mut connection, &Commit { number: 1, rows }).unwrap_err();
    let error = StoreError::of(&path, "write", failed);
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    let left: i64 =
        connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_file_belongs_to_the_first_who_comes() {
    let folder = Folder::new();
    let owner = |name: &str| Owner {
        uid: uid(name),
        device_id: DeviceId::parse(&format!("{name}'s")).unwrap(),
    };
    let (store, _) = Store::open(&folder.file()).await.unwrap();
    assert_eq!(store.claim(owner("alice")).await.unwrap(), owner("alice"));
    store.close().await.unwrap();
    let (store, _) = Store::open(&folder.file()).await.unwrap();
    assert_eq!(store.claim(owner("bob")).await.unwrap(), owner("alice"));
}

#[tokio::test]
async fn a_file_of_the_first_format_is_brought_to_the_newest() {
    let folder = Folder::new();
    let path = folder.file();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("format_1.sql")).unwrap();
    old.pragma_update(None, "application_id", 0x6e6a_636c).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute(
        "INSERT INTO conversations (conversation, kind, peer, name) VALUES (?1, NULL, NULL, NULL)",
        [direct("alice").as_str()],
    )
    .unwrap();
    old.close().unwrap();

    let (store, _) = Store::open(&path).await.unwrap();
    assert_eq!(store.conversations().await.unwrap(), [conversation("alice", None)]);
    let said = |seq, amendment| AmendmentRow {
        conversation: direct("alice"),
        seq,
        target: 1,
        by: uid("alice"),
        amendment,
    };
    let rows = [
        said(3, Amendment::Reacted("🦉".to_owned())),
        said(2, Amendment::Edited("{}".into())),
        said(4, Amendment::Unreacted("🦉".to_owned())),
    ];
    let given = rows.iter().cloned().map(|row| Row::Amendment(Box::new(row))).collect();
    store.commit(Commit { number: 1, rows: given }).await.unwrap();
    let read = store.amendments(direct("alice"), (1, 1)).await.unwrap();
    assert_eq!(read, [rows[1].clone(), rows[0].clone(), rows[2].clone()], "in order");
    assert_eq!(store.amendments(direct("alice"), (2, 9)).await.unwrap(), []);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_listed_row_never_goes_back_and_an_older_list_goes_as_a_whole() {
    let contact = |name: &str, state, ver| {
        Listed::Contact(ContactView { uid: uid(name), state, blocked: false, ver })
    };
    let row = |list, item| Row::Listed { list, item: Box::new(item) };
    let gone = |ver| Listed::Removed(Removed::Contact { uid: uid("bob"), ver });
    let folder = Folder::new();
    let (store, _) = Store::open(&folder.file()).await.unwrap();
    let rows = vec![
        row(1, contact("alice", ContactState::Accepted, 5)),
        row(1, contact("alice", ContactState::Asked, 4)),
        row(1, gone(9)),
        row(1, contact("bob", ContactState::Asked, 8)),
    ];
    store.commit(Commit { number: 1, rows }).await.unwrap();
    let contacts = store.lists().await.unwrap().contacts;
    assert_eq!(
        contacts.iter().map(|it| (it.uid.as_str(), it.ver)).collect::<Vec<_>>(),
        [("alice", 5)]
    );
    let rows = vec![row(2, contact("bob", ContactState::Accepted, 1)), Row::Swept(2)];
    store.commit(Commit { number: 2, rows }).await.unwrap();
    let contacts = store.lists().await.unwrap().contacts;
    assert_eq!(
        contacts.iter().map(|it| (it.uid.as_str(), it.ver)).collect::<Vec<_>>(),
        [("bob", 1)]
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_file_that_kept_no_lists_asks_for_them_all() {
    let folder = Folder::new();
    let old = Connection::open(folder.file()).unwrap();
    old.execute_batch(include_str!("format_1.sql")).unwrap();
    old.execute_batch(include_str!("format_2.sql")).unwrap();
    old.pragma_update(None, "application_id", 0x6e6a_636c).unwrap();
    old.pragma_update(None, "user_version", 2).unwrap();
    let sql = "INSERT INTO account (one, resume, sync, said_hello, is_synced, unread, bv,
        app_order_end) VALUES (1, NULL, 'token', 1, 1, 0, 0, 0)";
    old.execute(sql, []).unwrap();
    old.close().unwrap();
    let account = restored(&folder.file()).await.account;
    assert_eq!((account.sync, account.said_hello, account.list), (None, true, 0));
}
