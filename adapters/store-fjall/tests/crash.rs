//! What is left when the process dies or the disk takes no more: a real process, really killed.
//!
//! Each test starts itself again as the process that writes; that one only runs [`child`].

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nightjar_domain::{CommitNo, Row, Rows, Store, Submitted};
use nightjar_store_fjall::{Failure, FjallStore, Options};
use nightjar_store_suite::History;

/// Says in which directory a started process writes.
const DIRECTORY: &str = "NIGHTJAR_STORE_CHILD_DIRECTORY";
/// Commits a process writes when nobody kills it.
const COMMITS_MAX: u64 = 20_000;
/// How long a store may be full before the process gives up.
const FULL_MAX: Duration = Duration::from_secs(30);
const SEED: u64 = 7;

fn history() -> History {
    History::seeded(SEED)
}

/// Goes on with the history and says what it does, a line each, until it is killed or the store
/// breaks.
fn child(directory: &Path, options: Options) {
    let start = written(directory);
    println!("opened");
    let on_safe = move |number: CommitNo| println!("safe {}", start + number.0);
    let on_broken = |_: &Failure| println!("broken");
    let mut store = FjallStore::open(directory, options, on_safe, on_broken).unwrap();
    let history = history();
    for number in start + 1..=start + COMMITS_MAX {
        println!("submit {number}");
        let start = Instant::now();
        loop {
            match store.submit(history.commit(number)) {
                Submitted::Taken(_) => break,
                Submitted::Full(_) if start.elapsed() < FULL_MAX => std::thread::yield_now(),
                Submitted::Full(_) => return println!("stuck"),
                Submitted::Broken(_) => return println!("refused"),
            }
        }
    }
}

fn open(directory: &Path) -> FjallStore {
    FjallStore::open(directory, Options::default(), |_| {}, |_| {}).unwrap()
}

fn written(directory: &Path) -> u64 {
    match open(directory).load(&History::mark()).unwrap() {
        Some(Row::EventCursor(row)) => row.number,
        _ => 0,
    }
}

/// What a process said before it ended.
#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
}

impl Said {
    /// The last number behind this word.
    fn last(&self, word: &str) -> Option<u64> {
        self.lines.iter().rev().find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
    }

    fn place(&self, word: &str) -> Option<usize> {
        self.lines.iter().position(|line| line == word)
    }
}

/// This test, started again; `through` is a shell command that replaces itself by its arguments.
fn start(test: &str, directory: &Path, through: &str) -> Child {
    Command::new("sh")
        .args(["-c", through])
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Listens to a process, kills it after so many lines, and returns everything it said.
fn listen(mut process: Child, lines_max: usize) -> Said {
    let mut said = Said::default();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    for line in lines.map(Result::unwrap) {
        said.lines.push(line);
        if said.lines.len() == lines_max {
            process.kill().unwrap();
        }
    }
    process.wait().unwrap();
    said
}

fn check_what_is_left(directory: &Path, said: &Said, before: u64) -> u64 {
    let store = open(directory);
    let rows: Vec<Row> = store.all_rows().map(Result::unwrap).collect();
    let safe = said.last("safe").unwrap_or(before);
    let submitted = said.last("submit").unwrap_or(before);
    history().check(&rows, CommitNo(safe), CommitNo(submitted))
}

#[test]
fn a_killed_process_leaves_every_safe_commit_and_a_prefix_of_the_others() {
    // Rows are sorted into files all the time.
    let options = Options { memtable_bytes: 32 << 10, ..Options::default() };
    if let Some(directory) = env::var_os(DIRECTORY) {
        return child(directory.as_ref(), options);
    }
    let test = "a_killed_process_leaves_every_safe_commit_and_a_prefix_of_the_others";
    let mut rng = fastrand::Rng::new();
    for _ in 0..6 {
        let directory = tempfile::tempdir().unwrap();
        let mut length = 0;
        for _ in 0..8 {
            let lines_max = rng.usize(1..400);
            let said = listen(start(test, directory.path(), "exec \"$0\" \"$@\""), lines_max);
            assert!(said.lines.len() >= lines_max, "it ended by itself: {said:?}");
            length = check_what_is_left(directory.path(), &said, length);
        }
        assert!(length > 0, "nothing was ever written");
    }
}

#[test]
fn when_a_write_fails_nothing_more_is_safe_and_the_opener_is_told() {
    if let Some(directory) = env::var_os(DIRECTORY) {
        return child(directory.as_ref(), Options::default());
    }
    let directory = tempfile::tempdir().unwrap();
    // The first journal is a sparse file larger than the limit; from the second start on it is as
    // long as what it holds.
    drop(open(directory.path()));
    drop(open(directory.path()));
    // No file grows above 2 MiB (4 MiB where a block is 1 KiB), and a write that would is an error.
    let limited = "ulimit -f 4096; trap '' XFSZ; exec \"$0\" \"$@\"";
    let test = "when_a_write_fails_nothing_more_is_safe_and_the_opener_is_told";
    let said = listen(start(test, directory.path(), limited), usize::MAX);
    let broken = said.place("broken").expect("the opener was told");
    assert!(said.place("refused").is_some(), "later commits were refused");
    assert!(said.last("safe") > Some(0), "something was safe before");
    let later = said.lines[broken..].iter().find(|line| line.starts_with("safe"));
    assert_eq!(later, None, "after the failure");
    check_what_is_left(directory.path(), &said, 0);
}
