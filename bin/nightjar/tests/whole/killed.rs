//! `kill -9` right after an acknowledgement, at random moments under load.
//!
//! `NIGHTJAR_KILLS` sets how often, 5 by default.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nightjar_whole::{Acks, Device, Login, ms_since_epoch, text_to_user, within};
use nightjar_wire::{Body, Kind, body};

use crate::scene::{Scene, nid, scene};

/// People who write to one phone each.
const WRITERS: usize = 4;
/// Messages of one writer on their way at a time.
const WINDOW: usize = 8;
/// The kill comes after so many acknowledgements at least, and at most twice as many.
const ACKS_MIN: usize = 20;
/// Open debts are at the provider so long after the server is ready again.
const DEBTS_WITHIN: Duration = Duration::from_secs(2);

/// What was sent, and what the server promised about it.
#[derive(Default)]
struct Ledger {
    /// In the order they were written, for each writer.
    sent: BTreeMap<usize, Vec<body::Send>>,
    /// By `client_msg_id`.
    promised: BTreeMap<String, body::SendAnswer>,
}

#[tokio::test]
async fn a_server_killed_under_load_keeps_every_promise_it_made() {
    let kills: usize =
        std::env::var("NIGHTJAR_KILLS").map_or(5, |text| text.parse().expect("a number of kills"));
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut scene = scene("[push]\nstorm = false").await;
    let mut ledger = Ledger::default();
    for round in 0..kills {
        let acks = random.usize(ACKS_MIN..2 * ACKS_MIN);
        let phones = phones(&scene).await;
        load_until(&mut scene, &mut ledger, acks).await;
        drop(phones);
        scene.server.assert_verified();
        scene.server.start_again().await;
        assert_pushed(&scene, &ledger).await;
        assert_whole(&scene, &ledger, round).await;
        repeat(&scene, &mut ledger).await;
    }
    let (status, _) = scene.server.terminate().await;
    assert!(status.success(), "{status}");
    scene.server.assert_verified();
}

/// The readers' phones: connected, frozen, and so owed everything at the kill.
async fn phones(scene: &Scene) -> Vec<Device> {
    let mut phones = Vec::new();
    for n in 0..WRITERS {
        let login = Login::new(&format!("reader{n}"), "phone").acks(Acks::Nothing);
        let phone = scene.phone(login).await;
        phone.freeze();
        phones.push(phone);
    }
    phones
}

/// Everybody writes; the server is killed the moment the last of `acks` answers is here.
async fn load_until(scene: &mut Scene, ledger: &mut Ledger, acks: usize) {
    let mut writers = Vec::new();
    for n in 0..WRITERS {
        writers.push(Login::new(&format!("writer{n}"), "laptop").to(&scene.server).await);
    }
    let (answers_in, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    for (n, writer) in writers.into_iter().enumerate() {
        let answers = answers_in.clone();
        tasks.spawn(async move { (n, write(n, &writer, &answers).await) });
    }
    drop(answers_in);
    for _ in 0..acks {
        let (id, answer) = within("an answer", answers.recv()).await.expect("writers write");
        ledger.promised.insert(id, answer);
    }
    scene.server.kill().await;
    // What was answered before the kill counts, whenever it is read here.
    while let Some((id, answer)) = within("the rest", answers.recv()).await {
        ledger.promised.insert(id, answer);
    }
    while let Some(done) = tasks.join_next().await {
        let (n, sent) = done.expect("a writer does not panic");
        ledger.sent.entry(n).or_default().extend(sent);
    }
}

/// Writes until the connection ends; answers everything that was written.
async fn write(
    n: usize,
    writer: &Device,
    answers: &tokio::sync::mpsc::UnboundedSender<(String, body::SendAnswer)>,
) -> Vec<body::Send> {
    let mut sent = Vec::new();
    let mut waiting = std::collections::VecDeque::new();
    loop {
        let send = text_to_user(&format!("reader{n}"), "under load");
        let id = send.client_msg_id.clone();
        waiting.push_back((id, writer.begin(Kind::Send, Body::Send(send.clone()))));
        sent.push(send);
        if waiting.len() < WINDOW {
            continue;
        }
        while waiting.len() >= WINDOW || writer.has_ended() {
            let Some((id, answer)) = waiting.pop_front() else { return sent };
            match within("an answer or the end", answer).await {
                Some(Ok(Body::SendAnswer(answer))) => drop(answers.send((id, answer))),
                Some(other) => panic!("a send was answered with {other:?}"),
                None => {}
            }
        }
    }
}

/// Every promised message has been pushed, soon after the server was ready.
async fn assert_pushed(scene: &Scene, ledger: &Ledger) {
    let owed: BTreeSet<String> =
        ledger.promised.values().map(|answer| nid(&answer.message_id)).collect();
    let nids = |pushes: &[nightjar_provider_servers::Recorded]| -> BTreeSet<String> {
        pushes.iter().filter_map(|push| push.json()["nid"].as_str().map(str::to_owned)).collect()
    };
    let all = scene.apns.wait_until(|pushes| nids(pushes).is_superset(&owed));
    let pushes = within("every open debt to be pushed", all).await;
    let mut seen = BTreeSet::new();
    let ready = ms_since_epoch(scene.server.ready_at());
    for push in pushes {
        let json = push.json();
        let nid = json["nid"].as_str().unwrap_or_default();
        if owed.contains(nid) && seen.insert(nid.to_owned()) {
            let late = ms_since_epoch(push.at).saturating_sub(ready);
            assert!(u128::from(late) <= DEBTS_WITHIN.as_millis(), "{nid}: {late} ms");
        }
    }
}

/// Nothing promised is missing, doubled or out of order.
async fn assert_whole(scene: &Scene, ledger: &Ledger, round: usize) {
    for (n, sent) in &ledger.sent {
        let promised = sent.iter().find_map(|send| ledger.promised.get(&send.client_msg_id));
        let Some(conversation) = promised.map(|answer| answer.conversation.clone()) else {
            continue;
        };
        let reader = format!("reader{n}");
        let history = scene.server.api().whole_history(&conversation, &reader).await;
        let seqs: Vec<u64> = history.iter().filter_map(|message| message["seq"].as_u64()).collect();
        assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "round {round}: {seqs:?}");

        let kept: Vec<&str> =
            history.iter().filter_map(|message| message["client_msg_id"].as_str()).collect();
        let once: BTreeSet<&str> = kept.iter().copied().collect();
        assert_eq!(once.len(), kept.len(), "round {round}: something is doubled");
        let in_order = sent.iter().map(|send| send.client_msg_id.as_str());
        let expected: Vec<&str> = in_order.filter(|id| once.contains(id)).collect();
        assert_eq!(kept, expected, "round {round}: the order of writer {n}");

        for message in &history {
            let id = message["client_msg_id"].as_str().unwrap_or_default();
            if let Some(answer) = ledger.promised.get(id) {
                assert_eq!(message["message_id"], answer.message_id.as_str());
                assert_eq!(message["seq"], answer.seq);
            }
        }
        let answered = sent.iter().filter(|send| ledger.promised.contains_key(&send.client_msg_id));
        for send in answered {
            assert!(once.contains(send.client_msg_id.as_str()), "round {round}: one is missing");
        }
    }
}

/// What a writer sends again after the crash gets the first answer, or its first answer now.
async fn repeat(scene: &Scene, ledger: &mut Ledger) {
    for (n, sent) in &ledger.sent {
        let writer = Login::new(&format!("writer{n}"), "laptop").to(&scene.server).await;
        for send in sent {
            let answer = writer.send(send.clone()).await.expect("it is taken");
            let id = send.client_msg_id.clone();
            match ledger.promised.get(&id) {
                Some(first) => {
                    assert_eq!(answer, body::SendAnswer { duplicate: true, ..first.clone() });
                }
                None => {
                    let first = body::SendAnswer { duplicate: false, ..answer };
                    ledger.promised.insert(id, first);
                }
            }
        }
    }
}
