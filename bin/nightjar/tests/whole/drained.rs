//! SIGTERM under load: clients are told, what was accepted stays, and it takes no longer than 10 s.

use std::collections::VecDeque;
use std::time::Duration;

use nightjar_whole::{Acks, Device, Login, Way, text_to_user, within};
use nightjar_wire::{Body, Kind, Packet, body};

use crate::scene::scene;
use crate::setup;

/// SIGTERM to the end of the process.
const WITHIN: Duration = Duration::from_secs(10);
const WRITERS: usize = 4;

/// Writes until the connection ends; answers what was acknowledged.
async fn write(writer: &Device, to: &str) -> Vec<body::SendAnswer> {
    let mut acknowledged = Vec::new();
    let mut waiting = VecDeque::new();
    loop {
        let send = text_to_user(to, "under load");
        waiting.push_back(writer.begin(Kind::Send, Body::Send(send)));
        while waiting.len() > 8 || writer.has_ended() {
            let Some(answer) = waiting.pop_front() else { return acknowledged };
            match within("an answer or the end", answer).await {
                Some(Ok(Body::SendAnswer(answer))) => acknowledged.push(answer),
                Some(Err(error)) => assert_eq!(error.code, "draining"),
                Some(other) => panic!("a send was answered with {other:?}"),
                None => {}
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_drains_and_keeps_what_it_accepted() {
    let mut server = setup().start().await;
    let bystander = Login::new("carol", "web").over(Way::Json).to(&server).await;
    let frozen = Login::new("dave", "phone").to(&server).await;
    frozen.freeze();
    let mut readers = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..WRITERS {
        let reader = Login::new(&format!("reader{n}"), "phone").acks(Acks::Surfaced);
        readers.push(reader.to(&server).await);
        let writer = Login::new(&format!("writer{n}"), "laptop").to(&server).await;
        tasks.spawn(async move {
            let acknowledged = write(&writer, &format!("reader{n}")).await;
            (writer, acknowledged)
        });
    }
    // The load is on.
    for reader in &readers {
        reader.messages(20).await;
    }
    let (status, took) = server.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(took <= WITHIN, "{took:?}");

    let mut acknowledged = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (writer, answers) = done.expect("a writer does not panic");
        let bye = writer.bye().await.expect("a writer is told");
        assert_eq!(bye.reason, "drain");
        acknowledged.extend(answers);
    }
    for device in readers.iter().chain([&bystander]) {
        let bye = device.bye().await.expect("everybody is told");
        assert_eq!(bye.reason, "drain", "{}", device.uid);
        assert!(bye.reconnect_after_ms.is_some(), "{}", device.uid);
    }

    server.assert_verified();
    server.start_again().await;
    assert!(acknowledged.len() >= WRITERS * 20, "{}", acknowledged.len());
    for n in 0..WRITERS {
        let reader = format!("reader{n}");
        let mine: Vec<_> = acknowledged
            .iter()
            .filter(|answer| answer.conversation.ends_with(&format!(":writer{n}")))
            .collect();
        let history = server.api().whole_history(&mine[0].conversation, &reader).await;
        for answer in mine {
            let seq = usize::try_from(answer.seq).expect("a place");
            assert_eq!(history[seq - 1]["message_id"], answer.message_id.as_str());
        }
    }
}

/// Acknowledgements are gathered: what is on the screen may not be acknowledged yet when the server
/// is asked to end.
#[tokio::test]
async fn what_is_on_the_screen_when_the_server_goes_away_is_not_pushed_afterwards() {
    let mut scene = scene("").await;
    let phone = scene.phone(Login::new("bob", "phone").acks(Acks::Nothing)).await;
    let sent = scene.alice.say("bob", "just before").await;
    phone.messages(1).await;

    let acknowledges = async {
        // Only a draining server refuses this.
        let is_draining = |answer| matches!(answer, Some(Err(error)) if is_drain(&error));
        while !is_draining(phone.begin(Kind::Ping, Body::Empty).await) {
            assert!(!phone.has_ended(), "it ended before the acknowledgement");
        }
        let (conversation, seq) = (sent.conversation.clone(), Some(sent.seq));
        let items = vec![body::AckItem { conversation, stored: seq, surfaced: seq }];
        phone.write(Packet::one_way(Kind::Ack, Body::Ack(body::Ack { items })));
        phone.bye().await
    };
    let ((status, _), bye) = tokio::join!(scene.server.terminate(), acknowledges);
    assert!(status.success(), "{status}");
    assert_eq!(bye.expect("it is told").reason, "drain");

    scene.server.start_again().await;
    scene.alice = Login::new("alice", "laptop").to(&scene.server).await;
    scene.assert_not_pushed("bob-phone").await;
}

fn is_drain(error: &body::ErrorDetail) -> bool {
    error.code == "draining"
}
