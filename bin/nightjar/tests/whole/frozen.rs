//! Connected is not seen: how long a silent device keeps a message from being pushed.

use nightjar_provider_servers::FcmServer;
use nightjar_whole::{Acks, Login};
use serde_json::json;

use crate::scene::{AT_ONCE_MS, EARLY_MS, lateness_ms, nid, nids, of_token, scene};
use crate::setup;

/// The first push of a frozen device: the deadline, and half a second.
const FIRST_WITHIN_MS: u64 = 5_500;
/// The push of a device whose grace passes without an answer.
const GRACE_WITHIN_MS: u64 = 2_500;

#[tokio::test]
async fn a_frozen_phone_is_pushed_by_its_deadline_and_from_then_on_at_once() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    phone.freeze();

    let first = scene.alice.say("bob", "one").await;
    let late = lateness_ms(&scene.push_of(&first.message_id).await, first.at);
    assert!((5_000 - EARLY_MS..=FIRST_WITHIN_MS).contains(&late), "{late} ms");

    let mut expected = vec![nid(&first.message_id)];
    for text in ["two", "three", "four"] {
        let sent = scene.alice.say("bob", text).await;
        let late = lateness_ms(&scene.push_of(&sent.message_id).await, sent.at);
        assert!(late <= AT_ONCE_MS, "{text}: {late} ms");
        expected.push(nid(&sent.message_id));
    }
    assert_eq!(nids(&scene.apns.requests(), "bob-phone"), expected);
    let device = scene.server.api().device("bob", "phone").await;
    assert_eq!(device["app_state"], "unresponsive");
}

#[tokio::test]
async fn a_phone_that_thaws_is_waited_for_again() {
    let scene = scene("[deadlines]\nforeground_ms = 800").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    phone.freeze();
    let missed = scene.alice.say("bob", "while frozen").await;
    scene.push_of(&missed.message_id).await;

    phone.change_acks(Acks::Surfaced);
    phone.thaw();
    phone.messages(1).await;
    let seen = scene.alice.say("bob", "while awake").await;
    phone.messages(2).await;
    phone.freeze();
    let missed_again = scene.alice.say("bob", "while frozen again").await;
    let late = lateness_ms(&scene.push_of(&missed_again.message_id).await, missed_again.at);
    assert!((800 - EARLY_MS..=800 + AT_ONCE_MS).contains(&late), "{late} ms");
    let pushed = nids(&scene.apns.requests(), "bob-phone");
    assert!(!pushed.contains(&nid(&seen.message_id)), "{pushed:?}");
}

#[tokio::test]
async fn a_phone_that_told_it_is_in_the_background_is_pushed_at_once() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    phone.go_to_background(0).await;
    phone.freeze();
    for text in ["one", "two"] {
        let sent = scene.alice.say("bob", text).await;
        let late = lateness_ms(&scene.push_of(&sent.message_id).await, sent.at);
        assert!(late <= AT_ONCE_MS, "{text}: {late} ms");
    }
}

#[tokio::test]
async fn a_phone_that_says_hello_in_the_background_is_pushed_at_once() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone").background(0)).await;
    phone.freeze();
    let sent = scene.alice.say("bob", "one").await;
    let late = lateness_ms(&scene.push_of(&sent.message_id).await, sent.at);
    assert!(late <= AT_ONCE_MS, "{late} ms");
}

#[tokio::test]
async fn a_grace_without_an_answer_ends_in_a_push() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    phone.go_to_background(20_000).await;
    phone.freeze();
    let first = scene.alice.say("bob", "one").await;
    let late = lateness_ms(&scene.push_of(&first.message_id).await, first.at);
    assert!((2_000 - EARLY_MS..=GRACE_WITHIN_MS).contains(&late), "{late} ms");
    let second = scene.alice.say("bob", "two").await;
    let late = lateness_ms(&scene.push_of(&second.message_id).await, second.at);
    assert!(late <= AT_ONCE_MS, "{late} ms");
}

#[tokio::test]
async fn a_grace_that_ends_sooner_than_its_deadline_is_not_waited_beyond() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    phone.go_to_background(500).await;
    phone.freeze();
    let sent = scene.alice.say("bob", "one").await;
    let late = lateness_ms(&scene.push_of(&sent.message_id).await, sent.at);
    assert!(late <= 500 + AT_ONCE_MS, "{late} ms");
}

#[tokio::test]
async fn a_phone_that_is_offline_is_pushed_at_once() {
    let scene = scene("").await;
    // One that was never connected, and one that hung up.
    scene.bind("bob", "tablet").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    drop(phone);
    scene.app_state(("bob", "phone"), "offline").await;

    let sent = scene.alice.say("bob", "one").await;
    let pushes = scene.apns.wait_for(2).await;
    for token in ["bob-phone", "bob-tablet"] {
        let late = lateness_ms(of_token(&pushes, token)[0], sent.at);
        assert!(late <= AT_ONCE_MS, "{token}: {late} ms");
    }
}

#[tokio::test]
async fn what_was_surfaced_in_time_is_never_pushed() {
    let scene = scene("").await;
    let _phone = scene.phone(Login::new("bob", "phone").acks(Acks::Surfaced)).await;
    // What Carol is pushed shows that Bob's deadline has passed.
    let carol = scene.phone(Login::new("carol", "phone")).await;
    carol.freeze();
    for text in ["one", "two", "three"] {
        scene.alice.say("bob", text).await;
    }
    let last = scene.alice.say("carol", "later").await;
    scene.push_of(&last.message_id).await;
    scene.assert_not_pushed("bob-phone").await;
    assert_eq!(scene.server.api().device("bob", "phone").await["app_state"], "foreground");
}

#[tokio::test]
async fn what_was_surfaced_in_its_grace_is_never_pushed() {
    let scene = scene("").await;
    let bob = scene.phone(Login::new("bob", "phone").acks(Acks::Surfaced)).await;
    let carol = scene.phone(Login::new("carol", "phone")).await;
    for phone in [&bob, &carol] {
        phone.go_to_background(-1).await;
    }
    carol.freeze();
    for text in ["one", "two", "three"] {
        scene.alice.say("bob", text).await;
    }
    let last = scene.alice.say("carol", "later").await;
    scene.push_of(&last.message_id).await;
    scene.assert_not_pushed("bob-phone").await;
}

#[tokio::test]
async fn stored_alone_does_not_keep_a_message_from_being_pushed() {
    let scene = scene("[deadlines]\nforeground_ms = 800").await;
    let phone = scene.phone(Login::new("bob", "phone").acks(Acks::Stored)).await;
    let sent = scene.alice.say("bob", "one").await;
    phone.messages(1).await;
    let late = lateness_ms(&scene.push_of(&sent.message_id).await, sent.at);
    assert!((800 - EARLY_MS..=800 + AT_ONCE_MS).contains(&late), "{late} ms");
}

#[tokio::test]
async fn an_apns_push_says_what_the_interface_promises() {
    let scene = scene("").await;
    scene.server.api().put("/v1/users/alice", json!({"name": "Alice"})).await.good();
    scene.bind("bob", "phone").await;
    let first = scene.alice.say("bob", "hello").await;
    let second = scene.alice.say("bob", "again").await;
    let push = scene.push_of(&second.message_id).await;
    scene.push_of(&first.message_id).await;

    for (name, value) in [
        ("apns-collapse-id", nid(&second.message_id).as_str()),
        ("apns-priority", "10"),
        ("apns-push-type", "alert"),
        ("apns-topic", nightjar_provider_servers::TOPIC),
    ] {
        assert_eq!(push.header(name), value, "{name}");
    }
    let token = push.signed.as_ref().expect("an ES256 token of our key");
    assert_eq!(token.header["alg"], "ES256");
    assert_eq!(token.header["kid"], nightjar_provider_servers::KEY_ID);
    assert_eq!(token.claims["iss"], nightjar_provider_servers::TEAM_ID);

    let body = push.json();
    let (badge, bv) = scene.server.api().badge("bob").await;
    assert_eq!(badge, 2);
    let exp = body["exp"].as_u64().expect("exp is a number");
    assert!(exp > second.at, "{exp}");
    assert_eq!(body["v"], 1);
    assert_eq!(body["mid"], second.message_id.as_str());
    assert_eq!(body["conv"], second.conversation.as_str());
    assert_eq!(body["seq"], second.seq);
    assert_eq!(body["nid"], nid(&second.message_id));
    assert_eq!((body["badge"].as_u64(), body["bv"].as_u64()), (Some(badge), Some(bv)));
    assert_eq!(body["aps"]["badge"], badge);
    assert_eq!(body["aps"]["mutable-content"], 1);
    assert_eq!(body["aps"]["alert"], json!({"title": "Alice", "body": "again"}));
}

#[tokio::test]
async fn an_fcm_push_says_what_the_interface_promises_under_one_access_token() {
    let fcm = FcmServer::start().await;
    let server = setup().with(&fcm.config("main")).start().await;
    let api = server.api();
    let alice = Login::new("alice", "laptop").to(&server).await;
    let phone = Login::new("bob", "phone").to(&server).await;
    api.bind("bob", "phone", ["fcm", "main", "bob-phone"]).await;
    phone.freeze();

    let first = alice.say("bob", "one").await;
    let pushes = nightjar_whole::within("the first push", fcm.wait_for(1)).await;
    let late = lateness_ms(&pushes[0], first.at);
    assert!((5_000 - EARLY_MS..=FIRST_WITHIN_MS).contains(&late), "{late} ms");
    let second = alice.say("bob", "two").await;
    let pushes = nightjar_whole::within("the second push", fcm.wait_for(2)).await;
    let late = lateness_ms(&pushes[1], second.at);
    assert!(late <= AT_ONCE_MS, "{late} ms");

    let (badge, bv) = api.badge("bob").await;
    let message = &pushes[1].json()["message"];
    assert_eq!(message["token"], "bob-phone");
    let data = message["data"].as_object().expect("data").clone();
    let text = |name: &str| data[name].as_str().unwrap_or_else(|| panic!("{name} is no text"));
    assert_eq!(text("v"), "1");
    assert_eq!(text("mid"), second.message_id);
    assert_eq!(text("conv"), second.conversation);
    assert_eq!(text("seq"), "2");
    assert_eq!(text("nid"), nid(&second.message_id));
    assert_eq!((text("badge"), text("bv")), (&*badge.to_string(), &*bv.to_string()));
    assert!(text("exp").parse::<u64>().is_ok_and(|exp| exp > second.at));
    assert_eq!(message["android"]["priority"], "HIGH");
    assert_eq!(message["android"]["notification"]["tag"], nid(&second.message_id));
    assert_eq!(message["notification"], json!({"title": "alice", "body": "two"}));
    assert_eq!(fcm.token_requests().len(), 1);
    assert_eq!(fcm.requests().len(), 2);
}

#[tokio::test]
async fn a_hundred_phones_frozen_at_once_are_all_pushed_and_none_twice() {
    const PHONES: usize = 100;
    let scene = scene("").await;
    let mut phones = Vec::new();
    for n in 0..PHONES {
        let phone = scene.phone(Login::new(&format!("user{n}"), "phone")).await;
        phone.freeze();
        phones.push(phone);
    }
    let mut sent = Vec::new();
    for n in 0..PHONES {
        sent.push(scene.alice.say(&format!("user{n}"), "to all of you").await);
    }
    let pushes = nightjar_whole::within("all pushes", scene.apns.wait_for(PHONES)).await;
    let mut late: Vec<u64> = Vec::new();
    for (n, sent) in sent.iter().enumerate() {
        let pushes = of_token(&pushes, &format!("user{n}-phone"));
        assert_eq!(pushes.len(), 1, "user{n}");
        late.push(lateness_ms(pushes[0], sent.at));
    }
    late.sort_unstable();
    let p99 = late[PHONES * 99 / 100 - 1];
    assert!(late[0] >= 5_000 - EARLY_MS, "{late:?}");
    assert!(p99 <= FIRST_WITHIN_MS + 1_000, "{late:?}");
    // A second one of any of them would stand before one that is asked for only now.
    scene.bind("carol", "phone").await;
    let last = scene.alice.say("carol", "the last").await;
    scene.push_of(&last.message_id).await;
    assert_eq!(scene.apns.requests().len(), PHONES + 1);
}
