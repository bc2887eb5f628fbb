//! A vendor's bad day, on the real server and over the wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use nightjar_provider_servers::{ApnsServer, FcmServer, Recorded, Script};
use nightjar_whole::{Device, Event, Login, Receiver, Server, within};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::scene::{AT_ONCE_MS, lateness_ms, nid, nids, of_token};
use crate::setup;

/// More phones than have to fail before the whole credential waits.
const PHONES: usize = 8;
/// Of each phone.
const MESSAGES: usize = 3;

struct Bad {
    apns: ApnsServer,
    fcm: FcmServer,
    receiver: Receiver,
    server: Server,
    alice: Device,
}

/// A server with two vendors and a back end; `apns_at` is where it looks for the first.
async fn bad_day(apns_at: Option<SocketAddr>) -> Bad {
    let (apns, fcm) = (ApnsServer::start().await, FcmServer::start().await);
    let receiver = Receiver::start().await;
    let mut table = apns.config("main");
    if let Some(address) = apns_at {
        table = table.replace(&apns.base_url(), &format!("http://{address}"));
    }
    let setup = setup().with("[push]\nstorm = false").with(&table).with(&fcm.config("main"));
    let server = setup.with(&receiver.config()).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    Bad { apns, fcm, receiver, server, alice }
}

impl Bad {
    /// Phones of users with APNs tokens named like them.
    async fn phones(&self, count: usize) -> Vec<String> {
        let names: Vec<String> = (0..count).map(|n| format!("user{n}")).collect();
        for name in &names {
            self.server.api().bind(name, "phone", ["apns", "main", name]).await;
        }
        names
    }

    /// A connection takes one request at a time until the first was taken.
    async fn warm_up(&self) {
        self.server.api().bind("early", "phone", ["apns", "main", "early"]).await;
        let sent = self.alice.say("early", "hello").await;
        let is_there = |pushes: &[Recorded]| nids(pushes, "early").contains(&nid(&sent.message_id));
        within("the first push", self.apns.wait_until(is_there)).await;
    }

    /// Writes to each; answers the notification ids each is owed, in order.
    async fn write(&self, names: &[String]) -> BTreeMap<String, Vec<String>> {
        let mut owed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for _ in 0..MESSAGES {
            for name in names {
                let sent = self.alice.say(name, "hello").await;
                owed.entry(name.clone()).or_default().push(nid(&sent.message_id));
            }
        }
        owed
    }

    /// Another vendor's push is not late.
    async fn assert_others_go_on(&self) {
        self.server.api().bind("carol", "phone", ["fcm", "main", "carol"]).await;
        let sent = self.alice.say("carol", "hello").await;
        let pushes = within("the push to carol", self.fcm.wait_for(1)).await;
        let late = lateness_ms(&pushes[0], sent.at);
        assert!(late < AT_ONCE_MS, "{late} ms");
    }

    /// Everything owed is pushed, one message after the other, each under its own id and none
    /// again once the next of its conversation was there.
    async fn assert_all_come(&self, owed: &BTreeMap<String, Vec<String>>) -> Vec<Recorded> {
        let is_there = |pushes: &[Recorded]| {
            owed.iter().all(|(token, owed)| distinct(&nids(pushes, token)) == *owed)
        };
        let pushes = tokio::time::timeout(LONG, self.apns.wait_until(is_there)).await;
        let Ok(pushes) = pushes else {
            let pushes = self.apns.requests();
            let seen: Vec<_> = owed.keys().map(|token| nids(&pushes, token)).collect();
            panic!("owed {owed:#?}\nseen {seen:#?}");
        };
        for push in &pushes {
            let json = push.json();
            assert_eq!(push.header("apns-collapse-id"), json["nid"].as_str().unwrap_or_default());
        }
        pushes
    }
}

/// The longest wait between two probes, and time for a slow machine.
const LONG: Duration = Duration::from_secs(60);

/// Repeated neighbours once.
fn distinct(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.dedup();
    ids
}

/// APNs answers so from the first request on, until as many phones as there are tried it.
async fn outage(script: Script) {
    let day = bad_day(None).await;
    day.warm_up().await;
    day.apns.answer_always("*", script);
    let names = day.phones(PHONES).await;
    let owed = day.write(&names).await;
    within("the first failures", day.apns.wait_for(1 + 5)).await;
    day.assert_others_go_on().await;
    day.apns.answer_always("*", Script::accept());
    day.assert_all_come(&owed).await;
}

#[tokio::test]
async fn a_vendor_with_an_internal_error() {
    outage(Script::refuse(500, "InternalServerError")).await;
}

#[tokio::test]
async fn a_vendor_that_asks_for_time() {
    outage(Script::refuse(429, "TooManyRequests").header("retry-after", "2")).await;
}

#[tokio::test]
async fn a_vendor_that_ends_connections_instead_of_answering() {
    outage(Script::drop_connection()).await;
}

#[tokio::test]
async fn a_vendor_that_says_goaway_with_every_refusal() {
    outage(Script::refuse(503, "Shutdown").then_go_away()).await;
}

#[tokio::test]
async fn a_vendor_that_hangs() {
    outage(Script::silent()).await;
}

#[tokio::test]
async fn a_vendor_whose_port_is_closed() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let address = free.local_addr().expect("the socket is bound");
    drop(free);
    let day = bad_day(Some(address)).await;
    let names = day.phones(PHONES).await;
    let owed = day.write(&names).await;
    let first = owed["user0"][0].trim_start_matches("m.").to_owned();
    let has_failed = async {
        loop {
            let trace = day.server.api().trace(&first, "user0").await;
            let reason = "retry connection_failed";
            if trace.iter().any(|event| event["reason"] == reason) {
                return;
            }
        }
    };
    within("the first failure", has_failed).await;
    day.assert_others_go_on().await;
    let door = TcpListener::bind(address).await.expect("nobody took the port meanwhile");
    let target: SocketAddr =
        day.apns.base_url().trim_start_matches("http://").parse().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut from, _)) = door.accept().await {
            let Ok(mut to) = TcpStream::connect(target).await else { continue };
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let pushes = day.assert_all_come(&owed).await;
    assert_eq!(pushes.len(), PHONES * MESSAGES, "each once: nothing reached the vendor before");
}

#[tokio::test]
async fn a_kill_in_the_middle_of_an_outage_loses_nothing_and_keeps_the_ids() {
    let mut day = bad_day(None).await;
    day.apns.answer_always("*", Script::refuse(503, "ServiceUnavailable"));
    let names = day.phones(PHONES).await;
    let owed = day.write(&names).await;
    within("the first failures", day.apns.wait_for(5)).await;
    day.server.kill().await;
    day.apns.answer_always("*", Script::accept());
    day.server.start_again().await;
    day.assert_all_come(&owed).await;
}

#[tokio::test]
async fn a_key_of_the_wrong_environment_kills_no_token() {
    const USERS: usize = 30;
    let day = bad_day(None).await;
    day.apns.answer_always("*", Script::refuse(400, "BadDeviceToken"));
    let names = day.phones(USERS).await;
    for name in &names {
        day.alice.say(name, "hello").await;
    }
    let api = day.server.api();
    let outcomes = async {
        loop {
            let page = api.get("/v1/push/outcomes?limit=1000").await.good();
            let all = page["outcomes"].as_array().cloned().unwrap_or_default();
            if all.iter().any(|row| row["reason"] == "too_many_token_invalid") {
                return all;
            }
        }
    };
    let outcomes = within("the doubt", outcomes).await;
    let doubted = outcomes.iter().find(|row| row["reason"] == "too_many_token_invalid");
    assert_eq!(doubted.map(|row| &row["outcome"]), Some(&json!("config_error")));
    for name in &names {
        let device = api.device(name, "phone").await;
        assert_eq!(device["bindings"].as_array().map(Vec::len), Some(1), "{name}: {device}");
    }
    // The operator has mended it: what is written now comes, on every phone.
    day.apns.answer_always("*", Script::accept());
    let mut last = BTreeMap::new();
    for name in &names {
        last.insert(name.clone(), nid(&day.alice.say(name, "again").await.message_id));
    }
    let all = day
        .apns
        .wait_until(|pushes| last.iter().all(|(token, nid)| nids(pushes, token).contains(nid)));
    tokio::time::timeout(LONG, all).await.expect("a push for every phone");
}

#[tokio::test]
async fn the_next_binding_takes_over_and_the_back_end_hears_of_who_has_none() {
    let day = bad_day(None).await;
    day.apns.answer_always("*", Script::refuse(429, "TooManyRequests"));
    let api = day.server.api();
    api.bind("bob", "phone", ["fcm", "main", "bob-fcm"]).await;
    api.bind("bob", "phone", ["apns", "main", "bob-apns"]).await;
    api.bind("carol", "phone", ["apns", "main", "carol-apns"]).await;
    let before = SystemTime::now();
    let to_bob = day.alice.say("bob", "hello").await;
    let to_carol = day.alice.say("carol", "hello").await;
    let pushes = within("the second binding", day.fcm.wait_for(1)).await;
    assert_eq!(pushes[0].token, "bob-fcm");
    assert_eq!(pushes[0].json()["message"]["data"]["nid"], nid(&to_bob.message_id).as_str());
    let waited = pushes[0].at.duration_since(before).unwrap_or_default();
    assert!(waited >= Duration::from_secs(5), "{waited:?}");
    let of = |events: &[Event]| -> Vec<Value> {
        let told = events.iter().filter(|event| event.kind() == "message.unreachable");
        told.map(|event| event.json["data"].clone()).collect()
    };
    let events =
        day.receiver.wait_until("message.unreachable", |events| !of(events).is_empty()).await;
    let told = of(&events);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["message"]["message_id"], to_carol.message_id.as_str());
    assert_eq!((&told[0]["uids"], &told[0]["devices"]), (&json!(["carol"]), &json!(["phone"])));
    assert_eq!(told[0]["reason"], "awaiting_provider");
    assert_eq!(of_token(&day.fcm.requests(), "bob-fcm").len(), 1);
}
