//! Writes the directory and the export that `tests/format.rs` opens, once for each format:
//!
//! ```text
//! cargo run -p nightjar-store-fjall --example format_directory -- adapters/store-fjall/tests/data
//! ```
//!
//! What was committed is never written again: later versions must open the bytes of that time.

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;

use nightjar_domain::{Commit, Durability, Row, Store, Write};
use nightjar_store_fjall::{FORMAT, FjallStore, Options};
use nightjar_store_suite::Source;

#[path = "../tests/format/rows.rs"]
mod rows;

fn main() -> Result<(), Box<dyn Error>> {
    let data = std::env::args().nth(1).ok_or("say where to")?;
    let directory = Path::new(&data).join(format!("format-{FORMAT}"));
    if directory.exists() {
        return Err(format!("{} is there already", directory.display()).into());
    }
    let rows = rows::rows();
    let (sorted, journal) = rows.split_at(rows.len() / 2);
    // Some rows and the traces of deleted ones in sorted files, which with so little memory are
    // written at once, and some in the journal only.
    write(&directory, sorted)?;
    while !is_sorted(&directory, "1")? || !is_sorted(&directory, "2")? {
        write(&directory, &[])?;
    }
    write(&directory, journal)?;
    // The first journal of a store is a large sparse file until the store is opened again.
    drop(open(&directory)?);
    let export = File::create(directory.with_extension("ndjson"))?;
    nightjar_store_fjall::export(&directory, export)?;
    Ok(())
}

fn open(directory: &Path) -> Result<FjallStore, Box<dyn Error>> {
    let options = Options { memtable_bytes: 512, ..Options::default() };
    Ok(FjallStore::open(directory, options, |_| {}, |_| {})?)
}

/// Puts the rows, and puts and deletes others.
fn write(directory: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let mut store = open(directory)?;
    let mut source = Source::seeded(1);
    let kept: Vec<_> = rows::rows().iter().map(Row::key).collect();
    let passing = std::iter::repeat_with(|| source.row())
        .filter(|row| !matches!(row, Row::Entry(_)) && !kept.contains(&row.key()));
    let passing: Vec<Row> = passing.take(30).collect();
    let put = passing.iter().cloned().chain(rows.iter().cloned()).map(Write::Put);
    let delete = passing.iter().map(|row| Write::Delete(row.key()));
    for writes in [put.collect(), delete.collect()] {
        store.submit(Commit { writes, durability: Durability::Power });
    }
    Ok(())
}

/// Whether a tree has sorted files.
fn is_sorted(directory: &Path, tree: &str) -> std::io::Result<bool> {
    let tables = directory.join("data/keyspaces").join(tree).join("tables");
    Ok(fs::read_dir(tables)?.next().is_some())
}
