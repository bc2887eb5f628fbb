//! Edits and reactions over the native protocol: what others read, and what history keeps.

use nightjar_whole::{Login, Way};
use nightjar_wire::{Body, Kind, body};
use serde_json::json;

use crate::scene::scene;

#[tokio::test]
async fn an_edit_and_a_reaction_are_delivered_kept_and_never_pushed() {
    let scene = scene("").await;
    let bob = Login::new("bob", "web").over(Way::Json).to(&scene.server).await;
    scene.bind("bob", "phone").await;
    let sent = scene.alice.say("bob", "helo").await;
    scene.push_of(&sent.message_id).await;

    let (conversation, seq) = (sent.conversation.clone(), sent.seq);
    let content = json!({"type": "text", "text": "hello"}).to_string();
    let edit = body::Edit { conversation: conversation.clone(), seq, content: content.into() };
    let edited = scene.alice.ask(Kind::Edit, Body::Edit(edit.clone())).await;
    assert_eq!(edited, Ok(Body::SeqAnswer(body::SeqAnswer { seq: 2 })));
    let react = body::React { conversation, seq, emoji: "👍".into(), remove: false };
    let reacted = bob.ask(Kind::React, Body::React(react.clone())).await;
    assert_eq!(reacted, Ok(Body::SeqAnswer(body::SeqAnswer { seq: 3 })));
    let contents = [
        json!({"type": "text", "text": "helo"}),
        json!({"type": "edit", "target": 1, "content": {"type": "text", "text": "hello"}}),
    ];
    let seen = bob.messages(2).await;
    let read: Vec<serde_json::Value> =
        seen.iter().map(|message| serde_json::from_slice(&message.content).unwrap()).collect();
    assert_eq!(read, contents);
    assert!(!seen[1].alert);
    let history = scene.server.api().whole_history(&sent.conversation, "alice").await;
    assert_eq!(history[2]["content"]["emoji"], "👍");

    let refused = bob.ask(Kind::Edit, Body::Edit(edit)).await.expect_err("it is Alice's");
    assert_eq!(refused.code, "forbidden");
    for emoji in ["".to_owned(), "x".repeat(65)] {
        let react = body::React { emoji, ..react.clone() };
        bob.ask(Kind::React, Body::React(react)).await.expect_err("no emoji");
    }
    // What is pushed next is the next message, with one unread more.
    let next = scene.alice.say("bob", "next").await;
    let push = scene.push_of(&next.message_id).await;
    assert_eq!(push.json()["badge"], 2);
    let alerts = scene.apns.requests();
    assert_eq!(alerts.iter().filter(|push| push.token == "bob-phone").count(), 2);
}
