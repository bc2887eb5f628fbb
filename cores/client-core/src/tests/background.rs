//! Leaving the screen and coming back, at every point of the way.

use nightjar_model::Metric;
use nightjar_wire::{Body, Kind};

use super::play::{Network, Stage};
use super::server::conversations;
use crate::background::Storing;
use crate::{Config, Event, Input, KeepAlive, State};

fn kinds(stage: &Stage) -> Vec<Kind> {
    stage.on_the_way().iter().map(|packet| packet.kind).collect()
}

/// Lets time pass and everything arrive, until the phone may be frozen.
fn comes_to_rest(stage: &mut Stage) {
    for _ in 0..40 {
        stage.everything_arrives_now();
        stage.time_passes(250);
    }
    stage.everything_arrives_now();
    assert_eq!(stage.client.state(), State::Suspended);
    stage.check_suspended();
}

#[test]
fn the_server_is_told_first_and_left_after_the_grace() {
    let mut stage = Stage::online();
    stage.enters_background(25_000);
    assert_eq!(kinds(&stage), [Kind::AppState]);
    let told = stage.on_the_way().into_iter().find_map(|packet| match packet.body {
        Body::AppState(state) => Some((state.state, state.grace_ms)),
        _ => None,
    });
    assert_eq!(told, Some(("background".to_owned(), Some(5_000))));
    assert!(stage.is_held);
    stage.everything_arrives_now();
    stage.time_passes(4_999);
    assert_eq!(stage.client.state(), State::OnlineBgGrace);
    stage.time_passes(1);
    assert_eq!(stage.byes, ["background"]);
    assert!(stage.is_held, "the store is not closed yet");
    stage.everything_arrives_now();
    assert_eq!(stage.client.state(), State::Suspended);
    stage.check_suspended();
    assert_eq!(stage.wakes, [crate::defaults::WAKE_MS]);
}

#[test]
fn a_small_budget_is_halved_and_none_ends_at_once() {
    let mut stage = Stage::online();
    stage.enters_background(4_000);
    stage.everything_arrives_now();
    stage.time_passes(1_999);
    assert!(stage.client.is_online());
    stage.time_passes(1);
    assert!(!stage.client.is_online());

    let mut stage = Stage::online();
    stage.server.alice_writes(&conversations()[0].1, stage.now);
    while stage.client_reads() || stage.commits() {}
    stage.enters_background(0);
    assert_eq!(stage.byes, ["background"], "within the one call");
    let written = stage.heard.split_off(stage.heard.len() - 3);
    assert_eq!(written, [Kind::AppState, Kind::Ack, Kind::Bye]);
    while stage.commits() {}
    assert_eq!(stage.client.state(), State::Suspended);
}

#[test]
fn unsent_messages_keep_it_online_up_to_the_budget() {
    let mut stage = Stage::online();
    stage.writes(&conversations()[0].0);
    stage.enters_background(25_000);
    stage.server.is_deaf = true;
    for _ in 0..60 {
        stage.everything_arrives_now();
        stage.time_passes(200);
    }
    assert_eq!(stage.client.state(), State::OnlineBgGrace);
    stage.server.is_deaf = false;
    stage.cut();
    for _ in 0..20 {
        stage.everything_arrives_now();
        stage.time_passes(200);
    }
    assert_eq!(stage.sent.len(), 1);
    assert_eq!(stage.client.state(), State::Suspended, "it left as soon as it was sent");
}

#[test]
fn a_message_that_does_not_get_out_waits_for_the_next_waking() {
    let mut stage = Stage::online();
    stage.writes(&conversations()[0].0);
    stage.server.is_deaf = true;
    stage.enters_background(25_000);
    for _ in 0..99 {
        stage.everything_arrives_now();
        stage.time_passes(200);
    }
    assert!(stage.client.is_online(), "19.8 seconds of 20 are over");
    for _ in 0..20 {
        stage.time_passes(200);
        stage.everything_arrives_now();
    }
    assert_eq!(stage.client.state(), State::Suspended);
    assert_eq!(stage.wakes, [crate::defaults::WAKE_SENDING_MS]);
    stage.server.is_deaf = false;
    // An hour in the freezer is no time of the message's.
    stage.sleeps(3_600_000);
    stage.happens(Input::Woken { budget_ms: 25_000 });
    for _ in 0..20 {
        stage.everything_arrives_now();
        stage.time_passes(200);
    }
    assert_eq!(stage.sent.len(), 1);
    assert!(!stage.has_event(|event| matches!(event, Event::Failed { .. })));
    assert_eq!(stage.client.state(), State::Suspended);
    stage.check_suspended();
}

#[test]
fn a_quick_return_keeps_the_connection() {
    for wait_ms in [0, 1_000, 4_900] {
        let mut stage = Stage::online();
        stage.enters_background(25_000);
        stage.everything_arrives_now();
        stage.time_passes(wait_ms);
        stage.foreground();
        assert!(!stage.is_held);
        assert_eq!(stage.client.state(), State::OnlineFg);
        stage.everything_arrives();
        assert_eq!(stage.dials.len(), 1);
        assert!(stage.server.is_foreground());
        for _ in 0..30 {
            stage.time_passes(1_000);
            stage.everything_arrives();
        }
        assert_eq!(stage.client.state(), State::OnlineFg, "the background's timers are gone");
        assert_eq!(stage.dials.len(), 1);
        assert_eq!(stage.counted(Metric::GraceReturn), 1);
    }
}

#[test]
fn a_return_while_it_says_its_last_words_keeps_the_connection_too() {
    let mut stage = Stage::online();
    stage.writes(&conversations()[0].0);
    stage.server.is_deaf = true;
    stage.enters_background(25_000);
    for _ in 0..102 {
        stage.everything_arrives_now();
        stage.time_passes(200);
    }
    assert_eq!(stage.client.state(), State::Draining);
    stage.foreground();
    assert_eq!(stage.client.state(), State::OnlineFg);
    assert_eq!((stage.dials.len(), stage.byes.len()), (1, 0));
}

#[test]
fn a_return_after_the_goodbye_connects_again_and_opens_the_store() {
    for is_closed in [false, true] {
        let mut stage = Stage::online();
        stage.enters_background(0);
        assert_eq!(stage.client.state(), State::Draining);
        if is_closed {
            while stage.commits() {}
            assert_eq!(stage.client.state(), State::Suspended);
        }
        let late = stage.quiescing;
        stage.foreground();
        assert_eq!(stage.dials.len(), 2, "at once");
        if let Some(number) = late {
            stage.happens(Input::StoreClosed(number));
            assert_eq!(stage.client.storing, Storing::Open, "that was an earlier order");
        }
        stage.everything_arrives();
        assert_eq!(stage.client.state(), State::OnlineFg);
        assert!(!stage.is_store_closed && !stage.is_held);
    }
}

#[test]
fn an_expiring_budget_ends_it_within_the_call() {
    let mut stage = Stage::online();
    stage.writes(&conversations()[0].0);
    stage.enters_background(25_000);
    stage.time_passes(1_000);
    stage.happens(Input::BudgetExpiring);
    assert!(!stage.client.is_online());
    while stage.commits() {}
    assert_eq!(stage.client.state(), State::Suspended);
    stage.check_suspended();
}

#[test]
fn leaving_while_connecting_is_not_forgotten() {
    let mut stage = Stage::new();
    stage.network = Network::Silent;
    stage.happens(Input::Start);
    stage.enters_background(25_000);
    assert_eq!(stage.client.state(), State::Connecting);
    stage.happens(Input::Closed(stage.client.connection));
    while stage.commits() {}
    assert_eq!(stage.client.state(), State::Suspended, "nobody tries on in the background");

    let mut stage = Stage::new();
    stage.happens(Input::Start);
    stage.enters_background(25_000);
    stage.everything_arrives_now();
    assert_eq!(stage.client.state(), State::OnlineBgGrace);
    assert!(!stage.server.is_foreground());
    comes_to_rest(&mut stage);
}

#[test]
fn a_connection_lost_in_the_background_is_not_sought_again() {
    let mut stage = Stage::online();
    stage.enters_background(25_000);
    stage.everything_arrives_now();
    stage.cut();
    comes_to_rest(&mut stage);
    assert_eq!(stage.dials.len(), 1);
}

#[test]
fn a_push_wakes_it_for_a_short_errand() {
    let mut stage = Stage::online();
    stage.enters_background(0);
    while stage.commits() {}
    stage.server.alice_writes(&conversations()[0].1, stage.now);
    stage.happens(Input::Woken { budget_ms: 25_000 });
    assert!(stage.is_held);
    comes_to_rest(&mut stage);
    let chat = &conversations()[0].1;
    assert!(stage.disk.has(chat, 1) && stage.to_post.is_empty());
    assert_eq!(stage.server.cursors[chat].stored, 1);
    assert_eq!(stage.server.cursors[chat].surfaced, 0, "nobody has seen it");
}

#[test]
fn what_is_written_while_suspended_opens_the_store_and_closes_it_again() {
    let mut stage = Stage::online();
    stage.enters_background(0);
    while stage.commits() {}
    stage.writes(&conversations()[0].0);
    assert_eq!(stage.client.state(), State::Idle);
    while stage.commits() {}
    assert_eq!(stage.client.state(), State::Suspended);
    assert_eq!(stage.disk.outgoing.len(), 1);
    stage.foreground();
    stage.everything_arrives();
    assert_eq!(stage.sent.len(), 1);
}

#[test]
fn a_resumed_process_does_not_trust_its_socket() {
    let mut stage = Stage::online();
    stage.happens(Input::Resumed);
    assert_eq!((stage.dials.len(), stage.counted(Metric::ZombieSocket)), (2, 1));
    stage.everything_arrives();
    stage.enters_background(25_000);
    stage.freezes(40_000);
    assert_eq!(stage.counted(Metric::ZombieSocket), 2);
    while stage.commits() {}
    assert_eq!(stage.client.state(), State::Suspended, "its time is long over");
    assert_eq!(stage.dials.len(), 2);
}

#[test]
fn a_process_that_stays_keeps_its_connection() {
    let config = Config { keep_alive: KeepAlive::Persistent, ..Config::default() };
    let mut stage = Stage::with(config);
    stage.happens(Input::Start);
    stage.everything_arrives();
    stage.enters_background(25_000);
    assert!(!stage.is_held);
    stage.everything_arrives();
    for _ in 0..100 {
        stage.time_passes(6_000);
        stage.everything_arrives();
    }
    assert_eq!((stage.client.state(), stage.dials.len()), (State::OnlineBgGrace, 1));
    assert!(!stage.server.is_foreground());
}

#[test]
fn behind_a_locked_screen_nothing_is_seen() {
    let mut stage = Stage::online();
    let chat = &conversations()[0].1;
    stage.happens(Input::Inactive);
    stage.server.alice_writes(chat, stage.now);
    stage.everything_arrives();
    assert_eq!(stage.server.cursors[chat].surfaced, 0);
    stage.happens(Input::Active);
    stage.everything_arrives();
    assert_eq!(stage.server.cursors[chat].surfaced, 1);
}

#[test]
fn what_is_unexpected_is_counted_and_changes_nothing() {
    let mut stage = Stage::online();
    let before = stage.counted(Metric::UnexpectedEvent);
    stage.happens(Input::Start);
    assert_eq!(stage.counted(Metric::UnexpectedEvent), before + 1);
    assert_eq!(stage.client.state(), State::OnlineFg);
}
