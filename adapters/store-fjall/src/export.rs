//! A store as text: newline-delimited JSON, a header and then one row a line, in the order of keys.
//!
//! An export is a backup. It holds everything, push tokens and message contents in plain included:
//! keep it as safe as the store itself. Content is a JSON string, byte for byte; content that is
//! no text is `{"hex":…}`.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};
use std::path::Path;

use nightjar_domain::Row;
use serde::{Deserialize, Serialize};

use crate::disk::{Change, Disk};
use crate::failure::{Failure, engine, io};
use crate::key::{Span, Table};
use crate::merge;
use crate::overlay::Overlay;
use crate::store::Options;

/// The form of exports this version writes and reads.
const EXPORT_FORMAT: u32 = 1;
/// Rows written together by an import.
const ROWS_A_BATCH: usize = 1000;
/// A line of an import. The largest content, all of it escaped, is a tenth of that.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    /// How many lines follow: a file that was cut off is not a backup.
    rows: u64,
}

/// Writes every row of a stopped store and says how many there were.
///
/// # Errors
/// [`Failure`]; among others when there is no store or a process has it open.
pub fn export(directory: &Path, mut out: impl Write) -> Result<u64, Failure> {
    let doing = "the export cannot be written";
    let disk = Disk::open_present(directory, &Options::default())?;
    let mut count = 0;
    for table in Table::ALL {
        for guard in disk.iter(&Span::whole(table)) {
            guard.key().map_err(engine("a row cannot be read"))?;
            count += 1;
        }
    }
    line(&mut out, &Header { format: EXPORT_FORMAT, rows: count })?;
    let overlay = Overlay::default();
    for table in Table::ALL {
        for row in merge::rows(&disk, &overlay, &Span::whole(table)) {
            line(&mut out, &row?)?;
        }
    }
    out.flush().map_err(io(doing))?;
    Ok(count)
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    let write = io("the export cannot be written");
    serde_json::to_writer(&mut *out, value).map_err(|error| write(error.into()))?;
    out.write_all(b"\n").map_err(write)
}

/// Reads an export into a new store and says how many rows there were. There is no store before
/// the whole export was read.
///
/// # Errors
/// [`Failure`]; among others when there is a store already, and with the line when one is wrong.
pub fn import(directory: &Path, input: impl BufRead) -> Result<u64, Failure> {
    let mut count = 0;
    Disk::make_of(directory, &Options::default(), |disk| {
        count = fill(disk, input)?;
        Ok(())
    })?;
    Ok(count)
}

fn fill(disk: &Disk, mut input: impl BufRead) -> Result<u64, Failure> {
    let mut lines = Lines { number: 0, text: Vec::new() };
    let Some(header) = lines.next::<Header>(&mut input)? else {
        return Err(lines.wrong("the export is empty".into()));
    };
    if header.format != EXPORT_FORMAT {
        let found = header.format;
        return Err(lines.wrong(format!(
            "the export has format {found} and this version reads {EXPORT_FORMAT}"
        )));
    }
    let mut count = 0;
    let mut batch = BTreeMap::new();
    let mut buffer = Vec::new();
    while let Some(row) = lines.next::<Row>(&mut input)? {
        count += 1;
        let (key, change) = Change::of(&row.key(), Some(&row), &mut buffer);
        batch.insert(key, change);
        if batch.len() >= ROWS_A_BATCH {
            disk.write(std::mem::take(&mut batch))?;
        }
    }
    disk.write(batch)?;
    if count != header.rows {
        let rows = header.rows;
        return Err(lines.wrong(format!(
            "the header says {rows} rows and {count} followed: the export is not whole"
        )));
    }
    Ok(count)
}

/// Lines of an import, one at a time.
struct Lines {
    number: u64,
    text: Vec<u8>,
}

impl Lines {
    fn next<T: for<'de> Deserialize<'de>>(
        &mut self,
        input: &mut impl BufRead,
    ) -> Result<Option<T>, Failure> {
        self.text.clear();
        self.number += 1;
        input
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut self.text)
            .map_err(io("the import cannot be read"))?;
        if self.text.is_empty() {
            return Ok(None);
        }
        if self.text.len() as u64 == LINE_BYTES_MAX {
            return Err(self.wrong(format!("it has more than {LINE_BYTES_MAX} bytes")));
        }
        let value = serde_json::from_slice(&self.text);
        value.map(Some).map_err(|error| self.wrong(error.to_string()))
    }

    fn wrong(&self, reason: String) -> Failure {
        Failure::Line { line: self.number, reason }
    }
}
