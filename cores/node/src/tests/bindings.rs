//! The life of bindings and tokens, and what is called back with them.

use super::*;

fn invalid() -> Answer {
    Answer::new(Outcome::TokenInvalid, "Unregistered")
}

fn tokens(play: &mut Play, name: &str) -> Vec<String> {
    let (user, _) = device(name);
    match play.operator(Command::Devices { uid: user }) {
        Ok(Reply::Devices(views)) => views
            .into_iter()
            .flat_map(|view| view.bindings)
            .map(|(key, token)| format!("{} {token}", key.provider))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dead_token_goes_and_the_next_binding_is_asked_at_once() {
    let mut play = Play::start();
    play.bind("bob/phone", "fcm", "second");
    play.pass(10);
    play.bind("bob/phone", "apns", "first");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    assert_eq!(push.token(), "first", "the last one bound is preferred");
    play.answer(&push, invalid());
    let push = play.the_push();
    assert_eq!((push.token(), push.mid()), ("second", sent.message_id));
    assert_eq!(tokens(&mut play, "bob/phone"), ["fcm second…"]);
    play.answer(&push, invalid());
    assert_eq!(tokens(&mut play, "bob/phone"), Vec::<String>::new());
    let decided = play.reasons("bob/phone", &sent, Step::Decided);
    assert_eq!(decided.last().map(String::as_str), Some("illegal_binding"), "{decided:?}");
    play.restart();
    assert_eq!(tokens(&mut play, "bob/phone"), Vec::<String>::new());
    play.is_whole();
}

#[test]
fn an_answer_about_an_older_token_leaves_the_new_one() {
    let mut play = Play::start();
    play.bind("bob/phone", "apns", "older");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    play.pass(10);
    play.bind("bob/phone", "apns", "newer");
    play.answer(&push, invalid());
    assert_eq!(tokens(&mut play, "bob/phone"), ["apns newer…"]);
    let push = play.the_push();
    assert_eq!((push.token(), push.mid()), ("newer", sent.message_id));
}

#[test]
fn a_token_bound_anew_while_the_request_was_on_its_way_is_kept() {
    let mut play = Play::start();
    play.bind("bob/phone", "apns", "same");
    play.says("alice", "bob");
    let push = play.the_push();
    play.pass(10);
    play.bind("bob/phone", "apns", "same");
    play.answer(&push, invalid());
    assert_eq!(tokens(&mut play, "bob/phone"), ["apns same…"]);
}

#[test]
fn a_kick_calls_back_what_is_on_its_way_and_ends_everything() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/phone");
    play.background("bob/phone", 0);
    let old_token = play.now.wall;
    play.says("alice", "bob");
    let push = play.the_push();
    let (user, device_id) = device("bob/phone");
    let kick = Command::Kick { uid: user, device_id, reason: "lost".into() };
    play.operator(kick).unwrap();
    assert_eq!(play.cancelled, [push.ticket]);
    let bye = Notice::Bye { reason: nightjar_model::ByeReason::Kicked, text: Some("lost".into()) };
    assert!(play.notices("bob/phone").contains(&bye));
    // An answer that was on its way means nothing any more.
    play.answer(&push, Answer::new(Outcome::Retry, "503"));
    play.says("alice", "bob");
    play.after(60_000);
    assert_eq!(play.pushed(), Vec::<String>::new());
    let (uid, device_id) = device("bob/phone");
    let hello = |token_issued_at| {
        Command::Hello(Box::new(HelloCommand {
            uid: uid.clone(),
            device_id: device_id.clone(),
            platform: Platform::Ios,
            state: AppStateReport::Foreground { conversation: None },
            voice: nightjar_model::Voice::Telling,
            resume: None,
            token_issued_at,
        }))
    };
    play.conns.insert("bob/phone".into(), ConnId(77));
    assert_eq!(play.ask("bob/phone", hello(old_token)), Err(Reject::TokenRevoked));
    play.restart();
    play.conns.insert("bob/phone".into(), ConnId(78));
    assert_eq!(play.ask("bob/phone", hello(old_token)), Err(Reject::TokenRevoked));
    let fresh = hello(play.now.wall);
    assert!(play.ask("bob/phone", fresh).is_ok());
    play.is_whole();
}

#[test]
fn a_logout_calls_back_and_unbinds_unless_it_keeps_the_binding() {
    let mut play = Play::start();
    for name in ["bob/phone", "carol/phone"] {
        play.phone(name);
        play.online(name);
        play.background(name, 0);
    }
    play.says("alice", "bob");
    let push = play.the_push();
    play.ask("bob/phone", Command::Logout { unbind: true }).unwrap();
    assert_eq!(play.cancelled, [push.ticket]);
    play.ask("carol/phone", Command::Logout { unbind: false }).unwrap();
    play.says("alice", "bob");
    play.says("alice", "carol");
    assert_eq!(play.pushed(), ["carol/phone"]);
    play.restart();
    play.says("alice", "bob");
    assert_eq!(play.pushed(), ["carol/phone"]);
    play.is_whole();
}

#[test]
fn a_device_that_signs_in_again_is_owed_what_comes_from_then_on() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/phone");
    let shown = play.says("alice", "bob");
    play.surfaced("bob/phone", &shown.conversation, 1);
    play.ask("bob/phone", Command::Logout { unbind: true }).unwrap();
    play.says("alice", "bob");
    play.after(1_000);
    play.phone("bob/phone");
    play.online("bob/phone");
    play.is_whole();
    let owed = play.says("alice", "bob");
    play.after(5_000);
    assert_eq!(play.the_push().mid(), owed.message_id);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn a_token_that_moves_to_another_user_takes_its_pushes_along() {
    let mut play = Play::start();
    play.bind("bob/phone", "apns", "the phone");
    play.says("alice", "bob");
    let push = play.the_push();
    play.bind("carol/phone", "apns", "the phone");
    assert_eq!(play.cancelled, [push.ticket]);
    assert_eq!(tokens(&mut play, "bob/phone"), Vec::<String>::new());
    let sent = play.says("alice", "bob");
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.reasons("bob/phone", &sent, Step::Decided), ["no_binding"]);
    play.says("alice", "carol");
    assert_eq!(play.pushed(), ["carol/phone"]);
    assert_eq!(play.events("token.moved").len(), 1);
    play.is_whole();
}

#[test]
fn unbinding_one_binding_lets_the_push_go_to_the_other() {
    let mut play = Play::start();
    play.bind("bob/phone", "fcm", "second");
    play.pass(10);
    play.bind("bob/phone", "apns", "first");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    let (uid, device_id) = device("bob/phone");
    let key = Some(push.request.binding.key.clone());
    play.operator(Command::DeleteBinding { uid, device_id, key }).unwrap();
    assert_eq!(play.cancelled, [push.ticket]);
    let push = play.the_push();
    assert_eq!((push.token(), push.mid()), ("second", sent.message_id));
}

#[test]
fn unknown_credentials_and_empty_tokens_are_refused() {
    let mut play = Play::start();
    let (uid, device_id) = device("bob/phone");
    let put = |provider: &str, token: &str| Command::PutBinding {
        uid: uid.clone(),
        device_id: device_id.clone(),
        binding: Binding {
            key: BindingKey { provider: provider.into(), credential: "main".into() },
            token: Secret::new(token.into()),
            locale: None,
            environment: None,
            bound_at: WallMs(0),
        },
    };
    let long = "x".repeat(nightjar_model::limits::PUSH_TOKEN_BYTES_MAX + 1);
    assert_eq!(play.operator(put("smoke", "t")), Err(Reject::UnknownCredential));
    assert_eq!(play.operator(put("apns", "")), Err(Reject::BadRequest));
    assert_eq!(play.operator(put("apns", &long)), Err(Reject::TooLarge));
    assert_eq!(play.commits, []);
}
