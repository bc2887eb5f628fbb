//! Nothing leaves before its commit, or an earlier one it may have read, is safe.

use std::time::Duration;

use nightjar_decider::Mail;
use nightjar_model::{Command, Notice, Reject, Reply, SentReply};

use crate::stage::{FOREGROUND_MS, Stage, soon, uid};

fn sent(answer: Result<Reply, Reject>) -> SentReply {
    match answer {
        Ok(Reply::Sent(sent)) => sent,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reply_leaves_when_its_commit_is_safe_and_not_before() {
    let mut stage = Stage::start(100);
    let answer = stage.ask(stage.message("alice", "bob"));
    stage.disk.takes(1).await;
    assert_eq!(stage.released().await, 0);
    assert!(!answer.is_finished());
    stage.disk.write();
    assert_eq!(sent(soon(answer).await.unwrap()).seq, 1);
}

#[tokio::test]
async fn a_duplicate_reply_waits_for_the_commit_of_the_first() {
    let mut stage = Stage::start(100);
    let command = stage.message("alice", "bob");
    let first = stage.ask(command.clone());
    stage.disk.takes(1).await;
    let again = stage.ask(command);
    assert_eq!(stage.released().await, 0, "the second turn writes nothing, but it has read");
    assert!(!again.is_finished());
    stage.disk.write();
    let (first, again) = (sent(soon(first).await.unwrap()), sent(soon(again).await.unwrap()));
    assert_eq!(again, SentReply { duplicate: true, ..first });
}

#[tokio::test]
async fn an_answer_that_read_what_is_not_safe_waits_for_it() {
    let mut stage = Stage::start(100);
    stage.bind("bob/phone").await;
    let before = stage.released().await;
    let message = stage.message("alice", "bob");
    let taken = stage.disk.write().0;
    let _answer = stage.ask(message);
    stage.disk.takes(taken + 1).await;
    let devices = stage.ask(Command::Devices { uid: uid("bob") });
    let history = stage.ask(Command::Unread { uid: uid("bob") });
    assert_eq!(stage.released().await, before);
    stage.disk.write();
    assert!(soon(devices).await.unwrap().is_ok());
    let Ok(Reply::Unread(view)) = soon(history).await.unwrap() else { panic!("no view") };
    assert_eq!(view.total, 1);
}

#[tokio::test]
async fn a_wake_up_and_a_push_leave_when_the_message_is_safe() {
    let mut stage = Stage::start(100);
    stage.bind("bob/phone").await;
    let laptop = stage.connect("bob/laptop").await;
    let before = stage.released().await;
    let taken = stage.disk.write().0;
    let answer = stage.ask(stage.message("alice", "bob"));
    stage.disk.takes(taken + 1).await;
    assert_eq!(stage.released().await, before);
    assert!(stage.pushed.try_recv().is_err());
    stage.disk.write();
    let message_id = sent(soon(answer).await.unwrap()).message_id;
    let mail = soon(laptop.mail()).await.unwrap();
    let Mail::Notice(Notice::Wake(delivery)) = &mail[0] else { panic!("{mail:?}") };
    assert_eq!(delivery.entry.message_id, message_id);
    let push = soon(stage.pushed.recv()).await.unwrap();
    assert_eq!(push.data.mid, Some(message_id));
}

#[tokio::test]
async fn a_deadline_that_passed_while_the_disk_stood_fires_once_it_goes_on() {
    let mut stage = Stage::start(100);
    stage.bind("bob/phone").await;
    let phone = stage.connect("bob/phone").await;
    let taken = stage.disk.write().0;
    let answer = stage.ask(stage.message("alice", "bob"));
    stage.disk.takes(taken + 1).await;
    tokio::time::sleep(Duration::from_millis(2 * FOREGROUND_MS)).await;
    stage.disk.write();
    let message_id = sent(soon(answer).await.unwrap()).message_id;
    let mail = soon(phone.mail()).await.unwrap();
    assert!(matches!(mail[0], Mail::Notice(Notice::Wake(_))), "{mail:?}");
    assert!(stage.pushed.try_recv().is_err(), "its answer gets some time");
    // The push leaves in a commit of its own.
    let pushed = soon(async {
        loop {
            tokio::select! {
                push = stage.pushed.recv() => return push,
                () = tokio::time::sleep(Duration::from_millis(20)) => { stage.disk.write(); }
            }
        }
    });
    assert_eq!(pushed.await.unwrap().data.mid, Some(message_id));
}

#[tokio::test]
async fn what_becomes_safe_piece_by_piece_leaves_piece_by_piece_in_order() {
    let stage = Stage::start(1_000);
    let alice = stage.connect("alice/laptop").await;
    stage.disk.write();
    for request in 1..=40 {
        let Command::SendAs { send, .. } = stage.message("alice", "bob") else { unreachable!() };
        alice.give(request, Command::Send(send)).await;
        // Decided in a turn of its own, with a commit of its own.
        stage.released().await;
    }
    let needs = stage.disk.brought();
    let (first, last) = (needs[&1], needs[&40]);
    assert!(last >= first + 39, "{needs:?}");
    let mut answered = Vec::new();
    for commit in first..=last {
        stage.disk.write_up_to(commit);
        stage.released().await;
        let safe = needs.values().filter(|needed| **needed <= commit).count();
        while answered.len() < safe {
            for mail in soon(alice.mail()).await.unwrap() {
                let Mail::Reply(request, answer) = mail else { panic!("{mail:?}") };
                answered.push((request, sent(answer).seq));
            }
        }
        assert_eq!(answered.len(), safe, "with commit {commit} of {needs:?}");
    }
    let expected: Vec<(u32, u64)> = (1..=40).map(|n| (n, u64::from(n))).collect();
    assert_eq!(answered, expected);
}

#[tokio::test]
async fn a_full_store_makes_the_decider_wait_and_loses_nothing() {
    let mut stage = Stage::start(2);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(stage.ask(stage.message("alice", "bob")));
        // Let it be decided, in a turn of its own as long as there is room.
        let next = answers.len() as u64;
        if next <= 2 {
            stage.disk.takes(next).await;
        }
    }
    stage.disk.is_full().await;
    for _ in 0..20 {
        answers.push(stage.ask(stage.message("alice", "bob")));
    }
    assert_eq!(stage.handle().release().released(), 0);
    let mut seqs = Vec::new();
    for answer in answers {
        soon(async {
            while !answer.is_finished() {
                stage.disk.write();
                tokio::task::yield_now().await;
            }
        })
        .await;
        seqs.push(sent(answer.await.unwrap()).seq);
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=23).collect::<Vec<u64>>());
    let stored = stage.disk.brought().into_keys().collect::<Vec<u64>>();
    assert_eq!(stored, seqs, "each commit was submitted again until it was taken");
}
