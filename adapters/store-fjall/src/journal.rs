//! What a loss of power leaves at the end of fjall's newest journal.
//!
//! fjall drops a last batch that breaks off. It refuses to open a journal whose last batch looks
//! whole but does not have its checksum, and that is what a loss of power may leave: pages that no
//! fsync waited for reach the disk in any order. Such a batch was never safe, nor was one behind
//! it, so this cuts them off, keeps them beside the journal, and says so.
//!
//! Deliberately absent: everything fjall copes with itself, and older journals, which were synced
//! whole before the next one began: damage there is no torn write, and fjall refuses it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

/// Content of the file `version` of a database whose journals look as below.
const VERSION: &[u8] = b"FJL\x03";
/// Ends every batch.
const TRAILER: &[u8] = b"FJL\x03";
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
/// Empties a tree. We never write it, so it is a damaged tag.
const CLEAR: u8 = 4;
/// Number of items, sequence number.
const START_BYTES: usize = 4 + 8;
/// Kind, compression, tree, and the lengths of key, value, and value as it was compressed.
const ITEM_BYTES: usize = 1 + 1 + 8 + 2 + 4 + 4;

/// Cuts the newest journal where fjall would refuse it.
pub(crate) fn cut_torn_tail(data: &Path) -> io::Result<()> {
    // Another version has other journals; fjall says what it thinks of it.
    if !std::fs::read(data.join("version")).is_ok_and(|bytes| bytes == VERSION) {
        return Ok(());
    }
    let Some(path) = newest_journal(data)? else { return Ok(()) };
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let Some(cut) = torn_at(&file)? else { return Ok(()) };
    let torn = path.with_extension("torn");
    file.seek(SeekFrom::Start(cut))?;
    let bytes = io::copy(&mut file, &mut File::create(&torn)?)?;
    tracing::error!(
        journal = %path.display(),
        kept = %torn.display(),
        bytes,
        "the journal ends in a torn write, as after a loss of power; it was cut off and kept"
    );
    file.set_len(cut)?;
    file.sync_all()
}

fn newest_journal(data: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in std::fs::read_dir(data)? {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        newest = newest.max(number.map(|number| (number, path)));
    }
    Ok(newest.map(|(_, path)| path))
}

/// What stands at a place of the journal.
enum Batch {
    Whole,
    /// Nothing, or a batch that breaks off: fjall stops here.
    BreaksOff,
    /// A batch that fjall refuses.
    Torn,
}

/// Where to cut, if anywhere: behind the last whole batch.
fn torn_at(file: &File) -> io::Result<Option<u64>> {
    let mut journal = Journal {
        left: file.metadata()?.len(),
        reader: BufReader::with_capacity(1 << 16, file),
        at: 0,
    };
    let mut whole = 0;
    loop {
        match journal.batch() {
            Ok(Batch::Whole) => whole = journal.at,
            Ok(Batch::BreaksOff) => return Ok(None),
            Ok(Batch::Torn) => return Ok(Some(whole)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

struct Journal<R> {
    reader: R,
    at: u64,
    left: u64,
}

impl<R: BufRead> Journal<R> {
    fn batch(&mut self) -> io::Result<Batch> {
        if self.bytes::<1>()? != [START] {
            return Ok(Batch::BreaksOff);
        }
        let start = self.bytes::<START_BYTES>()?;
        let count = u32::from_le_bytes([start[0], start[1], start[2], start[3]]);
        let mut checksum = Xxh3::new();
        let mut items = 0;
        loop {
            match self.bytes::<1>()? {
                [ITEM] if items == count => return Ok(Batch::Torn),
                [CLEAR] => return Ok(Batch::Torn),
                [ITEM] => {
                    if !self.item(&mut checksum)? {
                        return Ok(Batch::Torn);
                    }
                    items += 1;
                }
                [END] => {
                    let expected = u64::from_le_bytes(self.bytes()?);
                    if self.bytes::<4>()? != TRAILER {
                        return Ok(Batch::BreaksOff);
                    }
                    let is_whole = items == count && checksum.digest() == expected;
                    return Ok(if is_whole { Batch::Whole } else { Batch::Torn });
                }
                _ => return Ok(Batch::BreaksOff),
            }
        }
    }

    /// Reads an item behind its tag; `false` when its lengths cannot be.
    fn item(&mut self, checksum: &mut Xxh3) -> io::Result<bool> {
        let head = self.bytes::<ITEM_BYTES>()?;
        let length =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let key = u16::from_le_bytes([head[10], head[11]]);
        let (value, compressed) = (length(12), length(16));
        let is_plain = head[1] == 0;
        let mut body = u64::from(key) + u64::from(compressed);
        if (is_plain && value != compressed) || body > self.left {
            return Ok(false);
        }
        checksum.update(&[ITEM]);
        checksum.update(&head);
        while body > 0 {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let count = bytes.len().min(usize::try_from(body).unwrap_or(usize::MAX));
            checksum.update(&bytes[..count]);
            self.reader.consume(count);
            body -= count as u64;
            self.went(count as u64);
        }
        Ok(true)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.went(N as u64);
        Ok(bytes)
    }

    fn went(&mut self, bytes: u64) {
        self.at += bytes;
        self.left = self.left.saturating_sub(bytes);
    }
}
