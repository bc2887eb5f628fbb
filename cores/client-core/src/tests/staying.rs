//! A process that stays in the background: it asks as rarely as its network allows.

use nightjar_model::Metric;
use nightjar_wire::{Body, Kind};

use super::play::{Network, Stage};
use crate::defaults::ADAPTIVE_MIN_S;
use crate::{Config, Input, KeepAlive, State};

const MIN_MS: u64 = ADAPTIVE_MIN_S as u64 * 1_000;

/// In the background since just now, over a network it can tell from others.
fn staying() -> Stage {
    let config = Config { keep_alive: KeepAlive::Persistent, ..Config::default() };
    let mut stage = Stage::with(config);
    stage.happens(Input::Network(Some(1)));
    stage.happens(Input::Start);
    stage.everything_arrives();
    stage.enters_background(25_000);
    stage
}

/// What the client announces in the packets on their way, in seconds.
fn announced(stage: &Stage) -> Vec<Option<u32>> {
    let packets = stage.on_the_way().into_iter();
    let all = packets.filter_map(|packet| match packet.body {
        Body::AppState(state) => Some(state.heartbeat_s),
        Body::Hello(hello) => Some(hello.heartbeat_s),
        _ => None,
    });
    all.collect()
}

/// Pings of either side within so long.
fn pings(stage: &mut Stage, ms: u64) -> usize {
    let before = stage.heard.iter().filter(|kind| **kind == Kind::Ping).count();
    for _ in 0..ms / 1_000 {
        stage.time_passes(1_000);
        stage.everything_arrives_now();
    }
    stage.heard.iter().filter(|kind| **kind == Kind::Ping).count() - before
}

#[test]
fn in_the_background_the_server_is_told_and_both_are_quiet_for_longer() {
    let mut stage = staying();
    assert_eq!(announced(&stage), [Some(ADAPTIVE_MIN_S)]);
    stage.everything_arrives();
    assert_eq!(pings(&mut stage, MIN_MS * 85 / 100), 0, "neither side asks");
    assert_eq!(pings(&mut stage, MIN_MS * 20 / 100), 1);
    assert_eq!((stage.client.state(), stage.dials.len()), (State::OnlineBgGrace, 1));
    stage.foreground();
    assert_eq!(announced(&stage), [None]);
    stage.everything_arrives();
    assert!(pings(&mut stage, MIN_MS) >= 5, "in front of a person, as the server wants it");
}

#[test]
fn what_the_network_allows_is_found_out_and_announced() {
    let mut stage = staying();
    stage.everything_arrives();
    let mut longest = 0;
    for _ in 0..3_000 {
        stage.time_passes(1_000);
        while stage.server_reads() {}
        while stage.client_reads() {}
        longest = announced(&stage).into_iter().flatten().fold(longest, u32::max);
        stage.everything_arrives_now();
    }
    assert!(longest >= ADAPTIVE_MIN_S + 60, "{longest}");
    assert_eq!(stage.dials.len(), 1);
    assert!(stage.counted(Metric::HeartbeatInterval) > 8);
}

#[test]
fn without_knowing_the_network_the_interval_stays_the_shortest() {
    let mut stage = staying();
    stage.happens(Input::Network(None));
    for _ in 0..3_000 {
        stage.time_passes(1_000);
        while stage.server_reads() {}
        while stage.client_reads() {}
        assert!(announced(&stage).into_iter().flatten().all(|s| s == ADAPTIVE_MIN_S));
        stage.everything_arrives_now();
    }
    assert_eq!(stage.dials.len(), 1);
}

#[test]
fn a_dead_connection_is_noticed_and_sought_again_with_patience() {
    let mut stage = staying();
    stage.everything_arrives();
    stage.network = Network::Refusing;
    let before = stage.dials.len();
    // The path is dead: nothing arrives any more.
    stage.time_passes(MIN_MS + 16_000);
    assert_eq!(stage.counted(Metric::DeadDetect), 1);
    stage.time_passes(1_000);
    let soon = stage.dials.len();
    assert!((before + 1..=before + 2).contains(&soon), "{soon}: at once, and not again");
    stage.time_passes(3_600_000);
    let tried = stage.dials.len() - soon;
    assert!((7..=11).contains(&tried), "{tried} in an hour: 1, 2, 4, 6, 8 and then 10 minutes");
    stage.network = Network::Open;
    let before = stage.dials.len();
    stage.foreground();
    assert_eq!(stage.dials.len(), before + 1, "nobody in front of it waits");
}

#[test]
fn a_late_alarm_is_no_freeze_there() {
    let mut stage = staying();
    stage.everything_arrives();
    stage.freezes(MIN_MS + 60_000);
    stage.everything_arrives();
    assert_eq!((stage.dials.len(), stage.counted(Metric::ZombieSocket)), (1, 0));
    assert!(stage.client.is_online());
    stage.freezes(2 * 3_600_000);
    assert_eq!(stage.counted(Metric::ZombieSocket), 1, "no network remembers for so long");
}
