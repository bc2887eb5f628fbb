//! What an app's extension looks up when a push woke it, with the token it was given for that.

use nightjar_whole::{Acks, Api, Login, Server, within};
use nightjar_wire::{Body, Kind, Packet, body};
use serde_json::{Value, json};

use crate::scene::{nid, scene};
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

#[tokio::test]
async fn what_an_extension_showed_is_not_pushed_again_and_is_taken_back_when_read() {
    let scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone").acks(Acks::Stored)).await;
    let token = phone.hello.push_token_scope.clone();
    let extension = scene.server.api().with_key(token.as_deref());
    phone.go_to_background(25_000).await;
    let sent = scene.alice.say("bob", "hello").await;
    let shown = json!({"surfaced": [nid(&sent.message_id)], "arrived": [nid(&sent.message_id)]});
    assert_eq!(extension.post("/v1/fetch/ack", shown).await.status, 204);
    let laptop = Login::new("bob", "laptop").to(&scene.server).await;
    laptop.read("d:alice:bob", sent.seq).await;
    phone
        .wait_for("the withdrawal", |seen| {
            seen.withdrawals().find(|(_, ids)| ids[0] == nid(&sent.message_id)).map(drop)
        })
        .await;
    scene.assert_not_pushed("bob-phone").await;
    let trace = scene.server.api().trace(&sent.message_id, "bob").await;
    for step in ["arrived", "surfaced"] {
        let is_it = |event: &&Value| event["step"] == step && event["device_id"] == "phone";
        assert_eq!(trace.iter().filter(is_it).count(), 1, "{step} in {trace:?}");
    }

    let many = json!({"surfaced": vec![nid(&sent.message_id); 21]});
    assert_eq!(extension.post("/v1/fetch/ack", many).await.error(), "bad_request");
    let wrong = json!({"surfaced": [""]});
    assert_eq!(extension.post("/v1/fetch/ack", wrong).await.error(), "bad_request");
    let admin = scene.server.api();
    assert_eq!(admin.post("/v1/fetch/ack", json!({})).await.status, 401);
    phone.log_out(None).await;
    assert_eq!(extension.post("/v1/fetch/ack", json!({})).await.error(), "token_revoked");
}

#[tokio::test]
async fn what_clients_measured_is_summed_up_by_platform() {
    let server = setup().start().await;
    let phone = Login::new("bob", "phone").to(&server).await;
    let metric = |name: &str, value, count| body::Metric { name: name.into(), value, count };
    let metrics = vec![
        metric("connect_time_ms", 300, 2),
        metric("zombie_socket", 0, 3),
        metric("no such metric", 1, 1),
    ];
    let report = body::Report { metrics, ..body::Report::default() };
    phone.write(Packet::one_way(Kind::Report, Body::Report(report)));
    let api = server.api();
    let sums = async {
        loop {
            let text = api.get("/metrics").await.text;
            if text.contains(r#"nightjar_client_zombie_socket_total{platform="cli"} 3"#) {
                return text;
            }
        }
    };
    let text = within("the sums", sums).await;
    let bucket = |le: &str| {
        format!(r#"nightjar_client_connect_time_ms_bucket{{platform="cli",le="{le}"}} 2"#)
    };
    assert!(text.contains(&bucket("500")) && text.contains(&bucket("+Inf")), "{text}");
    assert!(!text.contains(r#"le="250""#) && !text.contains("no such"), "{text}");
}
