//! Streams, GOAWAY, silence.

use std::time::Duration;

use nightjar_provider_servers::GoAwayPlan;
use tokio::task::{JoinHandle, yield_now};

use super::super::channel::LINKS_MAX;
use super::super::link::PING_EVERY;
use super::*;
use crate::transport::ANSWER_WITHIN;

fn start(apns: &Arc<Apns>, tokens: impl Iterator<Item = String>) -> Vec<JoinHandle<Answer>> {
    tokens
        .map(|token| {
            let apns = Arc::clone(apns);
            tokio::spawn(async move { push(&apns, &token).await })
        })
        .collect()
}

async fn outcomes(pushes: Vec<JoinHandle<Answer>>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for push in pushes {
        outcomes.push(push.await.unwrap().outcome);
    }
    outcomes
}

/// Lets every task on this thread do what it can do without waiting for a clock.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

#[tokio::test]
async fn one_stream_until_a_push_succeeded_then_many() {
    let server = ApnsServer::start().await;
    let apns = Arc::new(open(&server));
    server.answer("t0", Script::refuse(410, "Unregistered"));
    server.answer("t1", Script::accept().held());
    let pushes = start(&apns, (0..20).map(|n| format!("t{n}")));
    server.wait_for(2).await;
    settle().await;
    assert_eq!(server.requests().len(), 2, "a refusal does not open the gate");
    for n in 2..20 {
        server.answer(&format!("t{n}"), Script::accept().held());
    }
    server.release();
    assert_eq!(outcomes(pushes).await.len(), 20);
    let seen = server.connections();
    assert_eq!((seen.len(), seen[0].open_max_before_success), (1, 1));
}

#[tokio::test]
async fn after_a_success_streams_are_open_side_by_side_up_to_the_peers_limit() {
    let server = ApnsServer::with_streams_max(7).await;
    let apns = Arc::new(open(&server));
    push(&apns, "first").await;
    server.answer_always("*", Script::accept().held());
    let pushes = start(&apns, (0..7).map(|n| format!("t{n}")));
    server.wait_for(8).await;
    assert_eq!(server.connections().len(), 1, "it was not full");
    let more = start(&apns, (7..20).map(|n| format!("t{n}")));
    server.wait_for(9).await;
    settle().await;
    let seen: Vec<_> = server.connections().iter().map(|seen| seen.open_max).collect();
    assert_eq!(seen, [7, 1], "another, which has to prove itself first");
    server.release();
    assert_eq!(outcomes(pushes).await, [Outcome::Delivered; 7]);
    assert_eq!(outcomes(more).await, [Outcome::Delivered; 13]);
    assert!(server.connections().iter().all(|seen| seen.open_max <= 7));
}

#[tokio::test]
async fn what_one_connection_cannot_carry_several_do_and_no_more_than_four() {
    let server = ApnsServer::with_streams_max(2).await;
    let apns = Arc::new(open(&server));
    for round in 0..8 {
        let pushes = start(&apns, (0..20).map(|n| format!("r{round}t{n}")));
        assert_eq!(outcomes(pushes).await, [Outcome::Delivered; 20]);
    }
    let seen = server.connections();
    assert_eq!(seen.len(), LINKS_MAX, "{seen:?}");
    assert!(seen.iter().all(|seen| seen.open_max <= 2 && seen.open_max_before_success == 1));
    assert_eq!(server.requests().len(), 160);
}

#[tokio::test]
async fn what_goaway_left_unprocessed_is_sent_once_more_and_nothing_else() {
    let server = ApnsServer::start().await;
    let apns = Arc::new(open(&server));
    server.next_connection(GoAwayPlan { received: 6, processed: 2, answered: 2 });
    assert_eq!(push(&apns, "t0").await.outcome, Outcome::Delivered);
    let pushes = start(&apns, (1..6).map(|n| format!("t{n}")));
    assert_eq!(outcomes(pushes).await, [Outcome::Delivered; 5]);
    let mut again: Vec<String> =
        server.requests().into_iter().map(|request| request.token).collect();
    again.sort();
    again.dedup();
    assert_eq!((again.len(), server.requests().len()), (4, 4), "{again:?}");
    assert!(!again.contains(&"t0".to_owned()));
}

#[tokio::test]
async fn what_may_have_been_processed_is_not_sent_again() {
    let server = ApnsServer::start().await;
    let apns = Arc::new(open(&server));
    server.next_connection(GoAwayPlan { received: 3, processed: 2, answered: 1 });
    push(&apns, "t0").await;
    let pushes = start(&apns, ["t1", "t2"].map(String::from).into_iter());
    let mut outcomes = outcomes(pushes).await;
    outcomes.sort();
    assert_eq!(outcomes, [Outcome::Delivered, Outcome::Retry]);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_draining_server_gets_the_next_push_on_a_new_connection() {
    let server = ApnsServer::start().await;
    let apns = open(&server);
    server.answer("t1", Script::accept().then_go_away());
    assert_eq!(push(&apns, "t1").await.outcome, Outcome::Delivered);
    settle().await;
    assert_eq!(push(&apns, "t2").await.outcome, Outcome::Delivered);
    let used: Vec<usize> = server.requests().iter().map(|request| request.connection).collect();
    assert_eq!(used, [0, 1]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_retry_and_then_replaced() {
    let server = ApnsServer::start().await;
    let apns = open(&server);
    server.answer("t1", Script::drop_connection());
    let answer = push(&apns, "t1").await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Retry, "connection_lost"));
    assert!(answer.may_have_arrived());
    assert_eq!(push(&apns, "t1").await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn nobody_at_the_other_end_is_a_retry() {
    let server = ApnsServer::start().await;
    let apns = open(&server);
    drop(server);
    let answer = push(&apns, "t1").await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Retry, "connection_failed"));
    assert!(!answer.may_have_arrived());
}

#[tokio::test]
async fn silence_ends_after_ten_seconds() {
    let server = ApnsServer::start().await;
    let apns = Arc::new(open(&server));
    server.answer("t1", Script::silent());
    let mut pushes = start(&apns, ["t1".to_owned()].into_iter());
    server.wait_for(1).await;
    tokio::time::pause();
    tokio::time::advance(ANSWER_WITHIN - Duration::from_secs(1)).await;
    settle().await;
    assert!(!pushes[0].is_finished());
    tokio::time::advance(Duration::from_secs(2)).await;
    let answer = pushes.remove(0).await.unwrap();
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Retry, "timeout"));
    tokio::time::resume();
    assert_eq!(push(&apns, "t2").await.outcome, Outcome::Delivered);
    assert_eq!(server.connections().len(), 2, "a silent connection is left");
}

#[tokio::test]
async fn an_idle_connection_that_answers_pings_is_kept_for_hours() {
    let server = ApnsServer::start().await;
    let apns = open(&server);
    push(&apns, "t1").await;
    tokio::time::pause();
    for _ in 0..8 {
        tokio::time::advance(PING_EVERY).await;
        settle().await;
    }
    tokio::time::resume();
    assert_eq!(push(&apns, "t2").await.outcome, Outcome::Delivered);
    assert_eq!(server.connections().len(), 1);
}
