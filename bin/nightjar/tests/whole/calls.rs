//! Pushes that ring: only for messages that ask for it.

use serde_json::json;

use crate::scene::{nids, of_token, scene};

#[tokio::test]
async fn a_call_rings_on_its_own_token_and_no_other_message_does() {
    let apns = nightjar_provider_servers::ApnsServer::start().await;
    let calls = apns.config("calls").replace("[push.apns.calls]", "[push.apns_voip.calls]");
    let scene = scene(&calls).await;
    scene.bind("bob", "phone").await;
    // The newest binding is the preferred one; not this one.
    let api = scene.server.api();
    api.bind("bob", "phone", ["apns_voip", "calls", "pushkit"]).await;
    let chat = scene.alice.say("bob", "hello").await;
    scene.push_to("bob-phone", &chat.message_id).await;

    let call = json!({
        "from": "alice", "to": {"user": "bob"}, "content": {"type": "call", "room": "r1"},
        "push": {"title": "Alice", "body": "Incoming call", "filter": {"accept_credentials": ["calls"]}},
    });
    api.post("/v1/messages", call).await.good();
    let rings = nightjar_whole::within("a ring", apns.wait_for(1)).await;
    assert_eq!(rings[0].header("apns-push-type"), "voip");
    assert_eq!(
        (rings[0].token.as_str(), &rings[0].json()["aps"]["alert"]["body"]),
        ("pushkit", &json!("Incoming call"))
    );

    let laptop = nightjar_whole::Login::new("bob", "laptop").to(&scene.server).await;
    laptop.read(&chat.conversation, 2).await;
    let withdrawn = scene.apns.wait_until(|pushes| {
        of_token(pushes, "bob-phone").iter().any(|push| push.json()["wd"].is_array())
    });
    nightjar_whole::within("a withdrawal of the message", withdrawn).await;
    assert_eq!(nids(&scene.apns.requests(), "bob-phone").len(), 1);
    assert_eq!(apns.requests().len(), 1, "nothing is taken back by a ring");
}
