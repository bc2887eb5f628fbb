//! The store as its opener sees it.

use std::sync::mpsc;

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

fn open(directory: &std::path::Path) -> (FjallStore, mpsc::Receiver<CommitNo>) {
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
fn rows_are_there_after_a_restart() {
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
    assert_eq!(store.all_rows().map(Result::unwrap).collect::<Vec<_>>(), rows);
}

#[test]
fn a_second_opener_is_told_that_the_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let (_store, _) = open(directory.path());
    let second = FjallStore::open(directory.path(), Options::default(), |_| {}, |_| {});
    assert!(matches!(second, Err(Failure::Locked { .. })));
}
