//! Contacts on the wire, and the lists of a sync.

use nightjar_model::{
    Command, ContactAction, ContactState, ContactView, GroupId, GroupView, Notice, ProfileView,
    Reject, Removed, Reply, Role, SyncReply,
};
use nightjar_wire::{Body, Kind, body};

use crate::Input;
use crate::tests::play::{in_both_forms, uid};

fn carol(state: ContactState, blocked: bool) -> ContactView {
    ContactView { uid: uid("carol"), state, blocked, ver: 7 }
}

fn change(uid: &str, action: &str) -> Body {
    let (uid, action) = (uid.to_owned(), action.to_owned());
    Body::ContactChange(body::ContactChange { uid, action, contact: None })
}

#[test]
fn a_contact_is_changed_and_its_version_answered() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        for (action, meant) in [
            ("request", ContactAction::Request),
            ("accept", ContactAction::Accept),
            ("remove", ContactAction::Remove),
            ("block", ContactAction::Block),
            ("unblock", ContactAction::Unblock),
        ] {
            let serial = stage.asks(Kind::Contact, change("carol", action));
            let (id, command) = stage.lanes_get();
            assert_eq!(command, Command::Contact { uid: uid("carol"), action: meant });
            stage.lanes_say(id, Ok(Reply::Contact(carol(ContactState::Requested, false))));
            let answer = Body::ContactAnswer(body::ContactAnswer { ver: 7 });
            assert_eq!(stage.client_hears_answer(serial), answer);
        }
    });
}

#[test]
fn what_only_an_operator_may_do_and_words_that_mean_nothing_are_refused() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        for (who, action) in [("carol", "join"), ("carol", ""), ("", "request")] {
            let serial = stage.asks(Kind::Contact, change(who, action));
            stage.client_hears_refusal(serial, Reject::BadRequest);
        }
    });
}

#[test]
fn a_contact_that_changed_elsewhere_is_told() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        stage.happens(Input::Notice(Notice::Contact(carol(ContactState::Accepted, true))));
        let contact = body::Contact {
            uid: "carol".into(),
            state: "accepted".into(),
            ver: 7,
            blocked: Some(true),
        };
        let told = body::ContactChange { contact: Some(contact), ..Default::default() };
        assert_eq!(stage.client_hears().body, Body::ContactChange(told));
    });
}

#[test]
fn a_sync_lists_contacts_groups_profiles_and_what_is_gone() {
    in_both_forms(|stage| {
        let mut stage = stage.joined();
        let serial = stage.asks(Kind::Sync, Body::Sync(body::Sync::default()));
        let (id, _) = stage.lanes_get();
        let group = |name| GroupId::parse(name).unwrap();
        let crew = GroupView { group: group("crew"), name: "C".into(), role: Role::Owner, ver: 8 };
        let profile =
            ProfileView { uid: uid("carol"), name: Some("Carol".into()), avatar: None, ver: 2 };
        let sync = SyncReply {
            contacts: vec![carol(ContactState::Asked, false)],
            groups: vec![crew],
            profiles: vec![profile],
            removed: vec![
                Removed::Contact { uid: uid("dave"), ver: 5 },
                Removed::Group { group: group("old"), ver: 6 },
            ],
            ..SyncReply::default()
        };
        stage.lanes_say(id, Ok(Reply::Sync(Box::new(sync))));
        let Body::SyncAnswer(answer) = stage.client_hears_answer(serial) else { panic!() };
        let contact = &answer.contacts[0];
        assert_eq!((contact.uid.as_str(), contact.state.as_str()), ("carol", "asked"));
        let group = &answer.groups[0];
        assert_eq!((group.id.as_str(), group.role.as_str(), group.ver), ("crew", "owner", 8));
        let profile = &answer.profiles[0];
        assert_eq!((profile.name.as_deref(), &profile.avatar), (Some("Carol"), &None));
        let gone: Vec<_> =
            answer.removed.iter().map(|gone| (gone.kind.as_str(), gone.id.as_str())).collect();
        assert_eq!(gone, [("contact", "dave"), ("group", "old")]);
    });
}
