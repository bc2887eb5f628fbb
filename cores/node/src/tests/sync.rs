//! Incremental sync and history.

use nightjar_model::{HistoryCommand, SyncReply};

use super::*;

fn sync(play: &mut Play, name: &str, since: Option<&str>, limit: usize) -> SyncReply {
    let command = Command::Sync { since: since.map(str::to_owned), limit };
    match play.ask(name, command) {
        Ok(Reply::Sync(reply)) => *reply,
        other => panic!("{other:?}"),
    }
}

fn names(reply: &SyncReply) -> Vec<String> {
    reply.conversations.iter().map(|one| one.conversation.to_string()).collect()
}

#[test]
fn an_unchanged_token_gives_an_empty_list_also_after_a_restart() {
    let mut play = Play::start();
    play.online("bob/phone");
    play.says("alice", "bob");
    play.says("carol", "bob");
    let all = sync(&mut play, "bob/phone", None, 100);
    assert_eq!(names(&all), ["d:bob:carol", "d:alice:bob"], "the most recent first");
    assert!(sync(&mut play, "bob/phone", Some(&all.next), 100).conversations.is_empty());
    play.restart();
    play.online("bob/phone");
    let again = sync(&mut play, "bob/phone", Some(&all.next), 100);
    assert_eq!(names(&again), Vec::<String>::new());
}

#[test]
fn a_token_of_before_a_restart_names_what_changed_since() {
    let mut play = Play::start();
    play.online("bob/phone");
    for from in ["alice", "carol", "dave"] {
        play.says(from, "bob");
    }
    let token = sync(&mut play, "bob/phone", None, 100).next;
    play.says("carol", "bob");
    play.restart();
    play.says("dave", "bob");
    play.online("bob/phone");
    let changed = sync(&mut play, "bob/phone", Some(&token), 100);
    let mut found = names(&changed);
    found.sort();
    assert_eq!(found, ["d:bob:carol", "d:bob:dave"]);
    let carol = changed.conversations.iter().find(|one| one.peer == Some(uid("carol"))).unwrap();
    assert_eq!((carol.head_seq, carol.read_seq, carol.unread), (2, 0, 2));
    let read = changed.next;
    play.read("bob/phone", &chat("carol", "bob"), 2);
    assert_eq!(names(&sync(&mut play, "bob/phone", Some(&read), 100)), ["d:bob:carol"]);
}

#[test]
fn pages_follow_each_other_without_gap_or_double() {
    let mut play = Play::start();
    play.online("bob/phone");
    for n in 0..10 {
        play.says(&format!("friend{n}"), "bob");
    }
    let (mut token, mut seen, mut pages) = (None::<String>, Vec::new(), 0);
    loop {
        let page = sync(&mut play, "bob/phone", token.as_deref(), 3);
        seen.extend(names(&page));
        pages += 1;
        token = Some(page.next);
        if !page.more {
            break;
        }
    }
    assert!(pages >= 4, "{pages}");
    assert_eq!(seen.len(), 10);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 10);
}

#[test]
fn a_token_nobody_gave_is_refused() {
    let mut play = Play::start();
    play.online("bob/phone");
    for bad in [
        "x",
        "v2.",
        "v2.1.2",
        "v2.1.2.-1",
        "v2.1.2.3.4",
        "v1.1.2.3",
        "v2.1.2.9999999999999999999999",
    ] {
        let command = Command::Sync { since: Some(bad.into()), limit: 10 };
        assert_eq!(play.ask("bob/phone", command), Err(Reject::BadRequest), "{bad}");
    }
}

#[test]
fn a_member_sees_what_lies_between_joining_and_leaving() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    play.tells("alice", "crew");
    let change = |add: &[&str], remove: &[&str]| Command::ChangeMembers {
        group: GroupId::parse("crew").unwrap(),
        add: add.iter().map(|name| uid(name)).collect(),
        remove: remove.iter().map(|name| uid(name)).collect(),
    };
    play.operator(change(&["carol"], &[])).unwrap();
    play.tells("alice", "crew");
    play.operator(change(&[], &["carol"])).unwrap();
    let unseen = play.tells("alice", "crew");
    let history = |viewer: &str| Command::HistoryAs {
        viewer: uid(viewer),
        history: HistoryCommand {
            conversation: group("crew"),
            after: Some(0),
            before: None,
            limit: 100,
        },
    };
    let seqs = |play: &mut Play, viewer: &str| match play.operator(history(viewer)) {
        Ok(Reply::History { entries, head_seq }) => {
            (entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), head_seq)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(seqs(&mut play, "bob"), ((1..=6).collect(), 6));
    assert_eq!(seqs(&mut play, "carol"), (vec![3, 4, 5], 5));
    assert_eq!(play.operator(history("mallory")), Err(Reject::UnknownConversation));
    let trace = Command::Trace { message_id: unseen.message_id, uid: uid("carol") };
    assert_eq!(play.operator(trace), Err(Reject::UnknownMessage));
    assert_eq!(play.unread("carol").total, 1);
}
