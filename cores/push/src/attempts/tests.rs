use super::*;
use crate::outcome::Scope;
use crate::samples;

const A: usize = 0;
const B: usize = 1;

/// Two bindings of one device, the preferred one first.
fn bindings() -> Vec<Binding> {
    let mut bindings = vec![samples::binding(), samples::binding()];
    bindings[B].key.provider = "fcm".into();
    bindings
}

/// Where the message goes, as a word.
fn to(attempts: &Attempts, now_ms: u64, down: &[usize]) -> String {
    let bindings = bindings();
    let late_at = |binding: &Binding| {
        let at = bindings.iter().position(|other| other.key == binding.key);
        at.is_some_and(|at| down.contains(&at)).then_some(Mono(0))
    };
    match choose(&bindings, attempts, Mono(now_ms), late_at) {
        Choice::Binding { at, not_before, is_late } => {
            let wait = not_before.since(Mono(now_ms));
            format!("{}{}{}", ["A", "B"][at], wait_word(wait), if is_late { " late" } else { "" })
        }
        choice => format!("{choice:?}"),
    }
}

fn wait_word(ms: u64) -> String {
    if ms == 0 { String::new() } else { format!(" in {ms}") }
}

fn answer(outcome: Outcome) -> Answer {
    Answer::new(outcome, "test")
}

fn later(attempts: &mut Attempts, at: usize, answer: &Answer, now_ms: u64) -> (Mono, Mono) {
    attempts.later(&bindings()[at], answer, Mono(now_ms), 0)
}

#[test]
fn where_a_message_goes_next() {
    let unsent = Answer::unsent("connection_failed");
    let asked = Answer { retry_after_ms: Some(60_000), ..answer(Outcome::Throttled) };
    let mut table = String::new();
    for (what, answer) in [
        ("no connection", unsent),
        ("perhaps taken", answer(Outcome::Retry)),
        ("throttled", answer(Outcome::Throttled)),
        ("throttled for long", asked),
        ("wrong keys", answer(Outcome::ConfigError)),
    ] {
        let mut attempts = Attempts::default();
        let (at, again) = later(&mut attempts, A, &answer, 0);
        let moments = [0, 1_000, 5_000].map(|ms| format!("{ms}: {}", to(&attempts, ms, &[])));
        let (at, again) = (at.0, again.0);
        table.push_str(&format!(
            "{what:<18} at {at}, looked at {again} -> {}\n",
            moments.join("; ")
        ));
    }
    let mut spent = Attempts::default();
    for (what, down) in [("nothing tried", vec![]), ("A down", vec![A]), ("both down", vec![A, B])]
    {
        table.push_str(&format!("{what:<18} -> {}\n", to(&Attempts::default(), 0, &down)));
    }
    spent.spend(&bindings()[A]);
    table.push_str(&format!("A refused it       -> {}\n", to(&spent, 0, &[])));
    spent.spend(&bindings()[B]);
    table.push_str(&format!("both refused it    -> {}\n", to(&spent, 0, &[])));
    insta::assert_snapshot!(table);
}

#[test]
fn what_may_have_arrived_goes_nowhere_else_however_long_it_takes() {
    let mut attempts = Attempts::default();
    later(&mut attempts, A, &answer(Outcome::Retry), 0);
    assert_eq!(to(&attempts, 3_600_000, &[A]), "A late");
    // Unless its token turns out to be dead: then nobody shows it.
    attempts.spend(&bindings()[A]);
    assert_eq!(to(&attempts, 3_600_000, &[A]), "B");
}

#[test]
fn what_is_late_for_one_message_is_late_for_the_next_until_it_takes_one() {
    let mut attempts = Attempts::default();
    later(&mut attempts, A, &Answer::unsent("connection_failed"), 0);
    attempts.next_message();
    assert_eq!(to(&attempts, 4_999, &[]), "A");
    assert_eq!(to(&attempts, 5_000, &[]), "B");
    attempts.took(&bindings()[A]);
    assert_eq!(to(&attempts, 5_000, &[]), "A");
}

#[test]
fn a_binding_that_was_bound_anew_is_another_one() {
    let mut attempts = Attempts::default();
    attempts.spend(&bindings()[A]);
    let mut bindings = bindings();
    bindings[A].bound_at = WallMs(7);
    let choice = choose(&bindings, &attempts, Mono(0), |_| None);
    assert_eq!(choice, Choice::Binding { at: A, not_before: Mono(0), is_late: false });
}

#[test]
fn without_bindings_it_counts_whether_there_was_one() {
    let mut attempts = Attempts::default();
    assert_eq!(choose(&[], &attempts, Mono(0), |_| None), Choice::NoBinding);
    attempts.spend(&bindings()[A]);
    assert_eq!(choose(&[], &attempts, Mono(0), |_| None), Choice::Refused);
}

#[test]
fn the_waits_of_a_binding_grow_by_its_own_failures() {
    let mut attempts = Attempts::default();
    let throttled = answer(Outcome::Throttled).about(Scope::Device);
    let waits: Vec<u64> = [(A, 0), (A, 1_000), (B, 3_000), (A, 4_000)]
        .map(|(at, now_ms)| later(&mut attempts, at, &throttled, now_ms).0.0 - now_ms)
        .to_vec();
    assert_eq!(waits, [1_000, 2_000, 1_000, 4_000]);
}

#[test]
fn a_device_that_binds_again_and_again_is_remembered_within_bounds() {
    let mut attempts = Attempts::default();
    for n in 0..1_000 {
        let mut binding = samples::binding();
        binding.bound_at = WallMs(n);
        attempts.spend(&binding);
    }
    assert_eq!(attempts.tried.len(), TRIED_MAX);
}
