//! Contacts, groups and profiles as `sync` and notices tell them.

use nightjar_model::{
    ContactAction, ContactState, GroupView, Notice, ProfileView, Reject, Removed, Role,
};
use nightjar_session::Input as ServerInput;
use nightjar_wire::Kind;

use super::play::{Stage, group, uid};
use super::server::conversations;
use crate::{Event, Input, Listed, State};

fn lists_of_everything(stage: &mut Stage) {
    let server = &mut stage.server;
    server.contact_is("alice", ContactState::Accepted);
    server.contact_is("carol", ContactState::Asked);
    let (name, role) = ("Owls".to_owned(), Role::Owner);
    server.list(|ver| Listed::Group(GroupView { group: group("owls"), name, role, ver }));
    let (name, avatar) = (Some("Alice".to_owned()), None);
    server.list(|_| Listed::Profile(ProfileView { uid: uid("alice"), name, avatar, ver: 1 }));
}

fn online_with_everything() -> Stage {
    let mut stage = Stage::new();
    lists_of_everything(&mut stage);
    stage.happens(Input::Start);
    stage.everything_arrives();
    stage
}

/// Step by step: what is behind it in the list is not read yet.
fn until_the_group_is_told(stage: &mut Stage) {
    let is_group =
        |event: &Event| matches!(event, Event::Listed(item) if matches!(**item, Listed::Group(_)));
    while !stage.has_event(is_group) {
        if !(stage.commits() || stage.server_reads() || stage.client_reads()) {
            stage.time_passes(250);
        }
    }
}

const EVERYTHING: [&str; 4] = ["alice accepted", "carol asked", "owls Owls", "alice: Alice"];

#[test]
fn what_sync_lists_is_kept_and_told() {
    let mut stage = online_with_everything();
    assert_eq!(stage.disk.listed(), EVERYTHING);
    let told = stage.events.iter().filter(|event| matches!(event, Event::Listed(_))).count();
    assert_eq!((told, stage.has_event(|event| *event == Event::Relisted)), (4, true));
    stage.events.clear();
    stage.server.contact_is("alice", ContactState::None);
    stage.server.list(|ver| Listed::Removed(Removed::Group { group: group("owls"), ver }));
    stage.cut();
    stage.everything_arrives();
    assert_eq!(stage.disk.listed(), ["carol asked", "alice: Alice"]);
    assert!(!stage.has_event(|event| *event == Event::Relisted), "only what changed was asked for");
    let gone = |event: &Event| matches!(event, Event::Listed(item) if matches!(**item, Listed::Removed(_)));
    assert_eq!(stage.events.iter().filter(|event| gone(event)).count(), 2);
}

#[test]
fn nothing_is_told_before_its_commit() {
    let mut stage = Stage::new();
    lists_of_everything(&mut stage);
    stage.happens(Input::Start);
    stage.everything_arrives();
    stage.events.clear();
    let contact = stage.server.contact_is("dave", ContactState::Asked);
    stage.server.handle(ServerInput::Notice(Notice::Contact(contact)), stage.now);
    while stage.client_reads() {}
    assert!(!stage.has_event(|event| matches!(event, Event::Listed(_))));
    while stage.commits() {}
    assert!(stage.has_event(|event| matches!(event, Event::Listed(_))));
    assert!(stage.disk.listed().contains(&"dave asked".to_owned()));
}

#[test]
fn a_list_the_server_forgot_begins_anew_and_what_it_does_not_name_goes_at_its_end() {
    let mut stage = online_with_everything();
    stage.server.forget_contact("alice");
    stage.server.page_max = Some(1);
    stage.cut();
    stage.events.clear();
    until_the_group_is_told(&mut stage);
    assert_eq!(stage.disk.listed(), EVERYTHING, "nothing goes early");
    stage.crashes();
    assert_eq!(stage.disk.listed(), EVERYTHING);
    stage.everything_arrives();
    assert_eq!(stage.disk.listed(), EVERYTHING[1..]);
    assert!(stage.has_event(|event| *event == Event::Relisted));
}

#[test]
fn a_server_that_takes_no_token_of_its_own_is_not_asked_without_end() {
    let mut stage = online_with_everything();
    (stage.server.page_max, stage.server.refuses_tokens) = (Some(1), true);
    stage.cut();
    let before = stage.server.lists;
    for _ in 0..40 {
        while stage.server_reads() || stage.client_reads() || stage.commits() {}
        stage.time_passes(250);
    }
    assert_eq!(stage.server.lists - before, 4, "at 0, 1, 3 and 7 s");
    assert_eq!(stage.client.state(), State::OnlineFg, "the list is not waited for");
    (stage.server.page_max, stage.server.refuses_tokens) = (None, false);
    stage.time_passes(8_000);
    stage.everything_arrives();
    assert_eq!(stage.disk.listed(), EVERYTHING);
}

#[test]
fn a_conversation_that_a_whole_list_does_not_name_goes_with_it_and_its_messages_stay() {
    let mut stage = Stage::new();
    let [(_, direct), (_, owls)] = conversations();
    for conversation in [&direct, &owls] {
        stage.server.alice_writes(conversation, stage.now);
    }
    stage.happens(Input::Start);
    stage.everything_arrives();
    assert_eq!(stage.disk.places.len(), 2);
    stage.server.forget_conversation(&owls);
    stage.server.forgotten = u64::MAX;
    stage.cut();
    stage.everything_arrives();
    assert_eq!(stage.disk.places.keys().collect::<Vec<_>>(), [&direct]);
    assert!(!stage.client.places.contains_key(&owls));
    assert!(stage.disk.has(&owls, 1), "it was the user's to see");
    assert!(stage.has_event(|event| *event == Event::Relisted));
    // What comes of it while a list is under way belongs to that list.
    stage.server.alice_writes(&owls, stage.now);
    stage.everything_arrives();
    assert!(stage.disk.places.contains_key(&owls));
}

#[test]
fn a_first_list_goes_on_where_it_was_interrupted() {
    let mut stage = Stage::new();
    lists_of_everything(&mut stage);
    stage.server.page_max = Some(1);
    stage.happens(Input::Start);
    until_the_group_is_told(&mut stage);
    assert_eq!(stage.disk.listed(), EVERYTHING[..3]);
    assert!(!stage.has_event(|event| *event == Event::Relisted));
    stage.crashes();
    stage.everything_arrives();
    assert_eq!(stage.disk.listed(), EVERYTHING);
    assert_eq!((stage.disk.account.list, stage.disk.account.is_listing), (1, false));
}

#[test]
fn another_life_of_the_server_counts_anew() {
    let mut stage = online_with_everything();
    stage.server.begins_anew();
    stage.server.contact_is("carol", ContactState::Accepted);
    stage.cut();
    stage.everything_arrives();
    assert_eq!(stage.disk.listed(), ["carol accepted"], "although its version is lower");
}

#[test]
fn a_change_of_the_user_comes_back_as_the_server_sees_it_or_is_refused() {
    let mut stage = online_with_everything();
    stage.events.clear();
    stage.happens(Input::Contact { uid: uid("dave"), action: ContactAction::Request });
    stage.everything_arrives();
    assert!(stage.disk.listed().contains(&"dave requested".to_owned()));
    stage.happens(Input::Contact { uid: uid("erin"), action: ContactAction::Accept });
    stage.everything_arrives();
    let refused = |reject| Event::Refused { kind: Kind::Contact, reject };
    assert!(stage.has_event(|event| *event == refused(Some(Reject::NotAsked))));
    stage.happens(Input::Stop);
    stage.happens(Input::Contact { uid: uid("dave"), action: ContactAction::Remove });
    assert!(stage.has_event(|event| *event == refused(None)), "not without a connection");
}
