//! Provider keys that come, are turned off and go, and what the back end is told of silence.

use nightjar_model::Credential;
use serde_json::Value;

use super::*;

fn key(provider: &str, credential: &str) -> BindingKey {
    BindingKey { provider: provider.into(), credential: credential.into() }
}

/// An operator says of `apns main`, which the configuration has, whether it is on.
fn turn(play: &mut Play, enabled: bool) {
    put(play, key("apns", "main"), enabled, None).unwrap();
}

fn put(
    play: &mut Play,
    key: BindingKey,
    enabled: bool,
    options: Option<&str>,
) -> Result<Reply, Reject> {
    let options = options.map(|text| Secret::new(text.to_owned()));
    let credential = Credential { key, enabled, options, changed_at: WallMs(0) };
    play.operator(Command::PutCredential(Box::new(credential)))
}

/// What the back end is told, as `device reason silence`.
fn silences(play: &mut Play) -> Vec<String> {
    let text = |event: &Value| {
        let field = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
        format!("{} {}: {}", field("device_id"), field("silence"), field("reason"))
    };
    let events = play.events("push.outcome");
    events.iter().filter(|event| event["outcome"] == "silent").map(text).collect()
}

#[test]
fn what_is_turned_off_is_silent_until_it_is_on_again_also_across_a_restart() {
    let mut play = Play::start();
    play.phone("bob/phone");
    turn(&mut play, false);
    let sent = play.says("alice", "bob");
    assert_eq!(play.pushed(), Vec::<String>::new());
    assert_eq!(play.reasons("bob/phone", &sent, Step::Decided), ["credential_disabled"]);
    assert_eq!(silences(&mut play), ["phone credential_disabled: notifier disabled"]);
    play.restart();
    play.says("alice", "bob");
    assert_eq!(play.pushed(), Vec::<String>::new());
    turn(&mut play, true);
    let sent = play.says("alice", "bob");
    assert_eq!(play.the_push().mid(), sent.message_id);
    play.is_whole();
}

#[test]
fn a_device_is_pushed_through_its_next_credential_while_the_first_is_off() {
    let mut play = Play::start();
    play.bind("bob/phone", "fcm", "second");
    play.pass(10);
    play.bind("bob/phone", "apns", "first");
    turn(&mut play, false);
    play.says("alice", "bob");
    assert_eq!(play.the_push().token(), "second");
}

#[test]
fn one_that_is_made_takes_bindings_and_one_that_is_gone_is_silent() {
    let mut play = Play::start();
    let new = key("fcm", "new");
    let (uid, device_id) = device("bob/phone");
    let binding = Binding {
        key: new.clone(),
        token: Secret::new("t".into()),
        locale: None,
        environment: None,
        bound_at: WallMs(0),
    };
    let bind = Command::PutBinding { uid, device_id, binding };
    assert_eq!(play.operator(bind.clone()), Err(Reject::UnknownCredential));
    put(&mut play, new.clone(), true, Some("{}")).unwrap();
    play.operator(bind).unwrap();
    play.says("alice", "bob");
    assert_eq!(play.the_push().request.binding.key, new);
    play.take_pushes();
    play.restart();
    play.says("alice", "bob");
    assert_eq!(play.the_push().request.binding.key, new, "it survives a restart");
    play.take_pushes();
    play.operator(Command::DeleteCredential(new.clone())).unwrap();
    let sent = play.says("alice", "bob");
    assert_eq!(play.reasons("bob/phone", &sent, Step::Decided), ["unknown_credential"]);
    assert_eq!(silences(&mut play), ["phone unknown_credential: no notifier exist"]);
    let again = play.operator(Command::DeleteCredential(new));
    assert_eq!(again, Err(Reject::UnknownCredential));
}

#[test]
fn what_the_configuration_holds_can_be_turned_off_and_nothing_else() {
    let mut play = Play::start();
    let configured = key("apns", "main");
    assert_eq!(put(&mut play, configured.clone(), true, Some("{}")), Err(Reject::Exists));
    assert_eq!(play.operator(Command::DeleteCredential(configured)), Err(Reject::Exists));
    let unknown = put(&mut play, key("apns", "other"), false, None);
    assert_eq!(unknown, Err(Reject::UnknownCredential));
}

#[test]
fn a_test_goes_to_the_device_that_said_hello_last_under_a_token_that_is_still_its_own() {
    let mut play = Play::start();
    play.phone("bob/old");
    play.phone("bob/new");
    play.pass(10);
    play.online("bob/new");
    let target = |play: &mut Play, user: &str, device_id: Option<&str>| {
        let device_id = device_id.map(|id| DeviceId::parse(id).unwrap());
        let test = Command::TestTarget { uid: uid(user), device_id, key: key("apns", "main") };
        play.operator(test).map(|reply| match reply {
            Reply::TestTarget(target) => target.device_id.to_string(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(target(&mut play, "bob", None), Ok("new".into()));
    assert_eq!(target(&mut play, "bob", Some("old")), Ok("old".into()));
    assert_eq!(target(&mut play, "carol", None), Err(Reject::UnknownDevice));
    play.bind("carol/phone", "apns", "token of bob/new");
    assert_eq!(target(&mut play, "bob", None), Ok("old".into()), "its token is carol's now");
}

#[test]
fn the_back_end_is_told_of_silence_under_the_names_it_knows() {
    let mut play = Play::start();
    play.online("bob/bare");
    play.lose("bob/bare");
    play.says("alice", "bob");
    play.says("alice", "carol");
    play.phone("dave/phone");
    play.whispers("alice", "dave");
    let told = silences(&mut play);
    assert_eq!(
        told,
        [
            "bare no_binding: no push binding",
            "- no_device: no push binding",
            "- sender_silent: message ignore push",
        ]
    );
    let sent = play.says("alice", "dave");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Reject, "BadTopic"));
    let refused = &play.events("push.outcome")[3..];
    assert_eq!(
        (&refused[0]["reason"], &refused[0]["outcome"]),
        (&"BadTopic".into(), &"reject".into())
    );
    assert_eq!(refused[1]["reason"], "push yet but fail");
    assert_eq!(refused[1]["message_id"], sent.message_id.to_string());
    // Nobody was to be told of these.
    play.online("dave/phone");
    let sent = play.says("alice", "dave");
    play.read("dave/phone", &sent.conversation, sent.seq);
    play.after(60_000);
    assert_eq!(silences(&mut play).len(), 4);
}
