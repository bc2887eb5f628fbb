//! Deliveries against a small world of lanes that answer late and a client that acknowledges
//! anything.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use nightjar_model::{
    ClientMsgId, Entry, EntryKind, MessageId, SharedPackets, Uid, WallMs, limits,
};
use proptest::prelude::*;

use super::*;

const NOTHING: [Seq; 0] = [];

fn chat(n: usize) -> ConversationId {
    ConversationId::parse(&format!("g:{n}")).unwrap()
}

fn delivery(conversation: &ConversationId, seq: Seq, bytes: usize) -> Delivery {
    let entry = Entry {
        conversation: conversation.clone(),
        seq,
        message_id: MessageId::from_bytes([0; 16]),
        from: Uid::parse("alice").unwrap(),
        client_msg_id: ClientMsgId::parse("c").unwrap(),
        at: WallMs(0),
        kind: EntryKind::Message,
        ordinal: seq,
        own_ordinal: seq,
        content: Bytes::from_static(&[b' '; 64 << 10]).slice(..bytes),
        sealed: false,
        recalled: false,
        push: None,
        expires_at: None,
    };
    let packets = SharedPackets::default();
    Delivery { entry: Arc::new(entry), alert: true, pushed: false, packets }
}

fn seqs(deliveries: &[Delivery]) -> Vec<Seq> {
    deliveries.iter().map(|delivery| delivery.entry.seq).collect()
}

fn claim(conversation: &ConversationId, stored: Seq, surfaced: Seq) -> Claim {
    Claim { conversation: conversation.clone(), stored, surfaced }
}

fn backlog(n: usize, stored: Seq, surfaced: Seq, head: Seq) -> Backlog {
    Backlog { conversation: chat(n), stored, surfaced, head }
}

fn wake(deliveries: &mut Deliveries, seq: Seq) -> Vec<Seq> {
    seqs(&Vec::from_iter(deliveries.wake(delivery(&chat(1), seq, 1))))
}

fn answer(deliveries: &mut Deliveries, pull: &Pull, head: Seq) -> Vec<Seq> {
    let last = head.min(pull.after + pull.limit);
    let found = (pull.after + 1..=last).map(|seq| delivery(&pull.conversation, seq, 1)).collect();
    seqs(&deliveries.pulled(&pull.conversation, found, head))
}

#[test]
fn the_next_one_is_passed_on_and_a_gap_is_pulled() {
    let mut deliveries = Deliveries::default();
    assert_eq!(wake(&mut deliveries, 5), [5]);
    assert_eq!(wake(&mut deliveries, 5), NOTHING);
    assert_eq!(wake(&mut deliveries, 8), NOTHING);
    let pull = deliveries.next_pull().unwrap();
    assert_eq!(pull, Pull { conversation: chat(1), after: 5, limit: 3 });
    assert_eq!(wake(&mut deliveries, 9), NOTHING, "a pull is on its way");
    assert_eq!(answer(&mut deliveries, &pull, 8), [6, 7, 8]);
    let pull = deliveries.next_pull().unwrap();
    assert_eq!(answer(&mut deliveries, &pull, 9), [9]);
    assert_eq!(deliveries.next_pull(), None);
    assert_eq!(wake(&mut deliveries, 10), [10]);
}

#[test]
fn own_messages_are_passed_over() {
    let mut deliveries = Deliveries::default();
    assert_eq!(wake(&mut deliveries, 1), [1]);
    deliveries.sent(&chat(1), 2);
    assert_eq!(wake(&mut deliveries, 3), [3]);
    deliveries.sent(&chat(1), 5);
    assert_eq!(wake(&mut deliveries, 6), NOTHING, "4 has not come yet");
    let pull = deliveries.next_pull().unwrap();
    assert_eq!(answer(&mut deliveries, &pull, 6), [4, 6]);
    let acked = deliveries.ack(vec![claim(&chat(1), 6, 6)]);
    assert_eq!((acked[0].stored, acked[0].surfaced), (6, 6));
}

#[test]
fn an_own_message_may_overtake_the_first_wake_up() {
    let mut deliveries = Deliveries::default();
    deliveries.sent(&chat(1), 7);
    assert_eq!(wake(&mut deliveries, 6), [6]);
    assert_eq!(wake(&mut deliveries, 8), [8]);
    let acked = deliveries.ack(vec![claim(&chat(1), 8, 0)]);
    assert_eq!((acked[0].stored, acked[0].surfaced), (8, 0));
}

#[test]
fn the_backlog_is_the_newest_hundred_and_five_hundred_in_all() {
    let mut deliveries = Deliveries::default();
    deliveries.start((1..=7).map(|n| backlog(n, 10, 10, 400)).collect());
    let pulls: Vec<Pull> = std::iter::from_fn(|| deliveries.next_pull()).collect();
    assert_eq!(pulls[0], Pull { conversation: chat(1), after: 300, limit: 64 });
    let reserved: u64 = pulls.iter().map(|pull| pull.limit).sum();
    assert_eq!(reserved, limits::UNACKED_MESSAGES_MAX);
    let planned: Vec<u64> =
        (1..=7).map(|n| deliveries.flows[&chat(n)].cursor).map(|cursor| 400 - cursor).collect();
    assert_eq!(planned, [100, 100, 100, 100, 100, 0, 0]);
    let live = deliveries.wake(delivery(&chat(7), 401, 1));
    assert!(live.is_some(), "what was left to history still gets what is new");
}

#[test]
fn an_acknowledgement_stops_at_what_was_left_to_history() {
    let mut deliveries = Deliveries::default();
    deliveries.start(vec![backlog(1, 10, 200, 200)]);
    while let Some(pull) = deliveries.next_pull() {
        answer(&mut deliveries, &pull, 200);
    }
    assert_eq!(deliveries.ack(vec![claim(&chat(1), 200, 200)]), []);
    assert_eq!(deliveries.window.room(), 256, "for the window the client's word is enough");
    deliveries.shown(&chat(1), 11, 100);
    let acked = deliveries.ack(vec![claim(&chat(1), 200, 0)]);
    assert_eq!(acked[0].stored, 200);
}

#[test]
fn what_was_stored_before_may_be_shown_now() {
    let mut deliveries = Deliveries::default();
    deliveries.start(vec![backlog(1, 10, 5, 11)]);
    let acked = deliveries.ack(vec![claim(&chat(1), 0, 8)]);
    assert_eq!((acked[0].stored, acked[0].surfaced), (0, 8));
    let acked = deliveries.ack(vec![claim(&chat(1), 1 << 63, 1 << 63)]);
    assert_eq!((acked[0].stored, acked[0].surfaced), (0, 10));
}

#[test]
fn acknowledgements_beyond_everything_are_harmless() {
    let mut deliveries = Deliveries::default();
    assert_eq!(wake(&mut deliveries, 1), [1]);
    let huge = vec![claim(&chat(1), Seq::MAX, 1 << 63), claim(&chat(2), Seq::MAX, Seq::MAX)];
    let acked = deliveries.ack(huge);
    assert_eq!(acked, [AckItem { conversation: chat(1), stored: 1, surfaced: 1 }]);
    assert_eq!(deliveries.ack(vec![claim(&chat(1), 1, 1)]), [], "nothing new");
    assert_eq!(wake(&mut deliveries, 2), [2]);
}

#[test]
fn a_refused_pull_is_asked_again_or_forgotten() {
    let mut deliveries = Deliveries::default();
    wake(&mut deliveries, 1);
    wake(&mut deliveries, 3);
    let pull = deliveries.next_pull().unwrap();
    deliveries.pull_refused(&chat(1), true);
    assert_eq!(deliveries.next_pull(), Some(pull));
    deliveries.pull_refused(&chat(1), false);
    assert_eq!(deliveries.next_pull(), None);
    wake(&mut deliveries, 4);
    assert_eq!(deliveries.next_pull().unwrap().after, 1);
}

#[test]
fn entries_this_user_may_not_see_are_passed_over() {
    let mut deliveries = Deliveries::default();
    wake(&mut deliveries, 1);
    wake(&mut deliveries, 9);
    let pull = deliveries.next_pull().unwrap();
    assert!(deliveries.pulled(&chat(1), Vec::new(), 8).is_empty());
    let again = deliveries.next_pull().unwrap();
    assert_eq!((pull.after, again.after), (1, 8));
    assert!(deliveries.pulled(&chat(1), Vec::new(), 8).is_empty());
    assert_eq!(deliveries.next_pull(), None, "the same answer is not asked for twice");
    let acked = deliveries.ack(vec![claim(&chat(1), 20, 0)]);
    assert_eq!(acked[0].stored, 8);
}

#[test]
fn conversations_are_bounded_and_those_caught_up_make_room() {
    let mut deliveries = Deliveries::default();
    for n in 0..CONVERSATIONS_MAX {
        let given = deliveries.wake(delivery(&chat(n), 1, 1));
        assert!(given.is_some());
        deliveries.ack(vec![claim(&chat(n), 1, 1)]);
    }
    assert!(deliveries.wake(delivery(&chat(9_000), 1, 1)).is_some());
    assert_eq!(deliveries.flows.len(), 1);
    deliveries.start((0..5_000).map(|n| backlog(n, 0, 0, 1)).collect());
    assert!(deliveries.wake(delivery(&chat(9_001), 1, 1)).is_none());
    assert_eq!(deliveries.flows.len(), CONVERSATIONS_MAX);
}

/// What one entry of a log is to the connection under test.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mark {
    Other,
    Own,
    Hidden,
}

/// A log, what of it is still on its way, and what the client has.
#[derive(Default)]
struct Log {
    entries: Vec<(Mark, usize)>,
    wakes: VecDeque<Seq>,
    start: Seq,
    was_woken: bool,
    delivered: Vec<Seq>,
    claimed: Seq,
}

impl Log {
    fn is(&self, seq: Seq, mark: Mark) -> bool {
        self.entries[seq as usize - 1].0 == mark
    }

    fn head(&self) -> Seq {
        self.entries.len() as Seq
    }

    fn unacked(&self) -> (u64, usize) {
        let open = self.delivered.iter().filter(|seq| **seq > self.claimed);
        open.fold((0, 0), |(n, bytes), seq| (n + 1, bytes + self.entries[*seq as usize - 1].1))
    }
}

#[derive(Default)]
struct World {
    deliveries: Deliveries,
    logs: Vec<Log>,
    pulls: Vec<(usize, Pull)>,
    answers: Vec<(usize, Vec<Delivery>, Seq)>,
}

#[derive(Debug, Clone)]
enum Act {
    Write { log: usize, mark: Mark, bytes: usize, count: u64 },
    Wake { log: usize },
    LoseWake { log: usize },
    LookUp { at: usize },
    Answer { at: usize },
    Refuse { at: usize },
    Ack { log: usize, stored: Seq, surfaced: Seq },
    AckAll { log: usize },
}

const LOGS: usize = 3;

fn act() -> impl Strategy<Value = Act> {
    let log = 0..LOGS;
    let mark = prop_oneof![6 => Just(Mark::Other), 2 => Just(Mark::Own), 1 => Just(Mark::Hidden)];
    let bytes = prop_oneof![4 => Just(10_usize), 1 => Just(limits::CONTENT_BYTES_MAX)];
    let far = prop_oneof![0_u64..600, Just(1 << 63), Just(Seq::MAX)];
    prop_oneof![
        6 => (log.clone(), mark, bytes, prop_oneof![4 => 1_u64..4, 1 => 1_u64..200])
            .prop_map(|(log, mark, bytes, count)| Act::Write { log, mark, bytes, count }),
        8 => log.clone().prop_map(|log| Act::Wake { log }),
        1 => log.clone().prop_map(|log| Act::LoseWake { log }),
        6 => (0_usize..8).prop_map(|at| Act::LookUp { at }),
        6 => (0_usize..8).prop_map(|at| Act::Answer { at }),
        1 => (0_usize..8).prop_map(|at| Act::Refuse { at }),
        1 => (log.clone(), far.clone(), far)
            .prop_map(|(log, stored, surfaced)| Act::Ack { log, stored, surfaced }),
        3 => log.prop_map(|log| Act::AckAll { log }),
    ]
}

impl World {
    /// Logs of which the device has stored `start` entries and missed the rest.
    fn open(starts: [(u64, u64); LOGS]) -> Self {
        let mut world = Self::default();
        let mut missing = Vec::new();
        for (n, (stored, missed)) in starts.into_iter().enumerate() {
            let head = stored + missed;
            let planned = missed.min(limits::BACKLOG_CONVERSATION_MAX);
            let entries = (0..head).map(|_| (Mark::Other, 10)).collect();
            world.logs.push(Log { entries, start: head - planned, ..Log::default() });
            if missed > 0 {
                missing.push(backlog(n, stored, stored, head));
                world.logs[n].was_woken = true;
            }
        }
        world.deliveries.start(missing);
        world.ask();
        world
    }

    fn ask(&mut self) {
        while let Some(pull) = self.deliveries.next_pull() {
            let n = (0..LOGS).find(|n| chat(*n) == pull.conversation).unwrap();
            self.pulls.push((n, pull));
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Write { log, mark, bytes, count } => self.write(log, mark, bytes, count),
            Act::Wake { log } => self.wake(log),
            // The first wake-up tells where a conversation starts; the lanes never drop it.
            Act::LoseWake { log } if self.logs[log].was_woken && self.logs[log].wakes.len() > 1 => {
                self.logs[log].wakes.pop_front();
            }
            Act::LookUp { at } if at < self.pulls.len() => {
                let (n, pull) = self.pulls.remove(at);
                let answer = self.look_up(n, &pull);
                self.answers.push(answer);
            }
            Act::Answer { at } if at < self.answers.len() => {
                let (n, found, head) = self.answers.remove(at);
                let given = self.deliveries.pulled(&chat(n), found, head);
                self.receive(n, &given);
            }
            Act::Refuse { at } if at < self.pulls.len() => {
                let (n, _) = self.pulls.remove(at);
                self.deliveries.pull_refused(&chat(n), true);
            }
            Act::Ack { log, stored, surfaced } => self.ack(log, stored, surfaced),
            Act::AckAll { log } => {
                let last = self.logs[log].delivered.last().copied().unwrap_or(0);
                self.ack(log, last, last);
            }
            _ => {}
        }
        self.ask();
        self.check_window();
    }

    fn write(&mut self, n: usize, mark: Mark, bytes: usize, count: u64) {
        for _ in 0..count {
            self.logs[n].entries.push((mark, bytes));
            let seq = self.logs[n].head();
            match mark {
                Mark::Other => self.logs[n].wakes.push_back(seq),
                Mark::Own => self.deliveries.sent(&chat(n), seq),
                Mark::Hidden => {}
            }
        }
    }

    fn wake(&mut self, n: usize) {
        let Some(seq) = self.logs[n].wakes.pop_front() else { return };
        self.logs[n].was_woken = true;
        let bytes = self.logs[n].entries[seq as usize - 1].1;
        let given = self.deliveries.wake(delivery(&chat(n), seq, bytes));
        self.receive(n, &Vec::from_iter(given));
    }

    fn look_up(&self, n: usize, pull: &Pull) -> (usize, Vec<Delivery>, Seq) {
        let log = &self.logs[n];
        let found = (pull.after + 1..=log.head())
            .filter(|seq| !log.is(*seq, Mark::Hidden))
            .take(pull.limit as usize)
            .map(|seq| delivery(&chat(n), seq, log.entries[seq as usize - 1].1))
            .collect();
        (n, found, log.head())
    }

    fn receive(&mut self, n: usize, given: &[Delivery]) {
        let log = &mut self.logs[n];
        for delivery in given {
            let seq = delivery.entry.seq;
            assert!(log.is(seq, Mark::Other), "{seq} is not for this connection");
            if log.delivered.is_empty() && seq > log.start {
                // A conversation the hello did not name starts at its first wake-up.
                let first = (log.start + 1..=seq).find(|seq| log.is(*seq, Mark::Other));
                assert_eq!(first, Some(seq));
            }
            let last = log.delivered.last().copied().unwrap_or(log.start);
            assert!(seq > last, "{seq} after {last}");
            let between = (last + 1..seq).filter(|seq| log.is(*seq, Mark::Other));
            assert_eq!(between.count(), 0, "something between {last} and {seq} was left out");
            log.delivered.push(seq);
        }
    }

    fn ack(&mut self, n: usize, stored: Seq, surfaced: Seq) {
        self.logs[n].claimed = self.logs[n].claimed.max(stored.max(surfaced)).min(
            // What is delivered later is not acknowledged yet.
            self.logs[n].delivered.last().copied().unwrap_or(0),
        );
        for item in self.deliveries.ack(vec![claim(&chat(n), stored, surfaced)]) {
            let log = &self.logs[n];
            for mark in [item.stored, item.surfaced] {
                let unproven = (log.start + 1..=mark.max(log.start))
                    .find(|seq| log.is(*seq, Mark::Other) && !log.delivered.contains(seq));
                assert_eq!(unproven, None, "{mark} was acknowledged");
            }
        }
    }

    fn check_window(&self) {
        let (messages, bytes) = self
            .logs
            .iter()
            .map(Log::unacked)
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert!(messages <= limits::UNACKED_MESSAGES_MAX, "{messages} messages unacknowledged");
        assert!(bytes <= limits::UNACKED_BYTES_MAX, "{bytes} bytes unacknowledged");
        assert_eq!((messages, bytes), self.deliveries.window.taken());
    }

    /// Everything on its way arrives and the client acknowledges all it gets.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            for log in 0..LOGS {
                self.act(Act::Wake { log });
                self.act(Act::AckAll { log });
            }
            self.act(Act::LookUp { at: 0 });
            self.act(Act::Answer { at: 0 });
            let is_quiet = self.pulls.is_empty() && self.answers.is_empty();
            if is_quiet && self.logs.iter().all(|log| log.wakes.is_empty()) {
                return;
            }
        }
        panic!("it never comes to rest");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every entry comes once and in order, nothing is acknowledged that was not given, the
    /// window holds, and acknowledging always leads to the end.
    #[test]
    fn everything_comes_once_and_in_order(
        stored in prop::array::uniform3(0_u64..5),
        missed in prop::array::uniform3(prop_oneof![Just(0_u64), 0_u64..300]),
        acts in prop::collection::vec(act(), 0..120),
    ) {
        let starts = std::array::from_fn(|n| (stored[n], missed[n]));
        let mut world = World::open(starts);
        for act in acts {
            world.act(act);
        }
        world.settle();
        // One more of each finds whatever a lost wake-up left behind.
        for log in 0..LOGS {
            world.act(Act::Write { log, mark: Mark::Other, bytes: 1, count: 1 });
        }
        world.settle();
        for log in &world.logs {
            let all: Vec<Seq> =
                (log.start + 1..=log.head()).filter(|seq| log.is(*seq, Mark::Other)).collect();
            prop_assert_eq!(&log.delivered, &all);
        }
    }
}
