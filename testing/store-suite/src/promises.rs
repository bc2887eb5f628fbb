//! The promises, each a function that panics when it is broken.

use nightjar_domain::{Commit, CommitNo, Durability, EventRow, Key, Row, Scan, Submitted, Write};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::model::Model;
use crate::source::Source;
use crate::subject::Subject;

/// Commits that may wait in a test that does not fill the store.
const ROOM: u64 = 10_000;
/// Random series of steps a test tries.
const CASES: u32 = 32;

/// Makes a test of each promise for a [`Subject`].
#[macro_export]
macro_rules! conformance {
    ($subject:ty) => {
        $crate::conformance!(
            $subject,
            writes_of_a_commit_apply_in_order,
            the_later_commit_wins,
            what_was_submitted_is_read_before_it_is_safe,
            every_read_means_what_it_says,
            commits_become_safe_in_the_order_they_were_taken,
            a_full_store_changes_nothing_and_takes_the_commit_later,
            a_store_opened_again_shows_the_same_rows,
        );
    };
    ($subject:ty, $($promise:ident),+ $(,)?) => {
        $(
            #[test]
            fn $promise() {
                $crate::promises::$promise::<$subject>();
            }
        )+
    };
}

fn event(number: u64, json: &str) -> Row {
    Row::Event(EventRow { number, json: json.into() })
}

fn power(writes: Vec<Write>) -> Commit {
    Commit { writes, durability: Durability::Power }
}

/// Puts and deletes are absolute, and the last one of a commit stands.
pub fn writes_of_a_commit_apply_in_order<S: Subject>() {
    let mut subject = S::open(ROOM);
    let (first, second) = (event(1, "first"), event(1, "second"));
    let commits = [
        (vec![Write::Put(first.clone()), Write::Put(second.clone())], Some(second.clone())),
        (vec![Write::Put(first.clone()), Write::Delete(Key::Event(1))], None),
        (vec![Write::Delete(Key::Event(1)), Write::Put(first.clone())], Some(first.clone())),
        (vec![Write::Put(first.clone())], Some(first)),
        (vec![Write::Delete(Key::Event(1)), Write::Delete(Key::Event(1))], None),
        (vec![], None),
    ];
    for (writes, expected) in commits {
        assert!(matches!(subject.store().submit(power(writes)), Submitted::Taken(_)));
        assert_eq!(subject.store().load(&Key::Event(1)).unwrap(), expected, "when taken");
        subject.settle();
        assert_eq!(subject.store().load(&Key::Event(1)).unwrap(), expected, "when safe");
    }
}

/// Of commits that wait together, the last one that wrote a row stands.
pub fn the_later_commit_wins<S: Subject>() {
    let mut subject = S::open(ROOM);
    subject.hold();
    for json in ["first", "second", "third"] {
        subject.store().submit(power(vec![Write::Put(event(1, json)), Write::Put(event(2, json))]));
    }
    subject.store().submit(power(vec![Write::Delete(Key::Event(2))]));
    let expected = [event(1, "third")];
    assert_eq!(subject.all_rows(), expected, "while they wait");
    subject.settle();
    assert_eq!(subject.all_rows(), expected, "when they are safe");
    assert_eq!(subject.reopen().all_rows(), expected, "in the next process");
}

/// A decision builds on the last one without waiting for its fsync.
pub fn what_was_submitted_is_read_before_it_is_safe<S: Subject>() {
    let mut subject = S::open(ROOM);
    subject.store().submit(power(vec![Write::Put(event(1, "safe")), Write::Put(event(2, "safe"))]));
    subject.settle();
    let said = subject.safe().len();
    subject.hold();
    subject.store().submit(power(vec![
        Write::Delete(Key::Event(1)),
        Write::Put(event(2, "waits")),
        Write::Put(event(3, "waits")),
    ]));
    let store = subject.store();
    assert_eq!(store.load(&Key::Event(1)).unwrap(), None);
    let rows = [event(2, "waits"), event(3, "waits")];
    assert_eq!(store.scan(&Scan::Events { after: 0, limit: 9 }).unwrap(), rows);
    assert_eq!(store.scan(&Scan::LastEvent).unwrap(), rows[1..]);
    assert_eq!(subject.safe().len(), said, "nothing became safe meanwhile");
    subject.settle();
}

/// One step of a random test.
#[derive(Debug, Clone)]
enum Step {
    Commit(u64),
    Load(u64),
    Scan(u64),
    AllRows,
    Hold,
    Settle,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any::<u64>().prop_map(Step::Commit),
        6 => any::<u64>().prop_map(Step::Load),
        24 => any::<u64>().prop_map(Step::Scan),
        2 => Just(Step::AllRows),
        2 => Just(Step::Hold),
        2 => Just(Step::Settle),
        1 => Just(Step::Reopen),
    ]
}

/// Whatever was written, waits, or was opened again: each read answers what [`Model`] answers.
pub fn every_read_means_what_it_says<S: Subject>() {
    let mut runner = TestRunner::new(Config { cases: CASES, ..Config::default() });
    let steps = proptest::collection::vec(step(), 1..200);
    runner.run(&steps, |steps| reads_agree(S::open(ROOM), steps)).unwrap();
}

fn reads_agree<S: Subject>(mut subject: S, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Commit(seed) => {
                let commit = Source::seeded(seed).commit();
                model.apply(commit.clone());
                let taken = subject.store().submit(commit);
                prop_assert!(matches!(taken, Submitted::Taken(_)), "{:?}", taken);
            }
            Step::Load(seed) => {
                let key = Source::seeded(seed).key();
                prop_assert_eq!(subject.store().load(&key).unwrap(), model.load(&key));
            }
            Step::Scan(seed) => {
                let scan = Source::seeded(seed).scan();
                prop_assert_eq!(
                    subject.store().scan(&scan).unwrap(),
                    model.scan(&scan),
                    "{:?}",
                    scan
                );
            }
            Step::AllRows => prop_assert_eq!(subject.all_rows(), model.all_rows()),
            Step::Hold => subject.hold(),
            Step::Settle => subject.settle(),
            Step::Reopen => {
                subject.settle();
                subject = subject.reopen();
            }
        }
    }
    subject.settle();
    prop_assert_eq!(subject.all_rows(), model.all_rows());
    Ok(())
}

/// Commits are numbered as they are taken, from 1; what is said to be safe only grows, names
/// commits that were taken, and ends with the last.
pub fn commits_become_safe_in_the_order_they_were_taken<S: Subject>() {
    const COMMITS: u64 = 200;
    let mut subject = S::open(ROOM);
    for number in 1..=COMMITS {
        let commit = Source::seeded(number).commit();
        assert_eq!(subject.store().submit(commit), Submitted::Taken(CommitNo(number)));
        let newest = subject.safe().last().copied();
        assert!(newest <= Some(CommitNo(number)), "{newest:?} is safe, {number} is taken");
    }
    subject.settle();
    let safe = subject.safe();
    assert!(safe.is_sorted_by(|earlier, later| earlier < later), "{safe:?}");
    assert_eq!(safe.last(), Some(&CommitNo(COMMITS)));
}

/// A refused commit leaves no trace; once there is room it is taken, with the next number.
pub fn a_full_store_changes_nothing_and_takes_the_commit_later<S: Subject>() {
    const WAITING_MAX: u64 = 4;
    let mut subject = S::open(WAITING_MAX);
    subject.hold();
    let mut taken = 0;
    let refused = loop {
        let commit = power(vec![Write::Put(event(taken + 1, "waits"))]);
        match subject.store().submit(commit) {
            Submitted::Taken(number) => taken = number.0,
            Submitted::Full(commit) => break commit,
            Submitted::Broken(reason) => panic!("{reason}"),
        }
        assert!(taken <= 2 * WAITING_MAX, "{taken} commits wait and {WAITING_MAX} may");
    };
    assert!(taken >= WAITING_MAX, "only {taken} commits could wait");
    assert_eq!(subject.store().load(&Key::Event(taken + 1)).unwrap(), None);
    assert_eq!(subject.store().submit(refused.clone()), Submitted::Full(refused.clone()));
    subject.settle();
    assert_eq!(subject.store().submit(refused), Submitted::Taken(CommitNo(taken + 1)));
    subject.settle();
    let expected: Vec<Row> = (1..=taken + 1).map(|number| event(number, "waits")).collect();
    assert_eq!(subject.all_rows(), expected);
}

/// Closing a store in order keeps everything, whatever durability it asked for.
pub fn a_store_opened_again_shows_the_same_rows<S: Subject>() {
    let mut subject = S::open(ROOM);
    let mut model = Model::default();
    for round in 0..4 {
        for seed in 0..50 {
            let commit = Source::seeded(round * 1000 + seed).commit();
            model.apply(commit.clone());
            assert!(matches!(subject.store().submit(commit), Submitted::Taken(_)));
        }
        subject = subject.reopen();
        assert_eq!(subject.all_rows(), model.all_rows());
    }
}
