//! No push where it does not belong: after a logout, a kick, and for a token that moved on.
//!
//! Bob's tablet is pushed the same messages: once it has one, the phone would have it too.

use nightjar_whole::{Login, Packets, Way};
use serde_json::json;

use crate::scene::{AT_ONCE_MS, lateness_ms, nid, nids, scene};

#[tokio::test]
async fn a_phone_that_logged_out_is_pushed_nothing_more() {
    let scene = scene("").await;
    scene.bind("bob", "tablet").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    phone.log_out(None).await;
    let sent = scene.alice.say("bob", "one").await;
    scene.push_to("bob-tablet", &sent.message_id).await;
    scene.assert_not_pushed("bob-phone").await;
    let device = scene.server.api().device("bob", "phone").await;
    assert_eq!(device["bindings"], json!([]));
    assert_eq!(phone.bye().await, None, "a logout is its own good-bye");
}

#[tokio::test]
async fn a_logout_forgives_what_the_phone_was_still_owed() {
    let scene = scene("[deadlines]\nforeground_ms = 800").await;
    let tablet = scene.phone(Login::new("bob", "tablet")).await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    tablet.freeze();
    let sent = scene.alice.say("bob", "one").await;
    phone.messages(1).await;
    phone.log_out(Some(true)).await;
    scene.push_to("bob-tablet", &sent.message_id).await;
    scene.assert_not_pushed("bob-phone").await;
}

#[tokio::test]
async fn a_phone_that_logged_out_without_unbinding_is_still_pushed() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    phone.log_out(Some(false)).await;
    let sent = scene.alice.say("bob", "one").await;
    let push = scene.push_to("bob-phone", &sent.message_id).await;
    assert!(lateness_ms(&push, sent.at) <= AT_ONCE_MS);
}

#[tokio::test]
async fn a_phone_that_logs_in_again_is_pushed_again_once_it_binds() {
    let scene = scene("").await;
    scene.phone(Login::new("bob", "phone")).await.log_out(None).await;
    let phone = scene.phone(Login::new("bob", "phone").background(0)).await;
    phone.freeze();
    let sent = scene.alice.say("bob", "one").await;
    scene.push_to("bob-phone", &sent.message_id).await;
}

#[tokio::test]
async fn a_kicked_phone_hears_why_and_is_pushed_nothing_more() {
    let scene = scene("[deadlines]\nforeground_ms = 800").await;
    let tablet = scene.phone(Login::new("bob", "tablet")).await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    tablet.freeze();
    // Owed when the kick comes, and written after it.
    let before = scene.alice.say("bob", "before").await;
    phone.messages(1).await;
    let path = "/v1/users/bob/devices/phone/kick";
    scene.server.api().post(path, json!({"reason": "lost phone"})).await.good();
    let bye = phone.bye().await.expect("a kicked device is told");
    assert_eq!((bye.reason.as_str(), bye.text.as_deref()), ("kicked", Some("lost phone")));

    let after = scene.alice.say("bob", "after").await;
    scene.push_to("bob-tablet", &before.message_id).await;
    scene.push_to("bob-tablet", &after.message_id).await;
    scene.assert_not_pushed("bob-phone").await;
}

#[tokio::test]
async fn a_token_issued_before_a_kick_opens_no_session() {
    let scene = scene("").await;
    let api = scene.server.api();
    let old = api.token("bob").await;
    let phone = Login::new("bob", "phone").token(&old).to(&scene.server).await;
    let resume = phone.hello.resume.clone();
    api.post("/v1/users/bob/devices/phone/kick", json!({"reason": ""})).await.good();
    for login in [
        Login::new("bob", "phone").token(&old),
        Login::new("bob", "phone").token(&old).resume(&resume),
    ] {
        let refused = login.try_to(&scene.server).await.expect_err("a token from before the kick");
        assert_eq!(refused.error.code, "token_revoked");
        assert!(!refused.error.retry);
        assert_eq!(refused.bye.expect("the connection has no other use").reason, "kicked");
    }
    // The user's other devices stay, and a new token signs the phone in again.
    Login::new("bob", "tablet").token(&old).to(&scene.server).await;
    let again = Login::new("bob", "phone").resume(&resume).to(&scene.server).await;
    assert!(!again.hello.resumed, "a kick ends what could be resumed");
}

#[tokio::test]
async fn a_token_that_another_user_bound_is_not_pushed_for_the_first() {
    let scene = scene("").await;
    scene.bind("bob", "tablet").await;
    scene.bind("bob", "phone").await;
    let before = scene.alice.say("bob", "before").await;
    scene.push_to("bob-phone", &before.message_id).await;
    scene.server.api().bind("eve", "phone", ["apns", "main", "bob-phone"]).await;

    let for_bob = scene.alice.say("bob", "for bob").await;
    let for_eve = scene.alice.say("eve", "for eve").await;
    scene.push_to("bob-tablet", &for_bob.message_id).await;
    scene.push_to("bob-phone", &for_eve.message_id).await;
    let pushed = nids(&scene.apns.requests(), "bob-phone");
    assert_eq!(pushed, [nid(&before.message_id), nid(&for_eve.message_id)]);
    let device = scene.server.api().device("bob", "phone").await;
    assert_eq!(device["bindings"], json!([]));
}

#[tokio::test]
async fn a_token_that_moves_while_its_deadline_runs_takes_no_push_along() {
    let scene = scene("[deadlines]\nforeground_ms = 800").await;
    let tablet = scene.phone(Login::new("bob", "tablet")).await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    tablet.freeze();
    phone.freeze();
    let sent = scene.alice.say("bob", "for bob alone").await;
    scene.server.api().bind("eve", "phone", ["apns", "main", "bob-phone"]).await;
    scene.push_to("bob-tablet", &sent.message_id).await;
    scene.assert_not_pushed("bob-phone").await;
}

#[tokio::test]
async fn a_second_connection_of_a_device_replaces_the_first() {
    let scene = scene("").await;
    let first = Login::new("bob", "phone").to(&scene.server).await;
    let second = Login::new("bob", "phone").over(Way::Binary).to(&scene.server).await;
    assert_eq!(first.bye().await.expect("it is told").reason, "replaced");
    scene.alice.say("bob", "one").await;
    second.messages(1).await;
    // A socket that never said hello replaces nobody.
    let _silent = Packets::connect(&scene.server, Way::Tcp).await;
    scene.alice.say("bob", "two").await;
    second.messages(2).await;
}
