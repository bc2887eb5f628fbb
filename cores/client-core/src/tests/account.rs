//! Signing in and out, and where the device can be pushed.

use nightjar_model::{Binding, BindingKey, ByeReason, Secret, WallMs};
use nightjar_wire::{Body, Kind};

use super::play::{Network, Stage};
use super::server::conversations;
use crate::{Ended, Event, Input, State};

fn binding(token: &str) -> Box<Binding> {
    let key = BindingKey { provider: "apns".to_owned(), credential: "main".to_owned() };
    let token = Secret::new(token.to_owned());
    Box::new(Binding { key, token, locale: None, environment: None, bound_at: WallMs(0) })
}

fn bound(stage: &Stage) -> Vec<String> {
    let tokens = stage.on_the_way().into_iter().filter_map(|packet| match packet.body {
        Body::BindPush(bind) => Some(bind.token),
        Body::UnbindPush(_) => Some("gone".to_owned()),
        _ => None,
    });
    tokens.collect()
}

#[test]
fn a_push_token_is_told_until_it_is_known_and_not_again() {
    let mut stage = Stage::new();
    stage.happens(Input::PushToken(binding("one")));
    stage.happens(Input::Start);
    while stage.server_reads() || stage.commits() {}
    while stage.client_reads() || stage.commits() {}
    assert_eq!(bound(&stage), ["one"]);
    stage.cut();
    while stage.client_reads() || stage.commits() || stage.server_reads() {}
    let times = |stage: &Stage| stage.heard.iter().filter(|kind| **kind == Kind::BindPush).count();
    stage.everything_arrives();
    let told = times(&stage);
    assert!(told >= 1, "the first was cut off before its answer");
    stage.happens(Input::PushToken(binding("one")));
    stage.cut();
    stage.everything_arrives();
    assert_eq!(times(&stage), told, "the server knows");
    stage.happens(Input::PushToken(binding("two")));
    assert_eq!(bound(&stage), ["two"]);
    stage.everything_arrives();
    stage.happens(Input::PushTokenInvalid(binding("two").key));
    assert_eq!(bound(&stage), ["gone"]);
}

#[test]
fn kicked_leaves_nothing_on_the_screen_and_only_a_login_comes_back() {
    let mut stage = Stage::online();
    stage.happens(Input::PushToken(binding("one")));
    stage.background(-1);
    stage.everything_arrives();
    stage.server.alice_writes(&conversations()[0].1, stage.now);
    stage.everything_arrives();
    assert_eq!(stage.screen.len(), 1);
    stage.server.says_bye(ByeReason::Kicked, stage.now);
    while stage.client_reads() || stage.commits() {}
    assert_eq!((stage.client.state(), stage.screen.len()), (State::Kicked, 0));
    assert!(stage.has_event(|event| matches!(event, Event::Badge { unread: 0, .. })));
    assert!(stage.is_store_closed);
    assert_eq!((stage.disk.account.unread, &stage.disk.account.resume), (0, &None));
    stage.foreground();
    stage.happens(Input::Start);
    assert_eq!(stage.dials.len(), 1);

    stage.happens(Input::Login(Secret::new("good".to_owned())));
    stage.everything_arrives();
    assert_eq!(stage.client.state(), State::OnlineFg);
    let times = stage.heard.iter().filter(|kind| **kind == Kind::BindPush).count();
    assert_eq!(times, 2, "the kick deleted the binding");
}

#[test]
fn a_logout_without_a_link_is_told_to_the_server_once_there_is_one() {
    let mut stage = Stage::online();
    stage.network = Network::Refusing;
    stage.cut();
    stage.happens(Input::NetworkLost);
    stage.happens(Input::Logout { unbind: true });
    while stage.commits() {}
    assert!(stage.disk.account.owes_unbind.is_some() && stage.is_store_closed);
    assert_eq!(stage.client.wait_until(), None, "there is no network");
    let dials = stage.dials.len();
    stage.happens(Input::NetworkChanged);
    stage.time_passes(200_000);
    assert!(stage.dials.len() > dials + 2, "it is tried again and again");
    let ends = |stage: &Stage| {
        let ends = stage.events.iter().filter(|event| matches!(event, Event::Ended(_)));
        ends.cloned().collect::<Vec<_>>()
    };
    assert_eq!(ends(&stage), [Event::Ended(Ended::LoggedOut { confirmed: false })]);
    stage.network = Network::Open;
    stage.heard.clear();
    for _ in 0..70 {
        stage.time_passes(1_000);
        stage.everything_arrives_now();
    }
    assert_eq!(stage.heard, [Kind::Hello, Kind::Logout], "and nothing else is said");
    assert_eq!(ends(&stage).len(), 2, "now it is confirmed");
    assert_eq!(stage.disk.account.owes_unbind, None);
    assert_eq!((stage.client.state(), stage.client.wait_until()), (State::LoggedOut, None));
    assert!(stage.is_store_closed);
    assert!(!stage.server.is_foreground());
}

#[test]
fn what_is_owed_survives_a_crash_and_leaving_the_screen_never_signs_in() {
    let mut stage = Stage::online();
    stage.network = Network::Refusing;
    stage.cut();
    stage.happens(Input::Logout { unbind: true });
    while stage.commits() {}
    stage.restarts();
    stage.happens(Input::Logout { unbind: true });
    stage.network = Network::Silent;
    let tries = (0..200).take_while(|_| {
        stage.time_passes(500);
        stage.client.state() != State::Connecting
    });
    assert!(tries.count() < 200, "an errand is on its way");
    stage.enters_background(4_000);
    stage.time_passes(4_000);
    while stage.commits() {}
    assert_eq!(stage.client.state(), State::LoggedOut);
    stage.heard.clear();
    stage.network = Network::Open;
    stage.foreground();
    for _ in 0..70 {
        stage.time_passes(1_000);
        stage.everything_arrives_now();
    }
    assert_eq!(stage.heard, [Kind::Hello, Kind::Logout]);
    assert_eq!(stage.disk.account.owes_unbind, None);
}

#[test]
fn a_logout_without_a_link_is_final_too_and_a_login_comes_back() {
    let mut stage = Stage::online();
    stage.cut();
    stage.happens(Input::Logout { unbind: true });
    let ended = Event::Ended(Ended::LoggedOut { confirmed: false });
    assert!(stage.has_event(|event| *event == ended));
    while stage.commits() {}
    assert_eq!(stage.client.state(), State::LoggedOut);
    assert!(stage.is_store_closed);
    stage.happens(Input::Login(Secret::new("good".to_owned())));
    stage.everything_arrives();
    assert_eq!(stage.client.state(), State::OnlineFg);
    assert_eq!(stage.disk.account.owes_unbind, None);
}

#[test]
fn who_signs_in_again_owes_nothing() {
    let mut stage = Stage::online();
    stage.cut();
    stage.happens(Input::Logout { unbind: true });
    while stage.commits() {}
    stage.crashes();
    stage.everything_arrives();
    assert_eq!(stage.client.state(), State::OnlineFg);
    assert_eq!(stage.disk.account.owes_unbind, None);
}
