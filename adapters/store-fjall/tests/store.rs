//! The store as its opener sees it: restarts, the lock, group commit, counts.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};

use nightjar_domain::{
    Commit, CommitNo, Durability, EventRow, Key, Row, Rows, Scan, Store, Submitted, Write,
};
use nightjar_store_fjall::{Failure, FjallStore, Options};

fn event(number: u64) -> Row {
    Row::Event(EventRow { number, json: format!("{{\"n\":{number}}}") })
}

fn put(number: u64, durability: Durability) -> Commit {
    Commit { writes: vec![Write::Put(event(number))], durability }
}

fn open(directory: &Path) -> (FjallStore, Receiver<CommitNo>) {
    let (safe, safe_numbers) = mpsc::channel();
    let on_safe = move |number| {
        // A test that looks at rows only does not wait for numbers.
        let _ = safe.send(number);
    };
    let on_broken = |failure: &Failure| panic!("the disk failed: {failure}");
    let store = FjallStore::open(directory, Options::default(), on_safe, on_broken).unwrap();
    (store, safe_numbers)
}

#[test]
fn dropping_a_store_makes_everything_safe_that_was_taken() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, safe) = open(directory.path());
    for number in 1..=100 {
        let durability = if number % 2 == 0 { Durability::Power } else { Durability::Process };
        assert_eq!(store.submit(put(number, durability)), Submitted::Taken(CommitNo(number)));
        assert_eq!(store.load(&Key::Event(number)).unwrap(), Some(event(number)));
    }
    drop(store);
    assert_eq!(safe.iter().last(), Some(CommitNo(100)));
    let (store, _) = open(directory.path());
    let rows = store.scan(&Scan::Events { after: 0, limit: 1000 }).unwrap();
    assert_eq!(rows, (1..=100).map(event).collect::<Vec<_>>());
}

#[test]
fn a_second_opener_is_told_that_the_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path());
    let second = || FjallStore::open(directory.path(), Options::default(), |_| {}, |_| {});
    let failure = second().err().expect("the store is open");
    assert!(matches!(failure, Failure::Locked { .. }), "{failure}");
    assert!(failure.to_string().contains("stop it"), "{failure}");
    drop(store);
    assert!(second().is_ok());
}

/// A store whose writer stops in front of what it says first, until a word comes.
fn stopped(directory: &Path) -> (FjallStore, Receiver<CommitNo>, SyncSender<()>) {
    let (safe, safe_numbers) = mpsc::channel();
    let (go, wait) = mpsc::sync_channel(1);
    let on_safe = move |number| {
        safe.send(number).unwrap();
        if number == CommitNo(1) {
            wait.recv().unwrap();
        }
    };
    let store = FjallStore::open(directory, Options::default(), on_safe, |_| {}).unwrap();
    (store, safe_numbers, go)
}

#[test]
fn what_queued_up_becomes_one_batch_with_one_fsync() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, safe, go) = stopped(directory.path());
    let counters = store.counters();
    store.submit(put(1, Durability::Power));
    assert_eq!(safe.recv().unwrap(), CommitNo(1));
    for _ in 2..=50 {
        store.submit(put(2, Durability::Power));
    }
    assert_eq!(counters.counts().commits_waiting, 49);
    go.send(()).unwrap();
    assert_eq!(safe.recv().unwrap(), CommitNo(50));
    drop(store);
    let counts = counters.counts();
    assert_eq!((counts.commits, counts.batches, counts.fsyncs), (50, 2, 2));
    assert_eq!((counts.rows_committed, counts.rows_written), (50, 2));
    assert_eq!(counts.bytes_committed, counts.bytes_written / 2 * 50);
    assert_eq!((counts.commits_waiting, counts.bytes_waiting), (0, 0));
    assert!(counts.fsync_ns_last > 0 && counts.fsync_ns_total > counts.fsync_ns_last);
}

#[test]
fn a_batch_is_synced_when_one_of_its_commits_must_survive_a_loss_of_power() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, safe, go) = stopped(directory.path());
    let counters = store.counters();
    store.submit(put(1, Durability::Process));
    assert_eq!(safe.recv().unwrap(), CommitNo(1));
    assert_eq!(counters.counts().fsyncs, 0, "one that need not");
    for number in 2..=10 {
        let durability = if number == 5 { Durability::Power } else { Durability::Process };
        store.submit(put(number, durability));
    }
    go.send(()).unwrap();
    assert_eq!(safe.recv().unwrap(), CommitNo(10));
    drop(store);
    assert_eq!(counters.counts().fsyncs, 1, "one that must among others");
}

#[test]
fn reads_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    for number in 1..=5 {
        store.submit(put(number, Durability::Process));
    }
    store.load(&Key::Event(1)).unwrap();
    store.load(&Key::Event(99)).unwrap();
    store.scan(&Scan::Events { after: 2, limit: 9 }).unwrap();
    let counts = store.counters().counts();
    assert_eq!((counts.rows_loaded, counts.rows_scanned), (2, 3));
}

#[test]
fn a_writer_that_dies_of_a_bug_breaks_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let (end, ended) = mpsc::channel::<()>();
    let on_safe = move |_| {
        let _end = &end;
        panic!("as a bug would");
    };
    let mut store =
        FjallStore::open(directory.path(), Options::default(), on_safe, |_| {}).unwrap();
    assert_eq!(store.submit(put(1, Durability::Power)), Submitted::Taken(CommitNo(1)));
    // The thread drops its end of the channel as it dies, behind what breaks the store.
    assert!(ended.recv().is_err());
    let answer = store.submit(put(2, Durability::Power));
    assert!(matches!(&answer, Submitted::Broken(reason) if reason.contains("panicked")));
}
