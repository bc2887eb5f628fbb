//! Directories and exports of earlier versions stay readable; those of later ones are refused.

use std::fs;
use std::path::{Path, PathBuf};

use files::copy_all;
use nightjar_domain::{Commit, Durability, Row, Store, Submitted, Write};
use nightjar_store_fjall::{FORMAT, Failure, FjallStore, Options, export, import};
use nightjar_store_suite::Model;

mod files;
#[path = "format/rows.rs"]
mod rows;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn all_rows(directory: &Path) -> Vec<Row> {
    let store = FjallStore::open(directory, Options::default(), |_| {}, |_| {}).unwrap();
    store.all_rows().map(Result::unwrap).collect()
}

#[test]
fn a_directory_of_format_1_opens_with_every_row_and_takes_more() {
    let copy = tempfile::tempdir().unwrap();
    copy_all(&data().join("format-1"), copy.path());
    assert_eq!(all_rows(copy.path()), rows::rows());
    let mut store = FjallStore::open(copy.path(), Options::default(), |_| {}, |_| {}).unwrap();
    let mut model = Model::default();
    let put = |row| Commit { writes: vec![Write::Put(row)], durability: Durability::Power };
    rows::rows().into_iter().for_each(|row| model.apply(put(row)));
    let delete = model.all_rows().into_iter().step_by(2).map(|row| Write::Delete(row.key()));
    let commit = Commit { writes: delete.collect(), durability: Durability::Power };
    model.apply(commit.clone());
    assert!(matches!(store.submit(commit), Submitted::Taken(_)));
    drop(store);
    assert_eq!(all_rows(copy.path()), model.all_rows());
}

#[test]
fn an_export_of_format_1_is_imported_and_written_the_same_again() {
    let text = fs::read_to_string(data().join("format-1.ndjson")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let count = import(directory.path(), text.as_bytes()).unwrap();
    assert_eq!(count, rows::rows().len() as u64);
    assert_eq!(all_rows(directory.path()), rows::rows());
    let mut again = Vec::new();
    assert_eq!(export(directory.path(), &mut again).unwrap(), count);
    assert_eq!(String::from_utf8(again).unwrap(), text);
}

#[test]
fn a_store_of_a_later_format_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    all_rows(directory.path());
    let set_format = |bytes: &[u8]| {
        let database = fjall::Database::builder(directory.path().join("data")).open().unwrap();
        let state = database.keyspace("state", fjall::KeyspaceCreateOptions::default).unwrap();
        state.insert([0, 0, 0], bytes).unwrap();
        database.persist(fjall::PersistMode::SyncAll).unwrap();
    };
    let open = || FjallStore::open(directory.path(), Options::default(), |_| {}, |_| {}).err();
    set_format(&(FORMAT + 1).to_be_bytes());
    let failure = open().expect("a later format");
    assert!(matches!(failure, Failure::Format { found, .. } if found == FORMAT + 1), "{failure}");
    assert!(failure.to_string().contains("open it with the version that wrote it"), "{failure}");
    set_format(&FORMAT.to_be_bytes());
    assert!(open().is_none());
}
