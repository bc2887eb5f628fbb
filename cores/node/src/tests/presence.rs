//! Who sees whom come and go.

use nightjar_model::{PresenceCommand, PresenceStatus, PresenceView, limits};

use super::*;

fn look(play: &mut Play, name: &str, at: &[&str]) -> Result<Vec<PresenceView>, Reject> {
    let subscribe = at.iter().map(|name| uid(name)).collect();
    let command = PresenceCommand { subscribe, ..PresenceCommand::default() };
    match play.ask(name, Command::Presence(Box::new(command)))? {
        Reply::Presence(views) => Ok(views),
        other => panic!("{other:?}"),
    }
}

fn set(play: &mut Play, name: &str, status: &str) {
    let status = PresenceStatus { status: status.into(), text: None };
    let command = PresenceCommand { set: Some(status), ..PresenceCommand::default() };
    play.ask(name, Command::Presence(Box::new(command))).unwrap();
}

/// What a device was told since the last time, as text: `+` online, `-` offline.
fn told(play: &mut Play, name: &str) -> Vec<String> {
    let notices = play.notices(name).into_iter();
    let views = notices.filter_map(|notice| match notice {
        Notice::Presence(view) => Some(describe(&view)),
        _ => None,
    });
    views.collect()
}

fn describe(view: &PresenceView) -> String {
    let sign = if view.online { '+' } else { '-' };
    let status = view.status.as_ref().map_or("", |status| &status.status);
    format!("{sign}{}{status}", view.uid)
}

/// Alice and Bob have talked and Alice looks at Bob.
fn alice_looks_at_bob() -> Play {
    let mut play = Play::start();
    play.says("alice", "bob");
    play.online("alice/laptop");
    look(&mut play, "alice/laptop", &["bob"]).unwrap();
    play
}

#[test]
fn who_looks_is_told_who_comes_and_goes() {
    let mut play = alice_looks_at_bob();
    play.online("bob/phone");
    assert_eq!(told(&mut play, "alice/laptop"), ["+bob"]);
    play.after(2_000);
    let gone_at = play.now.wall;
    play.lose("bob/phone");
    assert_eq!(told(&mut play, "alice/laptop"), ["-bob"]);
    let view = look(&mut play, "alice/laptop", &["bob"]).unwrap().remove(0);
    assert_eq!((view.online, view.last_seen), (false, Some(gone_at)));
}

#[test]
fn who_goes_and_is_dropped_from_memory_is_told_of_as_well() {
    let mut play = alice_looks_at_bob();
    play.online("bob/phone");
    assert_eq!(told(&mut play, "alice/laptop"), ["+bob"]);
    play.lose("bob/phone");
    play.node.users.remove(&uid("bob"));
    play.after(2_000);
    assert_eq!(told(&mut play, "alice/laptop"), ["-bob"]);
}

#[test]
fn who_was_only_bound_was_never_seen() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.says("alice", "bob");
    play.online("alice/laptop");
    let view = look(&mut play, "alice/laptop", &["bob"]).unwrap().remove(0);
    assert_eq!((view.online, view.last_seen), (false, None));
}

#[test]
fn a_phone_that_flaps_is_no_storm() {
    let mut play = alice_looks_at_bob();
    play.online("bob/phone");
    assert_eq!(told(&mut play, "alice/laptop"), ["+bob"]);
    for _ in 0..5 {
        play.lose("bob/phone");
        play.online("bob/phone");
    }
    play.after(2_000);
    assert_eq!(told(&mut play, "alice/laptop"), [] as [&str; 0], "it looks as before");
    play.lose("bob/phone");
    play.online("bob/phone");
    play.lose("bob/phone");
    play.after(2_000);
    assert_eq!(told(&mut play, "alice/laptop"), ["-bob"]);
}

#[test]
fn a_device_that_does_not_answer_is_not_online() {
    let mut play = alice_looks_at_bob();
    play.online("bob/phone");
    play.after(2_000);
    told(&mut play, "alice/laptop");
    play.says("alice", "bob");
    play.after(5_000);
    assert_eq!(told(&mut play, "alice/laptop"), ["-bob"]);
    play.ask("bob/phone", Command::Heard).unwrap();
    play.after(2_000);
    assert_eq!(told(&mut play, "alice/laptop"), ["+bob"]);
}

#[test]
fn one_device_of_several_is_enough_and_a_status_ends_with_the_last() {
    let mut play = alice_looks_at_bob();
    play.online("bob/phone");
    play.online("bob/tablet");
    set(&mut play, "bob/phone", "away");
    play.after(2_000);
    assert_eq!(told(&mut play, "alice/laptop").last().unwrap(), "+bobaway");
    play.lose("bob/phone");
    play.after(2_000);
    assert_eq!(told(&mut play, "alice/laptop"), [] as [&str; 0]);
    play.lose("bob/tablet");
    play.online("bob/tablet");
    play.after(2_000);
    assert_eq!(told(&mut play, "alice/laptop"), ["+bob"], "the status is gone");
}

#[test]
fn strangers_are_not_shown_and_who_stops_looking_hears_no_more() {
    let mut play = alice_looks_at_bob();
    play.online("mallory/phone");
    assert_eq!(look(&mut play, "mallory/phone", &["bob"]), Ok(Vec::new()));
    play.online("bob/phone");
    assert_eq!(told(&mut play, "mallory/phone"), [] as [&str; 0]);

    let unsubscribe = vec![uid("bob")];
    let command = PresenceCommand { unsubscribe, ..PresenceCommand::default() };
    play.ask("alice/laptop", Command::Presence(Box::new(command))).unwrap();
    told(&mut play, "alice/laptop");
    play.after(2_000);
    play.lose("bob/phone");
    play.after(2_000);
    assert_eq!(told(&mut play, "alice/laptop"), [] as [&str; 0]);
}

#[test]
fn a_connection_looks_at_a_bounded_number_of_people() {
    let mut play = Play::start();
    play.online("alice/laptop");
    let names: Vec<String> = (0..=limits::PRESENCE_MAX).map(|n| format!("u{n}")).collect();
    for name in &names {
        play.says("alice", name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(look(&mut play, "alice/laptop", &names[1..]).unwrap().len(), limits::PRESENCE_MAX);
    assert_eq!(look(&mut play, "alice/laptop", &names[..1]), Err(Reject::LimitReached));
    // Those it looks at already cost nothing more.
    assert_eq!(look(&mut play, "alice/laptop", &names[1..2]).unwrap().len(), 1);
    // And a connection that ends leaves room.
    play.lose("alice/laptop");
    play.online("alice/laptop");
    assert_eq!(look(&mut play, "alice/laptop", &names[..1]).unwrap().len(), 1);
}

#[test]
fn contacts_see_each_other_until_they_are_none() {
    use nightjar_model::ContactAction as Action;
    let mut play = Play::start();
    let does = |play: &mut Play, name: &str, other: &str, action| {
        let (uid, other) = (uid(name), uid(other));
        play.operator(Command::ContactAs { uid, other, action }).unwrap();
    };
    play.online("alice/laptop");
    play.online("bob/phone");
    does(&mut play, "alice", "bob", Action::Request);
    assert_eq!(look(&mut play, "alice/laptop", &["bob"]).unwrap(), [], "he has not agreed");
    does(&mut play, "bob", "alice", Action::Accept);
    assert_eq!(look(&mut play, "alice/laptop", &["bob"]).unwrap().len(), 1);
    assert_eq!(look(&mut play, "bob/phone", &["alice"]).unwrap().len(), 1);
    told(&mut play, "alice/laptop");
    told(&mut play, "bob/phone");
    does(&mut play, "alice", "bob", Action::Remove);
    assert_eq!(told(&mut play, "alice/laptop"), ["-bob"]);
    assert_eq!(told(&mut play, "bob/phone"), ["-alice"]);
    assert_eq!(look(&mut play, "alice/laptop", &["bob"]).unwrap(), []);
}
