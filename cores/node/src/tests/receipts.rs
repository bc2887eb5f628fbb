//! Devices whose protocol says no more than that they received something.

use nightjar_model::Voice;

use super::*;

const APP: Voice = Voice::Receipts { patience_ms: 15_000, push_if_unread_after_s: Some(30) };
const BROWSER: Voice = Voice::Receipts { patience_ms: 15_000, push_if_unread_after_s: None };

impl Play {
    /// A device that can be pushed, and that only ever confirms.
    fn confirms(&mut self, name: &str, voice: Voice) {
        self.phone(name);
        self.hello_as(name, AppStateReport::Foreground { conversation: None }, voice);
    }

    fn back_end_says(&mut self, name: &str, state: AppStateReport) {
        let (uid, device_id) = device(name);
        self.operator(Command::ReportAppState { uid, device_id, state }).unwrap();
    }
}

#[test]
fn while_it_starts_it_need_not_answer_and_then_it_has_its_deadline() {
    let mut play = Play::start();
    play.confirms("bob/phone", APP);
    play.after(1_000);
    play.says("alice", "bob");
    play.after(18_999);
    assert_eq!(play.pushed(), [""; 0]);
    play.after(1);
    assert_eq!(play.pushed(), ["bob/phone"], "15 s to start and 5 s to answer");
}

#[test]
fn its_first_confirmation_ends_its_time_to_start() {
    let mut play = Play::start();
    play.confirms("bob/phone", APP);
    let chat = chat("alice", "bob");
    play.says("alice", "bob");
    play.surfaced("bob/phone", &chat, 1);
    play.read("bob/phone", &chat, 1);
    let frozen = play.says("alice", "bob");
    play.after(4_999);
    assert_eq!(play.pushed(), [""; 0]);
    play.after(1);
    assert_eq!(play.the_push().mid(), frozen.message_id);
    play.take_pushes();
    let second = play.says("alice", "bob");
    assert_eq!(play.the_push().mid(), second.message_id, "from now on at once");
    assert_eq!(play.events("message.offline").len(), 2, "once a message");
}

#[test]
fn a_slow_one_is_not_frozen_and_any_frame_shows_that_it_runs() {
    let mut play = Play::start();
    play.confirms("bob/browser", BROWSER);
    let chat = chat("alice", "bob");
    for _ in 0..20 {
        play.says("alice", "bob");
    }
    play.surfaced("bob/browser", &chat, 1);
    for seq in 2..=10 {
        play.after(4_000);
        play.surfaced("bob/browser", &chat, seq);
    }
    for _ in 0..5 {
        play.after(4_000);
        play.ask("bob/browser", Command::Heard).unwrap();
    }
    assert_eq!(play.pushed(), [""; 0]);
    play.after(5_000);
    assert_eq!(play.pushed(), ["bob/browser"]);
}

#[test]
fn what_an_app_confirmed_and_nobody_read_is_pushed_and_told() {
    let mut play = Play::start();
    play.confirms("bob/phone", APP);
    let chat = chat("alice", "bob");
    let read = play.says("alice", "bob");
    let unread = play.says("alice", "bob");
    play.surfaced("bob/phone", &chat, 2);
    play.after(10_000);
    let (uid, conversation) = (uid("bob"), chat.clone());
    play.operator(Command::ReadAs { uid, conversation, seq: 1 }).unwrap();
    play.after(19_999);
    assert_eq!(play.pushed(), [""; 0]);
    assert!(play.events("message.offline").is_empty());
    play.after(1);
    assert_eq!(play.the_push().mid(), unread.message_id);
    assert_eq!(play.events("message.offline").len(), 1);
    assert_eq!(play.reasons("bob/phone", &read, Step::Decided), [""; 0]);
    assert_eq!(play.reasons("bob/phone", &unread, Step::Decided), ["unread"]);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn an_app_that_left_while_something_was_unread_is_still_waited_for_after_a_restart() {
    let mut play = Play::start();
    play.confirms("bob/phone", APP);
    let chat = chat("alice", "bob");
    let sent = play.says("alice", "bob");
    play.surfaced("bob/phone", &chat, 1);
    play.after(10_000);
    play.restart();
    play.after(19_900);
    assert_eq!(play.pushed(), [""; 0]);
    play.after(100);
    assert_eq!(play.the_push().mid(), sent.message_id);
}

#[test]
fn off_the_screen_a_confirmation_is_no_more_than_that() {
    let mut play = Play::start();
    play.confirms("bob/browser", BROWSER);
    let chat = chat("alice", "bob");
    play.back_end_says("bob/browser", AppStateReport::Background { grace_ms: 0 });
    let sent = play.says("alice", "bob");
    play.surfaced("bob/browser", &chat, 1);
    assert_eq!(play.the_push().mid(), sent.message_id);
    assert_eq!(play.reasons("bob/browser", &sent, Step::Surfaced), [""; 0]);
    play.take_pushes();
    play.back_end_says("bob/browser", AppStateReport::Foreground { conversation: None });
    play.says("alice", "bob");
    play.surfaced("bob/browser", &chat, 2);
    play.after(60_000);
    assert_eq!(play.pushed(), [""; 0]);
    play.is_whole();
}

#[test]
fn what_a_gateway_keeps_is_kept_by_name() {
    let mut play = Play::start();
    let put = |key: &str, json: Option<&str>| Command::PutKept {
        gateway: "wukong",
        key: key.into(),
        json: json.map(|json| Secret::new(json.into())),
    };
    for key in ["a/1", "a/2", "a/3", "b/1"] {
        play.operator(put(key, Some("1"))).unwrap();
    }
    play.operator(put("a/2", None)).unwrap();
    play.restart();
    let kept = |play: &mut Play, prefix: &str, after: &str, limit| {
        let (prefix, after) = (prefix.into(), after.into());
        match play.operator(Command::Kept { gateway: "wukong", prefix, after, limit }) {
            Ok(Reply::Kept(rows)) => rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(kept(&mut play, "a/", "", 10), ["a/1", "a/3"]);
    assert_eq!(kept(&mut play, "a/", "", 1), ["a/1"]);
    assert_eq!(kept(&mut play, "a/", "a/1", 10), ["a/3"]);
    assert_eq!(kept(&mut play, "a/2", "", 1), [""; 0]);
    let large = "x".repeat(nightjar_model::limits::KEPT_BYTES_MAX + 1);
    assert_eq!(play.operator(put("c", Some(&large))), Err(Reject::TooLarge));
}
