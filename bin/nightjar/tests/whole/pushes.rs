//! Which messages are pushed, in which order, and what becomes of a push that fails.

use nightjar_provider_servers::Script;
use nightjar_whole::{Acks, Login, ms_since_epoch, text_to_user, within};
use nightjar_wire::body;
use serde_json::json;

use crate::scene::{nid, nids, of_token, scene};

#[tokio::test]
async fn from_the_sixth_unseen_message_on_one_notification_is_updated() {
    let scene = scene("").await;
    scene.bind("bob", "phone").await;
    let laptop = Login::new("bob", "laptop").to(&scene.server).await;
    let mut sent = Vec::new();
    for n in 1..=8 {
        sent.push(scene.alice.say("bob", &format!("message {n}")).await);
    }
    let all = scene.apns.wait_until(|pushes| nids(pushes, "bob-phone").len() >= 8);
    let pushes = within("eight pushes", all).await;
    let conversation = &sent[0].conversation;
    let shared = format!("c.{conversation}");
    let alone = sent[..5].iter().map(|message| nid(&message.message_id));
    let expected: Vec<String> = alone.chain(vec![shared.clone(); 3]).collect();
    assert_eq!(nids(&pushes, "bob-phone"), expected);
    for (push, message) in of_token(&pushes, "bob-phone").into_iter().zip(&sent) {
        let json = push.json();
        assert_eq!(json["seq"], message.seq);
        // The total of the moment the push left; more may have been written by then.
        assert!(json["badge"].as_u64() >= Some(message.seq), "{json}");
        assert_eq!(json["mid"], message.message_id.as_str());
        assert_eq!(push.header("apns-collapse-id"), json["nid"].as_str().expect("an id"));
    }

    laptop.messages(8).await;
    laptop.read(conversation, 8).await;
    // One that is still at the provider when the rest is withdrawn follows with its answer.
    let are_withdrawn = scene.apns.wait_until(|pushes| {
        let named: Vec<_> =
            of_token(pushes, "bob-phone").iter().map(|push| push.json()["wd"].clone()).collect();
        expected.iter().all(|nid| {
            named.iter().any(|ids| ids.as_array().is_some_and(|ids| ids.iter().any(|id| id == nid)))
        })
    });
    within("withdrawals of all of them", are_withdrawn).await;
}

#[tokio::test]
async fn without_storm_control_every_message_keeps_its_own_notification() {
    let scene = scene("[push]\nstorm = false").await;
    scene.bind("bob", "phone").await;
    let mut expected = Vec::new();
    for _ in 0..10 {
        expected.push(nid(&scene.alice.say("bob", "hello").await.message_id));
    }
    let all = scene.apns.wait_until(|pushes| nids(pushes, "bob-phone").len() >= 10);
    assert_eq!(nids(&within("ten pushes", all).await, "bob-phone"), expected);
}

#[tokio::test]
async fn a_push_the_provider_could_not_take_is_tried_again_under_the_same_ids() {
    let scene = scene("").await;
    scene.apns.answer("bob-phone", Script::refuse(503, "ServiceUnavailable"));
    scene.apns.answer("bob-phone", Script::drop_connection());
    scene.bind("bob", "phone").await;
    let first = scene.alice.say("bob", "one").await;
    let second = scene.alice.say("bob", "two").await;
    let all = scene.apns.wait_until(|pushes| nids(pushes, "bob-phone").len() >= 4);
    let pushes = within("two failures and two pushes", all).await;
    let (first, second) = (nid(&first.message_id), nid(&second.message_id));
    let expected = [&first, &first, &first, &second].map(String::as_str);
    assert_eq!(nids(&pushes, "bob-phone"), expected, "in order, and the second waits");
    let trace = scene.server.api().trace(first.trim_start_matches("m."), "bob").await;
    let outcomes: Vec<&str> = trace
        .iter()
        .filter(|event| event["step"] == "provider")
        .filter_map(|event| event["reason"].as_str()?.split(' ').next())
        .collect();
    assert_eq!(outcomes[..2], ["retry", "retry"], "{trace:#?}");
}

#[tokio::test]
async fn a_sender_is_not_pushed_the_own_message_on_other_devices() {
    let scene = scene("").await;
    scene.bind("alice", "phone").await;
    scene.bind("bob", "phone").await;
    let sent = scene.alice.say("bob", "one").await;
    scene.push_to("bob-phone", &sent.message_id).await;
    assert_eq!(of_token(&scene.apns.requests(), "alice-phone").len(), 0);
    assert_eq!(scene.server.api().badge("alice").await.0, 0);
}

#[tokio::test]
async fn what_asks_for_silence_or_has_expired_is_not_pushed_and_says_why() {
    let scene = scene("[deadlines]\nforeground_ms = 600").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    phone.freeze();
    let mut silent = text_to_user("bob", "silent");
    silent.push = Some(body::Push { silent: true, ..body::Push::default() });
    let mut brief = text_to_user("bob", "brief");
    let soon = ms_since_epoch(std::time::SystemTime::now()) + 100;
    brief.options = Some(body::Options { expires_at: Some(soon), ..body::Options::default() });
    let silent = scene.alice.send(silent).await.expect("it is taken");
    let brief = scene.alice.send(brief).await.expect("it is taken");
    let last = scene.alice.say("bob", "the last").await;
    scene.push_of(&last.message_id).await;
    assert_eq!(nids(&scene.apns.requests(), "bob-phone"), [nid(&last.message_id)]);
    for (message, expected) in [(silent, "sender_silent"), (brief, "expired")] {
        let trace = scene.server.api().trace(&message.message_id, "bob").await;
        let decided = trace.iter().find(|event| event["step"] == "decided");
        let decided = decided.unwrap_or_else(|| panic!("no decision in {trace:#?}"));
        assert_eq!(decided["reason"], expected, "{trace:#?}");
    }
}

#[tokio::test]
async fn what_the_sender_writes_for_the_push_is_shown_and_our_names_win() {
    let scene = scene("").await;
    scene.bind("bob", "phone").await;
    let mut send = text_to_user("bob", "the whole secret");
    send.push = Some(body::Push {
        title: Some("A title".to_owned()),
        body: Some("A body".to_owned()),
        sound: Some("bell.caf".to_owned()),
        silent: false,
        data: Some(r#"{"mine":{"a":1},"badge":999,"nid":"m.x","aps":{"badge":9}}"#.into()),
    });
    let sent = scene.alice.send(send).await.expect("it is taken");
    let json = scene.push_of(&sent.message_id).await.json();
    assert_eq!(json["aps"]["alert"], json!({"title": "A title", "body": "A body"}));
    assert_eq!((&json["aps"]["sound"], &json["aps"]["badge"]), (&json!("bell.caf"), &json!(1)));
    assert_eq!((&json["mine"], &json["badge"]), (&json!({"a": 1}), &json!(1)));
}

#[tokio::test]
async fn a_restart_reads_what_is_open_and_nothing_else() {
    let mut scene = scene("").await;
    let mut readers = Vec::new();
    for n in 0..20 {
        let login = Login::new(&format!("reader{n}"), "phone").acks(Acks::Surfaced);
        readers.push(scene.phone(login).await);
    }
    for n in 0..200 {
        scene.alice.say(&format!("reader{}", n % 20), "seen").await;
    }
    for reader in &readers {
        reader.messages(10).await;
    }
    let settled = async {
        let api = scene.server.api();
        while api.metric("nightjar_open_work").await > 0.0 {}
    };
    within("everything to be settled", settled).await;
    for reader in &readers[..3] {
        reader.freeze();
        scene.alice.say(&reader.uid, "open").await;
    }
    scene.server.kill().await;
    scene.server.start_again().await;
    assert_eq!(scene.server.api().metric("nightjar_work_rows_at_open").await, 3.0);
    within("the open debts to be pushed", scene.apns.wait_for(3)).await;
}
