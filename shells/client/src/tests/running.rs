//! The client for apps.

use nightjar_client_core::{Amendment, Event, Input, Listed};
use nightjar_model::{ContactAction, ContactState, Reject};

use super::house::{House, chat_of, nowhere, soon, text, uid};
use crate::chat::content;
use crate::store::Store;

#[tokio::test]
async fn messages_go_both_ways_over_tcp_and_websocket() {
    let house = House::open();
    let mut alice = house.phone("alice", vec![house.door().await]).await;
    let mut bob = house.phone("bob", vec![house.web_door().await]).await;
    alice.is_there().await;
    bob.is_there().await;
    alice.writes("bob", "are you awake?").await;
    assert_eq!(alice.is_sent().await, 1);
    assert_eq!(bob.receives().await, "are you awake?");
    bob.writes("alice", "now I am").await;
    assert_eq!(bob.is_sent().await, 2);
    assert_eq!(alice.receives().await, "now I am");
    alice.client.close().await.unwrap();
    bob.client.close().await.unwrap();
}

#[tokio::test]
async fn what_was_written_without_a_server_goes_out_in_order_after_an_abrupt_end() {
    let house = House::open();
    let mut bob = house.phone("bob", vec![house.door().await]).await;
    bob.is_there().await;
    let mut alice = house.phone("alice", vec![nowhere().await]).await;
    for text in ["one", "two", "three"] {
        alice.writes("bob", text).await;
        alice.hears(|event| matches!(event, Event::Queued { .. }).then_some(())).await;
    }
    // No goodbye, no close: the task is gone in the middle of whatever it does.
    alice.client.abort();
    let mut alice = house.phone("alice", vec![house.door().await]).await;
    for (text, seq) in [("one", 1), ("two", 2), ("three", 3)] {
        assert_eq!(alice.is_sent().await, seq);
        assert_eq!(bob.receives().await, text);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_left_for_the_next() {
    let house = House::open();
    let mut alice = house.phone("alice", vec![nowhere().await, house.door().await]).await;
    alice.is_there().await;
}

#[tokio::test]
async fn a_restart_brings_what_was_missed_and_nothing_twice() {
    let house = House::open();
    let door = house.door().await;
    let mut alice = house.phone("alice", vec![door.clone()]).await;
    let mut bob = house.phone("bob", vec![door.clone()]).await;
    bob.is_there().await;
    alice.writes("bob", "first").await;
    assert_eq!(bob.receives().await, "first");
    bob.client.close().await.unwrap();
    alice.is_sent().await;
    for text in ["second", "third"] {
        alice.writes("bob", text).await;
        alice.is_sent().await;
    }
    let mut bob = house.phone("bob", vec![door]).await;
    assert_eq!(bob.receives().await, "second");
    assert_eq!(bob.receives().await, "third");
    let stored = soon(bob.client.messages(chat_of("alice", "bob"), None, 10)).await.unwrap();
    assert_eq!(stored.iter().map(text).collect::<Vec<_>>(), ["first", "second", "third"]);
}

#[tokio::test]
async fn edits_and_reactions_reach_the_other_and_stay() {
    let house = House::open();
    let door = house.door().await;
    let mut alice = house.phone("alice", vec![door.clone()]).await;
    let mut bob = house.phone("bob", vec![door]).await;
    bob.is_there().await;
    alice.writes("bob", "helo").await;
    assert_eq!((alice.is_sent().await, bob.receives().await.as_str()), (1, "helo"));
    let chat = chat_of("alice", "bob");
    alice.client.edit(chat.clone(), 1, content::content("hello")).await.unwrap();
    let amended = |event: &Event| match event {
        Event::Amended(row) => Some(row.amendment.clone()),
        _ => None,
    };
    let edited = Amendment::Edited(content::content("hello"));
    assert_eq!(bob.hears(amended).await, edited);
    assert_eq!(alice.hears(amended).await, edited, "also where it was written");
    bob.client.react(chat.clone(), 1, "🦉".to_owned(), false).await.unwrap();
    assert_eq!(alice.hears(amended).await, Amendment::Reacted("🦉".to_owned()));
    bob.client.edit(chat.clone(), 1, content::content("mine now")).await.unwrap();
    let reject = |event: &Event| match event {
        Event::Refused { reject, .. } => Some(*reject),
        _ => None,
    };
    assert_eq!(bob.hears(reject).await, Some(Reject::Forbidden));
    alice.client.close().await.unwrap();
    let (store, _) = Store::open(&house.file("alice")).await.unwrap();
    let said = store.amendments(chat, (1, 1)).await.unwrap();
    let said: Vec<_> = said.into_iter().map(|row| (row.seq, row.amendment)).collect();
    assert_eq!(said, [(2, edited), (3, Amendment::Reacted("🦉".to_owned()))]);
}

#[tokio::test]
async fn closing_gives_the_file_back() {
    let house = House::open();
    let mut alice = house.phone("alice", vec![house.door().await]).await;
    alice.is_there().await;
    alice.client.close().await.unwrap();
    let name = house.file("alice");
    let is_held = std::fs::read_dir("/proc/self/fd").unwrap().any(|entry| {
        std::fs::read_link(entry.unwrap().path()).is_ok_and(|target| target.starts_with(&name))
    });
    assert!(!is_held);
    let (_, restored) = Store::open(&name).await.unwrap();
    assert!(restored.account.is_synced && restored.account.resume.is_some());
}

#[tokio::test]
async fn a_change_of_network_loses_nothing_whichever_connection_wins() {
    let house = House::open();
    let mut alice = house.phone("alice", vec![house.door().await]).await;
    let mut bob = house.phone("bob", vec![house.door().await]).await;
    alice.is_there().await;
    bob.is_there().await;
    for round in 1..=5 {
        alice.client.input(Input::NetworkChanged).await.unwrap();
        bob.client.input(Input::NetworkChanged).await.unwrap();
        alice.writes("bob", &format!("round {round}")).await;
        assert_eq!(alice.is_sent().await, round);
        assert_eq!(bob.receives().await, format!("round {round}"));
    }
}

/// Open descriptors and locks of this process on a store's files.
#[cfg(target_os = "linux")]
fn open_and_locked(file: &std::path::Path) -> (usize, usize) {
    use std::os::unix::fs::MetadataExt;

    let name = file.to_str().unwrap();
    let links = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    let open = targets.filter(|target| target.to_str().is_some_and(|text| text.starts_with(name)));
    // `POSIX ADVISORY WRITE PID MAJOR:MINOR:INODE …`; asking with F_GETLK shows no own locks.
    let (me, inode) = (std::process::id().to_string(), file.metadata().unwrap().ino().to_string());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let locks = locks.lines().filter(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.contains(&me.as_str())
            && words.iter().any(|word| word.ends_with(&format!(":{inode}")))
    });
    (open.count(), locks.count())
}

/// An iOS process that is frozen with a lock on a shared file is killed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_open_or_locked_while_suspended_and_everything_works_after_it() {
    let house = House::open();
    let mut alice = house.phone("alice", vec![house.door().await]).await;
    alice.is_there().await;
    let file = house.file("alice");
    let (open, locked) = open_and_locked(&file);
    assert!(open >= 2 && locked >= 1, "{open} open, {locked} locked");
    alice.writes("bob", "before I go").await;
    alice.client.enter_background(2_000).await.unwrap();
    alice.is_released().await;
    assert_eq!(open_and_locked(&file), (0, 0));
    // An extension may look at the file meanwhile, and so may the app.
    let stored = soon(alice.client.messages(chat_of("alice", "bob"), None, 10)).await.unwrap();
    assert_eq!(stored.len(), 1, "it was sent before the connection ended");
    assert_eq!(open_and_locked(&file), (0, 0));
    alice.client.foreground(None).await.unwrap();
    alice.is_there().await;
    alice.writes("bob", "I am back").await;
    assert_eq!(alice.is_sent().await, 2);
    alice.client.close().await.unwrap();
    assert_eq!(open_and_locked(&file), (0, 0));
}

#[tokio::test]
async fn reading_on_one_side_is_known_after_a_restart() {
    let house = House::open();
    let door = house.door().await;
    let alice = house.phone("alice", vec![door.clone()]).await;
    let mut bob = house.phone("bob", vec![door.clone()]).await;
    bob.is_there().await;
    alice.writes("bob", "read me").await;
    bob.receives().await;
    bob.hears(|event| match event {
        Event::Place { standing, .. } => (standing.unread == 1).then_some(()),
        _ => None,
    })
    .await;
    bob.client.read(chat_of("alice", "bob"), 1).await.unwrap();
    bob.hears(|event| match event {
        Event::Badge { unread, .. } => (*unread == 0).then_some(()),
        _ => None,
    })
    .await;
    bob.client.close().await.unwrap();
    let (_, restored) = Store::open(&house.file("bob")).await.unwrap();
    assert_eq!((restored.places[0].standing.read, restored.places[0].read_told), (1, 1));
}

#[tokio::test]
async fn what_the_server_refuses_is_told_with_its_reason() {
    let house = House::open();
    let mut alice = house.phone("alice", vec![house.door().await]).await;
    alice.is_there().await;
    alice.client.recall(chat_of("alice", "bob"), 7).await.unwrap();
    let reject = alice
        .hears(|event| match event {
            Event::Refused { reject, .. } => Some(*reject),
            _ => None,
        })
        .await;
    assert!(
        matches!(reject, Some(Reject::UnknownMessage | Reject::UnknownConversation)),
        "{reject:?}"
    );
}

#[tokio::test]
async fn contacts_reach_both_and_stay() {
    let house = House::open();
    let door = house.door().await;
    let mut alice = house.phone("alice", vec![door.clone()]).await;
    let mut bob = house.phone("bob", vec![door]).await;
    alice.is_there().await;
    bob.is_there().await;
    let state = |event: &Event| match event {
        Event::Listed(item) => match &**item {
            Listed::Contact(contact) => Some(contact.state),
            _ => None,
        },
        _ => None,
    };
    alice.client.change_contact(uid("bob"), ContactAction::Request).await.unwrap();
    assert_eq!(bob.hears(state).await, ContactState::Asked);
    bob.client.change_contact(uid("alice"), ContactAction::Accept).await.unwrap();
    alice.hears(|event| state(event).filter(|it| *it == ContactState::Accepted)).await;
    let contacts = alice.client.lists().await.unwrap().contacts;
    assert_eq!(contacts.iter().map(|it| it.uid.as_str()).collect::<Vec<_>>(), ["bob"]);
    alice.client.close().await.unwrap();
}
