//! A vendor is gone for a minute while ten thousand messages come.
//!
//! ```text
//! cargo build -p nightjar
//! cargo run -p nightjar-whole --example outage_minute [PHONES [MESSAGES [SECONDS]]]
//! ```
//!
//! Prints a line of JSON for each way in which APNs can be gone: it answers 500, asks for time with
//! 429, hangs, or ends connections. `asked` counts requests during the outage, `drained_ms` runs
//! from its end to the last push, `other_late_ms` is the latest push of another vendor meanwhile,
//! `rss_mib` how much the server's memory grew. Ends with 1 when a message was not pushed or came
//! out of order, or another vendor's push was late by more than a second.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nightjar_provider_servers::{ApnsServer, FcmServer, Recorded, Script};
use nightjar_whole::{Device, Login, Server, Setup, ms_since_epoch, text_to_user, within};
use nightjar_wire::{Body, Kind, body};
use serde_json::json;

/// The longest an outage needs to end after it ended: the last wait before a probe, a probe that
/// hangs, and the pushes themselves on a slow machine.
const DRAINED_WITHIN: Duration = Duration::from_secs(240);
/// Another vendor's push waits for nothing.
const OTHER_LATE_MS_MAX: u64 = 1_000;

/// Ten thousand bodies are read at each look.
const LOOK_EVERY: Duration = Duration::from_millis(500);

struct Sizes {
    phones: usize,
    messages: usize,
    seconds: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let mut next = |default: u64| numbers.next().unwrap_or(default);
    let small = |number: u64| usize::try_from(number).expect("a small number");
    let sizes =
        Sizes { phones: small(next(500)), messages: small(next(10_000)), seconds: next(60) };
    let mut good = true;
    for (way, script) in [
        ("500", Script::refuse(500, "InternalServerError")),
        ("429", Script::refuse(429, "TooManyRequests").header("retry-after", "5")),
        ("hangs", Script::silent()),
        ("drops", Script::drop_connection()),
    ] {
        good &= outage(way, script, &sizes).await;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The server's binary: beside the folder of this one.
fn binary() -> std::path::PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.ancestors().nth(2).expect("target/PROFILE/examples/NAME").join("nightjar")
}

/// Resident memory of the server, in MiB.
fn rss_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("the server runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("it has memory");
    let kib: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib / 1024
}

async fn outage(way: &str, script: Script, sizes: &Sizes) -> bool {
    let (apns, fcm) = (ApnsServer::start().await, FcmServer::start().await);
    let setup = Setup::new(binary()).with("[push]\nstorm = false");
    let server = setup.with(&apns.config("main")).with(&fcm.config("main")).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let api = server.api();
    for n in 0..sizes.phones {
        let name = format!("user{n}");
        api.bind(&name, "phone", ["apns", "main", &name]).await;
    }
    api.bind("other", "phone", ["fcm", "main", "other"]).await;
    write(&alice, "user0").await;
    within("the first push", apns.wait_for(1)).await;

    let before = rss_mib(&server);
    apns.answer_always("*", script);
    let (owed, others) = talk(&alice, sizes).await;
    let (asked, grown) = (apns.requests().len() - 1, rss_mib(&server).saturating_sub(before));
    apns.answer_always("*", Script::accept());
    let over = Instant::now();
    let all = loop {
        let is_over = over.elapsed() > DRAINED_WITHIN;
        if pushed(&apns.requests()) == owed || is_over {
            break !is_over;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let drained_ms = u64::try_from(over.elapsed().as_millis()).expect("a few minutes");
    let late = fcm.requests().into_iter().filter_map(|push| {
        let at = others.get(push.json()["message"]["data"]["nid"].as_str()?)?;
        Some(ms_since_epoch(push.at).saturating_sub(*at))
    });
    let late: Vec<u64> = late.collect();
    let other_late_ms = late.iter().copied().max().unwrap_or(u64::MAX);
    println!(
        "{}",
        json!({"way": way, "phones": sizes.phones, "messages": sizes.messages,
            "seconds": sizes.seconds, "asked": asked, "all_in_order": all,
            "drained_ms": drained_ms, "others": late.len(), "other_late_ms": other_late_ms,
            "rss_mib": grown})
    );
    all && late.len() == others.len() && other_late_ms <= OTHER_LATE_MS_MAX
}

/// Writes to all phones in turn for the whole outage, and now and then to the other vendor's.
/// Answers what each phone is owed in order, and when the others were written to.
async fn talk(
    alice: &Device,
    sizes: &Sizes,
) -> (BTreeMap<String, Vec<String>>, BTreeMap<String, u64>) {
    let (mut owed, mut others) = (BTreeMap::<String, Vec<String>>::new(), BTreeMap::new());
    let began = Instant::now();
    for n in 0..sizes.messages {
        let due = Duration::from_secs(sizes.seconds).mul_f64(n as f64 / sizes.messages as f64);
        tokio::time::sleep_until((began + due).into()).await;
        let name = format!("user{}", n % sizes.phones);
        let sent = write(alice, &name).await;
        owed.entry(name).or_default().push(format!("m.{}", sent.message_id));
        if n % 100 == 0 {
            let sent = write(alice, "other").await;
            others.insert(format!("m.{}", sent.message_id), sent.at);
        }
    }
    (owed, others)
}

async fn write(alice: &Device, to: &str) -> body::SendAnswer {
    let send = text_to_user(to, "hello");
    match within("an answer", alice.begin(Kind::Send, Body::Send(send))).await {
        Some(Ok(Body::SendAnswer(answer))) => answer,
        other => panic!("a send was answered with {other:?}"),
    }
}

/// The notification ids each token was pushed, repeated neighbours once, without the first push
/// of all.
fn pushed(pushes: &[Recorded]) -> BTreeMap<String, Vec<String>> {
    let mut by_token: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for push in &pushes[1..] {
        let nid = push.json()["nid"].as_str().unwrap_or_default().to_owned();
        let of_token = by_token.entry(push.token.clone()).or_default();
        if of_token.last() != Some(&nid) {
            of_token.push(nid);
        }
    }
    by_token
}
