//! Pushes that somebody else hands on: the operator's own receiver, and JPush.

use std::ops::Deref;

use nightjar_provider_servers::{JpushServer, Recorded, VendorServer, WebhookServer};
use nightjar_whole::{Login, within};
use serde_json::{Value, json};

use crate::scene::nid;
use crate::setup;

/// What of a body the app reads, and what a person sees.
type Read = fn(&Value) -> (&Value, Value, Value);

fn of_webhook(body: &Value) -> (&Value, Value, Value) {
    (&body["data"], body["title"].clone(), body["body"].clone())
}

fn of_jpush(body: &Value) -> (&Value, Value, Value) {
    let android = &body["notification"]["android"];
    let part = if android.is_null() { &body["message"] } else { android };
    (&part["extras"], part["title"].clone(), part["alert"].clone())
}

#[tokio::test]
async fn a_bridge_gets_the_message_and_later_what_takes_it_back() {
    let (webhook, jpush) = (WebhookServer::start().await, JpushServer::start().await);
    let tables = [webhook.config("main"), jpush.config("main")].join("\n");
    let server = setup().with(&tables).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let bridges: [(&str, &VendorServer, Read); 2] =
        [("webhook", webhook.deref(), of_webhook), ("jpush", jpush.deref(), of_jpush)];
    for (provider, vendor, read) in bridges {
        let bob = format!("bob-{provider}");
        let laptop = Login::new(&bob, "laptop").to(&server).await;
        server.api().bind(&bob, "phone", [provider, "main", "t-1"]).await;
        let sent = alice.say(&bob, "Lunch?").await;
        let nid = nid(&sent.message_id);
        let arrived = vendor.wait_until(|all: &[Recorded]| !all.is_empty());
        let body = within(provider, arrived).await[0].json();
        let (data, title, text) = read(&body);
        assert_eq!((title, text), (json!("alice"), json!("Lunch?")), "{provider}");
        assert_eq!((&data["nid"], &data["mid"]), (&json!(nid), &json!(sent.message_id)));
        for name in ["v", "conv", "seq", "bv", "badge", "exp"] {
            assert!(!data[name].is_null(), "{provider}: {name} in {data}");
        }
        assert_eq!(vendor.requests()[0].token, "t-1");

        laptop.messages(1).await;
        laptop.read(&sent.conversation, 1).await;
        let withdrawn = vendor.wait_until(|all| all.len() >= 2);
        let body = within(provider, withdrawn).await[1].json();
        let ids = &read(&body).0["wd"];
        assert!(ids == &json!([nid]) || ids == &json!(json!([nid]).to_string()), "{body}");
    }
}
