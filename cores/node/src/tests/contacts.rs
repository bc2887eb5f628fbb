//! Contacts and blocks: two lanes that hear of each other.

use nightjar_model::{
    ContactAction as Action, ContactState as State, ContactView, Delivery, HistoryCommand,
    PresenceCommand,
};

use super::*;

fn act(play: &mut Play, name: &str, other: &str, action: Action) -> Result<ContactView, Reject> {
    let (uid, other) = (uid(name), uid(other));
    match play.operator(Command::ContactAs { uid, other, action })? {
        Reply::Contact(view) => Ok(view),
        other => panic!("{other:?}"),
    }
}

fn does(play: &mut Play, name: &str, other: &str, action: Action) {
    act(play, name, other, action).unwrap();
}

/// What a user has, as text: `bob accepted`, with `!` for who is blocked.
fn contacts(play: &mut Play, name: &str) -> Vec<String> {
    match play.operator(Command::Contacts { uid: uid(name) }) {
        Ok(Reply::Contacts(views)) => views.iter().map(describe).collect(),
        other => panic!("{other:?}"),
    }
}

fn describe(view: &ContactView) -> String {
    let sign = if view.blocked { "!" } else { "" };
    format!("{sign}{} {}", view.uid, view.state.as_str())
}

/// What a device was told of its contacts since the last time.
fn told(play: &mut Play, name: &str) -> Vec<String> {
    let notices = play.notices(name).into_iter();
    let views = notices.filter_map(|notice| match notice {
        Notice::Contact(view) => Some(describe(&view)),
        _ => None,
    });
    views.collect()
}

fn tries(play: &mut Play, from: &str, to: Target) -> Result<Reply, Reject> {
    let send = Box::new(play.draft(to));
    play.operator(Command::SendAs { from: uid(from), send })
}

#[test]
fn a_request_that_is_accepted_makes_both_contacts_and_every_device_hears_of_it() {
    let mut play = Play::start();
    for name in ["alice/phone", "alice/laptop", "bob/phone"] {
        play.online(name);
    }
    let ask = Command::Contact { uid: uid("bob"), action: Action::Request };
    let Ok(Reply::Contact(asked)) = play.ask("alice/phone", ask) else { panic!() };
    assert_eq!((asked.state, asked.ver > 0), (State::Requested, true));
    assert_eq!(told(&mut play, "alice/phone"), Vec::<String>::new(), "it has the answer");
    assert_eq!(told(&mut play, "alice/laptop"), ["bob requested"]);
    assert_eq!(told(&mut play, "bob/phone"), ["alice asked"]);
    let accept = Command::Contact { uid: uid("alice"), action: Action::Accept };
    play.ask("bob/phone", accept).unwrap();
    assert_eq!(told(&mut play, "alice/phone"), ["bob accepted"]);
    assert_eq!(contacts(&mut play, "alice"), ["bob accepted"]);
    assert_eq!(contacts(&mut play, "bob"), ["alice accepted"]);
    does(&mut play, "alice", "bob", Action::Remove);
    assert_eq!(told(&mut play, "bob/phone"), ["alice none"]);
    assert_eq!(contacts(&mut play, "bob"), Vec::<String>::new());
    play.is_whole();
}

#[test]
fn the_same_again_changes_nothing_and_has_the_same_version() {
    let mut play = Play::start();
    let first = act(&mut play, "alice", "bob", Action::Request).unwrap();
    assert_eq!(act(&mut play, "alice", "bob", Action::Request), Ok(first));
    does(&mut play, "bob", "alice", Action::Request);
    assert_eq!(contacts(&mut play, "alice"), ["bob accepted"], "a request met a request");
    let now = act(&mut play, "alice", "bob", Action::Accept).unwrap();
    assert_eq!(act(&mut play, "alice", "bob", Action::Join), Ok(now));
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut play = Play::start();
    assert_eq!(act(&mut play, "alice", "bob", Action::Accept), Err(Reject::NotAsked));
    assert_eq!(act(&mut play, "alice", "alice", Action::Request), Err(Reject::Oneself));
    assert_eq!(contacts(&mut play, "alice"), Vec::<String>::new());
    assert_eq!(play.store.all_rows().count(), 0);
}

#[test]
fn a_crash_between_the_two_lanes_leaves_what_is_to_be_told() {
    let mut play = Play::start();
    for (name, other, action) in [
        ("alice", "bob", Action::Request),
        ("bob", "alice", Action::Accept),
        ("carol", "bob", Action::Join),
        ("alice", "bob", Action::Remove),
    ] {
        let (uid, other) = (uid(name), uid(other));
        let origin = Origin::Api(play.number());
        play.handle(Input::Command { origin, command: Command::ContactAs { uid, other, action } });
        play.end_turn();
        assert!(play.store.all_rows().any(|row| matches!(row, Row::Note(_))), "{action:?}");
        play.restart();
        assert!(!play.store.all_rows().any(|row| matches!(row, Row::Note(_))), "{action:?}");
    }
    assert_eq!(contacts(&mut play, "alice"), Vec::<String>::new());
    assert_eq!(contacts(&mut play, "bob"), ["carol accepted"]);
    assert_eq!(contacts(&mut play, "carol"), ["bob accepted"]);
    play.is_whole();
}

#[test]
fn nobody_writes_to_who_blocked_them_and_a_resend_gets_its_first_answer() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let draft = play.draft(Target::User(uid("bob")));
    let before = play.send("alice", draft.clone());
    does(&mut play, "bob", "alice", Action::Block);
    assert_eq!(tries(&mut play, "alice", Target::User(uid("bob"))), Err(Reject::Blocked));
    let again = play.send("alice", draft);
    assert_eq!((again.message_id, again.duplicate), (before.message_id, true));
    play.says("bob", "alice");
    play.online("alice/laptop");
    let (conversation, seq) = (chat("alice", "bob"), before.seq);
    let react = Command::React { conversation, seq, emoji: "x".into(), remove: false };
    assert_eq!(play.ask("alice/laptop", react), Err(Reject::Blocked));
    play.recall("alice/laptop", &before);
    play.restart();
    assert_eq!(tries(&mut play, "alice", Target::User(uid("bob"))), Err(Reject::Blocked));
    does(&mut play, "bob", "alice", Action::Unblock);
    tries(&mut play, "alice", Target::User(uid("bob"))).unwrap();
    play.is_whole();
}

#[test]
fn in_a_group_who_is_blocked_is_read_and_alerts_nobody_for_a_named_reason() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob", "carol"]);
    play.phone("bob/phone");
    play.phone("carol/phone");
    play.online("bob/laptop");
    does(&mut play, "bob", "alice", Action::Block);
    let sent = play.tells("alice", "crew");
    assert_eq!(play.pushed(), ["carol/phone"]);
    assert_eq!(play.reasons("bob/phone", &sent, Step::Decided), ["blocked"]);
    let alerts: Vec<bool> = wakes(&mut play, "bob/laptop", sent.seq);
    assert_eq!(alerts, [false]);
    let pull = Command::Pull { conversation: group("crew"), after: sent.seq - 1, limit: 9 };
    let Ok(Reply::Pulled { deliveries, .. }) = play.ask("bob/laptop", pull) else { panic!() };
    assert!(!deliveries[0].alert);
    play.after(10_000);
    assert_eq!(play.reasons("bob/laptop", &sent, Step::Decided), ["blocked"]);
    assert_eq!(play.unread("bob").total, 1, "it can be read");
    let offline = play.events("message.offline");
    let told: Vec<_> = offline.iter().map(|data| data["uids"].to_string()).collect();
    assert_eq!(told, [r#"["carol"]"#], "a back end would alert him");
    let explain = Command::Explain {
        from: uid("alice"),
        send: Box::new(play.draft(Target::Group(GroupId::parse("crew").unwrap()))),
        at: None,
    };
    let Ok(Reply::Explain(lines)) = play.operator(explain) else { panic!() };
    let of_bob: Vec<_> = lines.iter().filter(|line| line.uid == uid("bob")).collect();
    assert!(of_bob.iter().all(|line| line.reason == "blocked"), "{of_bob:?}");
    play.is_whole();
}

/// Whether deliveries of a place alert.
fn wakes(play: &mut Play, name: &str, seq: Seq) -> Vec<bool> {
    let notices = play.notices(name).into_iter();
    let alerts = notices.filter_map(|notice| match notice {
        Notice::Wake(Delivery { entry, alert, .. }) if entry.seq == seq => Some(alert),
        _ => None,
    });
    alerts.collect()
}

#[test]
fn what_was_accepted_before_the_block_is_delivered_and_its_silence_has_a_reason() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    play.take_pushes();
    let second = play.says("alice", "bob");
    does(&mut play, "bob", "alice", Action::Block);
    play.after(10_000);
    assert_eq!(play.reasons("bob/laptop", &sent, Step::Decided), ["blocked"]);
    let history =
        HistoryCommand { conversation: chat("alice", "bob"), after: None, before: None, limit: 9 };
    let Ok(Reply::History { entries, .. }) = play.ask("bob/laptop", Command::History(history))
    else {
        panic!()
    };
    assert_eq!(entries.last().map(|entry| entry.seq), Some(second.seq));
    play.is_whole();
}

#[test]
fn typing_presence_and_requests_of_who_is_blocked_go_nowhere() {
    let mut play = Play::start();
    play.says("alice", "bob");
    play.online("alice/laptop");
    play.online("bob/phone");
    let look = Command::Presence(Box::new(PresenceCommand {
        subscribe: vec![uid("bob")],
        ..PresenceCommand::default()
    }));
    play.ask("alice/laptop", look.clone()).unwrap();
    play.notices("alice/laptop");
    does(&mut play, "bob", "alice", Action::Block);
    let gone = play.notices("alice/laptop");
    assert!(
        matches!(&gone[..], [Notice::Presence(view)] if !view.online && view.last_seen.is_none()),
        "{gone:?}"
    );
    assert_eq!(play.ask("alice/laptop", look.clone()), Ok(Reply::Presence(Vec::new())));
    play.notices("bob/phone");
    play.ask("alice/laptop", Command::Typing(Target::User(uid("bob")))).unwrap();
    let asked = act(&mut play, "alice", "bob", Action::Request).unwrap();
    assert_eq!(asked.state, State::Requested, "she cannot tell");
    assert_eq!(play.notices("bob/phone"), Vec::new());
    assert_eq!(contacts(&mut play, "bob"), ["!alice none"]);
    does(&mut play, "bob", "alice", Action::Unblock);
    does(&mut play, "alice", "bob", Action::Request);
    assert_eq!(contacts(&mut play, "bob"), ["alice asked"]);
    let Ok(Reply::Presence(views)) = play.ask("alice/laptop", look) else { panic!() };
    assert!(views[0].online);
    play.is_whole();
}

#[test]
fn a_block_stands_beside_the_contact() {
    let mut play = Play::start();
    does(&mut play, "alice", "bob", Action::Join);
    does(&mut play, "bob", "alice", Action::Block);
    assert_eq!(contacts(&mut play, "alice"), ["bob accepted"]);
    assert_eq!(contacts(&mut play, "bob"), ["!alice accepted"]);
    does(&mut play, "alice", "bob", Action::Remove);
    assert_eq!(contacts(&mut play, "bob"), ["!alice none"]);
    does(&mut play, "bob", "alice", Action::Unblock);
    assert_eq!(contacts(&mut play, "bob"), Vec::<String>::new());
    play.is_whole();
}
