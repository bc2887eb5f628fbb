//! Who is online, as others see it over the native protocol.

use nightjar_whole::{Device, Login, Way, within};
use nightjar_wire::{Body, Kind, body};

use crate::setup;

async fn look(device: &Device, at: &[&str]) -> Vec<body::PresenceUser> {
    let subscribe = at.iter().map(|uid| (*uid).to_owned()).collect();
    let presence = body::Presence { subscribe, ..body::Presence::default() };
    match device.ask(Kind::Presence, Body::Presence(presence)).await {
        Ok(Body::PresenceAnswer(answer)) => answer.users,
        other => panic!("presence was answered with {other:?}"),
    }
}

#[tokio::test]
async fn people_who_talk_see_each_other_come_and_go() {
    let server = setup().start().await;
    let alice = Login::new("alice", "web").over(Way::Json).to(&server).await;
    alice.say("bob", "hello").await;
    let users = look(&alice, &["bob", "carol"]).await;
    let [bob] = &users[..] else { panic!("{users:?}") };
    assert_eq!((bob.uid.as_str(), bob.online), ("bob", false), "nobody is told of a stranger");

    let phone = Login::new("bob", "phone").to(&server).await;
    let status = body::PresenceStatus { status: "busy".into(), text: Some("at work".into()) };
    let set = body::Presence { set: Some(status.clone()), ..body::Presence::default() };
    phone.ask(Kind::Presence, Body::Presence(set)).await.expect("it is taken");
    alice
        .wait_for("bob to be busy", |seen| {
            seen.presences().any(|user| user.status == Some(status.clone())).then_some(())
        })
        .await;
    drop(phone);
    let gone = alice.wait_for("bob to go", |seen| {
        seen.presences().last().filter(|user| !user.online).and_then(|user| user.last_seen)
    });
    assert!(within("bob to go", gone).await > 0);
}
