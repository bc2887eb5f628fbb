//! `nightjar chat` as people run it: processes with a terminal, a store and a server.

use std::net::TcpListener;

use nightjar_whole::{Person, Server, within};
use serde_json::Value;

use crate::scene::{nid, nids, scene};
use crate::setup;

fn native(server: &Server) -> Vec<String> {
    vec![server.native().to_string()]
}

/// How many lines of these hold the text.
fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

#[tokio::test]
async fn two_people_chat_and_leave() {
    let server = setup().start().await;
    let alice = Person::new(&server, "alice", "bob").await;
    let bob = Person::new(&server, "bob", "alice").await;
    let mut at_alice = alice.chat(server.setup(), &native(&server));
    let mut at_bob = bob.chat(server.setup(), &native(&server));
    at_alice.until("online").await;
    at_bob.until("online").await;

    at_alice.types("hello Bob").await;
    assert!(at_alice.until("✓ sent").await.contains("me to bob: hello Bob  ✓ sent #1"));
    assert!(at_bob.until("hello Bob").await.contains("alice: hello Bob"));
    at_bob.types("hello Alice").await;
    assert!(at_alice.until("hello Alice").await.contains("bob: hello Alice"));

    for (status, printed) in [at_alice.quits().await, at_bob.quits().await] {
        assert!(status.success(), "{printed:#?}");
        assert_eq!(printed.last().map(String::as_str), Some("bye"));
    }
}

#[tokio::test]
async fn who_has_a_wrong_token_is_told_and_the_exit_code_is_1() {
    let server = setup().start().await;
    let mallory = Person { uid: "alice".into(), token: "not.a.token".into(), to: "bob".into() };
    let (status, printed) = mallory.chat(server.setup(), &native(&server)).end().await;
    assert_eq!(status.code(), Some(1), "{printed:#?}");
    assert_eq!(count(&printed, "online"), 0, "{printed:#?}");
}

#[tokio::test]
async fn of_several_servers_the_next_is_tried_when_one_is_silent() {
    let server = setup().start().await;
    // Connections are opened by its kernel and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut servers = vec![silent.local_addr().unwrap().to_string()];
    servers.extend(native(&server));
    let mut alice = Person::new(&server, "alice", "bob").await.chat(server.setup(), &servers);
    alice.until("online").await;
    alice.types("through the second").await;
    alice.until("✓ sent #1").await;
}

#[tokio::test]
async fn a_frozen_terminal_is_pushed_and_shows_each_message_once_when_it_thaws() {
    let scene = scene("").await;
    let bob = Person::new(&scene.server, "bob", "alice").await;
    scene.bind("bob", &bob.device_id()).await;
    let mut terminal = bob.chat(scene.server.setup(), &native(&scene.server));
    terminal.until("online").await;
    scene.app_state(("bob", &bob.device_id()), "foreground").await;

    terminal.freeze();
    let first = scene.alice.say("bob", "are you there").await;
    scene.push_of(&first.message_id).await;
    let second = scene.alice.say("bob", "nobody saw it").await;
    scene.push_of(&second.message_id).await;
    terminal.thaw();
    terminal.until("nobody saw it").await;

    // Until it was heard of, whatever is written is pushed at once. What is written last comes
    // after whatever was on its way.
    scene.app_state(("bob", &bob.device_id()), "foreground").await;
    let last = scene.alice.say("bob", "awake again").await;
    terminal.until("awake again").await;
    let api = scene.server.api();
    let is_shown = async {
        let shown = |step: &Value| step["step"] == "surfaced";
        while !api.trace(&last.message_id, "bob").await.iter().any(shown) {}
    };
    within("the last message to be surfaced", is_shown).await;
    let printed = terminal.kill().await;
    for text in ["are you there", "nobody saw it", "awake again"] {
        assert_eq!(count(&printed, text), 1, "{printed:#?}");
    }
    let expected = [nid(&first.message_id), nid(&second.message_id)];
    let token = format!("bob-{}", bob.device_id());
    assert_eq!(nids(&scene.apns.requests(), &token), expected);
}

#[tokio::test]
async fn what_was_typed_before_a_kill_is_sent_once_by_the_next_run() {
    let server = setup().start().await;
    let alice = Person::new(&server, "alice", "bob").await;
    // Nobody listens there, so the message waits in the outbox.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut terminal = alice.chat(server.setup(), &[gone]);
    terminal.until("waiting for network").await;
    terminal.types("written without a network").await;
    terminal.until("(kept until there is a connection)").await;
    terminal.kill().await;

    for _ in 0..2 {
        let mut terminal = alice.chat(server.setup(), &native(&server));
        terminal.until("online").await;
        terminal.types("and one more").await;
        terminal.until("and one more  ✓ sent").await;
        terminal.kill().await;
    }
    let history = server.api().whole_history("d:alice:bob", "bob").await;
    let texts: Vec<_> = history.iter().map(|message| message["content"]["text"].clone()).collect();
    assert_eq!(texts, ["written without a network", "and one more", "and one more"]);
}
