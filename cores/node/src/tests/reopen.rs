//! What survives the end of the process, and what eviction may not lose.

use super::*;

#[test]
fn debts_survive_a_restart_and_are_due_at_once() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/phone");
    let sent: Vec<MessageId> = (0..3).map(|_| play.says("alice", "bob").message_id).collect();
    play.after(1_000);
    assert_eq!(play.pushed(), Vec::<String>::new(), "the deadline still runs");
    play.restart();
    assert_eq!(play.node.stats().work_rows_at_open, 1);
    assert_eq!(play.the_push().mid(), sent[0]);
    let left: Vec<MessageId> = play.take_pushes().iter().map(Pushed::mid).collect();
    assert_eq!(left, sent);
    play.is_whole();
    play.restart();
    assert_eq!(play.pushed(), Vec::<String>::new(), "settled is settled");
    assert_eq!(play.node.stats().work_rows_at_open, 0);
}

#[test]
fn a_request_nobody_answered_is_made_again_under_the_same_id() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.says("alice", "bob");
    let before = play.the_push();
    play.restart();
    let again = play.the_push();
    assert_eq!(again.request.data.nid, before.request.data.nid);
    assert!(again.request.data.bv >= before.request.data.bv);
}

#[test]
fn a_retry_that_waited_is_made_after_the_restart() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Throttled, "429"));
    play.restart();
    assert_eq!(play.the_push().mid(), sent.message_id);
}

#[test]
fn the_badge_and_its_version_never_fall() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let mut versions = vec![play.unread("bob").bv];
    for round in 1..=5 {
        play.says("alice", "bob");
        versions.push(play.unread("bob").bv);
        play.take_pushes();
        play.restart();
        let view = play.unread("bob");
        assert_eq!(view.total, round);
        versions.push(view.bv);
    }
    play.online("bob/laptop");
    let (unread, bv) = play.read("bob/laptop", &chat("alice", "bob"), 5);
    versions.push(bv);
    assert_eq!(unread, 0);
    play.restart();
    let view = play.unread("bob");
    versions.push(view.bv);
    assert_eq!(view.total, 0);
    assert!(versions.is_sorted(), "{versions:?}");
    assert!(versions.first() < versions.last());
}

#[test]
fn a_sender_counts_on_where_the_last_process_ended() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob", "carol"]);
    for _ in 0..3 {
        play.tells("alice", "crew");
    }
    play.restart();
    let change = Command::ChangeMembers {
        group: GroupId::parse("crew").unwrap(),
        add: vec![uid("dave")],
        remove: Vec::new(),
    };
    play.operator(change).unwrap();
    play.tells("alice", "crew");
    play.tells("bob", "crew");
    assert_eq!(play.unread("alice").total, 1);
    assert_eq!(play.unread("bob").total, 4);
    assert_eq!(play.unread("dave").total, 2);
    play.restart();
    assert_eq!(play.unread("alice").total, 1);
    play.is_whole();
}

#[test]
fn somebody_who_left_and_came_back_counts_from_there() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob"]);
    for _ in 0..3 {
        play.tells("bob", "crew");
    }
    let change = |add: &[&str], remove: &[&str]| Command::ChangeMembers {
        group: GroupId::parse("crew").unwrap(),
        add: add.iter().map(|name| uid(name)).collect(),
        remove: remove.iter().map(|name| uid(name)).collect(),
    };
    play.operator(change(&[], &["bob"])).unwrap();
    play.operator(change(&["bob"], &[])).unwrap();
    play.tells("bob", "crew");
    play.tells("alice", "crew");
    play.tells("alice", "crew");
    assert_eq!(play.unread("bob").total, 2);
    play.restart();
    assert_eq!(play.unread("bob").total, 2);
    play.is_whole();
}

#[test]
fn who_leaves_in_the_turn_of_the_last_messages_has_counted_them() {
    let mut play = Play::start();
    play.group("crew", "alice", &["bob", "carol", "dave", "erin", "frank", "grace"]);
    let sends = [("bob", 2), ("alice", 3)];
    for (from, count) in sends {
        for _ in 0..count {
            let send = Box::new(play.draft(Target::Group(GroupId::parse("crew").unwrap())));
            let command = Command::SendAs { from: uid(from), send };
            play.handle(Input::Command { origin: Origin::Api(1), command });
        }
    }
    let change = Command::ChangeMembers {
        group: GroupId::parse("crew").unwrap(),
        add: Vec::new(),
        remove: vec![uid("bob")],
    };
    play.handle(Input::Command { origin: Origin::Api(1), command: change });
    play.settle();
    assert_eq!(play.unread("bob").total, 3);
    play.restart();
    assert_eq!(play.unread("bob").total, 3);
    play.is_whole();
}

#[test]
fn who_writes_reads_and_is_recalled_in_one_turn_counts_right() {
    let mut play = Play::start();
    for name in ["bob/phone", "alice/phone"] {
        play.online(name);
    }
    play.says("alice", "bob");
    let taken_back = play.says("alice", "bob");
    let conversation = chat("alice", "bob");
    let send = Box::new(play.draft(Target::User(uid("alice"))));
    let together = [
        ("bob/phone", Command::Send(send)),
        (
            "alice/phone",
            Command::Recall { conversation: conversation.clone(), seq: taken_back.seq },
        ),
        ("bob/phone", Command::Read { conversation: conversation.clone(), seq: 1 }),
        ("alice/phone", Command::Read { conversation, seq: 3 }),
    ];
    for (name, command) in together {
        let origin = Origin::Conn(play.conns[name], 1);
        play.handle(Input::Command { origin, command });
    }
    play.settle();
    play.says("alice", "bob");
    play.says("bob", "alice");
    assert_eq!((play.unread("bob").total, play.unread("alice").total), (1, 1));
    play.restart();
    assert_eq!((play.unread("bob").total, play.unread("alice").total), (1, 1));
    play.is_whole();
}

#[test]
fn who_reads_up_to_the_own_message_of_the_same_turn_counts_right() {
    let mut play = Play::start();
    play.online("bob/phone");
    play.says("alice", "bob");
    let conversation = chat("alice", "bob");
    let send = Box::new(play.draft(Target::User(uid("alice"))));
    for command in [Command::Send(send), Command::Read { conversation, seq: 2 }] {
        let origin = Origin::Conn(play.conns["bob/phone"], 1);
        play.handle(Input::Command { origin, command });
    }
    play.settle();
    assert_eq!(play.unread("bob").total, 0);
    play.says("alice", "bob");
    assert_eq!(play.unread("bob").total, 1);
    play.restart();
    assert_eq!(play.unread("bob").total, 1);
}

/// More users than stay in memory are looked at, so that idle ones leave it.
fn crowd(play: &mut Play) {
    for n in 0..50_001 {
        let uid = uid(&format!("stranger{n}"));
        play.operator(Command::Devices { uid }).unwrap();
    }
    // Something is written, and with it idle users leave.
    play.says("alice", "zoe");
    play.after(100);
    let (_, users, ..) = play.node.sizes();
    assert!(users < 1_000, "{users} users stayed in memory");
}

#[test]
fn a_user_who_left_memory_loses_nothing() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/laptop", &sent.conversation, 1);
    play.take_pushes();
    play.lose("bob/laptop");
    let before = play.unread("bob");
    play.after(100);
    crowd(&mut play);
    let after = play.unread("bob");
    assert_eq!((after.total, &after.conversations), (before.total, &before.conversations));
    assert!(after.bv >= before.bv);
    // The phone still shows the message, and is told when it was read.
    play.online("bob/laptop");
    play.read("bob/laptop", &sent.conversation, 1);
    assert_eq!(play.the_push().request.data.wd, [nid(&sent)]);
    play.is_whole();
}

#[test]
fn a_withdrawal_that_waits_for_its_provider_keeps_its_user_in_memory() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/laptop", &sent.conversation, 1);
    play.take_pushes();
    play.read("bob/laptop", &sent.conversation, 1);
    let withdrawal = play.the_push();
    play.answer(&withdrawal, Answer::new(Outcome::Throttled, "429"));
    play.lose("bob/laptop");
    crowd(&mut play);
    play.after(60_000);
    let again = play.pushes.iter().find(|push| push.device() == "bob/phone");
    assert_eq!(again.map(|push| push.request.data.wd.clone()), Some(vec![nid(&sent)]));
}

/// Bob's phone shows a pushed message; his laptop and alice's are connected.
fn shown_on_bobs_phone(play: &mut Play) -> SentReply {
    play.phone("bob/phone");
    play.online("bob/laptop");
    play.online("alice/laptop");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/laptop", &sent.conversation, sent.seq);
    assert_eq!(play.take_pushes().len(), 1);
    play.after(1_000);
    sent
}

#[test]
fn a_withdrawal_nobody_answered_is_made_again_after_the_restart() {
    for is_recalled in [false, true] {
        let mut play = Play::start();
        let sent = shown_on_bobs_phone(&mut play);
        if is_recalled {
            play.recall("alice/laptop", &sent);
        } else {
            play.read("bob/laptop", &sent.conversation, sent.seq);
        }
        assert_eq!(play.the_push().request.data.wd, [nid(&sent)]);
        play.restart();
        assert_eq!(play.node.stats().work_rows_at_open, 1);
        assert_eq!(play.the_push().request.data.wd, [nid(&sent)]);
        play.take_pushes();
        play.after(1_000);
        play.is_whole();
        play.restart();
        assert_eq!(play.node.stats().work_rows_at_open, 0, "one push is enough");
        assert_eq!(play.pushed(), Vec::<String>::new());
        assert_eq!(play.online("bob/phone").withdraw, [nid(&sent)], "and the hello names it");
    }
}

#[test]
fn a_withdrawal_told_over_a_connection_and_not_confirmed_is_pushed_after_the_restart() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    play.online("bob/phone");
    play.read("bob/laptop", &sent.conversation, sent.seq);
    assert_eq!(play.pushed(), Vec::<String>::new());
    play.restart();
    assert_eq!(play.the_push().request.data.wd, [nid(&sent)]);
}

#[test]
fn a_confirmed_withdrawal_leaves_no_work() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    play.online("bob/phone");
    play.read("bob/laptop", &sent.conversation, sent.seq);
    play.ask("bob/phone", Command::Withdrawn(vec![nid(&sent)])).unwrap();
    play.after(1_000);
    play.restart();
    assert_eq!(play.node.stats().work_rows_at_open, 0);
    assert_eq!(play.pushed(), Vec::<String>::new());
}

#[test]
fn a_crash_forgets_no_reason_of_what_it_keeps() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = [play.says("alice", "bob"), play.says("alice", "bob")];
    let push = play.the_push();
    // The second request leaves with how far the first one brought the device.
    play.answer(&push, Answer::new(Outcome::Delivered, "200"));
    play.restart();
    assert_eq!(play.reasons("bob/phone", &sent[0], Step::Provider), ["delivered 200"]);
    play.online("bob/laptop");
    play.read("bob/laptop", &sent[1].conversation, 2);
    play.restart();
    assert_eq!(play.reasons("bob/laptop", &sent[1], Step::Read), [""]);
}
