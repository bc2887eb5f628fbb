//! A store that fails, and a decider that ends.

use nightjar_decider::Mail;
use nightjar_domain::Row;
use nightjar_model::{AckItem, Command, ConversationId, Reject, Reply};

use crate::stage::{Stage, soon, uid};

#[tokio::test]
async fn a_broken_store_is_told_of_and_nothing_leaves_any_more() {
    let mut stage = Stage::start(100);
    stage.bind("bob/phone").await;
    let left = stage.released().await;
    let taken = stage.disk.write().0;
    let (one, two) = (stage.message("alice", "bob"), stage.message("alice", "bob"));
    let unsafe_answer = stage.ask(one);
    stage.disk.takes(taken + 1).await;
    stage.disk.fail();
    let refused = stage.ask(two);
    let broken = &mut stage.broken;
    assert_eq!(soon(broken).await.unwrap(), "the disk is gone");
    stage.disk.write();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.handle().release().released(), left);
    assert!(stage.pushed.try_recv().is_err());
    assert!(!unsafe_answer.is_finished());
    // What comes later is told that the server goes away, or gets no answer; never a good one.
    refused.abort();
    unsafe_answer.abort();
}

#[tokio::test]
async fn stopping_answers_what_is_queued_and_writes_what_is_gathered() {
    let stage = Stage::start(1_000);
    let bob = stage.connect("bob/phone").await;
    let message = stage.message("alice", "bob");
    stage.done(message).await;
    let chat = ConversationId::direct(&uid("alice"), &uid("bob"));
    let ack = AckItem { conversation: chat.clone(), stored: 1, surfaced: 1 };
    // Acknowledgements are gathered for a while before they are written.
    bob.give(1, Command::Ack(vec![ack])).await;
    let answers: Vec<_> =
        (0..50).map(|_| stage.message("alice", "bob")).map(|message| stage.ask(message)).collect();
    // Each is in the queue before the stop.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let (disk, handle) = (stage.disk.clone(), stage.handle());
    soon(stage.decider.stop()).await;
    for answer in answers {
        assert!(matches!(soon(answer).await.unwrap(), Ok(Reply::Sent(_))));
    }
    let mail = soon(bob.mail()).await.unwrap();
    assert!(mail.iter().any(|mail| matches!(mail, Mail::Reply(1, Ok(Reply::Done)))), "{mail:?}");
    let rows = disk.rows();
    let surfaced = rows.iter().find_map(|row| match row {
        Row::Cursor(row) if row.conversation == chat && row.device_id.as_str() == "phone" => {
            Some(row.surfaced)
        }
        _ => None,
    });
    assert_eq!(surfaced, Some(1));
    assert_eq!(rows.iter().filter(|row| matches!(row, Row::Entry(_))).count(), 51);
    let late = handle.call(Command::Unread { uid: uid("bob") });
    assert_eq!(soon(late).await, Err(Reject::Draining), "nobody is there any more");
}
