//! Notifications.

use nightjar_model::{ConversationId, MessageId, Metric, NotificationId, Seq};

use super::play::Stage;
use super::server::{conversations, nid_of};
use crate::{Claim, Event, Input, LedgerAnswer, LedgerOrder, Poster, Verdict};

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
    stage.foreground();
    stage.reads(&chat(), 1);
    assert!(!stage.screen.contains(&id(&stage, 1)));
    stage.server.read_elsewhere(&chat(), 2, stage.now);
    stage.everything_arrives();
    assert!(stage.screen.is_empty());
}

#[test]
fn a_withdrawal_is_confirmed_once_it_is_off_the_screen_and_remembered() {
    let mut stage = in_background(-1);
    stage.everything_arrives();
    let first = id(&stage, 1);
    stage.removes = false;
    stage.server.withdraw(first.clone(), stage.now);
    stage.everything_arrives();
    assert!(stage.screen.is_empty() && stage.ledger.is_withdrawn(&first));
    assert!(!stage.server.owed_withdrawals.is_empty(), "the screen may still show it");
    stage.happens(Input::Removed(vec![first]));
    stage.everything_arrives();
    assert!(stage.server.owed_withdrawals.is_empty());
}

/// A system may take its time: the notification comes to the screen after it was taken off it.
#[test]
fn a_notification_that_comes_to_the_screen_after_its_withdrawal_goes_again() {
    for is_read in [false, true] {
        let mut stage = in_background(25_000);
        let late = id(&stage, 1);
        assert!(stage.to_post.contains(&late));
        if is_read {
            stage.server.read_elsewhere(&chat(), 1, stage.now);
        } else {
            stage.server.withdraw(late.clone(), stage.now);
        }
        while stage.client_reads() || stage.commits() || stage.server_reads() {}
        assert!(stage.server.owed_withdrawals.is_empty(), "it is confirmed");
        stage.screen.insert(late.clone());
        stage.happens(Input::Notified(late.clone()));
        assert!(!stage.screen.contains(&late), "read: {is_read}");
    }
}

#[test]
fn what_was_never_posted_here_is_withdrawn_and_confirmed_too() {
    let mut stage = Stage::online();
    let late = NotificationId::message(MessageId::from_bytes([9; 16]));
    stage.server.withdraw(late.clone(), stage.now);
    stage.everything_arrives();
    assert!(stage.server.owed_withdrawals.is_empty() && stage.ledger.is_withdrawn(&late));
}

#[test]
fn what_an_extension_shows_is_not_posted_and_what_it_claimed_is_left_to_the_server() {
    let mut stage = in_background(-1);
    stage.everything_arrives();
    let order = |stage: &mut Stage, order| stage.ledger.order(&order, stage.now.wall);
    for seq in [2, 3] {
        stage.server.alice_writes(&chat(), stage.now);
        let notification = id(&stage, seq);
        let message_id = notification.message_id().unwrap();
        let (conversation, by) = (chat(), Poster::Extension);
        let claim = Claim { message_id, notification, conversation, seq, by };
        order(&mut stage, LedgerOrder::Claim(Box::new(claim)));
        if seq == 2 {
            order(&mut stage, LedgerOrder::Posted(message_id));
            stage.seen.insert((chat(), seq));
        }
    }
    stage.everything_arrives();
    assert_eq!(stage.screen, [id(&stage, 1)].into());
    assert_eq!(surfaced(&stage), 2, "who claimed the third may be killed");
}

#[test]
fn without_a_ledger_the_server_alerts() {
    let mut stage = Stage::online();
    stage.background(-1);
    stage.everything_arrives();
    stage.has_ledger = false;
    stage.server.alice_writes(&chat(), stage.now);
    stage.everything_arrives();
    assert!(stage.screen.is_empty() && surfaced(&stage) == 0);
}

#[test]
fn what_was_seen_in_the_app_is_not_alerted_of_by_a_late_push() {
    let mut stage = Stage::online();
    stage.server.alice_writes(&chat(), stage.now);
    stage.everything_arrives();
    assert_eq!(surfaced(&stage), 1);
    let verdict = |stage: &mut Stage, seq| {
        let notification = id(stage, seq);
        let claim = Claim {
            message_id: notification.message_id().unwrap(),
            notification,
            conversation: chat(),
            seq,
            by: Poster::Extension,
        };
        match stage.ledger.order(&LedgerOrder::Claim(Box::new(claim)), stage.now.wall) {
            LedgerAnswer::Claimed { verdict, .. } => verdict,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(verdict(&mut stage, 1), Verdict::Seen);
    stage.server.alice_writes(&chat(), stage.now);
    stage.background(0);
    stage.everything_arrives();
    assert_eq!(verdict(&mut stage, 2), Verdict::Granted);
}

#[test]
fn the_badge_of_a_version_that_is_set_already_changes_nothing() {
    let mut stage = Stage::online();
    let push = |unread, bv| {
        let json =
            format!(r#"{{"v":1,"conv":"d:alice:bob","seq":1,"badge":{unread},"bv":{bv},"wd":[]}}"#);
        Input::PushReceived(Box::new(crate::fetch::Push::parse(&json).unwrap()))
    };
    let badges = |stage: &mut Stage| {
        while stage.commits() {}
        let badge = |event| match event {
            Event::Badge { unread, .. } => Some(unread),
            _ => None,
        };
        std::mem::take(&mut stage.events).into_iter().filter_map(badge).collect::<Vec<_>>()
    };
    stage.happens(push(3, 100));
    assert_eq!(badges(&mut stage), [3]);
    stage.happens(push(4, 100));
    stage.happens(push(5, 99));
    assert_eq!(badges(&mut stage), [0; 0]);
    // An extension was faster.
    stage.ledger.order(&LedgerOrder::Badge { unread: 9, bv: 200 }, stage.now.wall);
    stage.happens(push(6, 150));
    assert_eq!(badges(&mut stage), [0; 0]);
}

#[test]
fn a_push_to_the_running_app_takes_back_and_doubts_the_connection() {
    let mut stage = in_background(-1);
    stage.everything_arrives();
    let json = format!(
        r#"{{"v":1,"conv":"d:alice:bob","seq":1,"badge":0,"bv":1,"wd":["{}"]}}"#,
        id(&stage, 1).as_str()
    );
    let push = crate::fetch::Push::parse(&json).unwrap();
    stage.happens(Input::PushReceived(Box::new(push)));
    assert!(stage.screen.is_empty());
    let probe = stage.client.wait_until().unwrap();
    assert!(probe <= stage.now.mono.after(crate::defaults::PROBE_MS), "it has to prove itself");
}

#[test]
fn an_app_takes_what_its_extension_kept_as_far_as_it_continues() {
    let mut stage = Stage::online();
    stage.server.alice_writes(&chat(), stage.now);
    stage.everything_arrives();
    for _ in 0..3 {
        stage.server.alice_writes(&chat(), stage.now);
    }
    let row = |stage: &Stage, seq: Seq| {
        let entry = &stage.server.log[&chat()][seq as usize - 1];
        std::sync::Arc::new(crate::MessageRow {
            message_id: entry.message_id,
            conversation: chat(),
            seq,
            from: entry.from.clone(),
            client_msg_id: entry.client_msg_id.clone(),
            at: entry.at,
            content: entry.content.clone(),
            alert: true,
        })
    };
    let kept = vec![row(&stage, 2), row(&stage, 4)];
    stage.ledger.order(&LedgerOrder::Spool(kept, Vec::new()), stage.now.wall);
    stage.cut();
    stage.network = super::play::Network::Silent;
    stage.crashes();
    while stage.commits() {}
    assert!(stage.disk.has(&chat(), 2) && !stage.disk.has(&chat(), 4));
    let left = stage.ledger.order(&LedgerOrder::Spooled, stage.now.wall);
    assert!(matches!(left, LedgerAnswer::Spooled { messages, .. } if messages.is_empty()));
    stage.network = super::play::Network::Open;
    stage.time_passes(60_000);
    stage.everything_arrives();
    assert!(stage.disk.has(&chat(), 3) && stage.disk.has(&chat(), 4));
}

#[test]
fn what_became_of_notifications_and_what_was_measured_is_reported() {
    let mut stage = in_background(-1);
    stage.everything_arrives();
    let first = id(&stage, 1);
    stage.happens(Input::NotificationDismissed(first.clone()));
    stage.happens(Input::NotificationOpened(first.clone()));
    stage.everything_arrives();
    let reported = (&stage.server.reports.dismissed, &stage.server.reports.clicked);
    assert_eq!(reported, (&vec![first.clone()], &vec![first.clone()]));
    assert!(stage.ledger.is_withdrawn(&first));
    let measured = |stage: &Stage, wanted| {
        let sums = stage.server.measured.iter().filter(|measure| measure.metric == wanted);
        sums.map(|measure| measure.count).sum::<u64>()
    };
    stage.time_passes(2_000);
    stage.everything_arrives();
    assert_eq!(measured(&stage, Metric::ConnectTime), 1);
    stage.cut();
    for _ in 0..2 {
        stage.time_passes(2_000);
        stage.everything_arrives();
    }
    assert_eq!(measured(&stage, Metric::ConnectAttempts), 2, "each is told once");
    assert_eq!(measured(&stage, Metric::TimeToSync), 2);
    stage.happens(Input::PushGap);
    stage.everything_arrives();
    assert_eq!(measured(&stage, Metric::PushGap), 0, "the next sums are told minutes later");
    let wait_ms = stage.client.report_until().unwrap().since(stage.now.mono);
    assert!((1..=crate::defaults::METRICS_MS).contains(&wait_ms), "{wait_ms}");
}

#[test]
fn signing_out_leaves_nothing_behind() {
    let mut stage = in_background(-1);
    stage.everything_arrives();
    assert_eq!(stage.screen.len(), 1);
    stage.happens(Input::Logout { unbind: true });
    stage.everything_arrives();
    assert!(stage.screen.is_empty());
    let session = stage.ledger.order(&LedgerOrder::Session, stage.now.wall);
    assert_eq!(session, LedgerAnswer::Session(None));
    assert!(stage.has_event(|event| *event == Event::Badge { unread: 0, bv: 0 }));
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
