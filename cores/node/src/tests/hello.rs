//! What a hello names: everything the device may still store or say that it showed.

use nightjar_model::Backlog;

use super::*;

fn stored(play: &mut Play, name: &str, conversation: &ConversationId, seq: Seq) {
    let item = AckItem { conversation: conversation.clone(), stored: seq, surfaced: 0 };
    play.ask(name, Command::Ack(vec![item])).unwrap();
}

fn named(conversation: ConversationId, stored: Seq, surfaced: Seq, head: Seq) -> Vec<Backlog> {
    vec![Backlog { conversation, stored, surfaced, head }]
}

#[test]
fn what_was_stored_and_not_shown_may_still_be_shown_after_a_reconnect() {
    let mut play = Play::start();
    let chat = chat("alice", "bob");
    play.online("bob/phone");
    play.says("alice", "bob");
    stored(&mut play, "bob/phone", &chat, 1);
    play.lose("bob/phone");
    assert_eq!(play.online("bob/phone").backlog, named(chat.clone(), 1, 0, 1));
    play.surfaced("bob/phone", &chat, 1);
    play.lose("bob/phone");
    assert_eq!(play.online("bob/phone").backlog, []);
}

#[test]
fn a_push_does_not_count_as_shown() {
    let mut play = Play::start();
    let chat = chat("alice", "bob");
    play.online("bob/phone");
    play.bind("bob/phone", "apns", "token");
    play.lose("bob/phone");
    play.says("alice", "bob");
    let pushed = play.pushes[0].clone();
    play.answer(&pushed, Answer::new(Outcome::Delivered, "ok"));
    assert_eq!(play.online("bob/phone").backlog, named(chat.clone(), 0, 0, 1));
}
