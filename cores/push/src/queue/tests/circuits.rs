//! A vendor that fails, and the others beside it.

use super::*;

/// Opens the circuit of a provider with five keys that fail.
fn down(provider: &str, keys: std::ops::Range<u8>) -> Play {
    let mut play = Play::new(100);
    play.due(keys);
    play.leave(provider);
    play.answer_all(&Answer::unsent("connection_failed"));
    play
}

#[test]
fn many_that_wait_for_a_vendor_send_one_to_see_whether_it_is_back() {
    let mut play = down("apns", 0..5);
    play.due(5..200);
    assert_eq!(play.leave("apns"), [], "nobody knocks");
    let mut probes = Vec::new();
    while play.now < Mono(200_000) {
        play.now = play.queue.wait_until().unwrap();
        let left = play.leave("apns");
        assert!(left.len() <= 1, "{left:?}");
        if !left.is_empty() {
            probes.push((play.now.0, left[0].clone()));
            play.answer_all(&Answer::unsent("connection_failed"));
        }
    }
    let waits: Vec<u64> = probes.windows(2).map(|two| two[1].0 - two[0].0).collect();
    assert_eq!(probes[0].0, 1_000);
    assert_eq!(waits[..5], [2_000, 4_000, 8_000, 16_000, 30_000]);
    assert!(waits.iter().all(|wait| *wait <= 30_000), "{waits:?}");
    let distinct: BTreeSet<&PushKey> = probes.iter().map(|(_, key)| key).collect();
    assert_eq!(distinct.len(), probes.len(), "a message nobody digests does not probe for all");
    // It is back: the probe is answered, and everybody follows.
    while play.flying.is_empty() {
        play.now = play.queue.wait_until().unwrap();
        play.leave("apns");
    }
    play.answer(&answer(Outcome::Delivered));
    assert_eq!(play.leave("apns").len(), 75, "as many chats as may be under way");
}

#[test]
fn one_message_that_nobody_digests_stops_no_other() {
    let mut play = Play::new(10);
    play.due([1]);
    for _ in 0..20 {
        assert_eq!(play.leave("apns"), [key(1)]);
        play.answer(&answer(Outcome::Retry));
        play.due([2]);
        let others = play.leave("apns");
        assert_eq!(others, [key(2)], "at {:?}", play.now);
        play.answer(&answer(Outcome::Delivered));
        play.queue.forget(&key(2).uid, &key(2).device_id);
        play.after(30_000);
    }
}

#[test]
fn who_is_told_that_all_have_to_wait_waits_so_long_and_the_others_with_it() {
    let mut play = Play::new(100);
    play.due(0..3);
    play.leave("fcm");
    let asked = Answer {
        retry_after_ms: Some(20_000),
        ..answer(Outcome::Throttled).about(Scope::Credential)
    };
    play.answer(&asked);
    play.due(3..50);
    play.after(19_999);
    assert_eq!(play.leave("fcm"), []);
    // Those that were under way when it was said do not shorten it, good or bad.
    play.answer(&answer(Outcome::Delivered));
    play.answer(&answer(Outcome::Retry));
    assert_eq!(play.leave("fcm"), []);
    play.after(1);
    assert_eq!(play.leave("fcm").len(), 1);
}

#[test]
fn a_device_that_has_to_wait_waits_alone_with_all_its_conversations() {
    let mut play = Play::new(100);
    let other_lane = PushKey {
        lane: PushLane::Conversation(ConversationId::direct(&key(1).uid, &key(1).uid)),
        ..key(1)
    };
    play.due([1]);
    play.leave("apns");
    let asked =
        Answer { retry_after_ms: Some(9_000), ..answer(Outcome::Throttled).about(Scope::Device) };
    play.answer(&asked);
    play.queue.due(other_lane, PushClass::Call);
    play.due([2]);
    assert_eq!(play.leave("apns"), [key(2)]);
    play.answer(&answer(Outcome::Delivered));
    play.queue.forget(&key(2).uid, &key(2).device_id);
    play.after(8_999);
    assert_eq!(play.leave("apns"), []);
    play.after(1);
    assert_eq!(play.leave("apns").len(), 2);
}

#[test]
fn a_vendor_that_asks_every_device_to_wait_is_asked_for_all_of_them() {
    let mut play = Play::new(100);
    play.due(0..50);
    play.leave("apns");
    let asked =
        Answer { retry_after_ms: Some(5_000), ..answer(Outcome::Throttled).about(Scope::Device) };
    play.answer_all(&asked);
    let mut requests = 0;
    while play.now < Mono(60_000) {
        play.now = play.queue.wait_until().unwrap();
        requests += play.leave("apns").len();
        play.answer_all(&asked);
    }
    assert!(requests <= 12, "{requests} in a minute");
}

#[test]
fn the_conversations_of_one_device_are_one_device() {
    let mut play = Play::new(100);
    for n in 0..8 {
        let peer = Uid::parse(&format!("user{n}")).unwrap();
        let lane = PushLane::Conversation(ConversationId::direct(&key(1).uid, &peer));
        play.queue.due(PushKey { lane, ..key(1) }, PushClass::Chat);
    }
    assert_eq!(play.leave("apns").len(), 8);
    play.answer_all(&answer(Outcome::Throttled).about(Scope::Device));
    play.due([2]);
    assert_eq!(play.leave("apns"), [key(2)]);
}

#[test]
fn a_vendor_that_hangs_or_is_down_delays_no_other() {
    let mut play = Play::new(10);
    play.due(0..50);
    assert_eq!(play.leave("apns").len(), 8, "chats leave room for what is more urgent");
    play.due(100..103);
    assert_eq!(play.leave("fcm"), [key(100), key(101), key(102)]);
}

#[test]
fn an_address_that_fails_is_no_other_address() {
    let subscription = |host: &str| Binding {
        token: Secret::new(format!(r#"{{"endpoint":"https://{host}/x","keys":{{}}}}"#)),
        ..by("webpush")
    };
    let route = |host: &str| RouteKey::of(&subscription(host));
    assert_eq!(route("Push.example:8443").host.as_deref(), Some("push.example:8443"));
    assert_ne!(route("a.example"), route("b.example"));
    assert_eq!(RouteKey::of(&by("apns")).host, None);
    assert_eq!(RouteKey::of(&Binding { bound_at: WallMs(1), ..by("webpush") }).host, None);
}

#[test]
fn a_probe_that_is_called_back_leaves_it_to_the_next() {
    let mut play = down("apns", 0..5);
    play.due(5..8);
    play.leave("apns");
    play.after(1_000);
    let probe = play.leave("apns").remove(0);
    play.queue.forget(&probe.uid, &probe.device_id);
    play.flying.clear();
    assert_eq!(play.leave("apns").len(), 1);
}

#[test]
fn an_invited_key_that_is_not_owed_any_more_leaves_its_place_to_the_next() {
    let mut play = down("apns", 0..5);
    play.due(5..9);
    play.leave("apns");
    play.after(1_000);
    for n in 0..9 {
        // Whoever is asked first has nothing to say.
        let Some((key, _)) = play.queue.next(play.now) else { panic!("nobody is asked after {n}") };
        if play.queue.may_leave(&key, &by("apns")).is_ok() && n >= 3 {
            return;
        }
        play.queue.done(&key);
    }
    panic!("nobody may leave");
}

#[test]
fn a_vendor_that_is_down_is_late_after_a_while_and_at_once_when_it_says_so() {
    let mut play = down("apns", 0..5);
    play.due(5..7);
    play.leave("apns");
    assert_eq!(play.queue.late_at(&key(5), &by("apns")), Some(Mono(LATE_AFTER_MS)));
    assert_eq!(play.queue.late_at(&key(5), &by("fcm")), None);
    let mut play = Play::new(10);
    play.due([1, 2]);
    play.leave("fcm");
    let asked = answer(Outcome::Throttled).about(Scope::Credential);
    play.answer(&Answer { retry_after_ms: Some(60_000), ..asked });
    assert_eq!(play.queue.late_at(&key(2), &by("fcm")), Some(Mono(0)));
    // Once it may be tried again and nobody waits to do so, whoever comes tries.
    play.now = Mono(60_000);
    play.queue.next(play.now);
    assert_eq!(play.queue.late_at(&key(2), &by("fcm")), None);
}

#[test]
fn a_key_that_takes_no_token_at_all_is_asked_by_one_message_at_a_time() {
    let mut play = Play::new(100);
    play.due(0..40);
    play.leave("apns");
    for _ in 0..20 {
        play.answer(&answer(Outcome::TokenInvalid));
    }
    play.due(40..90);
    assert_eq!(play.leave("apns"), []);
    play.after(1_000);
    assert_eq!(play.leave("apns").len(), 1);
    // The operator has mended it.
    play.flying.rotate_right(1);
    play.answer(&answer(Outcome::Delivered));
    assert!(play.leave("apns").len() > 1);
}

#[test]
fn other_keys_start_anew() {
    let mut play = down("apns", 0..5);
    play.due(5..9);
    assert_eq!(play.leave("apns"), []);
    play.queue.credential_changed(&by("apns").key);
    assert_eq!(play.leave("apns"), [key(5), key(6), key(7), key(8)]);
}

#[test]
fn routes_that_nobody_uses_are_forgotten() {
    let mut play = Play::new(10);
    for n in 0..1_000_u32 {
        let endpoint = format!("https://host{n}.example/");
        let binding = Binding { token: Secret::new(endpoint), ..by("webpush") };
        play.due([1]);
        play.queue.next(Mono(0)).unwrap();
        let ticket = play.queue.sent(&key(1), &binding);
        let refused = answer(Outcome::ConfigError).about(Scope::Credential);
        play.queue.answered(ticket, &binding, &refused, Mono(0), 0).unwrap();
        play.queue.forget(&key(1).uid, &key(1).device_id);
        assert!(play.queue.routes().count() <= UNUSED_ROUTES_MAX + 1);
    }
}
