//! The terminal client, with lines instead of a keyboard.

use std::fs::File;

use nightjar_client_core::{Client as Machine, Config, Event, Identity, Output, Record, Restored};
use nightjar_model::{DeviceId, Platform, Secret};
use tokio::sync::mpsc;

use super::house::{House, Phone, nowhere, soon, to, uid};
use crate::chat::talk::{Running, Talk};
use crate::store::Store;
use crate::transport::Connector;
use crate::{Client, Settings};

fn lines(typed: &[&str]) -> mpsc::Receiver<String> {
    let (given, lines) = mpsc::channel(64);
    for line in typed {
        given.try_send((*line).to_owned()).unwrap();
    }
    lines
}

fn talk(phone: Phone, restored: &Restored) -> Running {
    Talk::new(uid("alice"), Some(to("bob")), restored).with(phone.client, phone.news)
}

#[tokio::test]
async fn the_end_of_the_input_waits_until_everything_is_sent() {
    let house = House::open();
    let door = house.door().await;
    let mut bob = house.phone("bob", vec![door.clone()]).await;
    bob.is_there().await;
    let alice = house.phone("alice", vec![nowhere().await, door]).await;
    let run = talk(alice, &Restored::default()).run(lines(&["hello", "/nonsense", "//to you"]));
    assert_eq!(soon(run).await, Ok(()));
    assert_eq!(bob.receives().await, "hello");
    assert_eq!(bob.receives().await, "/to you");
}

#[tokio::test]
async fn a_login_that_is_refused_is_the_reason_of_the_end() {
    let house = House::open();
    let alice = Phone::start("alice", "forged", vec![house.door().await], &house.file("a")).await;
    let end = soon(talk(alice, &Restored::default()).run(lines(&["hello"]))).await;
    assert_eq!(end, Err("the server does not accept this token for this user".to_owned()));
    // What was typed waits for a better token.
    let (_, restored) = Store::open(&house.file("a")).await.unwrap();
    assert_eq!(restored.outgoing.len(), 1);
}

#[tokio::test]
async fn leaving_does_not_wait_and_keeps_what_was_not_sent() {
    let house = House::open();
    let alice = house.phone("alice", vec![nowhere().await]).await;
    let run = talk(alice, &Restored::default()).run(lines(&["later", "/quit"]));
    assert_eq!(soon(run).await, Ok(()));
    let (store, restored) = Store::open(&house.file("alice")).await.unwrap();
    assert_eq!(restored.outgoing.len(), 1);
    store.close().await.unwrap();
    // The next run sends it, although nothing is typed.
    let door = house.door().await;
    let alice = house.phone("alice", vec![door]).await;
    assert_eq!(soon(talk(alice, &restored).run(lines(&[]))).await, Ok(()));
    let (_, restored) = Store::open(&house.file("alice")).await.unwrap();
    assert_eq!(restored.outgoing.len(), 0);
}

#[tokio::test]
async fn a_run_is_written_down_without_its_token_and_can_be_played_again() {
    let house = House::open();
    let path = house.folder.path().join("run.jsonl");
    let (store, restored) = Store::open(&house.file("alice")).await.unwrap();
    let token = house.token("alice");
    let identity = Identity {
        uid: uid("alice"),
        device_id: DeviceId::parse("alice-phone").unwrap(),
        token: Secret::new(token.clone()),
    };
    let (client, news) = Client::start(Settings {
        servers: vec![house.door().await],
        connector: Connector::new(None).unwrap(),
        identity: identity.clone(),
        platform: Platform::Cli,
        app: None,
        store: Some((store, restored.clone())),
        ledger: None,
        record: Some(File::create(&path).unwrap()),
    });
    let run = talk(Phone { client, news }, &restored).run(lines(&["hello"]));
    assert_eq!(soon(run).await, Ok(()));

    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&token));
    let records: Vec<_> = text.lines().map(|line| Record::parse(line).unwrap()).collect();
    let mut machine = Machine::new(Config::default().into(), identity, restored, records[0].now());
    let mut sent = 0;
    for record in records {
        record.play(&mut machine);
        let outputs = std::iter::from_fn(|| machine.poll());
        sent += outputs.filter(|o| matches!(o, Output::Event(Event::Sent { .. }))).count();
    }
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn what_cannot_be_sent_is_the_reason_of_the_end() {
    let house = House::open();
    let alice = house.phone("alice", vec![house.door().await]).await;
    let huge = "x".repeat(70_000);
    let end = soon(talk(alice, &Restored::default()).run(lines(&[&huge]))).await;
    assert_eq!(end, Err("1 not sent: it is too long".to_owned()));
}
