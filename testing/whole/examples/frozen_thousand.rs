//! A thousand phones freeze at once: how late are they pushed?
//!
//! ```text
//! cargo build --release -p nightjar
//! cargo run --release -p nightjar-whole --example frozen_thousand [PHONES]
//! ```
//!
//! Prints a line of JSON a case: one frozen phone alone, then all of them written to one by one,
//! then all of them by one message into their group. Lateness is from the moment of the message to
//! its push at the provider, in ms, with the default deadline of 5 s. Ends with 1 when a phone was
//! not pushed, was pushed twice, or the p99 is more than a second behind the single case.

use std::collections::BTreeMap;
use std::process::ExitCode;

use nightjar_provider_servers::{ApnsServer, Recorded};
use nightjar_whole::{
    Acks, Api, Device, Login, Server, Setup, ms_since_epoch, text_to_user, within,
};
use nightjar_wire::{Body, Kind, body};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

/// How far the p99 of many may lie behind one alone, in ms.
const BEHIND_MS_MAX: u64 = 1_000;
/// Logins under way at a time.
const LOGINS: usize = 32;

#[tokio::main]
async fn main() -> ExitCode {
    let phones = std::env::args().nth(1).map_or(1_000, |text| text.parse().expect("a number"));
    allow_many_files();
    let apns = ApnsServer::start().await;
    let server = Setup::new(binary()).with(&apns.config("main")).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;

    let single = one_alone(&server, &apns, &alice).await;
    println!("{}", json!({"case": "one alone", "late_ms": single}));
    let one_by_one = many(&server, &apns, "a", phones, |names| write_to_each(&alice, names)).await;
    let api = server.api();
    let by_group =
        many(&server, &apns, "b", phones, |names| write_to_group(&api, &alice, names)).await;
    let mut good = true;
    for (case, (late, twice)) in [("one by one", one_by_one), ("by their group", by_group)] {
        let at = |percent: usize| late[(late.len() * percent).div_ceil(100).max(1) - 1];
        println!(
            "{}",
            json!({"case": case, "phones": phones, "pushed": late.len(), "twice": twice,
                "min_ms": late[0], "p50_ms": at(50), "p99_ms": at(99), "max_ms": at(100)})
        );
        good &= late.len() == phones && twice == 0 && at(99) <= single + BEHIND_MS_MAX;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The server's binary: beside the folder of this one.
fn binary() -> std::path::PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.ancestors().nth(2).expect("target/PROFILE/examples/NAME").join("nightjar")
}

/// Each phone is a file here and one in the server, which inherits the limit.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("the soft limit may grow to the hard one");
}

async fn frozen_phone(server: &Server, name: String) -> Device {
    let phone = Login::new(&name, "phone").acks(Acks::Nothing).to(server).await;
    server.api().bind(&name, "phone", ["apns", "main", &name]).await;
    phone.freeze();
    phone
}

async fn one_alone(server: &Server, apns: &ApnsServer, alice: &Device) -> u64 {
    let _phone = frozen_phone(server, "alone".to_owned()).await;
    let sent = alice.say("alone", "hello").await;
    let pushes = within("the push", apns.wait_for(1)).await;
    ms_since_epoch(pushes[0].at).saturating_sub(sent.at)
}

/// Freezes many, lets `write` write to all of them, and answers how late each was pushed, sorted,
/// and how many were pushed twice.
async fn many<'a, W, F>(
    server: &Server,
    apns: &ApnsServer,
    prefix: &str,
    phones: usize,
    write: W,
) -> (Vec<u64>, usize)
where
    W: FnOnce(Vec<String>) -> F,
    F: Future<Output = BTreeMap<String, u64>> + 'a,
{
    let names: Vec<String> = (0..phones).map(|n| format!("{prefix}{n}")).collect();
    let mut devices = Vec::new();
    for some in names.chunks(LOGINS) {
        let logins = some.iter().map(|name| frozen_phone(server, name.clone()));
        devices.extend(futures_util::future::join_all(logins).await);
    }
    let before = apns.requests().len();
    let written = write(names).await;
    let all = apns.wait_until(|pushes| pushes.len() >= before + phones);
    // What is missing shows in the count.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(30), all).await;
    // A second push of any would come with this one at the latest: it is asked for after all.
    let last = frozen_phone(server, format!("{prefix}-last")).await;
    last.thaw();
    last.go_to_background(0).await;
    server.api().send("alice", json!({"user": last.uid}), "the last").await;
    let token = last.uid.clone();
    let is_there = |pushes: &[Recorded]| pushes.iter().any(|push| push.token == token);
    let pushes = within("the last push", apns.wait_until(is_there)).await;

    let mut late: BTreeMap<&str, u64> = BTreeMap::new();
    let mut twice = 0;
    for push in &pushes {
        let Some(at) = written.get(&push.token) else { continue };
        let ms = ms_since_epoch(push.at).saturating_sub(*at);
        twice += usize::from(late.insert(&push.token, ms).is_some());
    }
    let mut late: Vec<u64> = late.into_values().collect();
    late.sort_unstable();
    (late, twice)
}

/// Writes to each of them; answers when.
async fn write_to_each(alice: &Device, names: Vec<String>) -> BTreeMap<String, u64> {
    let begun: Vec<_> = names
        .into_iter()
        .map(|name| {
            let send = text_to_user(&name, "hello");
            (name, alice.begin(Kind::Send, Body::Send(send)))
        })
        .collect();
    let mut written = BTreeMap::new();
    for (name, answer) in begun {
        match within("an answer", answer).await {
            Some(Ok(Body::SendAnswer(answer))) => written.insert(name, answer.at),
            other => panic!("a send was answered with {other:?}"),
        };
    }
    written
}

/// Writes one message into a group of all of them; answers when.
async fn write_to_group(api: &Api, alice: &Device, names: Vec<String>) -> BTreeMap<String, u64> {
    let group = json!({"id": "all", "name": "All", "owner": "alice", "members": names});
    api.post("/v1/groups", group).await.good();
    let to = body::To { group: Some("all".to_owned()), ..body::To::default() };
    let send = body::Send { to: Some(to), ..text_to_user("", "hello") };
    let sent = alice.send(send).await.expect("it is taken");
    names.into_iter().map(|name| (name, sent.at)).collect()
}
