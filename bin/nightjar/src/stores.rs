//! Stores of stopped servers: verify, export, import.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use anyhow::{Context, bail};
use nightjar_domain::Verifier;
use nightjar_store_fjall::FjallStore;

/// Where the store lies in a data directory.
pub(crate) fn directory(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("store")
}

/// Reads every row and prints what was found.
pub(crate) fn verify(data_dir: &Path) -> anyhow::Result<()> {
    let store = open_stopped(data_dir)?;
    let mut verifier = Verifier::default();
    for row in store.all_rows() {
        verifier.row(&row.context("a row cannot be read")?);
    }
    let report = verifier.finish();
    for (table, count) in &report.rows {
        println!("{table:16} {count:>10} rows");
    }
    println!("{:16} {:>10}", "open work", report.open_work);
    for problem in &report.problems {
        println!("problem: {problem}");
    }
    if report.problems_count > 0 {
        bail!("{} problems in {}", report.problems_count, data_dir.display());
    }
    println!("no problems");
    Ok(())
}

fn open_stopped(data_dir: &Path) -> anyhow::Result<FjallStore> {
    let directory = directory(data_dir);
    if !directory.is_dir() {
        bail!("{} holds no store; give the server's --data-dir", data_dir.display());
    }
    FjallStore::open_present(&directory)
        .with_context(|| format!("{} cannot be opened", directory.display()))
}

/// Writes the whole store as newline-delimited JSON.
pub(crate) fn export(data_dir: &Path, out: &Path) -> anyhow::Result<()> {
    let file = File::create(out).with_context(|| format!("{} cannot be written", out.display()))?;
    nightjar_store_fjall::export(&directory(data_dir), BufWriter::new(file))
        .with_context(|| format!("{} cannot be exported", data_dir.display()))?;
    Ok(())
}

/// Reads an export into a new data directory.
pub(crate) fn import(data_dir: &Path, input: &Path) -> anyhow::Result<()> {
    let file = File::open(input).with_context(|| format!("{} cannot be read", input.display()))?;
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("{} cannot be made", data_dir.display()))?;
    nightjar_store_fjall::import(&directory(data_dir), BufReader::new(file))
        .with_context(|| format!("{} cannot be imported", input.display()))?;
    Ok(())
}
