//! How long a silent device is waited for.

use super::*;

/// A foreground device whose client says nothing.
fn silent_bob(play: &mut Play) {
    play.phone("bob/phone");
    play.online("bob/phone");
}

#[test]
fn a_silent_foreground_device_is_pushed_after_five_seconds_and_then_at_once() {
    let mut play = Play::start();
    silent_bob(&mut play);
    let first = play.says("alice", "bob");
    play.after(4_999);
    assert_eq!(play.pushed(), Vec::<String>::new());
    play.after(1);
    assert_eq!(play.the_push().mid(), first.message_id);
    assert!(play.notices("bob/phone").contains(&Notice::Unresponsive));
    play.take_pushes();
    let second = play.says("alice", "bob");
    assert_eq!(play.the_push().mid(), second.message_id);
    assert_eq!(play.reasons("bob/phone", &first, Step::Decided), ["foreground_deadline"]);
    assert_eq!(play.reasons("bob/phone", &second, Step::Decided), ["unresponsive"]);
    play.is_whole();
}

#[test]
fn a_frame_of_an_unresponsive_device_gives_it_its_deadline_back() {
    let mut play = Play::start();
    silent_bob(&mut play);
    play.says("alice", "bob");
    play.after(5_000);
    play.take_pushes();
    play.ask("bob/phone", Command::Heard).unwrap();
    play.says("alice", "bob");
    play.after(4_999);
    assert_eq!(play.pushed(), Vec::<String>::new());
    play.after(1);
    assert_eq!(play.pushed(), ["bob/phone"]);
}

#[test]
fn what_was_shown_or_read_in_time_is_not_pushed() {
    let mut play = Play::start();
    silent_bob(&mut play);
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    play.after(3_000);
    play.surfaced("bob/phone", &sent.conversation, 1);
    play.read("bob/laptop", &sent.conversation, 1);
    play.after(60_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.open_work(), 0);
    play.is_whole();
}

#[test]
fn stored_alone_does_not_finish_a_message() {
    let mut play = Play::start();
    silent_bob(&mut play);
    let sent = play.says("alice", "bob");
    let item = AckItem { conversation: sent.conversation.clone(), stored: 1, surfaced: 0 };
    play.ask("bob/phone", Command::Ack(vec![item])).unwrap();
    play.after(5_000);
    assert_eq!(play.the_push().mid(), sent.message_id);
}

#[test]
fn a_grace_gives_two_seconds_and_its_end_none() {
    let mut play = Play::start();
    silent_bob(&mut play);
    play.background("bob/phone", 10_000);
    play.after(500);
    let in_grace = play.says("alice", "bob");
    play.after(1_999);
    assert_eq!(play.pushed(), Vec::<String>::new());
    play.after(1);
    assert_eq!(play.reasons("bob/phone", &in_grace, Step::Decided), ["grace_deadline"]);
    play.take_pushes();
    play.ask("bob/phone", Command::Heard).unwrap();
    play.after(8_000);
    let later = play.says("alice", "bob");
    assert_eq!(play.reasons("bob/phone", &later, Step::Decided), ["background"]);
}

#[test]
fn background_without_grace_and_no_connection_are_pushed_at_once() {
    let mut play = Play::start();
    silent_bob(&mut play);
    play.background("bob/phone", 0);
    let first = play.says("alice", "bob");
    assert_eq!(play.reasons("bob/phone", &first, Step::Decided), ["background"]);
    play.take_pushes();
    play.lose("bob/phone");
    let second = play.says("alice", "bob");
    assert_eq!(play.reasons("bob/phone", &second, Step::Decided), ["offline"]);
    assert_eq!(play.the_push().mid(), second.message_id);
}

#[test]
fn a_lost_connection_makes_what_is_owed_due_and_then_nothing_more() {
    let mut play = Play::start();
    silent_bob(&mut play);
    play.says("alice", "bob");
    play.after(1_000);
    let conn = play.conns["bob/phone"];
    play.lose("bob/phone");
    assert_eq!(play.take_pushes().len(), 1);
    play.after(3_600_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
    // Whatever the gateway still says of that connection changes nothing.
    play.conns.insert("bob/phone".into(), conn);
    play.commits.clear();
    play.lose("bob/phone");
    assert_eq!(play.commits, []);
    play.is_whole();
}

#[test]
fn an_old_connections_end_does_not_touch_the_new_one() {
    let mut play = Play::start();
    silent_bob(&mut play);
    let old = play.conns["bob/phone"];
    play.online("bob/phone");
    let new = play.conns.insert("bob/phone".into(), old).unwrap();
    play.lose("bob/phone");
    play.conns.insert("bob/phone".into(), new);
    play.says("alice", "bob");
    assert_eq!(play.pushed(), Vec::<String>::new(), "the new connection has its deadline");
    play.after(5_000);
    assert_eq!(play.pushed(), ["bob/phone"]);
}

#[test]
fn a_stalled_process_shifts_deadlines_by_at_most_a_second() {
    let mut play = Play::start();
    silent_bob(&mut play);
    let shown = play.says("alice", "bob");
    play.phone("carol/phone");
    play.online("carol/phone");
    play.says("alice", "carol");
    // Nobody drives the node for a minute: the machine was paused.
    play.pass(60_000);
    play.settle();
    assert_eq!(play.pushed(), Vec::<String>::new(), "what waits in the sockets is read first");
    let wake = play.node.wait_until(true).unwrap();
    assert!(wake.since(play.now.mono) <= 1_000, "{wake:?} at {:?}", play.now.mono);
    play.surfaced("bob/phone", &shown.conversation, 1);
    play.after(1_000);
    assert_eq!(play.pushed(), ["carol/phone"], "only the one who stayed silent");
}
