//! No loss, no double: what is sent again is one message, what waited comes whole and in order.

use std::collections::VecDeque;

use nightjar_whole::{Acks, Device, Login, Way, text_to_user, within};
use nightjar_wire::{Body, Kind, body};

use crate::scene::{nid, nids, scene};
use crate::setup;

#[tokio::test]
async fn a_message_sent_five_times_over_two_connections_and_a_restart_is_one() {
    let mut scene = scene("").await;
    scene.bind("bob", "phone").await;
    let send = text_to_user("bob", "only once");
    let first = scene.alice.send(send.clone()).await.expect("it is taken");
    assert!(!first.duplicate);
    let mut again = vec![scene.alice.send(send.clone()).await];
    let second = Login::new("alice", "phone").over(Way::Json).to(&scene.server).await;
    again.push(second.send(send.clone()).await);
    scene.push_of(&first.message_id).await;
    scene.server.terminate().await;
    scene.server.start_again().await;
    let third = Login::new("alice", "laptop").to(&scene.server).await;
    again.push(third.send(send.clone()).await);
    // Another body under the same id gets the first answer.
    let other = body::Send { content: r#"{"type":"text","text":"x"}"#.into(), ..send };
    again.push(third.send(other).await);
    for answer in again {
        assert_eq!(answer, Ok(body::SendAnswer { duplicate: true, ..first.clone() }));
    }

    let history = scene.server.api().whole_history(&first.conversation, "bob").await;
    assert_eq!(history.len(), 1);
    let last = third.say("bob", "another").await;
    assert_eq!(last.seq, 2);
    scene.push_of(&last.message_id).await;
    let expected = [nid(&first.message_id), nid(&last.message_id)];
    assert_eq!(nids(&scene.apns.requests(), "bob-phone"), expected);
}

#[tokio::test]
async fn one_id_sent_at_the_same_time_over_two_connections_is_one_message() {
    let scene = scene("").await;
    let second = Login::new("alice", "phone").to(&scene.server).await;
    for _ in 0..20 {
        // Many at once, so that the server decides about both of a pair in one go.
        let pairs: Vec<_> = (0..50)
            .map(|_| {
                let send = text_to_user("bob", "at once");
                [&scene.alice, &second]
                    .map(|device| device.begin(Kind::Send, Body::Send(send.clone())))
            })
            .collect();
        for [one, two] in pairs {
            let (one, two) = (sent(one).await, sent(two).await);
            assert_eq!((&one.message_id, one.seq), (&two.message_id, two.seq));
            assert_ne!(one.duplicate, two.duplicate);
        }
    }
}

/// The answer to a send that must be taken.
async fn sent(
    answer: impl Future<Output = Option<Result<Body, body::ErrorDetail>>>,
) -> body::SendAnswer {
    match within("an answer", answer).await {
        Some(Ok(Body::SendAnswer(answer))) => answer,
        other => panic!("a send was answered with {other:?}"),
    }
}

#[tokio::test]
async fn a_device_that_comes_and_goes_under_load_misses_nothing() {
    const MESSAGES: u64 = 3_000;
    let server = setup().start().await;
    let writers: Vec<Device> = vec![
        Login::new("alice", "laptop").to(&server).await,
        Login::new("alice", "phone").to(&server).await,
    ];
    writers[0].say("bob", "first").await;
    let write = async {
        let mut waiting = VecDeque::new();
        for n in 1..MESSAGES {
            let writer = &writers[usize::try_from(n).expect("small") % 2];
            let send = text_to_user("bob", "more");
            waiting.push_back(writer.begin(Kind::Send, Body::Send(send)));
            if waiting.len() > 100 {
                let answer = waiting.pop_front().expect("many wait");
                sent(answer).await;
            }
        }
        for answer in waiting {
            sent(answer).await;
        }
    };
    let come_and_go = async {
        loop {
            let phone = Login::new("bob", "phone").to(&server).await;
            let given = phone
                .wait_for("deliveries", |seen| {
                    let given: Vec<u64> = seen.messages().map(|message| message.seq).collect();
                    let is_enough = given.len() >= 150 || given.last() == Some(&MESSAGES);
                    is_enough.then_some(given)
                })
                .await;
            assert!(given.windows(2).all(|two| two[0] + 1 == two[1]), "{given:?}");
            if given.last() == Some(&MESSAGES) {
                return;
            }
        }
    };
    tokio::join!(write, come_and_go);
}

#[tokio::test]
async fn another_user_may_use_the_same_id() {
    let scene = scene("").await;
    let carol = Login::new("carol", "laptop").to(&scene.server).await;
    let send = text_to_user("bob", "hello");
    let from_alice = scene.alice.send(send.clone()).await.expect("it is taken");
    let from_carol = carol.send(send).await.expect("it is taken");
    assert!(!from_carol.duplicate);
    assert_ne!(from_alice.message_id, from_carol.message_id);
}

#[tokio::test]
async fn five_hundred_messages_to_somebody_away_all_arrive_in_order() {
    const MESSAGES: u64 = 500;
    let mut scene = scene("[push]\nstorm = false").await;
    // Known to the server, so that nothing begins at the heads of a later moment.
    let phone = Login::new("bob", "phone").acks(Acks::Surfaced).to(&scene.server).await;
    let early = scene.alice.say("bob", "before").await;
    phone.messages(1).await;
    phone.ask(Kind::Ping, Body::Empty).await.expect("a pong");
    drop(phone);
    scene.app_state(("bob", "phone"), "offline").await;

    let answers: Vec<_> = (0..MESSAGES)
        .map(|n| {
            let send = text_to_user("bob", &format!("message {n}"));
            scene.alice.begin(Kind::Send, Body::Send(send))
        })
        .collect();
    for answer in answers {
        sent(answer).await;
    }
    // The month passes: what counts is that the server forgot everything in memory.
    scene.server.terminate().await;
    scene.server.start_again().await;

    let phone = Login::new("bob", "phone").acks(Acks::Surfaced).to(&scene.server).await;
    assert_eq!(phone.hello.unread, MESSAGES + 1);
    let delivered = phone.messages(100).await;
    let seqs: Vec<u64> = delivered.iter().map(|message| message.seq).collect();
    let newest: Vec<u64> = (MESSAGES + 2 - 100..=MESSAGES + 1).collect();
    assert_eq!(seqs, newest, "the newest hundred, in order");
    let pulled = phone.history(&early.conversation, early.seq).await;
    for (n, message) in pulled.iter().enumerate() {
        let text = format!(r#"{{"text":"message {n}","type":"text"}}"#);
        assert_eq!(message.content, text.as_bytes());
    }
    assert!(pulled.iter().map(|message| message.seq).eq(early.seq + 1..=MESSAGES + 1));
}

#[tokio::test]
async fn what_was_not_acknowledged_is_delivered_again_on_the_next_connection() {
    let server = setup().start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let phone = Login::new("bob", "phone").acks(Acks::Nothing).to(&server).await;
    for text in ["one", "two", "three"] {
        alice.say("bob", text).await;
    }
    let first: Vec<_> = phone.messages(3).await;
    drop(phone);
    let again = Login::new("bob", "phone").acks(Acks::Stored).to(&server).await;
    assert_eq!(again.messages(3).await, first);
    // Stored now: the next connection gets only what is new.
    alice.say("bob", "four").await;
    again.messages(4).await;
    // The answer to a packet written after the acks: the server has read them.
    again.ask(Kind::Ping, Body::Empty).await.expect("a pong");
    drop(again);
    let last = Login::new("bob", "phone").to(&server).await;
    alice.say("bob", "five").await;
    let texts: Vec<u64> = last.messages(1).await.iter().map(|message| message.seq).collect();
    assert_eq!(texts, [5]);
}
