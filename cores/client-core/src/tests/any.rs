//! Any order of events: nothing is lost, nothing comes twice, order holds, and no acknowledgement
//! runs ahead of the disk.

use nightjar_model::{ByeReason, Seq};
use proptest::prelude::*;

use super::play::{Network, Stage};
use super::server::{conversations, is_bob, nid_of};
use crate::Input;

#[derive(Debug, Clone)]
enum Step {
    Alice(usize, u8),
    Bob(usize),
    ToServer(u8),
    ToClient(u8),
    Commit(u8),
    Post,
    NotPosted,
    Wait(u64),
    Freeze(u64),
    Cut,
    Crash,
    Background(i64),
    Foreground,
    EnterBackground(u32),
    BudgetExpiring,
    Woken(u32),
    Resumed,
    Look(bool),
    Busy(u32),
    Network(Network),
    Reads(usize, Seq),
    ReadElsewhere(usize),
    Withdraw(usize, Seq),
    Drain,
    NetworkLost,
    NetworkChanged,
    StopAndStart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let grace = prop_oneof![Just(0), Just(-1), Just(5_000)];
    let network = prop_oneof![
        3 => Just(Network::Open), 1 => Just(Network::Silent), 1 => Just(Network::Refusing)
    ];
    let step = prop_oneof![
        12 => (0_usize..2, 1_u8..5).prop_map(|(at, n)| Step::Alice(at, n)),
        1 => (0_usize..2).prop_map(|at| Step::Alice(at, 130)),
        10 => (0_usize..2).prop_map(Step::Bob),
        16 => (1_u8..6).prop_map(Step::ToServer),
        20 => (1_u8..6).prop_map(Step::ToClient),
        16 => (1_u8..4).prop_map(Step::Commit),
        5 => Just(Step::Post),
        1 => Just(Step::NotPosted),
        6 => (0_u64..1_500).prop_map(Step::Wait),
        3 => (0_u64..40_000).prop_map(Step::Wait),
        2 => (0_u64..200_000).prop_map(Step::Freeze),
        4 => Just(Step::Cut),
        2 => Just(Step::Crash),
        3 => grace.prop_map(Step::Background),
        3 => Just(Step::Foreground),
        4 => prop_oneof![Just(0), Just(4_000), Just(25_000)].prop_map(Step::EnterBackground),
        1 => Just(Step::BudgetExpiring),
        2 => (0_u32..25_000).prop_map(Step::Woken),
        1 => Just(Step::Resumed),
        1 => any::<bool>().prop_map(Step::Look),
        2 => (1_u32..4).prop_map(Step::Busy),
        2 => network.prop_map(Step::Network),
        3 => (0_usize..2, 0_u64..40).prop_map(|(at, seq)| Step::Reads(at, seq)),
        2 => (0_usize..2).prop_map(Step::ReadElsewhere),
        2 => (0_usize..2, 0_u64..30).prop_map(|(at, seq)| Step::Withdraw(at, seq)),
        1 => Just(Step::Drain),
        1 => Just(Step::NetworkLost),
        1 => Just(Step::NetworkChanged),
        1 => Just(Step::StopAndStart),
    ];
    prop::collection::vec(step, 0..160)
}

fn perform(stage: &mut Stage, step: &Step) {
    let places = conversations();
    match step {
        Step::Alice(at, n) => {
            for _ in 0..*n {
                stage.server.alice_writes(&places[*at].1, stage.now);
            }
        }
        Step::Bob(at) => stage.writes(&places[*at].0),
        Step::ToServer(n) => while_left(*n, || stage.server_reads()),
        Step::ToClient(n) => while_left(*n, || stage.client_reads()),
        Step::Commit(n) => while_left(*n, || stage.commits()),
        Step::Post => while_left(1, || stage.posts()),
        Step::NotPosted => {
            if let Some(id) = stage.to_post.pop_front() {
                stage.happens(Input::NotNotified(id));
            }
        }
        Step::Wait(ms) => stage.time_passes(*ms),
        Step::Freeze(ms) => stage.freezes(*ms),
        Step::Cut => stage.cut(),
        Step::Crash => stage.crashes(),
        Step::Background(grace_ms) => stage.background(*grace_ms),
        Step::Foreground => stage.foreground(),
        Step::EnterBackground(budget_ms) => stage.enters_background(*budget_ms),
        Step::BudgetExpiring => stage.happens(Input::BudgetExpiring),
        Step::Woken(budget_ms) if !stage.is_foreground => {
            stage.happens(Input::Woken { budget_ms: *budget_ms });
        }
        Step::Woken(_) => {}
        Step::Resumed => stage.happens(Input::Resumed),
        Step::Look(is_active) => {
            stage.happens(if *is_active { Input::Active } else { Input::Inactive });
        }
        Step::Busy(n) => stage.server.busy = *n,
        Step::Network(network) => stage.network = *network,
        Step::Reads(at, seq) => stage.reads(&places[*at].1, *seq),
        Step::ReadElsewhere(at) => {
            let head = stage.server.head(&places[*at].1);
            stage.server.read_elsewhere(&places[*at].1, head, stage.now);
        }
        Step::Withdraw(at, seq) => {
            let entry = stage.server.visible(&places[*at].1, *seq, Seq::MAX).next();
            if let Some(id) = entry.map(|entry| nid_of(entry)) {
                stage.server.withdraw(id, stage.now);
            }
        }
        Step::Drain => stage.server.says_bye(ByeReason::Drain, stage.now),
        Step::NetworkLost => stage.happens(Input::NetworkLost),
        Step::NetworkChanged => stage.happens(Input::NetworkChanged),
        Step::StopAndStart => {
            stage.happens(Input::Stop);
            stage.happens(Input::Start);
        }
    }
}

/// So many times, as long as there is something to do.
fn while_left(times: u8, mut one: impl FnMut() -> bool) {
    let _ = (0..times).take_while(|_| one()).count();
}

/// The phone and the server agree about everything.
fn check_agreement(stage: &Stage) {
    assert!(stage.client.is_online());
    for (_, conversation) in conversations() {
        let starts = stage.server.starts.as_ref().unwrap();
        let start = starts.get(&conversation).copied().unwrap_or(0);
        for entry in stage.server.visible(&conversation, start, Seq::MAX) {
            let place = (conversation.clone(), entry.seq);
            let row = stage.disk.messages.get(&place);
            let row = row.unwrap_or_else(|| panic!("{place:?} is missing"));
            assert_eq!(row.content, entry.content);
        }
        let head = stage.server.head(&conversation);
        if let Some(cursor) = stage.server.cursors.get(&conversation) {
            // A session cannot place own messages before the first one it delivers.
            let upto = cursor.stored.min(cursor.surfaced);
            let open = stage.server.visible(&conversation, upto, Seq::MAX);
            let open: Vec<_> =
                open.filter(|entry| !is_bob(&entry.from)).map(|entry| entry.seq).collect();
            assert!(open.is_empty(), "not acknowledged: {open:?}");
        }
        let place = stage.client.places.get(&conversation);
        if let Some(place) = place.filter(|_| head > start) {
            let read = stage.server.read.get(&conversation).copied().unwrap_or(0);
            assert_eq!(place.read_told, place.read);
            assert_eq!(place.read, read, "{conversation}");
        }
        check_own(stage, &conversation);
    }
    let badge = (stage.server.unread(), stage.server.bv);
    assert!(stage.client.account.bv <= badge.1);
    assert!(stage.server.owed_withdrawals.is_empty());
    assert!(stage.screen.iter().all(|id| !stage.ledger.is_withdrawn(id)));
}

/// What bob wrote is there once, in the order he wrote it.
fn check_own(stage: &Stage, conversation: &nightjar_model::ConversationId) {
    let log = stage.server.log.get(conversation);
    let own: Vec<_> = log.into_iter().flatten().filter(|entry| is_bob(&entry.from)).collect();
    let texts: Vec<_> = own.iter().map(|entry| entry.content.clone()).collect();
    let failed_one = own.iter().any(|entry| stage.failed.contains(&entry.client_msg_id));
    assert!(failed_one || texts.is_sorted(), "{texts:?}");
    for (id, to) in &stage.queued {
        let is_here = conversations().iter().any(|(target, at)| target == to && at == conversation);
        let times = own.iter().filter(|entry| entry.client_msg_id == *id).count();
        if is_here && !stage.failed.contains(id) {
            assert_eq!(times, 1, "{id} was written");
        }
        assert!(times <= 1, "{id} came twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(
        before in 0_u8..4,
        steps in steps(),
    ) {
        let mut stage = Stage::new();
        for _ in 0..before {
            stage.server.alice_writes(&conversations()[0].1, stage.now);
        }
        stage.happens(Input::Start);
        for step in &steps {
            perform(&mut stage, step);
            stage.check_suspended();
        }
        stage.calms_down();
        check_agreement(&stage);
    }
}
