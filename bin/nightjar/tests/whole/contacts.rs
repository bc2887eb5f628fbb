//! Contacts, blocks and profiles from outside: two people, an operator, and a kill between.

use nightjar_whole::{Api, Device, Login, Way, text_to_user};
use nightjar_wire::{Body, Kind, body};
use serde_json::{Value, json};

use crate::setup;

async fn change(device: &Device, uid: &str, action: &str) -> Result<u64, body::ErrorDetail> {
    let (uid, action) = (uid.to_owned(), action.to_owned());
    let change = body::ContactChange { uid, action, contact: None };
    match device.ask(Kind::Contact, Body::ContactChange(change)).await? {
        Body::ContactAnswer(answer) => Ok(answer.ver),
        other => panic!("contact was answered with {other:?}"),
    }
}

async fn sync(device: &Device, since: Option<&str>) -> Result<body::SyncAnswer, body::ErrorDetail> {
    let sync = body::Sync { since: since.map(str::to_owned), limit: Some(500) };
    match device.ask(Kind::Sync, Body::Sync(sync)).await? {
        Body::SyncAnswer(answer) => Ok(answer),
        other => panic!("sync was answered with {other:?}"),
    }
}

async fn contacts(api: &Api, uid: &str) -> Value {
    api.get(&format!("/v1/users/{uid}/contacts")).await.good()["contacts"].clone()
}

async fn told(device: &Device, uid: &str, state: &str) -> body::Contact {
    let is_it = |one: &&body::Contact| one.uid == uid && one.state == state;
    device
        .wait_for(&format!("{uid} to be {state}"), |seen| seen.contacts().find(is_it).cloned())
        .await
}

#[tokio::test]
async fn two_people_become_contacts_and_a_killed_server_remembers() {
    let mut server = setup().start().await;
    server.api().put("/v1/users/alice", json!({"name": "Alice", "avatar": "a.png"})).await.good();
    let alice = Login::new("alice", "web").over(Way::Json).to(&server).await;
    let bob = Login::new("bob", "phone").to(&server).await;
    let token = sync(&bob, None).await.expect("everything").next;
    change(&alice, "bob", "request").await.expect("it is taken");
    told(&bob, "alice", "asked").await;
    let ver = change(&bob, "alice", "accept").await.expect("she asked");
    told(&alice, "bob", "accepted").await;
    server.kill().await;
    server.assert_verified();
    server.start_again().await;
    let bob = Login::new("bob", "phone").to(&server).await;
    let changed = sync(&bob, Some(&token)).await.expect("the token is good");
    let [contact] = &changed.contacts[..] else { panic!("{:?}", changed.contacts) };
    assert_eq!((contact.uid.as_str(), contact.state.as_str()), ("alice", "accepted"));
    assert_eq!((contact.ver, contact.blocked), (ver, None));
    let [profile] = &changed.profiles[..] else { panic!("{:?}", changed.profiles) };
    assert_eq!(profile.name.as_deref(), Some("Alice"));
    assert_eq!(profile.avatar.as_deref(), Some("a.png"));
    let next = changed.next;
    server.api().put("/v1/users/alice", json!({"name": "Alicia"})).await.good();
    let renamed = async {
        loop {
            let page = sync(&bob, Some(&next)).await.expect("the token is good");
            if let [profile] = &page.profiles[..] {
                break profile.name.clone();
            }
        }
    };
    let renamed = nightjar_whole::within("the new name", renamed).await;
    assert_eq!(renamed.as_deref(), Some("Alicia"));
    assert_eq!(change(&bob, "carol", "accept").await.unwrap_err().code, "not_asked");
}

#[tokio::test]
async fn who_is_blocked_is_refused_by_name_and_the_operator_sees_and_lifts_it() {
    let server = setup().start().await;
    let api = server.api();
    let alice = Login::new("alice", "web").to(&server).await;
    let made = api.put("/v1/users/bob/contacts/alice", json!({"state": "accepted"})).await.good();
    assert_eq!((&made["uid"], &made["state"]), (&json!("alice"), &json!("accepted")));
    told(&alice, "bob", "accepted").await;
    let blocked = api.put("/v1/users/bob/blocked/alice", json!({})).await.good();
    assert_eq!(blocked["blocked"], true);
    let refused = alice.send(text_to_user("bob", "hello")).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.retry), ("blocked", false));
    let by_api = api
        .post(
            "/v1/messages",
            json!({"from": "alice", "to": {"user": "bob"}, "content": {"type": "x"}}),
        )
        .await;
    assert_eq!((by_api.status, by_api.error().as_str()), (403, "blocked"));
    assert_eq!(contacts(&api, "bob").await[0]["blocked"], true);
    assert_eq!(contacts(&api, "alice").await[0]["blocked"], false, "nobody tells her");
    api.delete("/v1/users/bob/blocked/alice").await.good();
    alice.send(text_to_user("bob", "hello")).await.expect("it is lifted");
    api.delete("/v1/users/bob/contacts/alice").await.good();
    told(&alice, "bob", "none").await;
    assert_eq!(contacts(&api, "bob").await, json!([]));
}

#[tokio::test]
async fn what_is_no_contact_is_refused_by_name() {
    let server = setup().start().await;
    let api = server.api();
    for (path, body, name) in [
        ("/v1/users/bob/contacts/alice", json!({"state": "asked"}), "bad_request"),
        ("/v1/users/bob/contacts/alice", json!({}), "bad_request"),
        ("/v1/users/bob/contacts/bob", json!({"state": "requested"}), "oneself"),
        ("/v1/users/bob/blocked/bob", json!({}), "oneself"),
        ("/v1/users/bob/blocked/a%20b", json!({}), "bad_request"),
    ] {
        let answer = api.put(path, body).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, name), "{path}");
    }
    let unkeyed = api.with_key(None).get("/v1/users/bob/contacts").await;
    assert_eq!(unkeyed.error(), "unauthorized");
    let bob = Login::new("bob", "phone").to(&server).await;
    let other_life = sync(&bob, Some("v2.1.1.0")).await.unwrap_err();
    assert_eq!((other_life.code.as_str(), other_life.retry), ("too_old", false));
    assert_eq!(sync(&bob, Some("x")).await.unwrap_err().code, "bad_request");
}
