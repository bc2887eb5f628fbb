//! What an app's extension looks up when a push woke it, with the token it was given for that.

use nightjar_whole::{Api, Login, Server};
use serde_json::{Value, json};

use crate::scene::scene;
use crate::setup;

/// The extension of a device that logs in.
async fn extension(server: &Server, uid: &str, device_id: &str) -> Api {
    let app = Login::new(uid, device_id).to(server).await;
    let token = app.hello.push_token_scope.clone().expect("every hello gives one");
    app.go_to_background(0).await;
    server.api().with_key(Some(&token))
}

fn seqs(answer: &Value) -> Vec<u64> {
    let messages = answer["messages"].as_array().expect("messages");
    messages.iter().map(|message| message["seq"].as_u64().expect("a seq")).collect()
}

#[tokio::test]
async fn an_extension_looks_up_the_messages_of_its_push_and_what_came_after_a_place() {
    let server = setup().start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let bobs = extension(&server, "bob", "phone").await;
    let mut ids = Vec::new();
    for n in 1..=30 {
        ids.push(alice.say("bob", &format!("no. {n}")).await.message_id);
    }

    let one = bobs.get(&format!("/v1/fetch?ids={}", ids[2])).await.good();
    assert_eq!((seqs(&one), &one["unread"]), (vec![3], &json!(30)));
    let message = &one["messages"][0];
    assert_eq!((&message["content"]["text"], &message["alert"]), (&json!("no. 3"), &json!(true)));
    let two = bobs.get(&format!("/v1/fetch?ids={},{}", ids[4], ids[2])).await.good();
    assert_eq!(seqs(&two), [3, 5]);
    let since = bobs.get(&format!("/v1/fetch?ids={}&since=5", ids[6])).await.good();
    assert_eq!(seqs(&since).first(), Some(&6));
    assert!(seqs(&since).len() <= 20);

    let empty = bobs.get(&format!("/v1/fetch?ids={}&since=", ids[2])).await.good();
    assert_eq!(seqs(&empty), [3]);
    let wrong = bobs.get(&format!("/v1/fetch?ids={}&since=x", ids[2])).await;
    assert_eq!(wrong.error(), "bad_request");

    // What was read meanwhile needs no alert, and the badge says so.
    let bob = Login::new("bob", "desktop").to(&server).await;
    bob.read("d:alice:bob", 10).await;
    let read = bobs.get(&format!("/v1/fetch?ids={},{}", ids[2], ids[20])).await.good();
    let alerts: Vec<_> =
        read["messages"].as_array().unwrap().iter().map(|message| &message["alert"]).collect();
    assert_eq!((alerts, &read["unread"]), (vec![&json!(false), &json!(true)], &json!(20)));
}

#[tokio::test]
async fn it_sees_nothing_of_others_and_its_token_opens_nothing_else() {
    let server = setup().start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let carols = extension(&server, "carol", "phone").await;
    let id = alice.say("bob", "not for Carol").await.message_id;
    let path = format!("/v1/fetch?ids={id}");
    assert_eq!(seqs(&carols.get(&path).await.good()), [] as [u64; 0]);
    assert_eq!(carols.get("/v1/users/carol/unread").await.status, 401);

    let of_user = server.api().token("bob").await;
    for wrong in [None, Some("admin-key-of-the-tests"), Some(of_user.as_str())] {
        assert_eq!(server.api().with_key(wrong).get(&path).await.status, 401, "{wrong:?}");
    }
    let ids = vec![id.as_str(); 21].join(",");
    assert_eq!(carols.get(&format!("/v1/fetch?ids={ids}")).await.error(), "bad_request");
    assert_eq!(carols.get("/v1/fetch?ids=x").await.error(), "bad_request");
}

#[tokio::test]
async fn a_kick_and_a_logout_end_it() {
    let scene = scene("").await;
    let id = scene.alice.say("bob", "hello").await.message_id;
    let path = format!("/v1/fetch?ids={id}");
    let phones = extension(&scene.server, "bob", "phone").await;
    let tablet = Login::new("bob", "tablet").to(&scene.server).await;
    let token = tablet.hello.push_token_scope.clone();
    let tablets = scene.server.api().with_key(token.as_deref());
    phones.get(&path).await.good();
    tablets.get(&path).await.good();

    let kick = json!({"reason": "lost"});
    scene.server.api().post("/v1/users/bob/devices/phone/kick", kick).await;
    assert_eq!(phones.get(&path).await.error(), "token_revoked");
    tablet.log_out(None).await;
    assert_eq!(tablets.get(&path).await.error(), "token_revoked");
}
