use proptest::prelude::*;

use super::*;

fn key(n: u8) -> PushKey {
    PushKey {
        uid: Uid::parse("bob").unwrap(),
        device_id: DeviceId::parse(&format!("phone{n}")).unwrap(),
        lane: PushLane::Withdrawals,
    }
}

fn answer(outcome: Outcome) -> Answer {
    Answer::new(outcome, "test")
}

/// What one outcome does to a key, as a line.
fn line(outcome: Outcome, attempts: Attempts) -> String {
    let mut tried = attempts;
    let next = next_of(&mut tried, &answer(outcome), Mono(0), 0);
    format!(
        "{:13} after {} tries, trim {:?} -> {next:?}\n",
        outcome.as_str(),
        attempts.tries,
        attempts.trim
    )
}

#[test]
fn outcome_table() {
    let mut table = String::new();
    for outcome in Outcome::ALL {
        for (tries, trim) in [(0, Trim::Full), (1, Trim::Short), (9, Trim::DataOnly)] {
            table.push_str(&line(outcome, Attempts { tries, bindings_spent: 0, trim }));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_provider_is_given_the_time_it_asks_for_within_reason() {
    let mut asked = answer(Outcome::Throttled);
    asked.retry_after_ms = Some(5_000);
    let next = next_of(&mut Attempts::default(), &asked, Mono(100), 0);
    assert_eq!(next, Next::Later { at: Mono(5_100) });
    asked.retry_after_ms = Some(u64::MAX);
    let next = next_of(&mut Attempts::default(), &asked, Mono(100), 0);
    assert_eq!(next, Next::Later { at: Mono(100 + RETRY_AFTER_MS_MAX) });
}

#[test]
fn a_key_has_one_request_in_flight_and_goes_on_by_itself() {
    let mut queue = Queue::new(10);
    queue.due(key(1));
    queue.due(key(1));
    let (first, _) = queue.next(Mono(0)).unwrap();
    assert_eq!(queue.next(Mono(0)), None);
    let ticket = queue.sent(&first);
    queue.due(key(1));
    assert_eq!(queue.next(Mono(0)), None);
    queue.answered(ticket, &answer(Outcome::Delivered), Mono(0), 0).unwrap();
    let (again, attempts) = queue.next(Mono(0)).unwrap();
    assert_eq!((again, attempts), (key(1), Attempts::default()));
    queue.done(&key(1));
    assert!(queue.is_empty());
}

#[test]
fn a_forgotten_device_gets_nothing_more() {
    let mut queue = Queue::new(10);
    queue.due(key(1));
    queue.next(Mono(0)).unwrap();
    let ticket = queue.sent(&key(1));
    queue.due(key(2));
    queue.forget(&key(1).uid, &key(1).device_id);
    assert_eq!(queue.answered(ticket, &answer(Outcome::Retry), Mono(0), 0), None);
    assert_eq!(queue.next(Mono(1 << 40)).map(|(key, _)| key), Some(key(2)));
}

#[derive(Debug, Clone)]
enum Step {
    Due(u8),
    Leave(bool),
    Answer(u8, u8),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u8..5).prop_map(Step::Due),
        any::<bool>().prop_map(Step::Leave),
        (any::<u8>(), 0_u8..8).prop_map(|(which, outcome)| Step::Answer(which, outcome)),
        (0_u64..40_000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Never two in flight on one key, never more than allowed in all, and when every answer is
    /// "delivered" and every debt is paid, nothing is left.
    #[test]
    fn bounds_hold_and_nothing_leaks(steps in steps()) {
        let mut queue = Queue::new(3);
        let (mut now, mut flying) = (0, Vec::new());
        for step in steps {
            match step {
                Step::Due(n) => queue.due(key(n)),
                Step::Leave(owed) => {
                    if let Some((key, _)) = queue.next(Mono(now)) {
                        if owed {
                            flying.push(queue.sent(&key));
                        } else {
                            queue.done(&key);
                        }
                    }
                }
                Step::Answer(which, outcome) if !flying.is_empty() => {
                    let ticket = flying.swap_remove(usize::from(which) % flying.len());
                    let outcome = Outcome::ALL[usize::from(outcome)];
                    queue.answered(ticket, &answer(outcome), Mono(now), which).unwrap();
                }
                Step::Answer(..) => {}
                Step::Pass(ms) => now += ms,
            }
            prop_assert!(queue.in_flight() <= 3);
            prop_assert_eq!(queue.in_flight(), flying.len());
            let keys: BTreeSet<&PushKey> = queue.in_flight.values().collect();
            prop_assert_eq!(keys.len(), queue.in_flight());
        }
        for ticket in flying {
            queue.answered(ticket, &answer(Outcome::Delivered), Mono(now), 0).unwrap();
        }
        while let Some((key, _)) = queue.next(Mono(u64::MAX)) {
            queue.done(&key);
        }
        prop_assert!(queue.is_empty() && queue.waiting.is_empty() && queue.in_flight.is_empty());
    }
}
