//! A record of a client is played again: a play that people can read, and what it did not keep to.

use nightjar_client_core::{Client, Config, ConnectionId, Identity, Input, Record, Restored};
use nightjar_model::{DeviceId, Mono, Now, Secret, Uid, WallMs};
use nightjar_world::replay;

const RANDOM: [u8; 16] = [7; 16];

fn at(ms: u64) -> Now {
    Now { mono: Mono(1_000_000 + ms), wall: WallMs(1_700_000_000_000 + ms) }
}

/// What a client was given in a minute without a server.
fn a_minute_alone() -> String {
    let identity = Identity {
        uid: Uid::parse("bob").unwrap(),
        device_id: DeviceId::parse("phone").unwrap(),
        token: Secret::new("secret".into()),
    };
    let mut client = Client::new(Config::default().into(), identity, Restored::default(), at(0));
    let mut lines = Vec::new();
    let mut give = |input: Input<'_>, ms: u64| {
        lines.push(Record::line(&input, at(ms), &RANDOM));
        client.handle(input, at(ms), &RANDOM);
        while client.poll().is_some() {}
    };
    give(Input::Start, 0);
    give(Input::Closed(ConnectionId(1)), 20);
    give(Input::NetworkLost, 5_000);
    give(Input::EnterBackground { budget_ms: 25_000 }, 9_000);
    give(Input::StoreClosed(1), 9_050);
    lines.join("\n")
}

#[test]
fn a_record_is_a_play_that_people_can_read() {
    let replayed = replay(&a_minute_alone()).unwrap();
    assert_eq!((replayed.inputs, &replayed.violation), (5, &None), "{}", replayed.play);
    insta::assert_snapshot!(replayed.play);
}

#[test]
fn a_record_of_a_client_that_kept_what_it_must_not_is_found_out() {
    let record = a_minute_alone();
    nightjar_model::sabotage::choose(Some(nightjar_model::sabotage::Sabotage::GrantKept));
    let replayed = replay(&record).unwrap();
    nightjar_model::sabotage::choose(None);
    let violation = replayed.violation.expect("a frozen process must give back its time");
    assert_eq!(violation.invariant, "I9", "{}", replayed.play);
}

#[test]
fn a_line_that_is_no_record_is_named() {
    let bad = format!("{}\n{{}}", a_minute_alone());
    let error = replay(&bad).unwrap_err();
    assert_eq!(error.line, 6);
    assert!(error.to_string().contains("nightjar chat --record"), "{error}");
    assert_eq!(replay("").unwrap_err().line, 1);
}
