//! XMPP clients: people chat, a frozen app is pushed, what was acknowledged is kept.

use nightjar_whole::{Login, Server, XmppClient};
use serde_json::json;

use crate::scene::{AT_ONCE_MS, EARLY_MS, Scene, lateness_ms, nid, nids, of_token, scene_of};
use crate::setup;

/// Half a second over a deadline.
const LATE_MS: u64 = 500;

/// A server that XMPP clients of this machine reach without TLS, and Bob with a password.
async fn xmpp_scene(more: &str) -> Scene {
    let xmpp = "listen = \"127.0.0.1:0\"\ntls = \"\"\nallow_plaintext = \"loopback\"";
    let scene = scene_of(setup().with_xmpp(xmpp).with(more)).await;
    password(&scene.server, "bob").await;
    scene
}

async fn password(server: &Server, user: &str) {
    let path = format!("/v1/users/{user}/password");
    let answer = server.api().put(&path, json!({"password": "pencil"})).await;
    assert_eq!(answer.status, 204);
}

/// Bob's phone over XMPP, present, with a push binding.
async fn phone(scene: &Scene, is_managed: bool) -> XmppClient {
    let mut phone = XmppClient::log_in(&scene.server, "bob", "pencil", "phone").await;
    scene.bind("bob", "phone").await;
    if is_managed {
        phone.manage().await;
    }
    phone.write("<presence/>").await;
    phone.read_until("its own presence", |it| it.name() == "presence").await;
    phone
}

fn body(message: &nightjar_xmpp::Element) -> Option<String> {
    message.child("jabber:client", "body").map(nightjar_xmpp::Element::text)
}

#[tokio::test]
async fn an_xmpp_client_and_a_native_one_share_a_conversation() {
    let scene = xmpp_scene("").await;
    let mut bob = phone(&scene, true).await;
    let sent = scene.alice.say("bob", "hello").await;
    let message = bob.read_until("hello", |it| body(it).is_some()).await;
    assert_eq!(message.get("from"), Some("alice@localhost"));
    assert_eq!(body(&message).as_deref(), Some("hello"));
    let id = message.child("urn:xmpp:sid:0", "stanza-id").and_then(|id| id.get("id"));
    assert_eq!(id, Some(&*sent.message_id));

    bob.write("<message to='alice@localhost' type='chat' id='x1'><body>hi</body></message>").await;
    let received = scene.alice.messages(1).await;
    assert_eq!(received[0].content, r#"{"type":"text","text":"hi"}"#);
    assert_eq!(received[0].client_msg_id, "x1");
    assert_eq!(received[0].seq, 2);
}

#[tokio::test]
async fn a_frozen_client_is_pushed_by_its_deadline_and_then_at_once() {
    for is_managed in [true, false] {
        let scene = xmpp_scene("").await;
        let _frozen = phone(&scene, is_managed).await;
        let first = scene.alice.say("bob", "one").await;
        let late = lateness_ms(&scene.push_of(&first.message_id).await, first.at);
        assert!((5_000 - EARLY_MS..=5_000 + LATE_MS).contains(&late), "{late} ms");
        let second = scene.alice.say("bob", "two").await;
        let late = lateness_ms(&scene.push_of(&second.message_id).await, second.at);
        assert!(late <= AT_ONCE_MS, "{late} ms");
        let expected = [nid(&first.message_id), nid(&second.message_id)];
        assert_eq!(nids(&scene.apns.requests(), "bob-phone"), expected);
    }
}

#[tokio::test]
async fn an_inactive_client_is_waited_for_two_seconds() {
    let scene = xmpp_scene("").await;
    let mut bob = phone(&scene, true).await;
    bob.write("<inactive xmlns='urn:xmpp:csi:0'/>").await;
    scene.app_state(("bob", "phone"), "background").await;
    let first = scene.alice.say("bob", "one").await;
    let late = lateness_ms(&scene.push_of(&first.message_id).await, first.at);
    assert!((2_000 - EARLY_MS..=2_000 + LATE_MS).contains(&late), "{late} ms");
}

#[tokio::test]
async fn a_client_that_answers_is_never_pushed() {
    for is_managed in [true, false] {
        let scene = xmpp_scene("[deadlines]\nforeground_ms = 800").await;
        let mut bob = phone(&scene, is_managed).await;
        let seen = scene.alice.say("bob", "seen").await;
        bob.read_until("the message", |it| body(it).is_some()).await;
        if is_managed {
            bob.read_until("the question", |it| it.name() == "r").await;
            bob.acknowledge().await;
        } else {
            let ping = bob.read_until("a ping", |it| it.name() == "iq").await;
            let id = ping.get("id").unwrap_or_default();
            bob.write(&format!("<iq type='result' id='{id}' to='localhost'/>")).await;
        }
        let missed = scene.alice.say("bob", "missed").await;
        scene.push_of(&missed.message_id).await;
        let pushed = nids(&scene.apns.requests(), "bob-phone");
        assert_eq!(pushed, [nid(&missed.message_id)], "not {}", seen.message_id);
    }
}

#[tokio::test]
async fn a_client_that_left_is_pushed_at_once_and_reads_it_all_when_it_is_back() {
    let scene = xmpp_scene("").await;
    drop(phone(&scene, true).await);
    scene.app_state(("bob", "phone"), "offline").await;
    let mut sent = Vec::new();
    for text in ["one", "two", "three"] {
        let message = scene.alice.say("bob", text).await;
        let late = lateness_ms(&scene.push_of(&message.message_id).await, message.at);
        assert!(late <= AT_ONCE_MS, "{late} ms");
        sent.push(text);
    }
    let mut bob = phone(&scene, true).await;
    for text in sent {
        let message = bob.read_until(text, |it| it.name() == "message").await;
        assert_eq!(body(&message).as_deref(), Some(text));
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let mut scene = xmpp_scene("").await;
    let mut bob = phone(&scene, true).await;
    for n in 0..20 {
        bob.write(&format!(
            "<message to='alice@localhost' type='chat' id='k{n}'><body>{n}</body></message>"
        ))
        .await;
    }
    bob.write("<r xmlns='urn:xmpp:sm:3'/>").await;
    let ack = bob.read_until("its answer", |it| it.name() == "a").await;
    // The presence before it counts.
    assert_eq!(ack.get("h"), Some("21"));
    scene.server.kill().await;
    scene.server.start_again().await;
    let mut bob = XmppClient::log_in(&scene.server, "bob", "pencil", "tablet").await;
    bob.write("<iq type='set' id='a'><query xmlns='urn:xmpp:mam:2'/></iq>").await;
    for n in 0..20 {
        let result = bob.read_until("a result", |it| it.name() == "message").await;
        let text = format!("<body>{n}</body>");
        assert!(result.to_xml().contains(&text), "{result:?} is not {n}");
    }
    let fin = bob.read_until("the end", |it| it.get("id") == Some("a")).await;
    assert!(fin.to_xml().contains("complete='true'"), "{fin:?}");
    scene.server.terminate().await;
    scene.server.assert_verified();
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let scene = xmpp_scene("").await;
    let mut refusals = Vec::new();
    for (user, word) in [("bob", "wrong"), ("nobody", "pencil"), ("alice", "pencil")] {
        let mut client = XmppClient::connect(&scene.server).await;
        refusals.push(client.prove(user, word).await.to_xml());
    }
    assert!(refusals[0].contains("not-authorized"), "{refusals:?}");
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
}

#[tokio::test]
async fn a_draining_server_says_so() {
    let mut scene = xmpp_scene("").await;
    let mut bob = phone(&scene, true).await;
    let (status, _) = scene.server.terminate().await;
    assert!(status.success());
    let error = bob.read_until("an error", |it| it.name() == "error").await;
    assert!(error.to_xml().contains("system-shutdown"), "{error:?}");
    assert!(bob.next().await.is_none());
}

#[tokio::test]
async fn a_password_that_cannot_be_typed_is_refused_by_name() {
    let scene = xmpp_scene("").await;
    let api = scene.server.api();
    let path = "/v1/users/carol/password";
    for body in [json!({"password": "\u{7}"}), json!({}), json!({"password": "a", "scram": {}})] {
        let answer = api.put(path, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    let empty = api.put(path, json!({"scram": {}})).await.json().to_string();
    assert!(empty.contains("neither sha1 nor sha256"), "{empty}");
    let mut client = XmppClient::connect(&scene.server).await;
    assert_eq!(client.prove("carol", "a").await.name(), "failure");
    let phone = Login::new("carol", "phone").to(&scene.server).await;
    assert!(of_token(&scene.apns.requests(), "carol-phone").is_empty(), "{}", phone.uid);
}
