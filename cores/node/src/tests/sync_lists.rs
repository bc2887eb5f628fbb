//! Contacts, groups, profiles and what is gone, in a sync.

use nightjar_model::{ContactAction as Action, Removed, SyncReply, limits};

use super::*;

fn ask(play: &mut Play, since: Option<&str>, limit: usize) -> Result<SyncReply, Reject> {
    let command = Command::Sync { since: since.map(str::to_owned), limit };
    match play.ask("bob/phone", command)? {
        Reply::Sync(reply) => Ok(*reply),
        other => panic!("{other:?}"),
    }
}

/// Everything a device is told from a token on, as text, and the last token.
fn told_by(play: &mut Play, since: Option<&str>, limit: usize) -> (Vec<String>, String) {
    let (mut lines, mut since) = (Vec::new(), since.map(str::to_owned));
    loop {
        let page = ask(play, since.as_deref(), limit).unwrap();
        lines.extend(page.conversations.iter().map(|one| one.conversation.to_string()));
        lines.extend(
            page.contacts.iter().map(|one| format!("contact {} {}", one.uid, one.state.as_str())),
        );
        lines.extend(
            page.groups.iter().map(|one| format!("group {} {}", one.group, one.role.as_str())),
        );
        lines.extend(
            page.profiles.iter().map(|one| {
                format!("profile {} {}", one.uid, one.name.as_deref().unwrap_or_default())
            }),
        );
        lines.extend(page.removed.iter().map(|one| match one {
            Removed::Contact { uid, .. } => format!("no contact {uid}"),
            Removed::Group { group, .. } => format!("no group {group}"),
        }));
        since = Some(page.next);
        if !page.more {
            lines.sort();
            return (lines, since.unwrap());
        }
    }
}

fn told(play: &mut Play, since: Option<&str>) -> (Vec<String>, String) {
    told_by(play, since, 100)
}

fn does(play: &mut Play, name: &str, other: &str, action: Action) {
    let (uid, other) = (uid(name), uid(other));
    play.operator(Command::ContactAs { uid, other, action }).unwrap();
}

fn name(play: &mut Play, who: &str, name: &str) {
    let name = Some(name.to_owned());
    play.operator(Command::PutUser { uid: uid(who), name, avatar: None }).unwrap();
}

fn change(play: &mut Play, group: &str, add: &[&str], remove: &[&str]) {
    let uids = |names: &[&str]| names.iter().map(|name| uid(name)).collect();
    let (add, remove) = (uids(add), uids(remove));
    let group = GroupId::parse(group).unwrap();
    play.operator(Command::ChangeMembers { group, add, remove }).unwrap();
}

/// Bob with something of everything.
fn bob() -> Play {
    let mut play = Play::start();
    play.online("bob/phone");
    name(&mut play, "alice", "Alice");
    name(&mut play, "carol", "Carol");
    play.says("alice", "bob");
    play.group("crew", "bob", &["alice"]);
    does(&mut play, "carol", "bob", Action::Request);
    play
}

const ALL: [&str; 6] = [
    "contact carol asked",
    "d:alice:bob",
    "g:crew",
    "group crew owner",
    "profile alice Alice",
    "profile carol Carol",
];

#[test]
fn everything_is_told_once_in_pages_of_any_size_and_an_unchanged_token_tells_nothing() {
    for limit in [1, 2, 3, 100] {
        let mut play = bob();
        let (all, token) = told_by(&mut play, None, limit);
        assert_eq!(all, ALL, "pages of {limit}");
        assert_eq!(told(&mut play, Some(&token)).0, Vec::<String>::new());
        play.restart();
        play.online("bob/phone");
        assert_eq!(told(&mut play, Some(&token)).0, Vec::<String>::new(), "after a restart");
        assert_eq!(told_by(&mut play, None, limit).0, ALL);
    }
}

#[test]
fn only_what_changed_is_told_and_what_is_gone_by_name() {
    let mut play = bob();
    let token = told(&mut play, None).1;
    does(&mut play, "bob", "carol", Action::Accept);
    let (changed, token) = told(&mut play, Some(&token));
    assert_eq!(changed, ["contact carol accepted", "profile carol Carol"]);
    does(&mut play, "carol", "bob", Action::Remove);
    change(&mut play, "crew", &[], &["bob"]);
    play.restart();
    play.online("bob/phone");
    let (changed, token) = told(&mut play, Some(&token));
    assert_eq!(changed, ["g:crew", "no contact carol", "no group crew"]);
    change(&mut play, "crew", &["bob"], &[]);
    let (changed, _) = told(&mut play, Some(&token));
    assert_eq!(changed, ["g:crew", "group crew member"]);
    let all = told(&mut play, None).0;
    assert_eq!(all, ["d:alice:bob", "g:crew", "group crew member", "profile alice Alice"]);
}

#[test]
fn who_takes_a_group_over_is_told_the_new_role() {
    let mut play = Play::start();
    play.online("bob/phone");
    play.group("crew", "alice", &["bob"]);
    let (all, token) = told(&mut play, None);
    assert_eq!(all, ["g:crew", "group crew member"]);
    change(&mut play, "crew", &[], &["alice"]);
    assert_eq!(told(&mut play, Some(&token)).0, ["g:crew", "group crew owner"]);
}

#[test]
fn a_new_name_reaches_contacts_and_direct_peers_however_many() {
    let mut play = bob();
    for n in 0..600 {
        does(&mut play, "alice", &format!("friend{n:03}"), Action::Join);
    }
    let token = told(&mut play, None).1;
    let origin = Origin::Api(play.number());
    let (name, avatar) = (Some("Alicia".to_owned()), None);
    let put = Command::PutUser { uid: uid("alice"), name, avatar };
    play.handle(Input::Command { origin, command: put });
    play.end_turn();
    // The process ends while some were told.
    let random = play.random();
    play.node.settle(&play.store, play.now, &random, true).unwrap();
    play.end_turn();
    assert!(play.store.all_rows().any(|row| matches!(row, Row::Note(_))), "more are to be told");
    play.restart();
    play.online("bob/phone");
    let (changed, token) = told(&mut play, Some(&token));
    assert_eq!(changed, ["profile alice Alicia"]);
    assert_eq!(told(&mut play, Some(&token)).0, Vec::<String>::new());
    for friend in ["friend000", "friend299", "friend599"] {
        let changed = play.store.all_rows().any(|row| match row {
            Row::ProfileChange(row) => row.uid == uid(friend) && row.other == uid("alice"),
            _ => false,
        });
        assert!(changed, "{friend}");
    }
    assert!(!play.store.all_rows().any(|row| matches!(row, Row::Note(_))));
}

#[test]
fn a_name_that_stays_is_nothing_new() {
    let mut play = bob();
    let token = told(&mut play, None).1;
    name(&mut play, "alice", "Alice");
    assert_eq!(told(&mut play, Some(&token)).0, Vec::<String>::new());
}

#[test]
fn what_is_forgotten_makes_older_tokens_too_old_and_a_device_begins_anew() {
    let mut play = bob();
    let old = told(&mut play, None).1;
    does(&mut play, "carol", "bob", Action::Remove);
    let newer = told(&mut play, Some(&old)).1;
    play.pass(limits::CHANGES_KEPT_MS + 1);
    does(&mut play, "dave", "bob", Action::Request);
    assert_eq!(ask(&mut play, Some(&old), 100), Err(Reject::TooOld));
    // The one that was told keeps its token; somebody who begins anew comes to an end in any pages.
    assert_eq!(told(&mut play, Some(&newer)).0, ["contact dave asked"]);
    assert_eq!(ask(&mut play, Some(&old), 100), Err(Reject::TooOld), "it is forgotten by now");
    for limit in [1, 2, 100] {
        let (all, token) = told_by(&mut play, None, limit);
        assert!(!all.iter().any(|line| line.contains("carol")), "{all:?}");
        assert_eq!(told(&mut play, Some(&token)).0, Vec::<String>::new());
    }
    play.is_whole();
}

#[test]
fn whoever_begins_anew_after_the_last_change_was_forgotten_keeps_the_token() {
    let mut play = bob();
    told(&mut play, None);
    does(&mut play, "carol", "bob", Action::Remove);
    play.pass(limits::CHANGES_KEPT_MS + 1);
    let token = told(&mut play, None).1;
    assert!(!play.store.all_rows().any(|row| match row {
        Row::Contact(row) => row.uid == uid("bob"),
        _ => false,
    }));
    assert_eq!(told(&mut play, Some(&token)).0, Vec::<String>::new());
    play.says("alice", "bob");
    assert_eq!(told(&mut play, Some(&token)).0, ["d:alice:bob"]);
}

#[test]
fn what_came_while_nobody_counted_is_told_in_pages_of_any_size() {
    for limit in [1, 2, 3] {
        let mut play = Play::start();
        let names: Vec<String> = (0..7).map(|n| format!("d:bob:friend{n}")).collect();
        for n in 0..7 {
            play.says("bob", &format!("friend{n}"));
        }
        play.restart();
        play.online("bob/phone");
        assert_eq!(told_by(&mut play, None, limit).0, names);
    }
}

#[test]
fn a_token_of_another_life_of_the_store_is_too_old() {
    let mut play = bob();
    let token = told(&mut play, None).1;
    play.store = MemoryStore::new(|_| {});
    play.restart();
    play.online("bob/phone");
    assert_eq!(ask(&mut play, Some(&token), 100), Err(Reject::TooOld));
    told(&mut play, None);
    assert_eq!(ask(&mut play, Some(&token), 100), Err(Reject::TooOld));
    let born = token.split('.').nth(1).unwrap();
    assert_eq!(ask(&mut play, Some(&format!("v2.{born}.1.0")), 100), Err(Reject::TooOld));
    let ahead = told(&mut play, None).1;
    let mut parts: Vec<&str> = ahead.split('.').collect();
    parts[2] = "18446744073709551615";
    assert_eq!(ask(&mut play, Some(&parts.join(".")), 100), Err(Reject::TooOld));
}
