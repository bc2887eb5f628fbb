//! What the back end is told.

use serde_json::Value;

use super::*;

fn offline(play: &mut Play) -> Vec<(u64, String)> {
    let pair = |event: &Value| {
        (event["message"]["seq"].as_u64().unwrap(), event["uids"][0].as_str().unwrap().to_owned())
    };
    play.events("message.offline").iter().map(pair).collect()
}

#[test]
fn a_debt_that_falls_due_is_told_once_a_message_and_user() {
    let mut play = Play::start();
    for name in ["bob/phone", "bob/tablet", "bob/watch"] {
        play.phone(name);
    }
    play.online("bob/watch");
    play.says("alice", "bob");
    play.says("alice", "bob");
    play.after(10_000);
    assert_eq!(play.pushed().len(), 3, "each device is pushed");
    assert_eq!(offline(&mut play), [(1, "bob".into()), (2, "bob".into())]);
    play.restart();
    play.take_pushes();
    assert_eq!(offline(&mut play), [(1, "bob".into()), (2, "bob".into())], "also not again");
}

#[test]
fn users_without_a_binding_or_a_device_are_told_of_too() {
    let mut play = Play::start();
    play.online("bob/phone");
    play.lose("bob/phone");
    play.says("alice", "bob");
    play.says("alice", "carol");
    assert_eq!(offline(&mut play), [(1, "bob".into()), (1, "carol".into())]);
}

#[test]
fn nobody_is_told_of_what_was_shown_in_time() {
    let mut play = Play::start();
    play.online("bob/phone");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/phone", &sent.conversation, 1);
    play.after(60_000);
    assert_eq!(offline(&mut play), []);
}

#[test]
fn a_long_backlog_is_told_message_by_message() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/phone");
    for _ in 0..200 {
        play.says("alice", "bob");
    }
    play.lose("bob/phone");
    let told: Vec<u64> = offline(&mut play).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(told, (1..=200).collect::<Vec<u64>>());
}

#[test]
fn events_are_numbered_without_holes_across_a_restart() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.says("alice", "bob");
    play.take_pushes();
    play.after(100);
    play.restart();
    play.says("alice", "bob");
    play.take_pushes();
    let Ok(Reply::Events(events)) = play.operator(Command::Events { after: 0, limit: 1_000 })
    else {
        panic!("no events");
    };
    let numbers: Vec<u64> = events.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<u64>>());
    for (number, json) in &events {
        let event: Value = serde_json::from_str(json).unwrap();
        assert_eq!(event["id"], format!("evt_{number}"));
    }
    assert_eq!(play.events("message.created").len(), 2);
    assert_eq!(play.events("push.outcome").len(), 2);
}

#[test]
fn an_outcome_names_its_message() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    play.take_pushes();
    let outcome = &play.events("push.outcome")[0];
    assert_eq!(outcome["message_id"], sent.message_id.to_string());
}

#[test]
fn without_a_receiver_nothing_is_written_for_one() {
    let mut play = Play::with(|config| config.events = false);
    play.phone("bob/phone");
    play.says("alice", "bob");
    play.take_pushes();
    play.after(1_000);
    assert!(!play.store.all_rows().any(|row| matches!(row, Row::Event(_))));
}
