//! What leaves for the providers, in which order, and what their answers lead to.

use super::*;

#[test]
fn a_push_carries_the_badge_and_version_of_that_moment() {
    let mut play = Play::start();
    play.phone("bob/phone");
    for (n, from) in ["alice", "carol"].into_iter().enumerate() {
        play.says(from, "bob");
        let view = play.unread("bob");
        let data = &play.pushes[n].request.data;
        assert_eq!((data.badge, data.bv), (view.total, view.bv), "it left at once");
    }
    play.says("alice", "bob");
    // The second message of alice waits for the first; the badge is read when it leaves.
    let last = play.take_pushes().pop().unwrap();
    let view = play.unread("bob");
    assert_eq!(view.total, 3);
    assert_eq!((last.request.data.badge, last.request.data.bv), (view.total, view.bv));
    play.is_whole();
}

#[test]
fn pushes_of_a_conversation_leave_one_after_the_other_in_order() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let sent: Vec<MessageId> = (0..4).map(|_| play.says("alice", "bob").message_id).collect();
    assert_eq!(play.pushes.len(), 1, "the next leaves when this one is answered");
    let left: Vec<MessageId> = play.take_pushes().iter().map(Pushed::mid).collect();
    assert_eq!(left, sent);
}

#[test]
fn the_sixth_unseen_message_shares_one_notification() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let sent: Vec<SentReply> = (0..8).map(|_| play.says("alice", "bob")).collect();
    let names: Vec<String> = play
        .take_pushes()
        .iter()
        .map(|push| push.request.data.nid.as_ref().unwrap().as_str().to_owned())
        .collect();
    let shared = format!("c.{}", sent[0].conversation);
    let own: Vec<String> = sent[..5].iter().map(|sent| nid(sent).as_str().to_owned()).collect();
    assert_eq!(names[..5], own);
    assert_eq!(names[5..], [shared.clone(), shared.clone(), shared]);
    play.is_whole();
}

#[test]
fn a_recalled_message_is_silenced_before_its_push() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("alice/laptop");
    play.says("alice", "bob");
    // It waits behind the first, which is at the provider.
    let second = play.says("alice", "bob");
    play.recall("alice/laptop", &second);
    assert_eq!(play.take_pushes().len(), 1);
    assert_eq!(play.reasons("bob/phone", &second, Step::Decided), ["recalled"]);
    assert_eq!(play.unread("bob").total, 1);
    play.is_whole();
}

#[test]
fn what_its_sender_wants_silent_is_owed_to_nobody() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.whispers("alice", "bob");
    play.after(60_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.open_work(), 0);
    assert_eq!(play.unread("bob").total, 1);
    play.is_whole();
}

#[test]
fn a_retry_comes_later_and_grows() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    let mut waits = Vec::new();
    for _ in 0..3 {
        let push = play.the_push();
        play.answer(&push, Answer::new(Outcome::Retry, "503"));
        assert_eq!(play.pushed(), Vec::<String>::new(), "not at once");
        let before = play.now.mono;
        while play.pushes.is_empty() {
            play.after(10);
        }
        waits.push(play.now.mono.since(before));
    }
    assert!((750..=1_010).contains(&waits[0]), "{waits:?}");
    assert!((1_500..=2_010).contains(&waits[1]), "{waits:?}");
    assert!((3_000..=4_010).contains(&waits[2]), "{waits:?}");
    assert_eq!(play.take_pushes()[0].mid(), sent.message_id);
    assert_eq!(play.open_work(), 1, "until the cursor is written");
    play.is_whole();
    assert_eq!(play.open_work(), 0);
}

#[test]
fn a_message_that_expired_while_it_waited_is_silent_for_that_reason() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let mut draft = play.draft(Target::User(uid("bob")));
    draft.expires_at = Some(play.now.wall.after(500));
    let sent = play.send("alice", draft);
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Retry, "503"));
    play.after(2_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.reasons("bob/phone", &sent, Step::Decided), ["offline", "expired"]);
    play.is_whole();
}

#[test]
fn a_message_that_expired_while_the_server_was_down_is_silent_for_that_reason() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let mut draft = play.draft(Target::User(uid("bob")));
    draft.expires_at = Some(play.now.wall.after(500));
    let sent = play.send("alice", draft);
    play.pass(1_000);
    play.restart();
    assert_eq!(play.pushed(), Vec::<String>::new());
    let reasons = play.reasons("bob/phone", &sent, Step::Decided);
    assert_eq!(reasons.last().map(String::as_str), Some("expired"), "{reasons:?}");
    play.is_whole();
}

#[test]
fn a_message_the_provider_refuses_for_good_is_silent_and_the_next_one_leaves() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let (first, second) = (play.says("alice", "bob"), play.says("alice", "bob"));
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Reject, "BadTopic"));
    assert_eq!(play.the_push().mid(), second.message_id);
    let decided = play.reasons("bob/phone", &first, Step::Decided);
    assert_eq!(decided, ["offline", "provider_reject"]);
}

#[test]
fn a_device_without_a_binding_and_a_user_without_a_device_have_their_reasons() {
    let mut play = Play::start();
    play.online("bob/phone");
    play.lose("bob/phone");
    let sent = play.says("alice", "bob");
    assert_eq!(play.reasons("bob/phone", &sent, Step::Decided), ["no_binding"]);
    let to_nobody = play.says("alice", "carol");
    let command = Command::Trace { message_id: to_nobody.message_id, uid: uid("carol") };
    let Ok(Reply::Trace(events)) = play.operator(command) else { panic!("no trace") };
    let decided = events.iter().find(|event| event.step == Step::Decided).unwrap();
    assert_eq!(decided.reason.as_deref(), Some("no_device"));
    play.is_whole();
}

#[test]
fn what_is_at_the_providers_at_a_time_is_bounded() {
    let mut play = Play::with(|config| config.pushes_in_flight_max = 2);
    for user in ["bob", "carol", "dave"] {
        play.phone(&format!("{user}/phone"));
    }
    play.group("crew", "alice", &["bob", "carol", "dave"]);
    play.tells("alice", "crew");
    assert_eq!(play.pushes.len(), 2);
    assert_eq!(play.take_pushes().len(), 3);
    play.is_whole();
}

#[test]
fn messages_of_one_turn_are_all_delivered_and_owed_however_many() {
    let mut play = Play::with(|config| config.policy.storm = false);
    let members = ["bob", "carol", "dave", "erin", "frank", "grace"];
    for user in members {
        play.phone(&format!("{user}/phone"));
    }
    play.online("bob/laptop");
    play.group("crew", "alice", &members);
    play.notices("bob/laptop");
    let sent = play.tells_at_once("alice", "crew", 600);
    let sent: Vec<MessageId> = sent.iter().map(|sent| sent.message_id).collect();
    let woken: Vec<MessageId> = play
        .notices("bob/laptop")
        .iter()
        .filter_map(|notice| match notice {
            Notice::Wake(delivery) => Some(delivery.entry.message_id),
            _ => None,
        })
        .collect();
    assert_eq!(woken, sent);
    let pushed = play.take_pushes();
    for user in members {
        let of_user = pushed.iter().filter(|push| push.device() == format!("{user}/phone"));
        assert_eq!(of_user.map(Pushed::mid).collect::<Vec<_>>(), sent, "{user}");
    }
    play.is_whole();
}
