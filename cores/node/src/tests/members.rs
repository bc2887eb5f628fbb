//! Members of a group: what they are, and what changed since a token.

use nightjar_model::{MembersView, Role};

use super::*;

fn ask(play: &mut Play, since: Option<&str>) -> Result<Reply, Reject> {
    let since = since.map(str::to_owned);
    play.operator(Command::Members { group: GroupId::parse("crew").unwrap(), since })
}

fn page(play: &mut Play, since: Option<&str>) -> MembersView {
    match ask(play, since) {
        Ok(Reply::Members(page)) => page,
        other => panic!("{other:?}"),
    }
}

fn told(page: &MembersView) -> Vec<(&str, Role, u64)> {
    page.members.iter().map(|one| (one.uid.as_str(), one.role, one.ver)).collect()
}

fn change(play: &mut Play, add: &[&str], remove: &[&str]) {
    let command = Command::ChangeMembers {
        group: GroupId::parse("crew").unwrap(),
        add: add.iter().map(|name| uid(name)).collect(),
        remove: remove.iter().map(|name| uid(name)).collect(),
    };
    play.operator(command).unwrap();
}

#[test]
fn a_token_gives_who_came_and_who_left_since_also_after_a_restart() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob", "carol"]);
    play.tells("alice", "crew");
    let all = page(&mut play, None);
    let (owner, member) = (Role::Owner, Role::Member);
    assert_eq!(told(&all), [("alice", owner, 1), ("bob", member, 1), ("carol", member, 1)]);
    assert_eq!(
        page(&mut play, Some(&all.next)),
        MembersView { next: all.next.clone(), ..Default::default() }
    );
    change(&mut play, &["dave"], &["bob"]);
    change(&mut play, &[], &["carol"]);
    change(&mut play, &["bob"], &[]);
    play.restart();
    let changed = page(&mut play, Some(&all.next));
    assert_eq!(told(&changed), [("dave", member, 3), ("bob", member, 5)]);
    assert_eq!(changed.removed, [uid("carol")]);
    let fresh = page(&mut play, Some(""));
    assert_eq!(told(&fresh), [("alice", owner, 1), ("dave", member, 3), ("bob", member, 5)]);
    assert!(fresh.removed.is_empty(), "a list of this moment names nobody who left");
    assert_eq!(fresh.next, changed.next);
}

#[test]
fn an_owner_who_leaves_hands_the_group_to_who_was_there_for_longest() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    change(&mut play, &["carol"], &[]);
    let since = page(&mut play, None).next;
    change(&mut play, &[], &["alice"]);
    change(&mut play, &["alice"], &[]);
    play.restart();
    let (owner, member) = (Role::Owner, Role::Member);
    let all = page(&mut play, None);
    assert_eq!(told(&all), [("carol", member, 2), ("bob", owner, 3), ("alice", member, 4)]);
    assert_eq!(told(&page(&mut play, Some(&since))), [("bob", owner, 3), ("alice", member, 4)]);
    play.tells("carol", "crew");
    play.online("bob/phone");
    let (conversation, seq) = (group("crew"), 5);
    play.ask("bob/phone", Command::Recall { conversation, seq }).unwrap();
}

#[test]
fn a_group_that_everybody_left_belongs_to_who_comes_first() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    change(&mut play, &[], &["alice", "bob"]);
    change(&mut play, &["carol"], &[]);
    change(&mut play, &["alice"], &[]);
    let all = page(&mut play, None);
    assert_eq!(told(&all), [("carol", Role::Owner, 3), ("alice", Role::Member, 4)]);
}

#[test]
fn twenty_thousand_members_come_in_pages_without_a_hole_or_a_double() {
    let mut play = Play::start();
    let long = "x".repeat(100);
    let members: Vec<Uid> = (1..20_000).map(|n| uid(&format!("{long}{n:05}"))).collect();
    play.group_of("crew", "alice", members.clone());
    let (mut listed, mut pages) = (Vec::new(), 0);
    let mut next = String::new();
    loop {
        let page = page(&mut play, Some(&next));
        if page.members.is_empty() {
            break;
        }
        pages += 1;
        next = page.next;
        listed.extend(page.members.into_iter().map(|one| one.uid));
    }
    assert!(pages > 1, "they do not fit one packet");
    let mut all = members;
    all.push(uid("alice"));
    all.sort_unstable();
    assert_eq!(listed, all);
}

#[test]
fn a_token_that_this_group_never_gave_is_refused() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    for bad in ["x", "v1.", "v1.1", "v1.1.", "v1.-1.bob", "v2.1.bob", "v1.2.bob"] {
        assert_eq!(ask(&mut play, Some(bad)), Err(Reject::BadRequest), "{bad}");
    }
}
