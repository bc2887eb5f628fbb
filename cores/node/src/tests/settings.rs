//! What users and operators choose about pushes.

use nightjar_model::{
    ConversationRules, DevicePolicy, Display, EVERY_DAY, Mentions, PushChoice, PushFilter,
    PushSettings, PushTemplate, QuietHours, QuietInterval, ReminderMode, TemplateUse,
};

use super::*;

impl Play {
    fn chooses(&mut self, user: &str, choose: impl FnOnce(&mut PushSettings)) {
        let mut settings = PushSettings::default();
        choose(&mut settings);
        let command = Command::PutPushSettings { uid: uid(user), settings: Box::new(settings) };
        self.operator(command).unwrap();
    }

    fn mutes(&mut self, user: &str, conversation: &ConversationId, until: Option<WallMs>) {
        let mode = until.is_none().then_some(ReminderMode::None);
        let rules = ConversationRules { mode, muted_until: until, quiet_hours: None };
        self.chooses(user, |own| own.conversations = [(conversation.clone(), rules)].into());
    }

    fn asks(&mut self, from: &str, to: &str, ask: impl FnOnce(&mut PushSpec)) -> SentReply {
        let mut draft = self.draft(Target::User(uid(to)));
        let mut push = PushSpec::default();
        ask(&mut push);
        draft.push = Some(Box::new(push));
        self.send(from, draft)
    }

    fn decided(&mut self, name: &str, message: &SentReply) -> Vec<String> {
        self.reasons(name, message, Step::Decided)
    }

    /// What is shown by the only push, which is then taken.
    fn shown(&mut self) -> (String, String) {
        let push = self.the_push();
        self.take_pushes();
        let alert = push.request.alert.expect("it shows something");
        (alert.title, alert.body)
    }

    fn explains(&mut self, push: Option<PushSpec>, at: Option<WallMs>) -> Vec<(String, String)> {
        let mut draft = self.draft(Target::User(uid("bob")));
        draft.push = push.map(Box::new);
        let command = Command::Explain { from: uid("alice"), send: Box::new(draft), at };
        let Ok(Reply::Explain(lines)) = self.operator(command) else { panic!("no explanation") };
        let line = |line: &nightjar_model::Explained| {
            let until = line.until.map_or(String::new(), |until| format!(" until {}", until.0));
            let device = line.device_id.as_ref().map_or("-", |id| id.as_str());
            (device.to_owned(), format!("{} {}{until}", line.decision, line.reason))
        };
        lines.iter().map(line).collect()
    }
}

#[test]
fn a_muted_conversation_is_not_pushed_and_not_in_the_badge_until_its_mute_ends() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let first = play.says("alice", "bob");
    play.take_pushes();
    let before = play.unread("bob");
    let laptop = play.online("bob/laptop");
    assert_eq!((before.total, laptop.unread), (1, 1));
    play.notices("bob/laptop");
    let until = play.now.wall.after(60_000);
    play.mutes("bob", &first.conversation, Some(until));
    let muted = play.unread("bob");
    assert_eq!((muted.total, muted.conversations[0].1), (0, 1), "{muted:?}");
    assert!(muted.bv > before.bv);
    let told = play.notices("bob/laptop");
    assert!(
        matches!(told[..], [Notice::ReadMarker { seq: 0, unread: 0, bv, .. }] if bv == muted.bv)
    );
    let second = play.says("alice", "bob");
    assert_eq!(play.pushed(), [""; 0]);
    assert_eq!(play.decided("bob/phone", &second), ["muted"]);
    let delivered = play.notices("bob/laptop");
    assert!(matches!(&delivered[..], [Notice::Wake(delivery)] if !delivery.alert));
    play.surfaced("bob/laptop", &first.conversation, 2);
    play.after(60_000);
    let after = play.unread("bob");
    assert_eq!(after.total, 2);
    assert!(after.bv > muted.bv);
    let told = play.notices("bob/laptop");
    assert!(matches!(told[..], [Notice::ReadMarker { unread: 2, .. }]), "{told:?}");
    let third = play.says("alice", "bob");
    assert_eq!(play.the_push().mid(), third.message_id);
    assert_eq!(play.the_push().request.data.badge, 3);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn a_conversation_without_reminders_stays_out_of_the_badge_across_a_restart() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.mutes("bob", &chat("alice", "bob"), None);
    play.says("alice", "bob");
    play.says("carol", "bob");
    assert_eq!(play.the_push().request.data.badge, 1);
    play.take_pushes();
    let before = play.unread("bob");
    play.after(100);
    play.restart();
    let after = play.unread("bob");
    assert_eq!((before.total, after.total), (1, 1));
    assert!(after.bv >= before.bv);
    play.online("bob/phone");
    let badge = play.read("bob/phone", &chat("alice", "bob"), 1);
    assert_eq!(badge.0, 1, "what is muted takes nothing away either");
    play.chooses("bob", |_| {});
    assert_eq!(play.unread("bob").total, 1);
    play.is_whole();
}

#[test]
fn only_force_is_above_none_and_quiet_hours() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let mention = |push: &mut PushSpec| push.mentions = Mentions::Users(vec![uid("bob")]);
    play.chooses("bob", |own| own.mode = Some(ReminderMode::None));
    let silent = play.asks("alice", "bob", mention);
    assert_eq!(play.decided("bob/phone", &silent), ["mode_none"]);
    play.chooses("bob", |own| own.mode = Some(ReminderMode::At));
    let plain = play.says("alice", "bob");
    assert_eq!(play.decided("bob/phone", &plain), ["not_mentioned"]);
    let mentioned = play.asks("alice", "bob", mention);
    assert_eq!(play.the_push().mid(), mentioned.message_id);
    play.take_pushes();
    // The play begins at 22:13 UTC.
    play.chooses("bob", |own| {
        let night = QuietInterval { start_min: 22 * 60, end_min: 23 * 60, weekdays: EVERY_DAY };
        own.quiet_hours = Some(QuietHours { time_zone: "UTC".into(), intervals: vec![night] });
    });
    let quiet = play.asks("alice", "bob", mention);
    assert_eq!(play.decided("bob/phone", &quiet), ["quiet_hours"]);
    let forced = play.asks("alice", "bob", |push| push.force = true);
    assert_eq!(play.the_push().mid(), forced.message_id);
    play.take_pushes();
    play.after(50 * 60_000);
    let morning = play.says("alice", "bob");
    assert_eq!(play.the_push().mid(), morning.message_id);
    play.take_pushes();
    play.chooses("bob", |own| own.blocked = [uid("alice")].into());
    let blocked = play.asks("alice", "bob", |push| push.force = true);
    assert_eq!(play.decided("bob/phone", &blocked), ["blocked"]);
    play.is_whole();
}

#[test]
fn if_all_must_be_offline_a_device_on_the_screen_has_its_deadline_first() {
    let mut play = Play::with(|config| config.policy.devices = DevicePolicy::AllOffline);
    play.phone("bob/phone");
    play.online("bob/laptop");
    let shown = play.says("alice", "bob");
    assert_eq!(play.pushed(), [""; 0]);
    play.after(1_000);
    play.surfaced("bob/laptop", &shown.conversation, shown.seq);
    play.after(10_000);
    assert_eq!(play.pushed(), [""; 0]);
    let why = ["awaiting_other_devices", "surfaced_elsewhere"];
    assert_eq!(play.decided("bob/phone", &shown), why);
    let unseen = play.says("alice", "bob");
    play.after(4_999);
    assert_eq!(play.pushed(), [""; 0]);
    play.after(1);
    assert_eq!(play.pushed(), ["bob/phone"]);
    assert_eq!(play.decided("bob/phone", &unseen), ["awaiting_other_devices", "offline"]);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn while_another_device_is_on_the_screen_a_push_waits_to_be_read_also_across_a_restart() {
    let mut play = Play::start();
    let delay = DevicePolicy::DelayIfActive { delay_s: 10 };
    play.phone("bob/phone");
    play.online("bob/laptop");
    play.chooses("bob", |own| own.policy = Some(delay));
    let read = play.says("alice", "bob");
    play.after(2_000);
    play.read("bob/laptop", &read.conversation, read.seq);
    play.after(20_000);
    assert_eq!(play.pushed(), [""; 0]);
    let unread = play.says("alice", "bob");
    play.surfaced("bob/laptop", &unread.conversation, unread.seq);
    play.after(4_000);
    play.restart();
    play.after(5_000);
    assert_eq!(play.pushed(), [""; 0], "the laptop was on the screen");
    play.after(1_000);
    assert_eq!(play.the_push().mid(), unread.message_id);
    assert_eq!(play.decided("bob/phone", &unread), ["active_elsewhere", "offline"]);
    play.take_pushes();
    let alone = play.says("alice", "bob");
    assert_eq!(play.the_push().mid(), alone.message_id, "nobody is on the screen any more");
    play.take_pushes();
    play.is_whole();
}

#[test]
fn a_choice_that_changes_lets_go_what_is_held() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let delay = DevicePolicy::DelayIfActive { delay_s: 3_600 };
    play.chooses("bob", |own| own.policy = Some(delay));
    play.says("alice", "bob");
    play.surfaced("bob/laptop", &chat("alice", "bob"), 1);
    assert_eq!(play.pushed(), [""; 0]);
    play.chooses("bob", |_| {});
    assert_eq!(play.pushed(), ["bob/phone"]);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn what_was_shown_and_not_read_is_pushed_after_a_while_also_across_a_restart() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/phone");
    play.chooses("bob", |own| own.push_if_unread_after_s = Some(30));
    let chat = chat("alice", "bob");
    play.says("alice", "bob");
    play.surfaced("bob/phone", &chat, 1);
    play.after(29_000);
    play.read("bob/phone", &chat, 1);
    play.after(60_000);
    assert_eq!(play.pushed(), [""; 0], "it was read");
    let unread = play.says("alice", "bob");
    play.surfaced("bob/phone", &chat, 2);
    play.after(10_000);
    play.restart();
    play.after(19_900);
    assert_eq!(play.pushed(), [""; 0]);
    play.after(100);
    assert_eq!(play.the_push().mid(), unread.message_id);
    assert_eq!(play.decided("bob/phone", &unread), ["unread"]);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn waiting_to_be_read_does_not_make_a_newer_message_wait_or_a_device_unresponsive() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/phone");
    play.chooses("bob", |own| own.push_if_unread_after_s = Some(30));
    let chat = chat("alice", "bob");
    play.says("alice", "bob");
    play.surfaced("bob/phone", &chat, 1);
    play.after(1_000);
    let newer = play.says("alice", "bob");
    play.after(5_000);
    assert_eq!(play.the_push().mid(), newer.message_id);
    assert_eq!(play.decided("bob/phone", &newer), ["foreground_deadline"]);
    play.take_pushes();
    play.ask("bob/phone", Command::Heard).unwrap();
    let shown = play.says("alice", "bob");
    play.surfaced("bob/phone", &chat, 3);
    play.after(30_000);
    assert_eq!(play.the_push().mid(), shown.message_id);
    play.take_pushes();
    let Ok(Reply::Devices(devices)) = play.operator(Command::Devices { uid: uid("bob") }) else {
        panic!("no devices");
    };
    assert_eq!(devices[0].app_state, nightjar_model::AppState::Foreground);
    play.is_whole();
}

#[test]
fn one_device_is_pushed_the_named_one_or_the_last_that_said_hello() {
    let mut play = Play::start();
    for name in ["bob/phone", "bob/tablet"] {
        play.phone(name);
        play.after(10);
        play.online(name);
        play.lose(name);
    }
    play.chooses("bob", |own| own.policy = Some(DevicePolicy::PrimaryOnly));
    let first = play.says("alice", "bob");
    assert_eq!(play.pushed(), ["bob/tablet"]);
    assert_eq!(play.decided("bob/phone", &first), ["not_primary"]);
    play.take_pushes();
    play.chooses("bob", |own| {
        own.policy = Some(DevicePolicy::PrimaryOnly);
        own.primary_device = Some(device("bob/phone").1);
    });
    play.says("alice", "bob");
    assert_eq!(play.pushed(), ["bob/phone"]);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn where_the_conversation_is_open_storing_is_enough() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let open = Some(chat("alice", "bob"));
    play.hello("bob/phone", AppStateReport::Foreground { conversation: open });
    let (here, there) = (play.says("alice", "bob"), play.says("carol", "bob"));
    for message in [&here, &there] {
        let conversation = message.conversation.clone();
        let item = AckItem { conversation, stored: 1, surfaced: 0 };
        play.ask("bob/phone", Command::Ack(vec![item])).unwrap();
    }
    play.after(10_000);
    assert_eq!(play.the_push().mid(), there.message_id);
    assert_eq!(play.decided("bob/phone", &here), ["open_conversation"]);
    play.take_pushes();
    play.is_whole();
}

#[test]
fn a_sender_filters_devices_and_credentials() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.phone("bob/tablet");
    play.bind("bob/tablet", "fcm", "another");
    let ignores = |ignored: &str| PushFilter {
        ignore_devices: vec![device(ignored).1],
        ..PushFilter::default()
    };
    let filtered = play.asks("alice", "bob", |push| push.filter = Some(ignores("bob/tablet")));
    assert_eq!(play.pushed(), ["bob/phone"]);
    assert_eq!(play.decided("bob/tablet", &filtered), ["filtered"]);
    play.take_pushes();
    let no_credential = play.asks("alice", "bob", |push| {
        let accept_credentials = vec!["other".to_owned()];
        push.filter = Some(PushFilter { accept_credentials, ..PushFilter::default() });
    });
    assert_eq!(play.pushed(), [""; 0]);
    assert_eq!(play.decided("bob/phone", &no_credential), ["filtered"]);
    play.is_whole();
}

#[test]
fn texts_come_from_templates_in_the_receivers_language_and_nicknames_are_the_senders() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.chooses("alice", |own| own.nickname = Some("Ally".into()));
    for (name, locale, body) in [
        ("news", None, "{0}, {$msg}"),
        ("news", Some("de"), "{0}: Neues von {$from}"),
        ("plain", None, "see the app"),
    ] {
        let template = PushTemplate {
            name: name.into(),
            locale: locale.map(str::to_owned),
            title: "{$from_name}".into(),
            body: body.into(),
        };
        play.operator(Command::PutPushTemplate(Box::new(template))).unwrap();
    }
    let named = |push: &mut PushSpec| {
        let body_args = vec!["Hi".to_owned()];
        push.template =
            Some(TemplateUse { name: "news".into(), title_args: Vec::new(), body_args });
    };
    play.asks("alice", "bob", named);
    assert!(play.shown().1.starts_with("Hi, message "));
    play.chooses("bob", |own| {
        own.language = Some("de-AT".into());
        own.template = Some("plain".into());
    });
    play.asks("alice", "bob", named);
    assert_eq!(play.shown(), ("Ally".to_owned(), "Hi: Neues von alice".to_owned()));
    play.says("alice", "bob");
    assert_eq!(play.shown().1, "see the app");
    play.operator(Command::DeletePushTemplate { name: "plain".into(), locale: None }).unwrap();
    play.says("alice", "bob");
    assert!(play.shown().1.starts_with("message "));
    let mut draft = play.draft(Target::User(uid("bob")));
    let template = TemplateUse { name: "plain".into(), ..TemplateUse::default() };
    draft.push = Some(Box::new(PushSpec { template: Some(template), ..PushSpec::default() }));
    let command = Command::SendAs { from: uid("alice"), send: Box::new(draft) };
    assert_eq!(play.operator(command), Err(Reject::UnknownTemplate));
    play.is_whole();
}

#[test]
fn an_operators_policy_holds_at_once_and_across_a_restart_below_the_users() {
    let mut play = Play::start();
    play.phone("bob/phone");
    let choice = PushChoice { display: Some(Display::Nothing), ..PushChoice::default() };
    play.operator(Command::PutPushPolicy(choice)).unwrap();
    play.says("alice", "bob");
    assert_eq!(play.shown().1, "New message");
    play.restart();
    play.says("alice", "bob");
    assert_eq!(play.shown().0, "New message");
    play.chooses("bob", |own| own.display = Some(Display::Sender));
    play.says("alice", "bob");
    assert_eq!(play.shown().0, "alice");
    play.operator(Command::PutPushPolicy(PushChoice::default())).unwrap();
    let Ok(Reply::PushPolicy(policy)) = play.operator(Command::PushPolicy) else {
        panic!("no policy");
    };
    assert_eq!(policy, play.config.policy);
}

#[test]
fn an_explanation_is_the_decision_of_its_moment() {
    let mut play = Play::start();
    play.phone("bob/phone");
    play.online("bob/laptop");
    let line = |device: &str, what: &str| (device.to_owned(), what.to_owned());
    let now = play.now.wall;
    let expected = [line("laptop", "silent no_binding"), line("phone", "push offline")];
    assert_eq!(play.explains(None, None), expected);
    let until = now.after(3_600_000);
    play.mutes("bob", &chat("alice", "bob"), Some(until));
    assert_eq!(play.explains(None, None)[1], line("phone", "silent muted"));
    assert_eq!(play.explains(None, Some(until))[1], line("phone", "push offline"));
    let forced = PushSpec { force: true, ..PushSpec::default() };
    assert_eq!(play.explains(Some(forced), None)[1], line("phone", "push offline"));
    play.chooses("bob", |own| own.policy = Some(DevicePolicy::AllOffline));
    let later = now.after(1_000_000);
    let held = format!("hold awaiting_other_devices until {}", later.after(5_000).0);
    assert_eq!(play.explains(None, Some(later))[1], line("phone", &held));
    assert_eq!(play.pushed(), [""; 0]);
    assert_eq!(play.open_work(), 0);
}

#[test]
fn every_attempt_has_its_row_across_a_restart() {
    let mut play = Play::with(|config| config.events = false);
    play.phone("bob/phone");
    let sent = play.says("alice", "bob");
    let push = play.the_push();
    play.answer(&push, Answer::new(Outcome::Retry, "503"));
    play.after(2_000);
    play.take_pushes();
    play.after(100);
    play.restart();
    play.says("alice", "bob");
    play.take_pushes();
    play.after(100);
    let Ok(Reply::Outcomes(rows)) = play.operator(Command::Outcomes { after: Some(1), limit: 10 })
    else {
        panic!("no outcomes");
    };
    let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 3]);
    let row: serde_json::Value = serde_json::from_str(&rows[0].1).unwrap();
    assert_eq!(row["message_id"], sent.message_id.to_string());
    assert_eq!((&row["outcome"], &row["provider"]), (&"delivered".into(), &"apns".into()));
}

#[test]
fn who_is_mentioned_in_a_large_group_is_told_first() {
    let mut play = Play::start();
    let names: Vec<String> = (0..40).map(|n| format!("member{n}")).collect();
    for name in &names {
        play.phone(&format!("{name}/phone"));
    }
    play.group_of("crew", "alice", names.iter().map(|name| uid(name)).collect());
    // Lanes are looked at in their order: whose comes last has the furthest to go.
    let last = names.iter().max_by_key(|name| nightjar_model::Lane::of_user(&uid(name))).unwrap();
    let mut draft = play.draft(Target::Group(GroupId::parse("crew").unwrap()));
    let mentions = Mentions::Users(vec![uid(last)]);
    draft.push = Some(Box::new(PushSpec { mentions, ..PushSpec::default() }));
    play.send("alice", draft);
    assert_eq!(play.pushes.len(), 40);
    assert_eq!(play.pushed()[0], format!("{last}/phone"));
    play.take_pushes();
    play.is_whole();
}
