//! A store as text.

use std::fs;
use std::path::Path;

use nightjar_domain::{Row, Store, Submitted};
use nightjar_store_fjall::{Failure, FjallStore, Options, export, import};
use nightjar_store_suite::History;

fn open(directory: &Path) -> FjallStore {
    FjallStore::open(directory, Options::default(), |_| {}, |_| {}).unwrap()
}

/// A store with the rows of a history, and its export.
fn exported(commits: u64) -> (Vec<Row>, String) {
    let directory = tempfile::tempdir().unwrap();
    let history = History::seeded(3);
    let mut store = open(directory.path());
    for number in 1..=commits {
        assert!(matches!(store.submit(history.commit(number)), Submitted::Taken(_)));
    }
    drop(store);
    let mut text = Vec::new();
    let count = export(directory.path(), &mut text).unwrap();
    let rows = history.rows_after(commits);
    assert_eq!(count, rows.len() as u64);
    (rows, String::from_utf8(text).unwrap())
}

fn refusal(text: &str) -> (u64, String) {
    let directory = tempfile::tempdir().unwrap();
    let failure = import(directory.path(), text.as_bytes()).unwrap_err();
    let nothing = export(directory.path(), Vec::new()).unwrap_err();
    assert!(matches!(nothing, Failure::NoStore { .. }), "a failed import leaves no store");
    match failure {
        Failure::Line { line, reason } => (line, reason),
        other => panic!("no line: {other}"),
    }
}

#[test]
fn an_export_holds_every_row_and_an_import_brings_it_back_byte_for_byte() {
    let (rows, text) = exported(2_000);
    assert_eq!(text.lines().count(), rows.len() + 1, "a header and a line for each row");
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(import(directory.path(), text.as_bytes()).unwrap(), rows.len() as u64);
    let read: Vec<Row> = open(directory.path()).all_rows().map(Result::unwrap).collect();
    assert!(read == rows, "rows differ");
}

#[test]
fn content_is_readable_in_an_export() {
    let (rows, text) = exported(200);
    let texts = rows.iter().filter_map(|row| match row {
        Row::Entry(entry) => std::str::from_utf8(&entry.content).ok(),
        _ => None,
    });
    let mut count = 0;
    for content in texts {
        count += 1;
        let expected = format!("\"content\":{}", serde_json::to_string(content).unwrap());
        assert!(text.contains(&expected), "{expected}");
    }
    assert!(count > 5, "{count} entries with text");
}

#[test]
fn a_bad_line_is_named() {
    let (rows, text) = exported(20);
    let lines: Vec<&str> = text.lines().collect();
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines.join("\n")
    };
    let (line, reason) = refusal(&with(4, "{\"table\":\"entry\",\"seq\":1}"));
    assert_eq!((line, reason.contains("missing field")), (5, true), "{reason}");
    let (line, reason) = refusal(&with(2, "{\"table\":\"nonsense\"}"));
    assert_eq!((line, reason.contains("nonsense")), (3, true), "{reason}");
    let (line, reason) = refusal(&with(3, "no json"));
    assert_eq!((line, reason.is_empty()), (4, false));
    let (line, reason) = refusal(&with(0, "{\"format\":2,\"rows\":1}"));
    assert_eq!((line, reason.contains("format 2")), (1, true), "{reason}");
    let (line, reason) = refusal("");
    assert_eq!((line, reason.contains("empty")), (1, true), "{reason}");
    let cut = lines[..rows.len()].join("\n");
    let (_, reason) = refusal(&cut);
    assert!(reason.contains("not whole"), "{reason}");
    let (line, reason) = refusal(&with(1, &" ".repeat(5 << 20)));
    assert_eq!((line, reason.contains("bytes")), (2, true), "{reason}");
}

#[test]
fn an_import_does_not_touch_a_store_that_is_there() {
    let (rows, text) = exported(20);
    let directory = tempfile::tempdir().unwrap();
    import(directory.path(), text.as_bytes()).unwrap();
    let (_, other) = exported(40);
    let failure = import(directory.path(), other.as_bytes()).unwrap_err();
    assert!(matches!(failure, Failure::Present { .. }), "{failure}");
    let read: Vec<Row> = open(directory.path()).all_rows().map(Result::unwrap).collect();
    assert_eq!(read, rows);
}

#[test]
fn a_store_that_is_open_is_not_exported() {
    let directory = tempfile::tempdir().unwrap();
    let _store = open(directory.path());
    let failure = export(directory.path(), Vec::new()).unwrap_err();
    assert!(matches!(failure, Failure::Locked { .. }), "{failure}");
}

#[test]
fn a_store_half_made_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    // As after a crash in the middle: files of the database, and not its place.
    fs::rename(directory.path().join("data"), directory.path().join("making")).unwrap();
    fs::remove_file(directory.path().join("making/version")).unwrap();
    assert_eq!(open(directory.path()).all_rows().count(), 0);
    assert!(!directory.path().join("making").exists());
}
