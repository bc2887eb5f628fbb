//! One push per row of the error table, over the wire.

use super::super::reasons::{ROWS, Row};
use super::*;

/// Requests a push makes when every one is answered with this row.
fn attempts(row: &Row) -> usize {
    match row.step {
        Step::Resign | Step::Reopen => 2,
        Step::Report | Step::KeepToken | Step::Leave | Step::AskOther => 1,
    }
}

/// Connections two such pushes use.
fn connections(row: &Row) -> usize {
    match row.step {
        Step::Leave => 2,
        // Each push opens a second one; the next push goes on with it.
        Step::Reopen => 3,
        Step::Report | Step::KeepToken | Step::Resign | Step::AskOther => 1,
    }
}

#[tokio::test]
async fn every_row_has_its_outcome_and_its_step() {
    for row in ROWS {
        let server = ApnsServer::start().await;
        let apns = open(&server);
        server.answer_always("t1", Script::refuse(row.status, row.reason));
        let answer = push(&apns, "t1").await;
        assert_eq!(answer.outcome, row.outcome, "{row:?}");
        assert_eq!(answer.reason, row.reason);
        assert_eq!(server.requests().len(), attempts(row), "{row:?}");
        push(&apns, "t1").await;
        assert_eq!(server.connections().len(), connections(row), "{row:?}");
    }
}

#[tokio::test]
async fn a_step_that_helps_ends_in_a_delivery() {
    for row in ROWS.iter().filter(|row| attempts(row) == 2) {
        let server = ApnsServer::start().await;
        server.answer("t1", Script::refuse(row.status, row.reason));
        assert_eq!(push(&open(&server), "t1").await.outcome, Outcome::Delivered, "{row:?}");
        assert_eq!(server.requests().len(), 2, "{row:?}");
    }
}

#[tokio::test]
async fn too_many_key_tokens_stop_the_signing() {
    let server = ApnsServer::start().await;
    let apns = open(&server);
    server.answer("t1", Script::refuse(429, "TooManyProviderTokenUpdates"));
    assert_eq!(push(&apns, "t1").await.outcome, Outcome::Throttled);
    server.answer("t2", Script::refuse(403, "ExpiredProviderToken"));
    assert_eq!(push(&apns, "t2").await.outcome, Outcome::AuthExpired);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(authorizations(&requests)[0], authorizations(&requests)[1]);
}
