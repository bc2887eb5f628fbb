//! Edits and reactions: entries of their own that alert nobody and count as nothing.

use nightjar_model::limits;

use super::*;

const NEW: &[u8] = br#"{"type":"text", "text":"better  said"}"#;

fn edit(play: &mut Play, name: &str, message: &SentReply) -> Result<Reply, Reject> {
    let (conversation, seq) = (message.conversation.clone(), message.seq);
    play.ask(name, Command::Edit { conversation, seq, content: NEW.into() })
}

fn react(play: &mut Play, name: &str, message: &SentReply, remove: bool) -> Result<Reply, Reject> {
    let (conversation, seq) = (message.conversation.clone(), message.seq);
    play.ask(name, Command::React { conversation, seq, emoji: "\u{1f44d}".into(), remove })
}

/// The contents that a device was given since the last time.
fn given(play: &mut Play, name: &str) -> Vec<String> {
    let notices = play.notices(name).into_iter();
    let contents = notices.filter_map(|notice| match notice {
        Notice::Wake(delivery) => {
            assert!(!delivery.alert);
            Some(String::from_utf8(delivery.entry.content.to_vec()).unwrap())
        }
        _ => None,
    });
    contents.collect()
}

#[test]
fn an_edit_and_a_reaction_reach_the_others_and_alert_nobody() {
    let mut play = Play::start();
    play.online("alice/laptop");
    play.online("bob/phone");
    play.phone("bob/tablet");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/phone", &sent.conversation, 1);
    play.read("bob/phone", &sent.conversation, 1);
    play.notices("bob/phone");
    play.notices("alice/laptop");
    let pushed = play.pushed().len();

    assert_eq!(edit(&mut play, "alice/laptop", &sent), Ok(Reply::Seq(2)));
    let edited = r#"{"type":"edit","target":1,"content":{"type":"text", "text":"better  said"}}"#;
    assert_eq!(given(&mut play, "bob/phone"), [edited]);
    assert_eq!(react(&mut play, "bob/phone", &sent, false), Ok(Reply::Seq(3)));
    assert_eq!(react(&mut play, "bob/phone", &sent, true), Ok(Reply::Seq(4)));
    let seen = given(&mut play, "alice/laptop");
    let [added, removed] = &seen[..] else { panic!("{seen:?}") };
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let reaction = |remove| serde_json::json!({"type": "reaction", "target": 1, "emoji": "\u{1f44d}", "remove": remove});
    assert_eq!((json(added), json(removed)), (reaction(false), reaction(true)));

    play.after(10_000);
    assert_eq!(play.pushed().len(), pushed);
    assert_eq!((play.unread("bob").total, play.unread("alice").total), (0, 0));
    play.is_whole();
}

#[test]
fn only_the_author_edits_only_members_react_and_only_what_is_there() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    for name in ["alice/laptop", "bob/phone", "mallory/phone"] {
        play.online(name);
    }
    let sent = play.tells("bob", "crew");
    assert_eq!(edit(&mut play, "alice/laptop", &sent), Err(Reject::Forbidden));
    assert_eq!(edit(&mut play, "mallory/phone", &sent), Err(Reject::NotMember));
    assert_eq!(react(&mut play, "mallory/phone", &sent, false), Err(Reject::NotMember));
    // The first entry of a group is no message, and what is not there is none either.
    for seq in [0, 1, 9, Seq::MAX] {
        let nothing = SentReply { seq, ..sent.clone() };
        assert_eq!(react(&mut play, "alice/laptop", &nothing, false), Err(Reject::UnknownMessage));
    }
    play.recall("bob/phone", &sent);
    assert_eq!(edit(&mut play, "bob/phone", &sent), Err(Reject::UnknownMessage));
    play.is_whole();
}

#[test]
fn who_joined_later_does_not_react_to_what_came_before() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    let sent = play.tells("bob", "crew");
    let group = GroupId::parse("crew").unwrap();
    let add = vec![uid("carol")];
    play.operator(Command::ChangeMembers { group, add, remove: Vec::new() }).unwrap();
    play.online("carol/phone");
    assert_eq!(react(&mut play, "carol/phone", &sent, false), Err(Reject::UnknownMessage));
}

#[test]
fn one_user_says_so_much_of_one_message_and_no_more() {
    let mut play = Play::start();
    for name in ["alice/laptop", "bob/phone"] {
        play.online(name);
    }
    let sent = play.says("alice", "bob");
    for n in 0..limits::AMENDS_MAX {
        react(&mut play, "bob/phone", &sent, n % 2 == 1).unwrap();
    }
    play.restart();
    play.online("bob/phone");
    play.online("alice/laptop");
    let before = play.store.all_rows().count();
    assert_eq!(react(&mut play, "bob/phone", &sent, false), Err(Reject::LimitReached));
    assert_eq!(play.store.all_rows().count(), before);
    edit(&mut play, "alice/laptop", &sent).unwrap();
    let other = play.says("alice", "bob");
    react(&mut play, "bob/phone", &other, false).unwrap();
    play.is_whole();
}

#[test]
fn an_owner_who_came_back_does_not_recall_what_they_do_not_see() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    let change = |add: &[&str], remove: &[&str]| Command::ChangeMembers {
        group: GroupId::parse("crew").unwrap(),
        add: add.iter().map(|name| uid(name)).collect(),
        remove: remove.iter().map(|name| uid(name)).collect(),
    };
    let sent = play.tells("bob", "crew");
    play.operator(change(&[], &["alice", "bob"])).unwrap();
    play.operator(change(&["alice"], &[])).unwrap();
    play.online("alice/laptop");
    let (conversation, seq) = (sent.conversation.clone(), sent.seq);
    let recall = Command::Recall { conversation, seq };
    assert_eq!(play.ask("alice/laptop", recall), Err(Reject::UnknownMessage));
    play.is_whole();
}
