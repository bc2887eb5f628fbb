//! Questions, contacts, presence and what the app says of itself.

use nightjar_model::{
    AppStateReport, ContactAction, ContactState, ContactView, Notice, PresenceStatus, PresenceView,
};

use super::*;

fn view(uid: &str, state: ContactState) -> ContactView {
    ContactView { uid: Uid::parse(uid).unwrap(), state, blocked: false, ver: 1 }
}

#[test]
fn questions_and_answers() {
    let mut talk = Talk::live();
    let asks = [
        "<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='2' type='get' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        "<iq id='3' type='get' to='alice@localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        "<iq id='4' type='get' to='localhost'><query xmlns='jabber:iq:version'/></iq>",
        "<iq id='5' type='get' to='localhost'><time xmlns='urn:xmpp:time'/></iq>",
        "<iq id='6' type='set'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
        "<iq id='7' type='get' to='bob@localhost/x'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='8' type='get' to='nobody@localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        "<iq id='9' type='get'><query xmlns='urn:unknown'/></iq>",
        "<iq id='10' type='get' to='@'><query xmlns='urn:unknown'/></iq>",
        "<iq id='11' type='get'/>",
        "<iq id='12' type='set'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq id='13' type='set'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data'>\
         <field var='colour'/></x></query></iq>",
    ];
    let mut answers = String::new();
    for ask in asks {
        talk.says(ask);
        answers += &lines(&talk.told());
    }
    insta::assert_snapshot!(answers);
    assert!(talk.commands.is_empty());
}

#[test]
fn a_roster_is_the_contacts() {
    let mut talk = Talk::live();
    talk.says("<iq id='r' type='get'><query xmlns='jabber:iq:roster'/></iq>");
    let contacts = [
        view("bob", ContactState::Accepted),
        view("carol", ContactState::Requested),
        view("dave", ContactState::Asked),
        view("erin", ContactState::None),
    ];
    talk.answer(Ok(Reply::Contacts(contacts.to_vec())));
    insta::assert_snapshot!(lines(&talk.told()));
}

#[test]
fn contacts_are_made_and_told() {
    let mut talk = Talk::live();
    let rows = [
        ("subscribe", ContactAction::Request),
        ("subscribed", ContactAction::Accept),
        ("unsubscribe", ContactAction::Remove),
        ("unsubscribed", ContactAction::Remove),
    ];
    for (kind, expected) in rows {
        talk.says(&format!("<presence type='{kind}' to='bob@localhost'/>"));
        match talk.commands.pop() {
            Some((_, Command::Contact { action, .. })) => assert_eq!(action, expected),
            other => panic!("{other:?}"),
        }
    }
    let states =
        [ContactState::Asked, ContactState::Accepted, ContactState::Requested, ContactState::None];
    let mut told = String::new();
    for state in states {
        talk.input(Input::Notice(Notice::Contact(view("bob", state))));
        let said = talk.told();
        let id = said.split("id='").nth(1).and_then(|rest| rest.split('\'').next());
        told += &lines(&said.replace(id.unwrap_or("\0"), "ID"));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn presence_is_of_people() {
    let mut talk = Talk::bound();
    talk.says("<presence><show>away</show><status>lunch</status></presence>");
    assert!(talk.told().contains("from='alice@localhost/phone'"));
    let (id, _) = talk.commands.pop().expect("the contacts are looked up");
    let Some((_, Command::Presence(said))) = talk.commands.pop() else { panic!("not told") };
    let expected = PresenceStatus { status: "away".into(), text: Some("lunch".into()) };
    assert_eq!(said.set, Some(expected));
    let contacts = vec![view("bob", ContactState::Accepted), view("dave", ContactState::Asked)];
    talk.input(Input::Reply(id, Ok(Reply::Contacts(contacts))));
    assert!(
        talk.told()
            .contains("<presence xmlns='jabber:client' from='dave@localhost' type='subscribe'/>")
    );
    let bob = Uid::parse("bob").unwrap();
    let status = Some(PresenceStatus { status: "dnd".into(), text: None });
    let bob = PresenceView { uid: bob, online: true, last_seen: None, status };
    talk.answer(Ok(Reply::Presence(vec![bob.clone()])));
    assert!(talk.told().contains("from='bob@localhost/nightjar'><show>dnd</show>"));
    talk.input(Input::Notice(Notice::Presence(PresenceView { online: false, ..bob })));
    assert!(talk.told().contains("type='unavailable'"));
}

#[test]
fn an_app_says_whether_it_is_looked_at() {
    let mut talk = Talk::live();
    talk.says("<inactive xmlns='urn:xmpp:csi:0'/>");
    let inactive = AppStateReport::Background { grace_ms: -1 };
    assert!(
        matches!(talk.commands.pop(), Some((_, Command::AppState(state))) if state == inactive)
    );
    talk.says("<active xmlns='urn:xmpp:csi:0'/>");
    let active = AppStateReport::Foreground { conversation: None };
    assert!(matches!(talk.commands.pop(), Some((_, Command::AppState(state))) if state == active));
}

#[test]
fn the_lanes_end_a_stream_with_its_word() {
    for (reason, condition) in [
        (nightjar_model::ByeReason::Replaced, "conflict"),
        (nightjar_model::ByeReason::Kicked, "not-authorized"),
    ] {
        let mut talk = Talk::live();
        talk.input(Input::Notice(Notice::Bye { reason, text: None }));
        let told = talk.told();
        assert!(told.contains(condition) && told.ends_with("</stream:stream>"), "{told}");
    }
    let mut talk = Talk::live();
    talk.says("</stream:stream>");
    assert_eq!(talk.told(), "</stream:stream>");
    assert!(matches!(talk.asks.last(), Some(Output::Close { .. })));
}

#[test]
fn a_word_from_a_silent_device_is_passed_on() {
    let mut talk = Talk::live();
    talk.input(Input::Notice(Notice::Unresponsive));
    assert!(talk.commands.is_empty());
    talk.says(" ");
    assert!(matches!(talk.commands.pop(), Some((_, Command::Heard))));
    talk.says(" ");
    assert!(talk.commands.is_empty());
}
