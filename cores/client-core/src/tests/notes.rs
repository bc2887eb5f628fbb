//! Notifications.

use nightjar_model::{ConversationId, MessageId, NotificationId, Seq};

use super::play::Stage;
use super::server::{conversations, nid_of};
use crate::Input;

fn chat() -> ConversationId {
    conversations()[0].1.clone()
}

fn id(stage: &Stage, seq: Seq) -> NotificationId {
    nid_of(&stage.server.log[&chat()][seq as usize - 1])
}

/// A phone in the background, and one message of alice stored on it.
fn in_background(grace_ms: i64) -> Stage {
    let mut stage = Stage::online();
    stage.background(grace_ms);
    stage.everything_arrives();
    stage.server.alice_writes(&chat(), stage.now);
    while stage.client_reads() || stage.commits() {}
    stage
}

fn surfaced(stage: &Stage) -> Seq {
    stage.server.cursors.get(&chat()).map_or(0, |cursor| cursor.surfaced)
}

#[test]
fn in_the_grace_a_message_is_surfaced_when_its_notification_is_posted() {
    let mut stage = in_background(5_000);
    assert_eq!(stage.to_post, [id(&stage, 1)]);
    stage.time_passes(500);
    while stage.server_reads() {}
    assert_eq!((stage.server.cursors[&chat()].stored, surfaced(&stage)), (1, 0));
    stage.posts();
    stage.everything_arrives();
    assert_eq!(surfaced(&stage), 1);
}

#[test]
fn without_a_grace_nothing_is_posted_and_nothing_surfaced_until_the_screen() {
    let mut stage = in_background(0);
    stage.everything_arrives();
    assert!(stage.to_post.is_empty() && stage.screen.is_empty());
    assert_eq!((stage.server.cursors[&chat()].stored, surfaced(&stage)), (1, 0));
    stage.foreground();
    stage.everything_arrives();
    assert_eq!(surfaced(&stage), 1);
}

#[test]
fn after_the_grace_nothing_is_posted() {
    let mut stage = in_background(5_000);
    stage.everything_arrives();
    stage.time_passes(5_000);
    stage.server.alice_writes(&chat(), stage.now);
    stage.everything_arrives();
    assert_eq!((stage.screen.len(), surfaced(&stage)), (1, 1));
}

#[test]
fn a_notification_that_could_not_be_posted_is_not_surfaced() {
    let mut stage = in_background(-1);
    let id = stage.to_post.pop_front().unwrap();
    stage.happens(Input::NotNotified(id));
    stage.server.alice_writes(&chat(), stage.now);
    stage.everything_arrives();
    assert_eq!((stage.screen.len(), surfaced(&stage)), (1, 0), "the server has to push the first");
}

#[test]
fn a_message_that_was_pushed_is_not_posted_again() {
    let mut stage = in_background(-1);
    for _ in 0..6 {
        stage.server.alice_writes(&chat(), stage.now);
    }
    stage.everything_arrives();
    // Five is hidden and seven was pushed.
    assert!(!stage.screen.contains(&id(&stage, 7)) && stage.screen.len() == 5);
    assert_eq!(surfaced(&stage), 7);
}

#[test]
fn reading_takes_notifications_back_here_and_from_elsewhere() {
    let mut stage = in_background(-1);
    stage.server.alice_writes(&chat(), stage.now);
    stage.everything_arrives();
    assert_eq!(stage.screen.len(), 2);
    stage.reads(&chat(), 1);
    assert!(!stage.screen.contains(&id(&stage, 1)));
    stage.server.read_elsewhere(&chat(), 2, stage.now);
    stage.everything_arrives();
    assert!(stage.screen.is_empty());
}

#[test]
fn a_withdrawal_is_carried_out_confirmed_and_remembered() {
    let mut stage = in_background(-1);
    stage.everything_arrives();
    let first = id(&stage, 1);
    stage.server.withdraw(first.clone(), stage.now);
    while stage.client_reads() {}
    assert!(stage.screen.contains(&first), "it is remembered before it is carried out");
    stage.everything_arrives();
    assert!(stage.screen.is_empty() && stage.server.owed_withdrawals.is_empty());
    assert_eq!(stage.disk.withdrawn, [first]);
}

#[test]
fn a_message_later_than_its_withdrawal_is_not_posted_even_after_a_restart() {
    let mut stage = Stage::online();
    let seq =
        stage.server.append(&chat(), "alice", "a1", r#"{"type":"text","text":"x"}"#, stage.now);
    stage.server.withdraw(id(&stage, seq), stage.now);
    stage.everything_arrives();
    stage.crashes();
    stage.background(-1);
    stage.everything_arrives();
    assert!(stage.disk.has(&chat(), 1));
    assert!(stage.screen.is_empty() && surfaced(&stage) == 1);
}

#[test]
fn opening_a_conversation_clears_its_notifications() {
    let mut stage = in_background(-1);
    stage.everything_arrives();
    stage.is_foreground = true;
    stage.happens(Input::Foreground { conversation: Some(chat()) });
    assert!(stage.screen.is_empty());
    stage.everything_arrives();
    assert!(format!("{:?}", stage.server.app_states.last()).contains("d:alice:bob"));
}

#[test]
fn a_notification_nobody_asked_for_changes_nothing() {
    let mut stage = Stage::online();
    stage.happens(Input::Notified(NotificationId::message(MessageId::from_bytes([9; 16]))));
    assert!(stage.on_the_way().is_empty());
}
