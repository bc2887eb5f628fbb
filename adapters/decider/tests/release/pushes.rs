//! Requests at providers, and mail that nobody takes.

use nightjar_decider::Mail;
use nightjar_model::{Command, Notice, Target};

use crate::stage::{Stage, soon, uid};

#[tokio::test]
async fn a_request_called_back_before_its_task_ran_never_reaches_the_provider() {
    let mut stage = Stage::start(100);
    stage.bind("bob/phone").await;
    let taken = stage.disk.write().0;
    let message = stage.message("alice", "bob");
    let sent = stage.ask(message);
    stage.disk.takes(taken + 1).await;
    let kicked = stage.ask(stage.kick("bob/phone"));
    stage.released().await;
    // Both leave now, one after the other, before any task of this thread runs.
    stage.disk.write();
    soon(sent).await.unwrap().unwrap();
    soon(kicked).await.unwrap().unwrap();
    stage.released().await;
    assert!(stage.pushed.try_recv().is_err(), "it was called back");
    // The way itself is open.
    stage.bind("carol/phone").await;
    let message = stage.message("alice", "carol");
    stage.done(message).await;
    assert_eq!(soon(stage.pushed.recv()).await.unwrap().uid, uid("carol"));
}

#[tokio::test]
async fn a_connection_that_takes_no_mail_is_lost_alone() {
    let stage = Stage::start(100);
    let alice = stage.connect("alice/laptop").await;
    let phone = stage.connect("bob/phone").await;
    let tablet = stage.connect("bob/tablet").await;
    // The message makes both members known to the conversation.
    let message = stage.message("alice", "bob");
    stage.done(message).await;
    assert!(soon(tablet.mail()).await.is_some());
    let mut heard = 0;
    for request in 0..5_000 {
        alice.give(request, Command::Typing(Target::User(uid("bob")))).await;
        if request % 500 == 499 {
            stage.released().await;
            stage.disk.write();
            assert!(soon(alice.mail()).await.is_some());
            while heard <= request as usize {
                let mail = soon(tablet.mail()).await.expect("it takes its mail");
                heard += mail.iter().filter(|mail| is_typing(mail)).count();
            }
        }
    }
    assert_eq!(heard, 5_000);
    assert!(soon(phone.mail()).await.is_none(), "it must end");
    assert!(soon(phone.mail()).await.is_none(), "and stays so");
}

fn is_typing(mail: &Mail) -> bool {
    matches!(mail, Mail::Notice(Notice::Typing { .. }))
}
