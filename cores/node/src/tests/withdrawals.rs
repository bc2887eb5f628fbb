//! Taking notifications back.

use super::*;

/// Bob's phone was pushed for a message and shows it; his laptop is connected.
fn shown_on_bobs_phone(play: &mut Play) -> SentReply {
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/laptop", &sent.conversation, sent.seq);
    assert_eq!(play.take_pushes().len(), 1);
    sent
}

#[test]
fn reading_elsewhere_takes_the_notification_back_by_push() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    let (unread, bv) = play.read("bob/laptop", &sent.conversation, 1);
    let withdrawal = play.the_push();
    assert_eq!(withdrawal.device(), "bob/phone");
    assert!(withdrawal.request.alert.is_none());
    assert_eq!(withdrawal.request.data.wd, [nid(&sent)]);
    assert_eq!((withdrawal.request.data.badge, withdrawal.request.data.bv), (unread, bv));
    play.take_pushes();
    assert_eq!(play.reasons("bob/phone", &sent, Step::Withdrawn).len(), 1);
    // One push is enough; the device is told again when it comes back, until it confirms.
    play.after(3_600_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.online("bob/phone").withdraw, [nid(&sent)]);
    play.ask("bob/phone", Command::Withdrawn(vec![nid(&sent)])).unwrap();
    play.lose("bob/phone");
    assert_eq!(play.online("bob/phone").withdraw, []);
    play.is_whole();
}

#[test]
fn a_live_device_is_told_over_its_connection_and_by_push_if_it_stays_silent() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    play.online("bob/phone");
    play.notices("bob/phone");
    play.read("bob/laptop", &sent.conversation, 1);
    let told = Notice::Withdraw(vec![nid(&sent)]);
    assert!(play.notices("bob/phone").contains(&told));
    assert_eq!(play.pushed(), Vec::<String>::new());
    play.after(1_000);
    assert_eq!(play.the_push().request.data.wd, [nid(&sent)]);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn a_confirmed_withdrawal_is_not_pushed() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    play.online("bob/phone");
    play.read("bob/laptop", &sent.conversation, 1);
    play.ask("bob/phone", Command::Withdrawn(vec![nid(&sent)])).unwrap();
    play.after(60_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.reasons("bob/phone", &sent, Step::Withdrawn), ["confirmed"]);
    play.is_whole();
}

#[test]
fn a_connection_that_ends_before_it_confirmed_is_followed_by_a_push() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    play.online("bob/phone");
    play.read("bob/laptop", &sent.conversation, 1);
    play.lose("bob/phone");
    assert_eq!(play.the_push().request.data.wd, [nid(&sent)]);
}

#[test]
fn a_recall_takes_the_notification_back() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    play.online("alice/laptop");
    play.recall("alice/laptop", &sent);
    let withdrawal = play.the_push();
    assert_eq!(withdrawal.request.data.wd, [nid(&sent)]);
    assert_eq!(withdrawal.request.data.badge, 0);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn what_was_read_while_its_push_was_on_its_way_is_taken_back_at_once() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    play.read("bob/laptop", &sent.conversation, 1);
    assert_eq!(play.pushes.len(), 1, "the phone may not show it yet");
    play.answer(&push, Answer::new(Outcome::Delivered, "200"));
    assert_eq!(play.the_push().request.data.wd, [nid(&sent)]);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn what_was_recalled_while_its_push_was_on_its_way_is_taken_back_at_once() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("alice/laptop");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    play.recall("alice/laptop", &sent);
    play.answer(&push, Answer::new(Outcome::Delivered, "200"));
    assert_eq!(play.the_push().request.data.wd, [nid(&sent)]);
}

#[test]
fn what_is_to_be_taken_back_rides_on_the_next_push() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    play.read("bob/laptop", &sent.conversation, 1);
    // The withdrawal push is refused; the next message names it again.
    let withdrawal = play.the_push();
    play.answer(&withdrawal, Answer::new(Outcome::Reject, "no"));
    let next = play.says("alice", "bob");
    let push = play.the_push();
    assert_eq!((push.mid(), push.request.data.wd.clone()), (next.message_id, vec![nid(&sent)]));
}

#[test]
fn reading_a_part_keeps_the_shared_notification_of_a_storm() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent: Vec<SentReply> = (0..8).map(|_| play.says("alice", "bob")).collect();
    play.take_pushes();
    let shared = NotificationId::conversation(&sent[0].conversation);
    play.read("bob/laptop", &sent[0].conversation, 3);
    let partly: Vec<NotificationId> =
        play.take_pushes().into_iter().flat_map(|push| push.request.data.wd).collect();
    assert!(!partly.contains(&shared), "five messages are still unread: {partly:?}");
    assert_eq!(partly.len(), 3);
    play.read("bob/laptop", &sent[0].conversation, 8);
    let rest: Vec<NotificationId> =
        play.take_pushes().into_iter().flat_map(|push| push.request.data.wd).collect();
    assert!(rest.contains(&shared) && rest.contains(&nid(&sent[4])), "{rest:?}");
    play.is_whole();
}

#[test]
fn a_kicked_device_is_told_nothing_more() {
    let mut play = Play::start();
    let sent = shown_on_bobs_phone(&mut play);
    let (uid, device_id) = device("bob/phone");
    play.operator(Command::Kick { uid, device_id, reason: "lost".into() }).unwrap();
    play.read("bob/laptop", &sent.conversation, 1);
    play.after(60_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
}

#[test]
fn a_push_without_an_answer_that_was_read_meanwhile_is_taken_back() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    play.read("bob/laptop", &sent.conversation, 1);
    play.answer(&push, Answer::new(Outcome::Retry, "timeout"));
    assert_eq!(play.the_push().request.data.wd, [nid(&sent)], "it may be on the screen");
}

#[test]
fn what_the_provider_refused_is_not_taken_back() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Throttled, "429"));
    play.read("bob/laptop", &sent.conversation, 1);
    play.after(120_000);
    assert_eq!(play.pushes.len(), 0, "nothing is on the screen");
}

#[test]
fn a_storms_notification_goes_when_all_it_stands_for_was_taken_back() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("alice/laptop");
    let sent: Vec<_> = (0..7).map(|_| play.says("alice", "bob")).collect();
    let pushed = play.take_pushes();
    let shared = NotificationId::conversation(&sent[0].conversation);
    assert_eq!(pushed.last().unwrap().request.data.nid, Some(shared.clone()));
    play.recall("alice/laptop", &sent[6]);
    assert_eq!(play.pushes.len(), 0, "it still stands for the sixth message");
    play.recall("alice/laptop", &sent[5]);
    assert_eq!(play.the_push().request.data.wd, [shared]);
}

/// Bob's phone shows a storm's shared notification, which stands for the last two of seven.
fn a_storm_on_bobs_phone(play: &mut Play) -> (Vec<SentReply>, NotificationId) {
    play.phone("bob/phone");
    play.online("bob/laptop");
    let sent: Vec<_> = (0..7).map(|_| play.says("alice", "bob")).collect();
    let pushed = play.take_pushes();
    let shared = NotificationId::conversation(&sent[0].conversation);
    assert_eq!(pushed.last().unwrap().request.data.nid, Some(shared.clone()));
    (sent, shared)
}

#[test]
fn a_storms_notification_outlives_what_its_own_device_read_below_it() {
    let mut play = Play::start();
    let (sent, shared) = a_storm_on_bobs_phone(&mut play);
    let chat = sent[0].conversation.clone();
    play.online("bob/phone");
    play.read("bob/phone", &chat, 2);
    play.surfaced("bob/phone", &chat, 3);
    play.lose("bob/phone");
    play.read("bob/laptop", &chat, 7);
    let taken_back: Vec<NotificationId> =
        play.take_pushes().into_iter().flat_map(|push| push.request.data.wd).collect();
    assert!(taken_back.contains(&shared), "{taken_back:?}");
}

#[test]
fn a_storms_notification_goes_at_once_though_one_more_is_on_its_way() {
    let mut play = Play::start();
    let (sent, shared) = a_storm_on_bobs_phone(&mut play);
    let last = play.says("alice", "bob");
    let push = play.the_push();
    assert_eq!(push.request.data.nid, Some(shared.clone()));
    play.read("bob/laptop", &sent[0].conversation, last.seq);
    let withdrawal = play.pushes.last().unwrap().clone();
    assert!(withdrawal.request.data.wd.contains(&shared), "the provider may take long");
    play.online("bob/phone");
    play.ask("bob/phone", Command::Withdrawn(vec![shared.clone()])).unwrap();
    // It may have come to the screen after all.
    play.answer(&push, Answer::new(Outcome::Retry, "timeout"));
    assert!(play.notices("bob/phone").contains(&Notice::Withdraw(vec![shared])));
}

#[test]
fn what_a_device_posted_itself_goes_at_once_though_its_push_is_on_its_way() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    play.online("bob/phone");
    play.background("bob/phone", 25_000);
    let sent = play.says("alice", "bob");
    play.after(2_000);
    let push = play.the_push();
    play.ask("bob/phone", Command::Heard).unwrap();
    play.surfaced("bob/phone", &sent.conversation, 1);
    play.notices("bob/phone");
    play.read("bob/laptop", &sent.conversation, 1);
    let told = Notice::Withdraw(vec![nid(&sent)]);
    assert!(play.notices("bob/phone").contains(&told), "it shows it");
    play.ask("bob/phone", Command::Withdrawn(vec![nid(&sent)])).unwrap();
    play.answer(&push, Answer::new(Outcome::Delivered, "200"));
    assert!(play.notices("bob/phone").contains(&told), "and maybe again");
}

#[test]
fn what_a_device_posted_itself_is_taken_back_though_its_push_was_refused() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    play.online("bob/phone");
    play.background("bob/phone", 25_000);
    let sent = play.says("alice", "bob");
    play.after(2_000);
    let push = play.the_push();
    play.ask("bob/phone", Command::Heard).unwrap();
    play.surfaced("bob/phone", &sent.conversation, 1);
    play.answer(&push, Answer::new(Outcome::Throttled, "429"));
    play.notices("bob/phone");
    play.read("bob/laptop", &sent.conversation, 1);
    let told = Notice::Withdraw(vec![nid(&sent)]);
    assert!(play.notices("bob/phone").contains(&told), "it shows it");
    play.is_whole();
}

#[test]
fn beyond_apples_budget_a_withdrawal_waits_for_the_next_push() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let read = |play: &mut Play| {
        let sent = play.says("alice", "bob");
        play.take_pushes();
        play.read("bob/laptop", &sent.conversation, sent.seq);
        sent
    };
    for _ in 0..5 {
        let sent = read(&mut play);
        assert!(play.take_pushes()[0].request.data.wd.contains(&nid(&sent)));
    }
    let sixth = read(&mut play);
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.reasons("bob/phone", &sixth, Step::Withdrawn), ["beyond_budget"]);
    play.says("alice", "bob");
    assert!(play.the_push().request.data.wd.contains(&nid(&sixth)));
    play.take_pushes();
    play.is_whole();
}

#[test]
fn firebase_has_no_budget_for_withdrawals() {
    let mut play = Play::start();
    play.bind("bob/phone", "fcm", "a token");
    play.online("bob/laptop");
    for _ in 0..20 {
        let sent = play.says("alice", "bob");
        play.take_pushes();
        play.read("bob/laptop", &sent.conversation, sent.seq);
        assert!(play.take_pushes()[0].request.data.wd.contains(&nid(&sent)));
    }
}

#[test]
fn a_phone_that_never_confirms_is_told_of_the_newest() {
    let mut play = Play::start();
    play.bind("bob/phone", "fcm", "a token");
    play.online("bob/laptop");
    for _ in 0..40 {
        let sent = play.says("alice", "bob");
        play.take_pushes();
        play.read("bob/laptop", &sent.conversation, sent.seq);
        let named = play.take_pushes().remove(0).request.data.wd;
        assert!(named.len() <= 32 && named.contains(&nid(&sent)), "{named:?}");
    }
    let last = play.says("alice", "bob");
    play.read("bob/laptop", &last.conversation, last.seq);
    play.take_pushes();
    assert!(play.online("bob/phone").withdraw.contains(&nid(&last)));
}

#[test]
fn what_was_pushed_after_a_withdrawal_is_not_forgotten_with_its_confirmation() {
    let mut play = Play::start();
    let (sent, shared) = a_storm_on_bobs_phone(&mut play);
    let chat = sent[0].conversation.clone();
    play.read("bob/laptop", &chat, 7);
    play.take_pushes();
    let last = (0..7).map(|_| play.says("alice", "bob")).last().unwrap();
    let pushed = play.take_pushes();
    assert_eq!(pushed.last().unwrap().request.data.nid, Some(shared.clone()));
    play.online("bob/phone");
    // The app takes off what it was told to before the push came.
    play.ask("bob/phone", Command::Withdrawn(vec![shared.clone()])).unwrap();
    play.lose("bob/phone");
    play.read("bob/laptop", &chat, last.seq);
    let taken_back: Vec<NotificationId> =
        play.take_pushes().into_iter().flat_map(|push| push.request.data.wd).collect();
    assert!(taken_back.contains(&shared), "{taken_back:?}");
}

#[test]
fn what_is_unread_does_not_hide_what_was_read_below_it() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    play.online("bob/phone");
    play.background("bob/phone", -1);
    let first = play.says("alice", "bob");
    // The phone posts each by itself, more than a withdrawal looks through.
    let last = (0..300).map(|_| play.says("alice", "bob")).last().unwrap();
    play.surfaced("bob/phone", &last.conversation, last.seq);
    play.lose("bob/phone");
    play.take_pushes();
    play.read("bob/laptop", &first.conversation, first.seq);
    play.take_pushes();
    assert_eq!(play.online("bob/phone").withdraw, [nid(&first)]);
}
