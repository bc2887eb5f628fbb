//! What is counted, and when.

use nightjar_model::{Metric, NotificationId};

use super::play::{Network, Stage, identity};
use super::server::conversations;
use crate::{Client, ConnectPhase, ConnectionId, Input, Restored, Restrictions, State};

/// A phone that is offline until its network is open.
fn dialling() -> Stage {
    let mut stage = Stage::new();
    stage.network = Network::Silent;
    stage.happens(Input::Start);
    stage
}

#[test]
fn a_failed_attempt_is_counted_with_what_it_did_not_get_over() {
    let mut stage = dialling();
    for (n, phase) in
        [ConnectPhase::Name, ConnectPhase::Reach, ConnectPhase::Tls].iter().enumerate()
    {
        stage.happens(Input::ConnectFailed(ConnectionId(n as u32 + 1), *phase));
        stage.happens(Input::ConnectFailed(ConnectionId(n as u32 + 1), *phase));
        stage.time_passes(4_000 << n);
    }
    let phases = [Metric::ConnectFailedName, Metric::ConnectFailedReach, Metric::ConnectFailedTls];
    assert_eq!(phases.map(|metric| stage.counted(metric)), [1; 3], "the second says nothing new");
    assert_eq!(stage.counted(Metric::ConnectFailed), 3);
    stage.network = Network::Open;
    while stage.client.state() != State::Handshaking {
        stage.time_passes(1_000);
    }
    while stage.commits() {}
    stage.time_passes(10_000);
    assert_eq!(stage.counted(Metric::ConnectFailedHello), 1, "the hello was not answered");
}

#[test]
fn the_time_from_the_screen_to_an_up_to_date_list_is_measured_once() {
    let mut stage = Stage::online();
    assert_eq!(stage.counted(Metric::ForegroundToFresh), 1);
    stage.foreground();
    assert_eq!(stage.counted(Metric::ForegroundToFresh), 1, "it was there already");
    stage.enters_background(25_000);
    stage.foreground();
    assert_eq!(stage.counted(Metric::ForegroundToFresh), 2, "it never stopped");
    stage.enters_background(0);
    stage.everything_arrives();
    stage.foreground();
    assert_eq!(stage.counted(Metric::ForegroundToFresh), 2);
    stage.everything_arrives();
    assert_eq!(stage.counted(Metric::ForegroundToFresh), 3);
}

#[test]
fn leaving_the_screen_is_counted_by_how_it_ended() {
    let mut stage = Stage::online();
    stage.enters_background(25_000);
    stage.everything_arrives();
    stage.time_passes(10_000);
    stage.everything_arrives();
    let counts = |stage: &Stage| {
        [Metric::DrainClean, Metric::DrainExpired, Metric::StoreClose].map(|it| stage.counted(it))
    };
    assert_eq!(counts(&stage), [1, 0, 1]);
    stage.foreground();
    stage.everything_arrives();
    stage.server.alice_writes(&conversations()[0].1, stage.now);
    while stage.client_reads() {}
    stage.enters_background(0);
    assert_eq!(counts(&stage), [1, 1, 1], "there was no time for an acknowledgement");
}

#[test]
fn a_run_that_was_killed_with_its_store_open_is_counted_by_the_next_one() {
    let mut stage = Stage::online();
    let killed = |stage: &Stage, was_left_open| {
        let account = stage.disk.account.clone();
        let restored = Restored { account, was_left_open, ..Restored::default() };
        let client = Client::new(stage.config.clone().into(), identity(), restored, stage.now);
        client.metrics.counted(Metric::DrainKilled)
    };
    assert_eq!(killed(&stage, true), 0, "in front of a person");
    stage.enters_background(25_000);
    stage.time_passes(6_000);
    stage.everything_arrives_now();
    assert_eq!((killed(&stage, false), killed(&stage, true)), (0, 1));
    stage.foreground();
    stage.everything_arrives();
    assert_eq!(killed(&stage, true), 0);
}

#[test]
fn a_process_that_a_push_started_is_counted() {
    let mut stage = Stage::new();
    stage.happens(Input::Woken { budget_ms: 25_000 });
    assert_eq!(stage.counted(Metric::ColdStart), 1);
    let mut stage = Stage::online();
    stage.enters_background(0);
    stage.everything_arrives();
    stage.happens(Input::Woken { budget_ms: 25_000 });
    assert_eq!(stage.counted(Metric::ColdStart), 0);
}

#[test]
fn an_opened_notification_is_measured_until_its_conversation_is_there() {
    let mut stage = Stage::online();
    let chat = conversations()[0].1.clone();
    stage.enters_background(0);
    stage.everything_arrives();
    stage.server.alice_writes(&chat, stage.now);
    stage.happens(Input::NotificationOpened(NotificationId::parse("m.x").unwrap()));
    stage.is_foreground = true;
    stage.happens(Input::Foreground { conversation: Some(chat) });
    assert_eq!(stage.counted(Metric::PushToOpen), 0);
    stage.everything_arrives();
    assert_eq!(stage.counted(Metric::PushToOpen), 1);
    stage.cut();
    stage.everything_arrives();
    assert_eq!(stage.counted(Metric::PushToOpen), 1);
}

#[test]
fn a_gap_is_measured_until_it_is_filled() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    stage.server.alice_writes(chat, stage.now);
    stage.everything_arrives();
    assert_eq!(stage.counted(Metric::GapOpen), 0);
    stage.happens(Input::Stop);
    for _ in 0..150 {
        stage.server.alice_writes(chat, stage.now);
    }
    stage.happens(Input::Start);
    for _ in 0..10 {
        stage.everything_arrives();
    }
    assert!(!stage.client.places[chat].has_gap());
    assert_eq!(stage.counted(Metric::GapOpen), 1);
}

#[test]
fn what_the_system_keeps_the_app_from_is_counted_with_each_hello() {
    let mut stage = Stage::online();
    let restrictions = Restrictions { channel_blocked: true, ..Restrictions::default() };
    stage.happens(Input::Restrictions(restrictions));
    stage.cut();
    stage.everything_arrives();
    stage.cut();
    stage.everything_arrives();
    let counts =
        [Metric::NotificationsDenied, Metric::ChannelBlocked, Metric::BackgroundRestricted];
    assert_eq!(counts.map(|metric| stage.counted(metric)), [0, 2, 0]);
}

#[test]
fn a_badge_of_the_same_version_with_another_number_is_counted_and_not_taken() {
    let mut stage = Stage::online();
    stage.server.alice_writes(&conversations()[0].1, stage.now);
    stage.everything_arrives();
    stage.cut();
    stage.everything_arrives();
    let (unread, bv) = (stage.client.account.unread, stage.client.account.bv);
    assert_eq!((unread, stage.counted(Metric::BadgeDrift)), (1, 0));
    stage.client.account.unread = 7;
    stage.cut();
    stage.everything_arrives();
    assert_eq!((stage.client.account.unread, stage.client.account.bv), (7, bv));
    assert_eq!(stage.counted(Metric::BadgeDrift), 1);
}
