//! How fast commits become safe, what they cost on the disk, and how long a start takes.
//!
//! ```text
//! cargo run --release -p nightjar-store-fjall --example bench -- 200000
//! ```
//!
//! The number is how many messages the last part writes, rounded up to a thousand. Each message is one commit as the domain
//! makes it: entry, head, sender's rows, and two work rows; 100 bytes of content, 1,000
//! conversations. Prints one JSON object; bytes on the disk are what the kernel counted for this
//! process (`write_bytes` of `/proc/self/io`), compaction included.

use std::error::Error;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use nightjar_domain::{
    Commit, CommitNo, ConversationRow, Durability, Key, MessageRow, Missing, OwnRow, Row, Rows,
    Scan, SentRow, Store, Submitted, WorkRow, Write,
};
use nightjar_model::{
    ClientMsgId, ConversationId, ConversationKind, Entry, EntryKind, Lane, MessageId, Uid, WallMs,
};
use nightjar_store_fjall::{Counters, FjallStore, Options};
use serde_json::json;

/// As in the server.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const CONVERSATIONS: u64 = 1_000;
const CONTENT_BYTES: usize = 100;
/// How long each of the timed parts runs.
const TIMED: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let messages: u64 = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse())?;
    let messages = messages.next_multiple_of(1_000);
    let directory = tempfile::tempdir()?;
    let one = waiting(&directory.path().join("one"), 1)?;
    let many = waiting(&directory.path().join("many"), 256)?;
    let filled = fill(&directory.path().join("filled"), messages)?;
    println!("{}", json!({ "waiting_1": one, "waiting_256": many, "filled": filled }));
    Ok(())
}

fn open(directory: &Path) -> Result<(FjallStore, Receiver<CommitNo>), Box<dyn Error>> {
    let (safe, is_safe) = mpsc::channel();
    // Nobody listens at the end of a part.
    let on_safe = move |number| safe.send(number).unwrap_or_default();
    let store = FjallStore::open(directory, Options::default(), on_safe, |failure| {
        eprintln!("{}", failure.chain());
    })?;
    Ok((store, is_safe))
}

/// Keeps so many commits waiting for as long as the part lasts.
fn waiting(directory: &Path, waiting_max: u64) -> Result<serde_json::Value, Box<dyn Error>> {
    let (mut store, is_safe) = open(directory)?;
    let counters = store.counters();
    let start = Instant::now();
    let (mut taken, mut safe) = (0, CommitNo(0));
    while start.elapsed() < TIMED {
        while taken - safe.0 < waiting_max {
            taken += 1;
            submit(&mut store, &counters, message(taken));
        }
        safe = is_safe.recv()?;
    }
    let took = start.elapsed();
    let writer_cpu_ns = cpu_ns_of("store-writer")?;
    let counts = counters.counts();
    Ok(json!({
        "writer_cpu_ns": writer_cpu_ns / counts.commits,
        "durable_commits_per_s": (counts.commits as f64 / took.as_secs_f64()).round(),
        "commits_per_fsync": counts.commits / counts.fsyncs,
        "fsync_us_mean": counts.fsync_ns_total / counts.fsyncs / 1000,
        "bytes_committed_per_message": counts.bytes_committed / counts.commits,
        "bytes_written_per_message": counts.bytes_written / counts.commits,
    }))
}

/// Writes the messages, then reads and opens the store again.
fn fill(directory: &Path, messages: u64) -> Result<serde_json::Value, Box<dyn Error>> {
    let before = disk_bytes()?;
    let (mut store, is_safe) = open(directory)?;
    let counters = store.counters();
    let start = Instant::now();
    let mut submit_cpu_ns = 0;
    for first in (1..=messages).step_by(1_000) {
        let commits: Vec<Commit> = (first..first + 1_000).map(message).collect();
        let before = cpu_ns()?;
        commits.into_iter().for_each(|commit| submit(&mut store, &counters, commit));
        submit_cpu_ns += cpu_ns()? - before;
    }
    while is_safe.recv()? < CommitNo(messages) {}
    let took = start.elapsed();
    let writer_cpu_ns = cpu_ns_of("store-writer")?;
    let read_cpu_ns = reads(&store, messages)?;
    drop(store);
    let written = disk_bytes()? - before;
    let start = Instant::now();
    let (store, _) = open(directory)?;
    let reopen = start.elapsed();
    let start = Instant::now();
    let open_work = store.scan(&Scan::Work).map_err(|missing| format!("{missing:?}"))?.len();
    let scan_work = start.elapsed();
    let rows = store.all_rows().count();
    Ok(json!({
        "messages": messages,
        "rows": rows,
        "messages_per_s": (messages as f64 / took.as_secs_f64()).round(),
        "disk_bytes_per_message": written / messages,
        "submit_cpu_ns": submit_cpu_ns / messages,
        "writer_cpu_ns": writer_cpu_ns / messages,
        "read_cpu_ns": read_cpu_ns,
        "reopen_ms": reopen.as_millis(),
        "open_work": open_work,
        "scan_work_ms": scan_work.as_millis(),
    }))
}

/// Mean CPU times of reads, in nanoseconds.
fn reads(store: &FjallStore, messages: u64) -> Result<serde_json::Value, Box<dyn Error>> {
    let head = messages / CONVERSATIONS;
    let entries = |conversation, after, newest| Scan::Entries {
        conversation,
        after,
        before: u64::MAX,
        limit: 20,
        newest,
    };
    Ok(json!({
        "load_head": mean_ns(messages, |id| store.load(&Key::Conversation(id)).map(drop))?,
        "scan_newest_entry": mean_ns(messages, |id| store.scan(&entries(id, head - 1, false)).map(drop))?,
        "scan_20_oldest_entries": mean_ns(messages, |id| store.scan(&entries(id, 0, false)).map(drop))?,
        "scan_20_newest_entries": mean_ns(messages, |id| store.scan(&entries(id, 0, true)).map(drop))?,
    }))
}

fn mean_ns(
    messages: u64,
    read: impl Fn(ConversationId) -> Result<(), Missing>,
) -> Result<u64, Box<dyn Error>> {
    const READS: u32 = 20_000;
    let mut rng = fastrand::Rng::with_seed(1);
    let start = cpu_ns()?;
    for _ in 0..READS {
        read(conversation(rng.u64(1..messages))).map_err(|missing| format!("{missing:?}"))?;
    }
    Ok((cpu_ns()? - start) / u64::from(READS))
}

/// CPU time of this thread, so that a busy machine does not count.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    cpu_ns_in(Path::new("/proc/thread-self"))
}

/// CPU time of the thread of this name.
fn cpu_ns_of(name: &str) -> Result<u64, Box<dyn Error>> {
    for thread in std::fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        if std::fs::read_to_string(thread.join("comm"))?.trim_end() == name {
            return cpu_ns_in(&thread);
        }
    }
    Err(format!("no thread is named {name}").into())
}

fn cpu_ns_in(thread: &Path) -> Result<u64, Box<dyn Error>> {
    let schedstat = std::fs::read_to_string(thread.join("schedstat"))?;
    Ok(schedstat.split(' ').next().ok_or("the kernel counts no time")?.parse()?)
}

/// Submits a commit once there is room for it.
fn submit(store: &mut FjallStore, counters: &Counters, commit: Commit) {
    while counters.counts().commits_waiting >= Options::default().commits_waiting_max {
        std::thread::sleep(Duration::from_millis(1));
    }
    let answer = store.submit(commit);
    assert!(matches!(answer, Submitted::Taken(_)), "{answer:?}");
}

fn disk_bytes() -> Result<u64, Box<dyn Error>> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.ok_or("the kernel counts no bytes")?.parse()?)
}

fn uid(text: String) -> Uid {
    Uid::parse(&text).expect("letters and digits are a uid")
}

fn conversation(number: u64) -> ConversationId {
    let pair = number % CONVERSATIONS;
    ConversationId::direct(&uid(format!("user{pair}")), &uid(format!("peer{pair}")))
}

/// The commit of the message of this number.
fn message(number: u64) -> Commit {
    let (conversation, seq) = (conversation(number), number / CONVERSATIONS + 1);
    let (from, peer) = conversation.peers().expect("it is a direct conversation");
    let at = WallMs(1_700_000_000_000 + number);
    let message_id = MessageId::new(at, &[number as u8; 10]);
    let client_msg_id = ClientMsgId::parse(&format!("{number:032x}")).expect("digits are an id");
    let lanes = [Lane::of_user(&from), Lane::of_user(&peer)];
    let work = lanes.map(|lane| {
        Row::Work(WorkRow { lane, conversation: conversation.clone(), from: seq, head: seq })
    });
    let mut rows = vec![
        Row::Entry(Entry {
            conversation: conversation.clone(),
            seq,
            message_id,
            from: from.clone(),
            client_msg_id: client_msg_id.clone(),
            at,
            kind: EntryKind::Message,
            ordinal: seq,
            own_ordinal: seq,
            content: vec![b'x'; CONTENT_BYTES].into(),
            sealed: false,
            recalled: false,
            push: None,
            expires_at: None,
        }),
        Row::Conversation(ConversationRow {
            conversation: conversation.clone(),
            kind: ConversationKind::Direct,
            name: None,
            owner: None,
            head: seq,
            floor: 0,
            ordinal: seq,
            last_at: at,
        }),
        Row::Sent(SentRow {
            uid: from.clone(),
            client_msg_id,
            conversation: conversation.clone(),
            seq,
            message_id,
            at,
        }),
        Row::Message(MessageRow { message_id, conversation: conversation.clone(), seq }),
        Row::Own(OwnRow { conversation, uid: from, seq, own_ordinal: seq }),
    ];
    rows.extend(work);
    Commit { writes: rows.into_iter().map(Write::Put).collect(), durability: Durability::Power }
}
