//! What a loss of power leaves at the end of the newest journal: it opens, and holds every commit
//! the damage did not touch.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use files::copy_all;
use nightjar_domain::{CommitNo, Row, Store, Submitted};
use nightjar_store_fjall::{FjallStore, Options};
use nightjar_store_suite::History;
use tempfile::TempDir;

mod files;

const COMMITS: u64 = 30;
/// What the kernel writes at once.
const PAGE: u64 = 4096;

/// A store whose journal ended at `ends[n - 1]` after commit `n`.
struct Written {
    directory: TempDir,
    history: History,
    ends: Vec<u64>,
}

fn journal(directory: &Path) -> PathBuf {
    let data = fs::read_dir(directory.join("data")).unwrap();
    let mut journals: Vec<PathBuf> = data
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .collect();
    assert_eq!(journals.len(), 1, "so little is in one journal");
    journals.remove(0)
}

impl Written {
    /// Each commit in a batch of its own.
    fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let history = History::seeded(seed);
        // The journal of a store that was just made is longer than what it holds.
        drop(FjallStore::open(directory.path(), Options::default(), |_| {}, |_| {}).unwrap());
        let (safe, is_safe) = mpsc::channel();
        let on_safe = move |number| safe.send(number).unwrap();
        let mut store =
            FjallStore::open(directory.path(), Options::default(), on_safe, |_| {}).unwrap();
        let path = journal(directory.path());
        let ends = (1..=COMMITS).map(|number| {
            assert_eq!(store.submit(history.commit(number)), Submitted::Taken(CommitNo(number)));
            assert_eq!(is_safe.recv().unwrap(), CommitNo(number));
            fs::metadata(&path).unwrap().len()
        });
        let ends = ends.collect();
        drop(store);
        Self { directory, history, ends }
    }

    fn end(&self) -> u64 {
        self.ends[COMMITS as usize - 1]
    }

    /// Commits that end at or before this place of the journal.
    fn untouched(&self, at: u64) -> u64 {
        self.ends.iter().filter(|end| **end <= at).count() as u64
    }

    /// Damages a copy of the journal and expects exactly the first `left` commits in it, and that
    /// the store goes on from there.
    fn expect(&self, left: u64, what: &str, damage: impl FnOnce(&fs::File)) {
        let copy = tempfile::tempdir().unwrap();
        copy_all(self.directory.path(), copy.path());
        let path = journal(copy.path());
        damage(&OpenOptions::new().read(true).write(true).open(path).unwrap());
        for then in [left, left + 1] {
            let mut store = FjallStore::open(copy.path(), Options::default(), |_| {}, |_| {})
                .unwrap_or_else(|failure| panic!("{what}: {}", failure.chain()));
            let rows: Vec<Row> = store.all_rows().map(Result::unwrap).collect();
            assert_eq!(History::length(&rows), then, "{what}");
            self.history.check(&rows, CommitNo(then), CommitNo(then));
            store.submit(self.history.commit(then + 1));
        }
    }
}

#[test]
fn a_journal_that_breaks_off_holds_every_commit_before() {
    let written = Written::new(1);
    let mut rng = fastrand::Rng::with_seed(1);
    let cuts = (0..40).map(|_| rng.u64(written.ends[0]..written.end()));
    for cut in cuts.chain([written.end() - 1, written.ends[3], written.ends[3] + 1]) {
        written.expect(written.untouched(cut), &format!("cut at {cut}"), |file| {
            file.set_len(cut).unwrap();
        });
    }
}

#[test]
fn a_page_that_was_never_written_drops_its_commit_and_those_behind_it() {
    let written = Written::new(2);
    for page in (written.ends[0] / PAGE + 1)..written.end() / PAGE {
        let at = page * PAGE;
        written.expect(written.untouched(at), &format!("no page at {at}"), |file| {
            file.write_all_at(&[0; PAGE as usize], at).unwrap();
        });
    }
}

#[test]
fn a_wrong_byte_drops_its_commit_and_those_behind_it() {
    let written = Written::new(3);
    let mut rng = fastrand::Rng::with_seed(3);
    let mut tried = 0;
    while tried < 60 {
        let at = rng.u64(written.ends[0]..written.end());
        let untouched = written.untouched(at);
        let into_batch = at - written.ends[untouched as usize - 1];
        // fjall's checksum leaves out the sequence number, the bytes 5 to 12 of a batch. No torn
        // write damages it alone: what follows lies on the same page or on a later one.
        if (5..13).contains(&into_batch) {
            continue;
        }
        tried += 1;
        let flip = rng.u8(1..);
        written.expect(untouched, &format!("{flip:#04x} at {at}"), |file| {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ flip], at).unwrap();
        });
    }
}

#[test]
fn what_is_cut_off_is_kept() {
    let written = Written::new(4);
    let (before, end) = (written.ends[COMMITS as usize - 2], written.end());
    let path = journal(written.directory.path());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    // The last byte of the checksum, in front of the four bytes that end a batch.
    file.write_all_at(&[0xaa, 0xbb], end - 6).unwrap();
    let torn = fs::read(&path).unwrap()[before as usize..].to_vec();
    drop(FjallStore::open(written.directory.path(), Options::default(), |_| {}, |_| {}).unwrap());
    assert_eq!(fs::read(path.with_extension("torn")).unwrap(), torn);
    assert_eq!(fs::metadata(&path).unwrap().len(), before);
}
