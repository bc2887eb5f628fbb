mod circuits;
mod classes;

use nightjar_model::{BindingKey, Secret, WallMs};
use proptest::prelude::*;

use super::*;
use crate::render::Trim;
use crate::samples;

pub(super) fn key(n: u8) -> PushKey {
    PushKey {
        uid: Uid::parse("bob").unwrap(),
        device_id: DeviceId::parse(&format!("phone{n}")).unwrap(),
        lane: PushLane::Withdrawals,
    }
}

fn answer(outcome: Outcome) -> Answer {
    Answer::new(outcome, "test")
}

/// A binding of this provider.
fn by(provider: &str) -> Binding {
    let key = BindingKey { provider: provider.into(), credential: "main".into() };
    Binding { key, ..samples::binding() }
}

const FOREVER: Mono = Mono(1 << 60);

/// A queue in which every key has one binding and is always owed something.
struct Play {
    queue: Queue,
    now: Mono,
    flying: Vec<(Ticket, PushKey, Binding)>,
}

impl Play {
    fn new(route_max: usize) -> Self {
        Self { queue: Queue::new(route_max), now: Mono(0), flying: Vec::new() }
    }

    fn due(&mut self, keys: impl IntoIterator<Item = u8>) {
        keys.into_iter().for_each(|n| self.queue.due(key(n), PushClass::Chat));
    }

    /// Lets everything leave that may, by this provider's binding; answers which.
    fn leave(&mut self, provider: &str) -> Vec<PushKey> {
        let before = self.flying.len();
        while let Some((key, attempts)) = self.queue.next(self.now) {
            let binding = by(provider);
            let choice =
                crate::choose(std::slice::from_ref(&binding), &attempts, self.now, |binding| {
                    self.queue.late_at(&key, binding)
                });
            let crate::Choice::Binding { not_before, .. } = choice else {
                self.queue.done(&key);
                continue;
            };
            match self.queue.may_leave(&key, &binding) {
                _ if not_before > self.now => self.queue.wait(&key, not_before),
                Ok(()) => {
                    let ticket = self.queue.sent(&key, &binding);
                    self.flying.push((ticket, key, binding));
                }
                Err(Wait::Device(at)) => self.queue.wait(&key, at),
                Err(Wait::Busy | Wait::Down) => self.queue.park(&key, &binding, FOREVER),
            }
        }
        self.flying[before..].iter().map(|(_, key, _)| key.clone()).collect()
    }

    /// Answers the oldest request.
    fn answer(&mut self, answer: &Answer) -> Answered {
        let (ticket, _, binding) = self.flying.remove(0);
        self.queue.answered(ticket, &binding, answer, self.now, 0).unwrap()
    }

    fn answer_all(&mut self, answer: &Answer) {
        (0..self.flying.len()).for_each(|_| drop(self.answer(answer)));
    }

    fn after(&mut self, ms: u64) {
        self.now = self.now.after(ms);
    }
}

/// What one outcome does to a key, as a line.
fn line(outcome: Outcome, tries: u32, trim: Trim) -> String {
    let binding = samples::binding();
    let mut attempts = Attempts::default();
    attempts.trim = trim;
    for _ in 0..tries {
        attempts.later(&binding, &answer(Outcome::Throttled), Mono(0), 0);
    }
    let (next, _) = next_of(&mut attempts, &binding, &answer(outcome), Mono(0), 0);
    format!("{:13} after {tries} tries, trim {trim:?} -> {next:?}\n", outcome.as_str())
}

#[test]
fn outcome_table() {
    let mut table = String::new();
    for outcome in Outcome::ALL {
        for (tries, trim) in [(0, Trim::Full), (1, Trim::Short), (9, Trim::DataOnly)] {
            table.push_str(&line(outcome, tries, trim));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_key_has_one_request_in_flight_and_goes_on_by_itself() {
    let mut play = Play::new(10);
    play.due([1, 1]);
    assert_eq!(play.leave("apns"), [key(1)]);
    play.due([1]);
    assert_eq!(play.leave("apns"), []);
    assert_eq!(play.answer(&answer(Outcome::Delivered)).next, Next::Settle);
    let (again, attempts) = play.queue.next(Mono(0)).unwrap();
    assert_eq!((again, attempts), (key(1), Attempts::default()));
    play.queue.done(&key(1));
    assert!(play.queue.is_empty());
}

#[test]
fn a_forgotten_device_gets_nothing_more_wherever_it_stood() {
    let mut play = Play::new(2);
    // Two at the provider, one parked, one that waits, one that is held, one that is ready.
    play.due([1, 2, 3]);
    play.leave("apns");
    play.due([4]);
    play.queue.next(Mono(0)).unwrap();
    play.queue.wait(&key(4), Mono(9));
    play.due([5]);
    play.queue.next(Mono(0)).unwrap();
    play.queue.hold(&key(5), Mono(9));
    play.due([6]);
    for n in 1..=6 {
        play.queue.forget(&key(n).uid, &key(n).device_id);
    }
    let (ticket, _, binding) = play.flying.remove(0);
    assert_eq!(play.queue.answered(ticket, &binding, &answer(Outcome::Retry), Mono(0), 0), None);
    assert_eq!(play.queue.next(FOREVER), None);
    assert_eq!((play.queue.in_flight(), play.queue.wait_until()), (0, None));
    assert_eq!(play.queue.routes().count(), 0);
    // Their places are free.
    play.due([7, 8]);
    assert_eq!(play.leave("apns"), [key(7), key(8)]);
}

#[test]
fn what_is_held_for_a_user_is_decided_anew_when_told_to() {
    let mut play = Play::new(2);
    play.due([1, 2]);
    play.queue.next(Mono(0)).unwrap();
    play.queue.hold(&key(1), Mono(1_000));
    play.queue.next(Mono(0)).unwrap();
    play.queue.wait(&key(2), Mono(1_000));
    play.queue.release(&key(1).uid);
    assert_eq!(play.queue.next(Mono(0)).map(|(key, _)| key), Some(key(1)));
    assert_eq!(play.queue.next(Mono(0)), None, "what waits for a provider waits on");
    assert_eq!(play.queue.wait_until(), Some(Mono(1_000)));
}

#[test]
fn dead_tokens_are_removed_until_it_must_be_the_key_and_given_back_then() {
    let mut play = Play::new(100);
    play.due(0..30);
    let keys = play.leave("apns");
    let removed = |key: &PushKey| Removed {
        uid: key.uid.clone(),
        device_id: key.device_id.clone(),
        binding: by("apns"),
    };
    for key in &keys[..19] {
        let answered = play.answer(&answer(Outcome::TokenInvalid));
        assert_eq!((answered.next, answered.give_back), (Next::NextBinding, Vec::new()));
        play.queue.removed(removed(key));
    }
    let answered = play.answer(&answer(Outcome::TokenInvalid));
    assert_eq!(answered.answer.outcome, Outcome::ConfigError);
    assert_eq!(answered.answer.reason, TOO_MANY_INVALID);
    assert!(matches!(answered.next, Next::Later { .. }));
    assert_eq!(answered.give_back, keys[..19].iter().map(removed).collect::<Vec<_>>());
    assert!(play.queue.is_doubted(&by("apns").key));
    // Until it answers well.
    for _ in 0..9 {
        play.answer(&answer(Outcome::Delivered));
    }
    assert!(play.queue.is_doubted(&by("apns").key));
    play.answer(&answer(Outcome::Delivered));
    assert!(!play.queue.is_doubted(&by("apns").key));
}

#[test]
fn the_same_message_refused_again_is_one_message() {
    let mut play = Play::new(1);
    play.due([1]);
    for _ in 0..100 {
        play.leave("apns");
        let answered = play.answer(&answer(Outcome::TokenInvalid));
        assert_eq!(answered.next, Next::NextBinding);
        // It was bound anew meanwhile, so that it stays, and is asked once more.
        play.queue.attempts(&key(1)).unwrap().next_message();
        play.queue.attempts(&key(1)).unwrap().call_dead(&by("apns"));
    }
    assert!(!play.queue.is_doubted(&by("apns").key));
}

#[derive(Debug, Clone)]
enum Step {
    Due(u8, usize),
    Leave(u8),
    Answer(u8, u8, bool),
    Forget(u8),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_u8..12, 0_usize..4).prop_map(|(n, class)| Step::Due(n, class)),
        4 => any::<u8>().prop_map(Step::Leave),
        4 => (any::<u8>(), 0_u8..8, any::<bool>())
            .prop_map(|(which, outcome, all)| Step::Answer(which, outcome, all)),
        1 => (0_u8..12).prop_map(Step::Forget),
        1 => (0_u64..40_000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..300)
}

/// One key leaves, is parked, waits or is done, as the byte says.
fn one_leaves(play: &mut Play, what: u8) {
    let Some((key, _)) = play.queue.next(play.now) else { return };
    let binding = by(["apns", "fcm"][usize::from(what & 1)]);
    match (what >> 1) % 8 {
        0 => play.queue.done(&key),
        1 => play.queue.hold(&key, play.now.after(10)),
        _ => match play.queue.may_leave(&key, &binding) {
            Ok(()) => {
                let ticket = play.queue.sent(&key, &binding);
                play.flying.push((ticket, key, binding));
            }
            Err(Wait::Device(at)) => play.queue.wait(&key, at),
            Err(_) => play.queue.park(&key, &binding, play.now.after(100_000)),
        },
    }
}

fn take(play: &mut Play, step: Step) {
    match step {
        Step::Due(n, class) => play.queue.due(key(n), PushClass::ALL[class]),
        Step::Leave(what) => one_leaves(play, what),
        Step::Answer(which, outcome, all) if !play.flying.is_empty() => {
            let at = usize::from(which) % play.flying.len();
            let (ticket, _, binding) = play.flying.swap_remove(at);
            let scope = if all { Scope::Credential } else { Scope::Message };
            let answer = answer(Outcome::ALL[usize::from(outcome)]).about(scope);
            play.queue.answered(ticket, &binding, &answer, play.now, which).unwrap();
        }
        Step::Answer(..) => {}
        Step::Forget(n) => {
            play.queue.forget(&key(n).uid, &key(n).device_id);
            play.flying.retain(|(_, flying, _)| *flying != key(n));
        }
        Step::Pass(ms) => play.after(ms),
    }
}

proptest! {
    /// Never two in flight on one key, never more than allowed on a route and in all, whatever
    /// waits is woken by the clock or by an answer, and when every answer is "delivered" and every
    /// debt is paid, nothing is left.
    #[test]
    fn bounds_hold_and_nothing_leaks(steps in steps()) {
        let mut play = Play::new(3);
        for step in steps {
            take(&mut play, step);
            prop_assert_eq!(play.queue.in_flight(), play.flying.len());
            let keys: BTreeSet<&PushKey> = play.flying.iter().map(|(_, key, _)| key).collect();
            prop_assert_eq!(keys.len(), play.flying.len());
            let mut under_way = 0;
            for route in play.queue.routes() {
                prop_assert!(route.under_way <= 3);
                under_way += route.under_way;
            }
            prop_assert_eq!(under_way, play.flying.len());
        }
        // With good answers and time everything comes to its turn.
        let owed = play.queue.len();
        let mut paid = BTreeSet::new();
        for _ in 0..200 {
            for (ticket, _, binding) in std::mem::take(&mut play.flying) {
                play.queue.answered(ticket, &binding, &answer(Outcome::Delivered), play.now, 0);
            }
            while let Some((key, _)) = play.queue.next(play.now) {
                if play.queue.may_leave(&key, &by("apns")).is_err() {
                    play.queue.park(&key, &by("apns"), FOREVER);
                } else if paid.insert(key.clone()) {
                    let ticket = play.queue.sent(&key, &by("apns"));
                    play.flying.push((ticket, key, by("apns")));
                } else {
                    play.queue.done(&key);
                }
            }
            prop_assert!(play.queue.wait_until().is_none_or(|at| at > play.now), "no spinning");
            match play.queue.wait_until().filter(|at| *at < FOREVER) {
                Some(at) if play.flying.is_empty() => play.now = at,
                _ => {}
            }
        }
        prop_assert_eq!(paid.len(), owed);
        prop_assert!(play.queue.is_empty() && play.queue.waiting.is_empty());
        prop_assert!(play.queue.wakes.is_empty() && play.queue.ready.is_empty());
        prop_assert_eq!(play.queue.under_way.taken(), 0);
        prop_assert_eq!(play.queue.routes().map(|route| route.under_way + route.waiting).sum::<usize>(), 0);
    }
}
