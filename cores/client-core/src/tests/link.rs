//! Connecting, and every way a connection ends.

use nightjar_model::ByeReason;
use nightjar_wire::{Body, Kind};

use super::play::{Network, Stage};
use super::server::conversations;
use crate::{Config, Dial, Ended, Event, Indicator, Input, NeedToken, State};

fn ended(stage: &Stage) -> Option<&Ended> {
    stage.events.iter().find_map(|event| match event {
        Event::Ended(why) => Some(why),
        _ => None,
    })
}

#[test]
fn a_silent_server_is_left_for_the_next_one() {
    let mut stage = Stage::with(Config { servers: 2, ..Config::default() });
    stage.network = Network::Silent;
    stage.happens(Input::Start);
    stage.time_passes(19_999);
    assert_eq!(stage.dials, [Dial::Server(0)]);
    stage.network = Network::Open;
    stage.time_passes(1);
    assert_eq!(stage.dials, [Dial::Server(0), Dial::Server(1)]);
    stage.everything_arrives();
    assert!(stage.client.is_online());
}

#[test]
fn a_server_that_opens_and_says_nothing_is_left_too() {
    let mut stage = Stage::with(Config { servers: 2, ..Config::default() });
    stage.happens(Input::Start);
    assert_eq!(stage.client.state(), State::Handshaking);
    stage.time_passes(10_000);
    assert_eq!(stage.dials.len(), 2);
}

#[test]
fn the_indicator_tells_connecting_online_and_waiting() {
    let mut stage = Stage::new();
    stage.happens(Input::Start);
    stage.everything_arrives();
    stage.network = Network::Refusing;
    stage.cut();
    let told = stage.indicators();
    assert_eq!(told[..2], [Indicator::Connecting, Indicator::Online]);
    assert!(matches!(told[2..], [Indicator::Waiting { next_try: Some(_) }]), "{told:?}");
    stage.happens(Input::NetworkLost);
    assert_eq!(stage.indicators().last(), Some(&Indicator::Waiting { next_try: None }));
    stage.network = Network::Open;
    stage.happens(Input::NetworkChanged);
    stage.everything_arrives();
    assert_eq!(stage.indicators().last(), Some(&Indicator::Online));
}

#[test]
fn kicked_and_replaced_end_for_good() {
    for (reason, why) in
        [(ByeReason::Kicked, Ended::Kicked { text: None }), (ByeReason::Replaced, Ended::Replaced)]
    {
        let mut stage = Stage::online();
        stage.server.says_bye(reason, stage.now);
        while stage.client_reads() {}
        assert_eq!(ended(&stage), Some(&why));
        stage.happens(Input::Start);
        stage.time_passes(600_000);
        assert_eq!((stage.client.state(), stage.dials.len()), (State::Kicked, 1));
    }
}

#[test]
fn a_hello_that_was_given_up_and_arrives_late_does_not_end_the_client() {
    let mut stage = Stage::new();
    stage.happens(Input::Start);
    assert_eq!(stage.client.state(), State::Handshaking);
    stage.time_passes(10_000);
    stage.everything_arrives();
    assert!(stage.client.is_online(), "{:?}", stage.client.state());
    stage.server.says_bye(ByeReason::Replaced, stage.now);
    stage.everything_arrives();
    assert!(stage.client.is_online(), "{:?}", ended(&stage));
    // The second time it is somebody else.
    stage.server.says_bye(ByeReason::Replaced, stage.now);
    while stage.client_reads() {}
    assert_eq!(ended(&stage), Some(&Ended::Replaced));
}

#[test]
fn an_expired_token_is_asked_for_and_a_new_one_is_used() {
    let mut stage = Stage::online();
    stage.server.says_bye(ByeReason::Expired, stage.now);
    while stage.client_reads() {}
    assert_eq!(stage.client.state(), State::OfflineBackoff);
    assert!(stage.has_event(|event| *event == Event::TokenNeeded(NeedToken::Expired)));
    stage.time_passes(600_000);
    assert_eq!(stage.dials.len(), 1, "without a token there is nothing to try");
    stage.network = Network::Open;
    stage.happens(Input::Token(nightjar_model::Secret::new("good".to_owned())));
    stage.everything_arrives();
    assert!(stage.client.is_online());
}

#[test]
fn the_clients_of_a_draining_server_come_back_spread_over_the_time_it_gives() {
    let mut came_at: Vec<u64> = (0..40)
        .map(|seed| {
            let mut stage = Stage::online();
            stage.seed = seed;
            let drain = nightjar_session::Input::Drain { reconnect_after_ms: 8_000 };
            stage.server.handle(drain, stage.now);
            while stage.client_reads() {}
            let drained_at = stage.now.mono;
            let next_try = stage.client.dialer.next_try().unwrap();
            stage.time_passes(8_000);
            assert_eq!(stage.dials.len(), 2);
            next_try.since(drained_at)
        })
        .collect();
    came_at.sort_unstable();
    assert!(came_at[4] < 2_000 && came_at[35] > 6_000, "{came_at:?}");
}

#[test]
fn a_dead_connection_is_noticed_within_the_heartbeat_and_its_timeout() {
    let mut stage = Stage::online();
    // The server falls silent, and the path swallows everything.
    stage.server.session = None;
    stage.time_passes(48_000);
    assert_ne!(stage.dials.len(), 1);
}

#[test]
fn on_a_changed_network_a_new_connection_wins_if_the_old_one_is_silent() {
    let mut stage = Stage::online();
    let old = stage.client.connection;
    stage.happens(Input::NetworkChanged);
    // The new one is open before the old one answered.
    assert_eq!(stage.dials.len(), 2);
    assert_ne!(stage.client.connection, old);
    assert!(stage.byes.is_empty(), "the device is not gone");
    stage.everything_arrives();
    assert!(stage.client.is_online());
    assert_eq!(stage.client.state(), State::OnlineFg);
}

#[test]
fn on_a_changed_network_the_old_connection_stays_if_it_answers_first() {
    let mut stage = Stage::online();
    let old = stage.client.connection;
    stage.network = Network::Silent;
    stage.happens(Input::NetworkChanged);
    assert_eq!(stage.dials.len(), 2);
    let rival = stage.client.last_connection;
    stage.everything_arrives();
    assert_eq!((stage.client.connection, stage.client.rival.is_none()), (old, true));
    // What its attempt still brings is late.
    stage.happens(Input::Connected(rival));
    stage.happens(Input::Closed(rival));
    assert_eq!((stage.client.connection, stage.client.is_online()), (old, true));
    stage.time_passes(20_000);
    assert_eq!(stage.dials.len(), 2);
}

#[test]
fn on_a_changed_network_an_attempt_on_its_way_outlives_the_old_connection() {
    let mut stage = Stage::online();
    stage.server.session = None;
    stage.network = Network::Silent;
    stage.happens(Input::NetworkChanged);
    let rival = stage.client.last_connection;
    stage.time_passes(3_000);
    assert_eq!(stage.client.state(), State::Connecting);
    assert_eq!((stage.client.connection, stage.dials.len()), (rival, 2), "no third attempt");
}

#[test]
fn a_changed_network_is_probed_within_three_seconds() {
    let mut stage = Stage::online();
    stage.server.session = None;
    stage.happens(Input::NetworkChanged);
    stage.time_passes(4_000);
    assert_ne!(stage.dials.len(), 1);
}

#[test]
fn after_a_freeze_the_socket_is_not_trusted() {
    let mut stage = Stage::online();
    stage.freezes(120_000);
    assert_eq!(stage.dials.len(), 2, "it connects again at once");
}

#[test]
fn stopping_says_goodbye_and_stays_away() {
    let mut stage = Stage::online();
    stage.happens(Input::Stop);
    assert!(stage.server.session.is_none());
    stage.time_passes(600_000);
    assert_eq!((stage.client.state(), stage.dials.len()), (State::Idle, 1));
    stage.happens(Input::Start);
    stage.everything_arrives();
    assert!(stage.client.is_online());
}

#[test]
fn signing_out_is_confirmed_and_final() {
    let mut stage = Stage::online();
    stage.happens(Input::Logout { unbind: true });
    stage.everything_arrives();
    assert_eq!(ended(&stage), Some(&Ended::LoggedOut { confirmed: true }));
    assert_eq!(stage.disk.account.resume, None);
}

#[test]
fn the_app_state_is_told_before_what_was_written_later() {
    let mut stage = Stage::online();
    stage.background(5_000);
    stage.writes(&conversations()[0].0);
    while stage.commits() {}
    let kinds: Vec<_> = stage.on_the_way().iter().map(|packet| packet.kind).collect();
    assert_eq!(kinds, [Kind::AppState, Kind::Send]);
}

#[test]
fn a_session_that_resumes_keeps_counting_and_another_begins_anew() {
    let mut stage = Stage::online();
    let order = |stage: &mut Stage| {
        stage.background(0);
        let packets = stage.on_the_way();
        let order = packets.iter().find_map(|packet| match &packet.body {
            Body::AppState(state) => Some(state.order),
            _ => None,
        });
        stage.foreground();
        stage.everything_arrives();
        order.unwrap()
    };
    let first = order(&mut stage);
    stage.cut();
    stage.everything_arrives();
    let second = order(&mut stage);
    assert!(second > first);
    stage.crashes();
    stage.everything_arrives();
    assert!(order(&mut stage) > second, "also after a restart");
    stage.server.forget_session();
    stage.cut();
    stage.everything_arrives();
    assert_eq!(order(&mut stage), 1);
}

#[test]
fn nobody_is_woken_by_a_stopped_client() {
    assert_eq!(Stage::new().client.wait_until(), None);
}
