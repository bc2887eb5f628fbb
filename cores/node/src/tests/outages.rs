//! Providers on bad days: what waits, what goes elsewhere, and who is told.

use nightjar_push::{LATE_AFTER_MS, Scope, TOO_MANY_INVALID};

use super::*;

fn unsent() -> Answer {
    Answer::unsent("connection_failed")
}

fn failed() -> Answer {
    Answer::new(Outcome::Retry, "503")
}

impl Play {
    /// Answers everything that is at the providers, and what follows, for so long.
    fn outage(&mut self, ms: u64, answer: &Answer) -> usize {
        let end = self.now.mono.after(ms);
        let mut requests = 0;
        while self.now.mono < end {
            while let Some(push) = self.pushes.first().cloned() {
                self.answer(&push, answer.clone());
                requests += 1;
            }
            let next = self.node.wait_until(true).unwrap_or(end).min(end);
            self.after(next.since(self.now.mono).max(1));
        }
        requests
    }

    /// What was told of messages nobody takes: `(device, place, reason)`.
    fn unreachable(&mut self) -> Vec<(String, u64, String)> {
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let line = |event: &serde_json::Value| {
            let device = format!("{}/{}", word(&event["uids"][0]), word(&event["devices"][0]));
            (device, event["message"]["seq"].as_u64().unwrap(), word(&event["reason"]))
        };
        self.events("message.unreachable").iter().map(line).collect()
    }

    /// A phone that prefers APNs and has FCM besides.
    fn phone_with_two(&mut self, name: &str) {
        self.bind(name, "fcm", &format!("fcm of {name}"));
        self.pass(10);
        self.bind(name, "apns", &format!("apns of {name}"));
    }
}

#[test]
fn ten_minutes_without_a_vendor_cost_few_requests_and_no_message() {
    const PHONES: usize = 300;
    let mut play = Play::with(|config| config.policy.storm = false);
    for n in 0..PHONES {
        play.phone(&format!("user{n}/phone"));
    }
    play.bind("carol/phone", "fcm", "carol's");
    let mut sent: BTreeMap<usize, Vec<MessageId>> = BTreeMap::new();
    let mut requests = 0;
    for _ in 0..3 {
        for n in 0..PHONES {
            let message = play.says("alice", &format!("user{n}")).message_id;
            sent.entry(n).or_default().push(message);
        }
        requests += play.outage(200_000, &failed());
    }
    assert!(requests <= 100 + 5 + 60, "{requests} requests in ten minutes");
    let (.., waiting) = play.node.sizes();
    assert!(waiting <= PHONES, "one key a phone waits, not one a message");
    play.says("alice", "carol");
    assert_eq!(play.pushed(), ["carol/phone"], "another vendor's are not delayed");
    play.take_pushes();
    // It is back: the next that is tried is answered, and everybody follows.
    play.after(30_000);
    let pushed = play.take_pushes();
    for (n, sent) in &sent {
        let of_user: Vec<MessageId> = pushed
            .iter()
            .filter(|push| push.request.uid == uid(&format!("user{n}")))
            .map(Pushed::mid)
            .collect();
        assert_eq!(of_user, *sent, "user{n}: each once, in order");
    }
    play.is_whole();
    assert_eq!(play.node.sizes().3, 0);
}

#[test]
fn what_waits_says_so_and_ends_at_its_own_time() {
    let mut play = Play::start();
    for n in 0..5 {
        play.phone(&format!("user{n}/phone"));
        play.says("alice", &format!("user{n}"));
    }
    play.phone("bob/phone");
    while let Some(push) = play.pushes.first().cloned() {
        play.answer(&push, unsent());
    }
    let mut draft = play.draft(Target::User(uid("bob")));
    draft.expires_at = Some(play.now.wall.after(20_000));
    let sent = play.send("alice", draft);
    let decided = play.reasons("bob/phone", &sent, Step::Decided);
    assert_eq!(decided, ["awaiting_provider"]);
    play.outage(19_000, &unsent());
    let decided = play.reasons("bob/phone", &sent, Step::Decided);
    assert!(!decided.contains(&"expired".to_owned()), "{decided:?}");
    play.outage(1_001, &unsent());
    let decided = play.reasons("bob/phone", &sent, Step::Decided);
    assert_eq!(decided.last().map(String::as_str), Some("expired"), "{decided:?}");
}

#[test]
fn the_next_binding_takes_over_once_the_first_is_late_and_takes_its_turn_back() {
    let mut play = Play::start();
    play.phone_with_two("bob/phone");
    let sent = play.says("alice", "bob");
    let began = play.now.mono;
    while play.pushes.iter().all(|push| push.token() != "fcm of bob/phone") {
        if let Some(push) = play.pushes.first().cloned() {
            play.answer(&push, unsent());
        }
        play.after(10);
    }
    let waited = play.now.mono.since(began);
    assert!((LATE_AFTER_MS..LATE_AFTER_MS + 100).contains(&waited), "{waited}");
    assert_eq!(play.take_pushes()[0].mid(), sent.message_id);
    assert_eq!(play.unreachable(), [], "somebody took it");
    // The next message finds the first binding again.
    play.says("alice", "bob");
    assert_eq!(play.the_push().token(), "apns of bob/phone");
    play.take_pushes();
    play.is_whole();
}

#[test]
fn keys_that_are_wrong_are_not_waited_for() {
    let mut play = Play::start();
    play.phone_with_two("bob/phone");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    let wrong = Answer::new(Outcome::ConfigError, "InvalidProviderToken");
    play.answer(&push, wrong.about(Scope::Credential));
    let push = play.the_push();
    assert_eq!((push.token(), push.mid()), ("fcm of bob/phone", sent.message_id));
}

#[test]
fn what_a_vendor_may_have_taken_goes_to_no_other() {
    let mut play = Play::start();
    play.phone_with_two("bob/phone");
    play.says("alice", "bob");
    let mut tokens = Vec::new();
    for _ in 0..12 {
        let push = play.the_push();
        tokens.push(push.token().to_owned());
        play.answer(&push, Answer::new(Outcome::Retry, "timeout"));
        play.after(30_000);
    }
    assert!(tokens.iter().all(|token| token == "apns of bob/phone"), "{tokens:?}");
    assert_eq!(play.unreachable(), [("bob/phone".into(), 1, "awaiting_provider".into())]);
}

#[test]
fn the_back_end_is_told_once_of_a_message_that_nobody_takes() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.says("alice", "bob");
    play.outage(LATE_AFTER_MS - 100, &unsent());
    assert_eq!(play.unreachable(), []);
    play.outage(300_000, &unsent());
    assert_eq!(play.unreachable(), [("bob/phone".into(), 1, "awaiting_provider".into())]);
    // A message that is refused is another one.
    play.after(30_000);
    play.take_pushes();
    play.says("alice", "bob");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Reject, "PayloadEmpty"));
    assert_eq!(play.unreachable()[1], ("bob/phone".into(), 2, "provider_reject".into()));
    play.says("alice", "bob");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::TokenInvalid, "Unregistered"));
    assert_eq!(play.unreachable()[2], ("bob/phone".into(), 3, "illegal_binding".into()));
}

#[test]
fn a_vendor_that_is_down_is_told_of_for_each_that_waits() {
    let mut play = Play::start();
    for n in 0..10 {
        play.phone(&format!("user{n}/phone"));
        play.says("alice", &format!("user{n}"));
    }
    play.outage(60_000, &unsent());
    let mut told: Vec<String> = play.unreachable().into_iter().map(|(device, ..)| device).collect();
    told.sort();
    assert_eq!(told, (0..10).map(|n| format!("user{n}/phone")).collect::<Vec<_>>());
}

#[test]
fn a_key_of_the_wrong_environment_kills_no_token() {
    let mut play = Play::start();
    let sent: Vec<SentReply> = (0..40)
        .map(|n| {
            play.phone(&format!("user{n}/phone"));
            play.says("alice", &format!("user{n}"))
        })
        .collect();
    play.outage(60_000, &Answer::new(Outcome::TokenInvalid, "BadDeviceToken"));
    for n in 0..40 {
        let bound = play.operator(Command::Devices { uid: uid(&format!("user{n}")) });
        let Ok(Reply::Devices(devices)) = bound else { panic!("{bound:?}") };
        assert_eq!(devices[0].bindings.len(), 1, "user{n}");
    }
    let outcomes: Vec<String> = play
        .events("push.outcome")
        .iter()
        .filter(|event| event["outcome"] == "config_error")
        .map(|event| event["reason"].as_str().unwrap().to_owned())
        .collect();
    assert!(!outcomes.is_empty());
    assert!(outcomes.iter().all(|reason| reason == TOO_MANY_INVALID), "{outcomes:?}");
    // What was owed when the answers began to be doubted comes with the right environment.
    let mut late = Vec::new();
    for _ in 0..10 {
        late.extend(play.take_pushes().iter().map(Pushed::mid));
        play.after(30_000);
    }
    let owed = sent[19..].iter().map(|sent| sent.message_id);
    assert!(owed.into_iter().all(|mid| late.contains(&mid)), "{late:?}");
    play.is_whole();
}

#[test]
fn what_a_device_did_meanwhile_is_not_undone_when_tokens_are_given_back() {
    let mut play = Play::start();
    for n in 0..25 {
        play.phone(&format!("user{n}/phone"));
        play.says("alice", &format!("user{n}"));
    }
    let dead = Answer::new(Outcome::TokenInvalid, "BadDeviceToken");
    let pushes: Vec<Pushed> = play.pushes.clone();
    for push in &pushes[..19] {
        play.answer(push, dead.clone());
    }
    // One binds anew, one's token is another's now, one signs out.
    play.bind("user0/phone", "apns", "a new one");
    play.bind("mallory/phone", "apns", "token of user1/phone");
    play.online("user2/phone");
    play.ask("user2/phone", Command::Logout { unbind: true }).unwrap();
    play.answer(&pushes[19], dead);
    for (n, expected) in [(0, 1), (1, 0), (2, 0), (3, 1)] {
        let bound = play.operator(Command::Devices { uid: uid(&format!("user{n}")) });
        let Ok(Reply::Devices(devices)) = bound else { panic!("{bound:?}") };
        assert_eq!(devices[0].bindings.len(), expected, "user{n}: {devices:?}");
    }
    play.restart();
    let bound = play.operator(Command::Devices { uid: uid("user3") });
    let Ok(Reply::Devices(devices)) = bound else { panic!("{bound:?}") };
    assert_eq!(devices[0].bindings.len(), 1, "it is written down");
}

#[test]
fn a_message_to_thousands_delays_no_chat_and_a_mention_in_it_comes_first() {
    let mut play = Play::with(|config| config.pushes_in_flight_max = 20);
    let members: Vec<String> = (0..600).map(|n| format!("user{n}")).collect();
    for user in &members {
        play.phone(&format!("{user}/phone"));
    }
    play.phone("bob/phone");
    play.group_of("all", "boss", members.iter().map(|name| uid(name)).collect());
    play.tells("boss", "all");
    assert_eq!(play.pushes.len(), 10, "half of the places");
    play.says("alice", "bob");
    assert_eq!(play.pushed().last().map(String::as_str), Some("bob/phone"), "at once");
    play.take_pushes();
    let mut draft = play.draft(Target::Group(GroupId::parse("all").unwrap()));
    let mentions = nightjar_model::Mentions::Users(vec![uid("user599")]);
    draft.push = Some(Box::new(PushSpec { mentions, ..PushSpec::default() }));
    play.send("boss", draft);
    assert!(play.pushed().contains(&"user599/phone".to_owned()), "{:?}", play.pushed());
    play.take_pushes();
    play.is_whole();
}

#[test]
fn a_withdrawal_waits_for_its_vendor_too_and_spends_its_budget_once() {
    let mut play = Play::start();
    for n in 0..6 {
        play.phone(&format!("user{n}/phone"));
    }
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    play.take_pushes();
    for n in 0..6 {
        play.says("alice", &format!("user{n}"));
    }
    while let Some(push) = play.pushes.first().cloned() {
        play.answer(&push, unsent());
    }
    play.online("alice/laptop");
    play.recall("alice/laptop", &sent);
    play.outage(600_000, &unsent());
    play.after(30_000);
    let withdrawn: Vec<Pushed> =
        play.take_pushes().into_iter().filter(|push| push.request.uid == uid("bob")).collect();
    assert_eq!(withdrawn.len(), 1);
    assert_eq!(withdrawn[0].request.data.wd, [nid(&sent)]);
}
