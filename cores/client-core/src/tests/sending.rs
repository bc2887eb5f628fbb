//! What bob writes.

use nightjar_model::{Reject, Target};
use nightjar_wire::{Body, Kind};

use super::play::{Network, Stage, draft};
use super::server::conversations;
use crate::{Draft, Event, FailReason, Input, State};

fn alice() -> Target {
    conversations()[0].0.clone()
}

fn failure(stage: &Stage) -> Option<FailReason> {
    stage.events.iter().rev().find_map(|event| match event {
        Event::Failed { reason, .. } => Some(*reason),
        _ => None,
    })
}

fn sends_on_the_way(stage: &Stage) -> Vec<String> {
    let ids = stage.on_the_way().into_iter().filter_map(|packet| match packet.body {
        Body::Send(send) => Some(send.client_msg_id),
        _ => None,
    });
    ids.collect()
}

#[test]
fn a_message_is_sent_once_it_is_safe_in_the_outbox() {
    let mut stage = Stage::online();
    stage.writes(&alice());
    assert!(sends_on_the_way(&stage).is_empty() && stage.queued.is_empty());
    stage.commits();
    assert_eq!((sends_on_the_way(&stage).len(), stage.queued.len()), (1, 1));
    stage.everything_arrives();
    assert_eq!((stage.sent.len(), stage.disk.outgoing.len()), (1, 0));
}

#[test]
fn without_an_answer_it_is_sent_again_under_the_same_id() {
    let mut stage = Stage::online();
    stage.writes(&alice());
    stage.commits();
    // The server takes it, and the answer is lost with the connection.
    while stage.server_reads() {}
    stage.cut();
    stage.everything_arrives();
    let log = &stage.server.log[&conversations()[0].1];
    assert_eq!((log.len(), stage.sent.len()), (1, 1));
}

#[test]
fn a_server_that_answers_pings_and_no_message_is_given_up_after_three_resends() {
    let mut stage = Stage::online();
    stage.server.is_deaf = true;
    stage.writes(&alice());
    stage.commits();
    for _ in 0..80 {
        stage.time_passes(1_000);
        while stage.server_reads() || stage.client_reads() || stage.commits() {}
    }
    assert_eq!(failure(&stage), Some(FailReason::NoAnswer));
    assert_eq!(stage.server.unheard, 4);
}

#[test]
fn awake_without_a_link_it_fails_after_two_minutes_and_goes_out_with_the_next_link() {
    let mut stage = Stage::online();
    stage.network = Network::Silent;
    stage.cut();
    stage.writes(&alice());
    stage.commits();
    stage.time_passes(118_000);
    assert_eq!(failure(&stage), None);
    stage.time_passes(8_000);
    stage.commits();
    assert_eq!(failure(&stage), Some(FailReason::NoLink));
    stage.network = Network::Open;
    stage.time_passes(90_000);
    stage.everything_arrives();
    assert_eq!(stage.sent.len(), 1);
}

#[test]
fn frozen_time_does_not_count() {
    let mut stage = Stage::online();
    stage.network = Network::Refusing;
    stage.cut();
    stage.writes(&alice());
    stage.commits();
    stage.time_passes(60_000);
    stage.freezes(3_600_000);
    stage.time_passes(40_000);
    assert_eq!(failure(&stage), None);
    stage.time_passes(40_000);
    stage.commits();
    assert_eq!(failure(&stage), Some(FailReason::NoLink));
}

#[test]
fn the_outbox_survives_a_restart_in_order() {
    let mut stage = Stage::online();
    stage.network = Network::Refusing;
    stage.cut();
    for _ in 0..5 {
        stage.writes(&alice());
        stage.commits();
    }
    stage.network = Network::Open;
    stage.crashes();
    stage.everything_arrives();
    let log = &stage.server.log[&conversations()[0].1];
    let texts: Vec<_> = log.iter().filter(|entry| super::server::is_bob(&entry.from)).collect();
    assert_eq!(texts.len(), 5);
    assert!(texts.is_sorted_by_key(|entry| entry.content.clone()));
}

#[test]
fn a_refused_message_fails_and_does_not_block_the_next() {
    let mut stage = Stage::online();
    stage.server.refuses = Some(Reject::NotMember);
    stage.writes(&alice());
    stage.everything_arrives();
    assert_eq!(failure(&stage), Some(FailReason::Rejected(Reject::NotMember)));
    stage.server.refuses = None;
    stage.writes(&alice());
    stage.everything_arrives();
    assert_eq!(stage.sent.len(), 1);
    // The user tries again: the same id, after the other.
    let id = stage.failed.first().unwrap().clone();
    stage.happens(Input::Retry(id.clone()));
    stage.everything_arrives();
    assert!(stage.sent.contains_key(&id));
}

#[test]
fn a_message_waits_for_its_uploads_across_a_restart_and_only_its_conversation_with_it() {
    let mut stage = Stage::online();
    let with = |uploads: &[&str]| {
        let depends_on = uploads.iter().map(|id| (*id).to_owned()).collect();
        Input::Send(Box::new(Draft { depends_on, ..*draft(&alice(), "photo") }))
    };
    stage.happens(with(&["a", "b"]));
    stage.writes(&alice());
    stage.writes(&conversations()[1].0);
    while stage.commits() {}
    stage.crashes();
    for _ in 0..200 {
        while stage.server_reads() || stage.client_reads() || stage.commits() {}
        stage.time_passes(1_000);
    }
    assert_eq!((stage.sent.len(), failure(&stage)), (1, None), "an upload takes its time");
    stage.happens(Input::UploadDone("a".to_owned()));
    while stage.commits() {}
    assert!(sends_on_the_way(&stage).is_empty());
    stage.happens(Input::UploadDone("b".to_owned()));
    stage.everything_arrives();
    let log = &stage.server.log[&conversations()[0].1];
    assert_eq!((stage.sent.len(), log.len()), (3, 2));
    assert!(String::from_utf8_lossy(&log[0].content).contains("photo"), "in its order");

    stage.happens(with(&["c"]));
    while stage.commits() {}
    stage.happens(Input::UploadFailed("c".to_owned()));
    stage.writes(&alice());
    stage.everything_arrives();
    assert_eq!((stage.sent.len(), failure(&stage)), (4, Some(FailReason::UploadFailed)));
    stage.happens(with(&["x"; 17]));
    assert_eq!(failure(&stage), Some(FailReason::BadContent));
}

#[test]
fn a_cancelled_message_is_forgotten() {
    let mut stage = Stage::online();
    stage.network = Network::Refusing;
    stage.cut();
    stage.writes(&alice());
    stage.commits();
    let id = stage.queued.keys().next().unwrap().clone();
    stage.happens(Input::Cancel(id));
    stage.commits();
    stage.network = Network::Open;
    stage.crashes();
    stage.everything_arrives();
    assert!(stage.server.log.is_empty() && stage.disk.outgoing.is_empty());
}

#[test]
fn what_the_server_would_refuse_anyway_is_not_taken() {
    let mut stage = Stage::online();
    for content in [
        "no object".to_owned(),
        "[]".into(),
        "{".into(),
        format!(r#"{{"a":"{}"}}"#, "x".repeat(70_000)),
    ] {
        let draft = Draft { content: content.into(), ..*draft(&alice(), "") };
        stage.happens(Input::Send(Box::new(draft)));
        assert_eq!(failure(&stage), Some(FailReason::BadContent));
    }
    for _ in 0..1_001 {
        stage.happens(Input::Send(draft(&alice(), "x")));
    }
    assert_eq!(failure(&stage), Some(FailReason::OutboxFull));
}

#[test]
fn writing_shortens_a_wait_for_the_next_attempt() {
    let mut stage = Stage::online();
    stage.network = Network::Refusing;
    stage.cut();
    stage.time_passes(100_000);
    stage.network = Network::Open;
    stage.writes(&alice());
    assert_eq!(stage.client.state(), State::Handshaking);
}

#[test]
fn a_window_bounds_what_is_on_its_way() {
    let mut stage = Stage::online();
    for _ in 0..20 {
        stage.writes(&alice());
        stage.commits();
    }
    let sends = stage.on_the_way().iter().filter(|packet| packet.kind == Kind::Send).count();
    assert_eq!(sends, 8);
    stage.everything_arrives();
    assert_eq!(stage.sent.len(), 20);
}
