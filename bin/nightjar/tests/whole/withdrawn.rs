//! Read or recalled: every device that may still show the alert is told, and the badge is right.

use nightjar_provider_servers::Recorded;
use nightjar_whole::{Login, ms_since_epoch};
use nightjar_wire::{Body, Kind, body};
use serde_json::{Value, json};

use crate::scene::{Scene, nid, scene};

/// From the read to the withdrawal, live or as a push.
const WITHIN_MS: u64 = 2_000;

fn now_ms() -> u64 {
    ms_since_epoch(std::time::SystemTime::now())
}

fn withdraws(push: &Recorded, token: &str, nid: &str) -> bool {
    let json = push.json();
    let ids = json["wd"].as_array();
    push.token == token && ids.is_some_and(|ids| ids.iter().any(|id| id == nid))
}

impl Scene {
    async fn withdrawal_push(&self, token: &str, nid: &str) -> Recorded {
        let what = format!("a withdrawal of {nid} at {token}");
        self.push_where(&what, |push| withdraws(push, token, nid)).await
    }

    /// Waits for a step of a device in the trace.
    async fn step(&self, message_id: &str, device_id: &str, step: &str, reason: &str) -> Value {
        let api = self.server.api();
        let is_it = |event: &Value| {
            event["device_id"] == device_id
                && event["step"] == step
                && event["reason"].as_str().unwrap_or_default().contains(reason)
        };
        let found = async {
            loop {
                let trace = api.trace(message_id, "bob").await;
                if let Some(event) = trace.iter().find(|event| is_it(event)) {
                    return event.clone();
                }
            }
        };
        nightjar_whole::within(&format!("{step} ({reason}) of {device_id}"), found).await
    }
}

#[tokio::test]
async fn reading_on_one_device_withdraws_the_notification_from_the_others() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone").background(0)).await;
    scene.bind("bob", "tablet").await;
    let laptop = Login::new("bob", "laptop").to(&scene.server).await;
    let sent = scene.alice.say("bob", "one").await;
    let nid = nid(&sent.message_id);
    for token in ["bob-phone", "bob-tablet"] {
        scene.push_to(token, &sent.message_id).await;
    }
    laptop.messages(1).await;

    let read_at = now_ms();
    let (unread, bv) = laptop.read(&sent.conversation, sent.seq).await;
    assert_eq!(unread, 0);
    // Live: asked over the connection, and confirmed.
    let told_at = phone
        .wait_for("a withdrawal", |seen| {
            seen.withdrawals().find(|(_, ids)| ids.contains(&nid)).map(|(at, _)| at)
        })
        .await;
    let late = ms_since_epoch(told_at).saturating_sub(read_at);
    assert!(late <= WITHIN_MS, "{late} ms");
    scene.step(&sent.message_id, "phone", "withdrawn", "confirmed").await;
    // Offline: a push that shows nothing.
    let push = scene.withdrawal_push("bob-tablet", &nid).await;
    let late = ms_since_epoch(push.at).saturating_sub(read_at);
    assert!(late <= WITHIN_MS, "{late} ms");
    assert_eq!(push.header("apns-push-type"), "background");
    assert_eq!(push.header("apns-priority"), "5");
    assert_eq!(push.header("apns-collapse-id"), "");
    let body = push.json();
    assert_eq!(body["aps"], json!({"content-available": 1}));
    assert_eq!(body["wd"], json!([nid]));
    assert_eq!(body["conv"], sent.conversation.as_str());
    assert_eq!((body["v"].as_u64(), body["badge"].as_u64()), (Some(1), Some(0)));
    assert!(body["bv"].as_u64() >= Some(bv));
    scene.step(&sent.message_id, "tablet", "withdrawn", "").await;
    // The one that read needs no telling, and the phone got it over its connection alone.
    assert_eq!(laptop.seen().withdrawals().count(), 0);
    let to_phone =
        scene.apns.requests().into_iter().filter(|push| withdraws(push, "bob-phone", &nid));
    assert_eq!(to_phone.count(), 0);
}

#[tokio::test]
async fn reading_tells_the_users_other_connections_how_far() {
    let scene = scene("").await;
    let phone = Login::new("bob", "phone").to(&scene.server).await;
    let laptop = Login::new("bob", "laptop").to(&scene.server).await;
    let sent = scene.alice.say("bob", "one").await;
    laptop.messages(1).await;
    let (unread, bv) = laptop.read(&sent.conversation, sent.seq).await;
    let marker = phone.wait_for("a read marker", |seen| seen.read_markers().next().cloned()).await;
    assert_eq!((marker.seq, marker.unread, marker.bv), (sent.seq, unread, bv));
    assert_eq!(laptop.seen().read_markers().count(), 0);
}

#[tokio::test]
async fn a_frozen_phone_is_asked_over_its_connection_and_then_by_a_push() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone").background(0)).await;
    let laptop = Login::new("bob", "laptop").to(&scene.server).await;
    let sent = scene.alice.say("bob", "one").await;
    scene.push_to("bob-phone", &sent.message_id).await;
    laptop.messages(1).await;
    phone.freeze();
    let read_at = now_ms();
    laptop.read(&sent.conversation, sent.seq).await;
    let push = scene.withdrawal_push("bob-phone", &nid(&sent.message_id)).await;
    let late = ms_since_epoch(push.at).saturating_sub(read_at);
    assert!(late <= WITHIN_MS, "{late} ms");
}

#[tokio::test]
async fn a_withdrawal_nobody_confirmed_is_asked_again_at_the_next_hello() {
    let scene = scene("").await;
    scene.bind("bob", "phone").await;
    let laptop = Login::new("bob", "laptop").to(&scene.server).await;
    let sent = scene.alice.say("bob", "one").await;
    scene.push_to("bob-phone", &sent.message_id).await;
    laptop.read(&sent.conversation, sent.seq).await;
    let nid = nid(&sent.message_id);
    scene.withdrawal_push("bob-phone", &nid).await;
    // The push may have been lost on its way; the phone knows nothing of it.
    let phone = Login::new("bob", "phone").to(&scene.server).await;
    phone
        .wait_for("the withdrawal", |seen| {
            seen.withdrawals().any(|(_, ids)| ids.contains(&nid)).then_some(())
        })
        .await;
    scene.step(&sent.message_id, "phone", "withdrawn", "confirmed").await;
    drop(phone);
    scene.app_state(("bob", "phone"), "offline").await;
    let again = Login::new("bob", "phone").to(&scene.server).await;
    scene.alice.say("bob", "two").await;
    again
        .wait_for("the next message", |seen| {
            let texts = seen.messages().any(|message| message.seq == 2);
            texts.then_some(())
        })
        .await;
    assert_eq!(again.seen().withdrawals().count(), 0, "it was confirmed");
}

#[tokio::test]
async fn recalling_a_message_withdraws_it_and_lowers_the_badge() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone").background(0)).await;
    scene.bind("bob", "tablet").await;
    let kept = scene.alice.say("bob", "kept").await;
    let sent = scene.alice.say("bob", "a mistake").await;
    for message in [&kept, &sent] {
        scene.push_to("bob-phone", &message.message_id).await;
        scene.push_to("bob-tablet", &message.message_id).await;
    }
    let before = scene.server.api().badge("bob").await;
    let recall = body::Recall { conversation: sent.conversation.clone(), seq: sent.seq };
    let recalled_at = now_ms();
    let answer = scene.alice.ask(Kind::Recall, Body::Recall(recall)).await;
    assert_eq!(answer, Ok(Body::SeqAnswer(body::SeqAnswer { seq: sent.seq + 1 })));

    let nid = nid(&sent.message_id);
    let ids = phone
        .wait_for("a withdrawal", |seen| {
            seen.withdrawals().next().map(|(at, ids)| (ms_since_epoch(at), ids.to_vec()))
        })
        .await;
    assert_eq!(ids.1, [nid.as_str()]);
    let push = scene.withdrawal_push("bob-tablet", &nid).await;
    for at in [ids.0, ms_since_epoch(push.at)] {
        assert!(at.saturating_sub(recalled_at) <= WITHIN_MS);
    }
    let (unread, bv) = scene.server.api().badge("bob").await;
    assert_eq!((before.0, unread), (2, 1));
    assert!(bv > before.1, "{bv} after {before:?}");
    let body = push.json();
    assert_eq!((body["badge"].as_u64(), body["wd"].clone()), (Some(1), json!([nid])));
    let history = scene.server.api().whole_history(&sent.conversation, "bob").await;
    assert_eq!(history[1]["content"], json!({"type": "recalled"}));
}

#[tokio::test]
async fn the_badge_is_the_unread_total_and_its_version_never_falls() {
    let mut scene = scene("[push]\nstorm = false").await;
    scene.bind("bob", "phone").await;
    let laptop = Login::new("bob", "laptop").to(&scene.server).await;
    let mut versions = vec![laptop.hello.bv];
    let mut sent = Vec::new();
    for n in 1..=4_u64 {
        let message = scene.alice.say("bob", "hello").await;
        let push = scene.push_to("bob-phone", &message.message_id).await.json();
        let (unread, bv) = scene.server.api().badge("bob").await;
        assert_eq!((push["badge"].as_u64(), unread), (Some(n), n));
        versions.extend([push["bv"].as_u64().expect("a version"), bv]);
        sent.push(message);
    }
    laptop.messages(4).await;
    let (unread, bv) = laptop.read(&sent[1].conversation, 2).await;
    assert_eq!(unread, 2);
    versions.push(bv);
    // A marker only grows.
    let (unread, bv) = laptop.read(&sent[0].conversation, 1).await;
    assert_eq!(unread, 2);
    versions.push(bv);

    for is_killed in [false, true] {
        if is_killed {
            scene.server.kill().await;
        } else {
            scene.server.terminate().await;
        }
        scene.server.start_again().await;
        let (unread, bv) = scene.server.api().badge("bob").await;
        assert_eq!(unread, 2);
        versions.push(bv);
        let laptop = Login::new("bob", "laptop").to(&scene.server).await;
        assert_eq!(laptop.hello.unread, 2);
        versions.push(laptop.hello.bv);
    }
    let alice = Login::new("alice", "laptop").to(&scene.server).await;
    let message = alice.say("bob", "after the restarts").await;
    let push = scene.push_to("bob-phone", &message.message_id).await.json();
    assert_eq!(push["badge"], 3);
    versions.push(push["bv"].as_u64().expect("a version"));
    assert!(versions.is_sorted(), "{versions:?}");
    assert!(versions.last() > versions.first(), "{versions:?}");
}
