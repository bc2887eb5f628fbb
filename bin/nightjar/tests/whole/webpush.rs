//! Browsers and distributors: messages arrive at a push service, and the browser decrypts them.

use nightjar_provider_servers::{Recorded, WebPushServer};
use nightjar_whole::{Device, Login, Server, within};
use serde_json::{Value, json};

use crate::scene::nid;
use crate::setup;

async fn start(service: &WebPushServer) -> (Server, Device) {
    let tables = ["webpush", "unifiedpush"].map(|provider| service.config(provider, "main"));
    let server = setup().with(&tables.join("\n")).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    (server, alice)
}

/// The first request for a subscription of which `is_it` holds, and what the browser reads of it.
async fn push(
    service: &WebPushServer,
    name: &str,
    is_it: impl Fn(&Value) -> bool,
) -> (Recorded, Value) {
    let found = |all: &[Recorded]| {
        let of_name = all.iter().filter(|request| request.token == name);
        let mut opened =
            of_name.filter_map(|request| Some((request.clone(), service.opened(request)?)));
        opened.find(|(_, json)| is_it(json))
    };
    let all = service.wait_until(|all| found(all).is_some());
    found(&within("a push for the browser", all).await).expect("it was just there")
}

#[tokio::test]
async fn a_browser_gets_what_it_did_not_show_and_is_told_when_it_was_read_elsewhere() {
    let service = WebPushServer::start().await;
    let (server, alice) = start(&service).await;
    for provider in ["webpush", "unifiedpush"] {
        let bob = format!("bob-{provider}");
        let laptop = Login::new(&bob, "laptop").to(&server).await;
        let subscription = service.subscribe(provider);
        server.api().bind(&bob, "browser", [provider, "main", &subscription]).await;
        let sent = alice.say(&bob, "Mittag? 🥪").await;
        let nid = nid(&sent.message_id);
        let (request, json) = push(&service, provider, |json| json["nid"] == nid.as_str()).await;
        let expected = json!({
            "v": 1, "mid": sent.message_id, "conv": sent.conversation, "seq": 1, "nid": nid,
            "badge": 1, "bv": json["bv"], "exp": json["exp"],
            "title": "alice", "body": "Mittag? 🥪",
        });
        assert_eq!(json, expected);
        assert!(json["bv"].is_u64() && json["exp"].as_u64() > Some(sent.at), "{json}");
        assert_eq!((request.header("urgency"), request.header("topic").len()), ("high", 32));
        assert!(request.header("ttl").parse::<u64>().unwrap() > 0);

        laptop.messages(1).await;
        laptop.read(&sent.conversation, 1).await;
        let withdrawn = |json: &Value| json["wd"] == json!([nid]);
        let (withdrawal, json) = push(&service, provider, withdrawn).await;
        assert_eq!((&json["badge"], &json["seq"]), (&json!(0), &json!(1)));
        assert_eq!(withdrawal.header("topic"), request.header("topic"));
    }
}

#[tokio::test]
async fn a_subscription_that_ended_is_unbound() {
    let service = WebPushServer::start().await;
    let (server, alice) = start(&service).await;
    let subscription = service.subscribe("gone");
    service.unsubscribe("gone");
    server.api().bind("bob", "browser", ["webpush", "main", &subscription]).await;
    let sent = alice.say("bob", "hello").await;
    let unbound = async {
        let api = server.api();
        while api.device("bob", "browser").await["bindings"] != json!([]) {}
    };
    within("the binding to go", unbound).await;
    let trace = server.api().trace(&sent.message_id, "bob").await;
    let told = trace.iter().any(|event| {
        event["step"] == "provider" && event["reason"].as_str().unwrap_or("").contains("errno_106")
    });
    assert!(told, "{trace:#?}");
}

#[tokio::test]
async fn the_key_apps_subscribe_with_is_said_at_the_start_and_when_asked_for() {
    let service = WebPushServer::start().await;
    let (server, _alice) = start(&service).await;
    assert!(server.log().contains(&service.public_key()), "{}", server.log());
    let path = "/v1/push/credentials/main?provider=webpush";
    let credential = server.api().get(path).await.good();
    assert_eq!(credential["public_key"], service.public_key(), "{credential}");
}
