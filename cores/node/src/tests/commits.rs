//! A message costs one small commit, and a resend costs none.

use nightjar_domain::{Durability, Key, Write};
use nightjar_model::{Lane, Step};

use super::*;

/// Users of these lanes, as many as asked for.
fn users_of(lanes: &[Lane], count: usize) -> Vec<Uid> {
    let names = (0_u64..).map(|n| uid(&format!("user{n}")));
    names.filter(|uid| lanes.contains(&Lane::of_user(uid))).take(count).collect()
}

/// The rows of the one commit of a message into a group of these members.
fn message_rows(owner: &str, members: Vec<Uid>) -> usize {
    // Without events for the back end, which are written with what they tell.
    let mut play = Play::with(|config| config.events = false);
    play.group_of("crew", owner, members);
    play.after(10_000);
    play.commits.clear();
    play.tells(owner, "crew");
    let with_entry = |commit: &&Commit| {
        commit.writes.iter().any(|write| matches!(write, Write::Put(Row::Entry(_))))
    };
    let commits: Vec<&Commit> = play.commits.iter().filter(with_entry).collect();
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].durability, Durability::Power);
    let rows = commits[0].writes.len();
    assert_eq!(play.node.stats().message_rows, rows as u64, "the metric says the same");
    rows
}

#[test]
fn a_message_is_one_commit_of_the_same_size_for_3_300_and_10_000_members() {
    let lanes = [Lane(1), Lane(2), Lane(3)];
    let one_of_each: Vec<Uid> = lanes.iter().flat_map(|lane| users_of(&[*lane], 1)).collect();
    let owner = users_of(&[Lane(4)], 1)[0].to_string();
    for count in [3, 300, 10_000] {
        let more = users_of(&lanes, count).into_iter().filter(|uid| !one_of_each.contains(uid));
        let members = one_of_each.iter().cloned().chain(more).take(count).collect();
        // Entry, head, idempotency, way from the id, sender's count; and a row a lane.
        assert_eq!(message_rows(&owner, members), 5 + lanes.len(), "{count} members");
    }
}

#[test]
fn a_group_over_all_lanes_costs_a_row_a_lane_and_no_row_a_member() {
    let members: Vec<Uid> = (0..10_000).map(|n| uid(&format!("member{n}"))).collect();
    assert_eq!(message_rows("alice", members), 5 + 256);
}

#[test]
fn a_member_without_a_device_costs_no_row_and_has_a_reason_all_the_same() {
    let lanes = [Lane(1), Lane(2)];
    let written = [10, 1_000].map(|count| {
        let mut play = Play::with(|config| config.events = false);
        let members = users_of(&lanes, count);
        play.group_of("crew", "alice", members.clone());
        play.after(10_000);
        play.commits.clear();
        let sent = play.tells("alice", "crew");
        play.after(10_000);
        let command = Command::Trace { message_id: sent.message_id, uid: members[3].clone() };
        let Ok(Reply::Trace(events)) = play.operator(command) else { panic!("no trace") };
        let last = events.last().unwrap();
        assert_eq!((last.step, last.reason.as_deref()), (Step::Decided, Some("no_device")));
        play.commits.iter().map(|commit| commit.writes.len()).sum::<usize>()
    });
    assert_eq!(written[0], written[1]);
}

#[test]
fn a_lane_that_has_open_work_gets_no_second_row() {
    let mut play = Play::with(|config| config.events = false);
    play.group_of("crew", "alice", (0..300).map(|n| uid(&format!("member{n}"))).collect());
    play.online("member7/phone");
    play.after(10_000);
    play.tells("alice", "crew");
    let lanes = play.open_work();
    play.tells("alice", "crew");
    assert_eq!(play.node.stats().message_rows, 5);
    assert_eq!(play.open_work(), lanes);
    play.is_whole();
}

#[test]
fn steps_of_a_burst_are_one_row_however_many_conversations_are_busy() {
    let mut play = Play::with(|config| config.events = false);
    let pairs: Vec<(String, String)> =
        (0..40).map(|n| (format!("from{n}"), format!("to{n}"))).collect();
    for (_, to) in &pairs {
        play.online(&format!("{to}/phone"));
    }
    play.after(1_000);
    play.commits.clear();
    for _ in 0..3 {
        for (from, to) in &pairs {
            play.says(from, to);
        }
    }
    play.after(1_000);
    let writes = play.commits.iter().flat_map(|commit| &commit.writes);
    let delivered = writes.filter(
        |write| matches!(write, Write::Put(Row::Trace(row)) if row.step == Step::Delivered),
    );
    assert_eq!(delivered.count(), pairs.len());
}

#[test]
fn a_resend_gets_the_first_answer_and_writes_nothing() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let draft = play.draft(Target::User(uid("bob")));
    let first = play.send("alice", draft.clone());
    play.after(1_000);
    play.commits.clear();
    let mut other_body = draft.clone();
    other_body.content = r#"{"type":"text","text":"another"}"#.into();
    for again in [draft.clone(), other_body.clone()] {
        let answer = play.send("alice", again);
        assert_eq!(answer, SentReply { duplicate: true, ..first.clone() });
    }
    assert_eq!(play.commits, []);
    play.restart();
    let after_restart = play.send("alice", draft);
    assert_eq!(after_restart, SentReply { duplicate: true, ..first });
    assert_eq!(play.unread("bob").total, 1);
    // The key is the sender's: another user may use the same.
    assert!(!play.send("carol", other_body).duplicate);
    play.is_whole();
}

#[test]
fn the_work_row_goes_in_the_commit_of_the_cursor_that_settled_it() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    assert_eq!(play.open_work(), 1);
    play.commits.clear();
    play.take_pushes();
    play.after(1_000);
    let work = Key::Work(Lane::of_user(&uid("bob")), sent.conversation.clone());
    let settles = |commit: &&Commit| commit.writes.contains(&Write::Delete(work.clone()));
    let commit = play.commits.iter().find(settles).expect("the work row is deleted");
    let cursor = commit.writes.iter().find_map(|write| match write {
        Write::Put(Row::Cursor(row)) => Some(row),
        _ => None,
    });
    let cursor = cursor.expect("the cursor is in the same commit");
    assert_eq!((cursor.settled, cursor.showing.clone()), (1, vec![(1, 1)]));
    assert_eq!(play.open_work(), 0);
    play.is_whole();
}

#[test]
fn an_ack_beyond_the_head_counts_up_to_the_head() {
    let mut play = Play::start();
    play.online("bob/phone");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/phone", &sent.conversation, 900);
    assert_eq!(play.reasons("bob/phone", &sent, Step::Surfaced).len(), 1);
    // Nothing above the head was acknowledged in advance: the next message is owed.
    let next = play.says("alice", "bob");
    play.after(5_000);
    assert_eq!(play.reasons("bob/phone", &next, Step::Deadline), ["foreground_deadline"]);
    play.is_whole();
}

#[test]
fn an_ack_for_a_conversation_of_others_changes_nothing() {
    let mut play = Play::start();
    play.online("mallory/phone");
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    play.commits.clear();
    play.surfaced("mallory/phone", &sent.conversation, 1);
    assert_eq!(play.commits, []);
    let read = Command::Read { conversation: sent.conversation.clone(), seq: 1 };
    assert_eq!(play.ask("mallory/phone", read), Err(Reject::UnknownConversation));
    assert_eq!(play.pushed(), ["bob/phone"]);
}

/// What the server says of a conversation, nobody else can say.
#[test]
fn a_message_in_the_form_of_a_recall_is_refused() {
    let mut play = Play::start();
    for content in [
        r#"{"type":"recall","target":1}"#,
        r#"{"a":1,"type":"\u0072ecall"}"#,
        r#"{"type":"edit","target":1,"content":{}}"#,
        r#"{"type":"reaction","target":1}"#,
    ] {
        let mut draft = play.draft(Target::User(uid("bob")));
        draft.content = content.into();
        let from = uid("mallory");
        let reply = play.operator(Command::SendAs { from, send: Box::new(draft) });
        assert_eq!(reply, Err(Reject::BadRequest), "{content}");
    }
}

/// Everybody waits for a commit, so a thousand members who acknowledge at once share several.
#[test]
fn what_a_large_group_acknowledges_at_once_is_written_over_several_turns() {
    let mut play = Play::start();
    let names: Vec<String> = (0..600).map(|n| format!("u{n}/phone")).collect();
    let uids: Vec<&str> = names.iter().map(|name| name.split_once('/').unwrap().0).collect();
    play.group("crew", "alice", &uids);
    for name in &names {
        play.online(name);
    }
    play.tells("alice", "crew");
    play.after(1_000);
    play.commits.clear();
    for name in &names {
        let item = AckItem { conversation: group("crew"), stored: 2, surfaced: 2 };
        let origin = Origin::Conn(play.conns[name], 2);
        play.handle(Input::Command { origin, command: Command::Ack(vec![item]) });
    }
    play.after(1_000);
    let rows: Vec<usize> = play.commits.iter().map(|commit| commit.writes.len()).collect();
    assert!(rows.iter().all(|rows| *rows <= 800), "{rows:?}");
    assert!(rows.iter().sum::<usize>() >= 600, "{rows:?}");
    play.is_whole();
}

/// Nobody writes anything: whatever is only asked about leaves memory again.
#[test]
fn who_only_asks_about_strangers_does_not_fill_the_memory() {
    let mut play = Play::start();
    play.online("mallory/phone");
    for n in 0..60_000 {
        let typing = Command::Typing(Target::User(uid(&format!("u{n}"))));
        let origin = Origin::Conn(play.conns["mallory/phone"], 2);
        play.handle(Input::Command { origin, command: typing });
    }
    assert!(play.node.sizes().0 >= 60_000, "or the test asks nothing");
    play.after(1_000);
    assert!(play.node.sizes().0 <= 50_000, "{:?}", play.node.sizes());
}
