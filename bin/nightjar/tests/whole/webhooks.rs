//! Webhooks: signed, durable, in order, and one `message.offline` a message and user.

use nightjar_whole::{Acks, Event, Login, Receiver, Server, within};
use serde_json::{Value, json};

use crate::setup;

async fn server_with(receiver: &Receiver, more: &str) -> Server {
    setup().with(&receiver.config()).with(more).start().await
}

/// Events of one kind that were taken.
fn taken<'a>(events: &'a [Event], kind: &str) -> Vec<&'a Event> {
    events.iter().filter(|event| event.was_taken && event.kind() == kind).collect()
}

/// The messages a user was said to be offline for.
fn offline_of(events: &[Event], uid: &str) -> Vec<String> {
    let of_user = taken(events, "message.offline").into_iter();
    of_user
        .filter(|event| event.json["data"]["uids"] == json!([uid]))
        .map(|event| {
            let id = &event.json["data"]["message"]["message_id"];
            id.as_str().expect("an offline event names its message").to_owned()
        })
        .collect()
}

#[tokio::test]
async fn an_offline_user_is_told_of_once_a_message_with_or_without_a_binding() {
    let receiver = Receiver::start().await;
    let server = server_with(&receiver, "[deadlines]\nforeground_ms = 300").await;
    let api = server.api();
    let alice = Login::new("alice", "laptop").to(&server).await;
    // Bob has two silent devices and no binding, Carol no device at all, Dave shows it.
    let phone = Login::new("bob", "phone").to(&server).await;
    let tablet = Login::new("bob", "tablet").to(&server).await;
    let dave = Login::new("dave", "phone").acks(Acks::Surfaced).to(&server).await;
    phone.freeze();
    tablet.freeze();
    let group = json!({"id": "crew", "owner": "alice", "members": ["bob", "carol", "dave"]});
    api.post("/v1/groups", group).await.good();
    let mut sent = Vec::new();
    for text in ["one", "two", "three"] {
        let message = api.send("alice", json!({"group": "crew"}), text).await;
        sent.push(message["message_id"].as_str().expect("an id").to_owned());
    }
    dave.messages(3).await;
    // The last event of all shows that nothing more is said of the three.
    let last = alice.say("carol", "the last").await;
    let has_last = |events: &[Event]| offline_of(events, "carol").contains(&last.message_id);
    let all_of_bob = |events: &[Event]| offline_of(events, "bob").len() >= 3;
    let events = receiver
        .wait_until("the offline events", |events| has_last(events) && all_of_bob(events))
        .await;
    assert_eq!(offline_of(&events, "bob"), sent);
    let mut of_carol = sent.clone();
    of_carol.push(last.message_id);
    assert_eq!(offline_of(&events, "carol"), of_carol);
    assert_eq!(offline_of(&events, "dave"), [""; 0]);
    assert_eq!(offline_of(&events, "alice"), [""; 0]);

    let event = taken(&events, "message.offline")[0];
    let data = &event.json["data"];
    assert_eq!(data["message"]["content"]["text"], "one");
    assert!(data["devices"].is_array(), "{data}");
    assert!(events.iter().all(|event| event.is_genuine), "{events:#?}");
    assert!(events.iter().all(|event| event.json["id"] == event.id.as_str()));
    assert!(event.json["at"].is_u64());
    assert!(taken(&events, "message.created").len() >= 4);
    for kind in ["user.online", "message.created", "message.offline"] {
        assert!(!taken(&events, kind).is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn events_that_were_refused_come_again_in_order_and_are_replayed_by_cursor() {
    let receiver = Receiver::start().await;
    let mut server = server_with(&receiver, "").await;
    receiver.refuse();
    let mut sent: Vec<Value> = Vec::new();
    for n in 0..5 {
        sent.push(server.api().send("alice", json!({"user": "bob"}), &format!("{n}")).await);
    }
    receiver.wait_until("an event", |events| !events.is_empty()).await;
    // The queue outlives the server.
    server.kill().await;
    server.start_again().await;
    receiver.take();
    let expected: Vec<&str> =
        sent.iter().map(|message| message["message_id"].as_str().expect("an id")).collect();
    let events =
        receiver.wait_until("all events", |events| offline_of(events, "bob").len() >= 5).await;
    assert_eq!(offline_of(&events, "bob"), expected);
    let first: Vec<&Event> = events.iter().filter(|event| event.id == events[0].id).collect();
    assert!(first.len() >= 2, "what was refused came again under its id");
    assert!(first.iter().all(|event| event.json == first[0].json && event.is_genuine));

    // The same by cursor: everything once, from any place on.
    let taken: Vec<&Value> =
        events.iter().filter(|event| event.was_taken).map(|event| &event.json).collect();
    let replay = server.api().get("/v1/events?after=0").await.good();
    let replayed = replay["events"].as_array().expect("events");
    assert!(replayed.len() >= taken.len());
    assert!(taken.iter().all(|event| replayed.contains(event)));
    let next = replay["next"].as_u64().expect("a cursor");
    let rest = server.api().get(&format!("/v1/events?after={next}")).await.good();
    assert_eq!(rest["events"], json!([]));
    let one = server.api().get("/v1/events?after=1&limit=1").await.good();
    assert_eq!(one["events"], json!([replayed[1]]));
}

#[tokio::test]
async fn a_kick_and_a_push_are_told_to_the_back_end() {
    let receiver = Receiver::start().await;
    let apns = nightjar_provider_servers::ApnsServer::start().await;
    let server = server_with(&receiver, &apns.config("main")).await;
    let api = server.api();
    api.bind("bob", "phone", ["apns", "main", "bob-phone"]).await;
    let sent = api.send("alice", json!({"user": "bob"}), "one").await;
    let events = receiver
        .wait_until("a push outcome", |events| !taken(events, "push.outcome").is_empty())
        .await;
    let data = taken(&events, "push.outcome")[0].json["data"].clone();
    for (name, value) in [
        ("message_id", sent["message_id"].as_str().expect("an id")),
        ("uid", "bob"),
        ("device_id", "phone"),
        ("provider", "apns"),
        ("credential", "main"),
        ("outcome", "delivered"),
    ] {
        assert_eq!(data[name], value, "{name} in {data}");
    }
    assert!(data["at"].is_u64(), "{data}");
    api.post("/v1/users/bob/devices/phone/kick", json!({"reason": "lost"})).await.good();
    let events =
        receiver.wait_until("the kick", |events| !taken(events, "device.kicked").is_empty()).await;
    let data = &taken(&events, "device.kicked")[0].json["data"];
    assert_eq!(*data, json!({"uid": "bob", "device_id": "phone", "reason": "lost"}));
}

#[tokio::test]
async fn a_receiver_on_a_private_address_needs_permission() {
    let receiver = Receiver::start().await;
    let config = receiver.config().replace("allow_private = true", "allow_private = false");
    let server = setup().with(&config).start().await;
    server.api().send("alice", json!({"user": "bob"}), "one").await;
    let refused = async { while !server.log().contains("allow_private") {} };
    within("the log to say so", refused).await;
    assert_eq!(receiver.events().len(), 0);
}

#[tokio::test]
async fn receivers_set_up_over_the_api_get_their_types_and_one_that_refuses_holds_only_itself() {
    let (audit, pushes) = (Receiver::start().await, Receiver::start().await);
    audit.refuse();
    let mut server = setup().start().await;
    let api = server.api();
    let set_up = |receiver: &Receiver, types: Value| {
        json!({
            "url": receiver.url(), "secret": receiver.secret(), "types": types,
            "allow_private": true,
        })
    };
    api.post("/v1/webhooks/audit", set_up(&audit, json!([]))).await.good();
    let one =
        api.post("/v1/webhooks/pushes", set_up(&pushes, json!(["push.outcome"]))).await.good();
    assert_eq!((&one["secret"], &one["source"]), (&"***".into(), &"api".into()));
    api.send("alice", json!({"user": "bob"}), "one").await;
    let events = pushes.wait_until("the outcome", |events| !events.is_empty()).await;
    assert_eq!(events[0].json["data"]["reason"], "no push binding");
    audit.wait_until("a try", |events| !events.is_empty()).await;
    // Both are as they were after a kill.
    server.kill().await;
    server.start_again().await;
    let api = server.api();
    api.send("alice", json!({"user": "bob"}), "two").await;
    let events = pushes
        .wait_until("both outcomes", |events| {
            events.iter().filter(|event| event.was_taken).count() >= 2
        })
        .await;
    assert!(events.iter().all(|event| event.kind() == "push.outcome" && event.is_genuine));
    audit.take();
    let of_two = |events: &[Event]| taken(events, "message.created").len() >= 2;
    let events = audit.wait_until("both messages", of_two).await;
    assert!(events.iter().all(|event| event.is_genuine));

    let caught_up = async { while api.get("/v1/webhooks/audit").await.good()["waiting"] != 0 {} };
    within("the cursor to stand at the newest event", caught_up).await;
    let listed = api.get("/v1/webhooks").await.good();
    let ids: Vec<&Value> =
        listed["webhooks"].as_array().expect("webhooks").iter().map(|hook| &hook["id"]).collect();
    assert_eq!(ids, ["audit", "pushes"]);
    assert!(listed["webhooks"][0]["health"]["taken"].as_u64() > Some(0), "{listed}");
    api.post("/v1/webhooks/pushes", json!({"enabled": false})).await.good();
    api.delete("/v1/webhooks/audit").await.good();
    let gone = api.get("/v1/webhooks/audit").await;
    assert_eq!((gone.status, gone.error().as_str()), (404, "unknown_webhook"));
    let log = server.log();
    assert!(!log.contains(&audit.secret()), "{log}");
}

#[tokio::test]
async fn a_webhook_is_refused_by_name_and_its_secret_is_shown_once() {
    let receiver = Receiver::start().await;
    let server = server_with(&receiver, "").await;
    let api = server.api();
    for (body, word) in [
        (json!({}), "url"),
        (json!({"url": "ftp://example.com"}), "ftp"),
        (json!({"url": receiver.url()}), "allow_private"),
        (json!({"url": "http://[::1]:9/"}), "allow_private"),
        (json!({"url": "http://169.254.169.254/latest"}), "allow_private"),
        (json!({"url": "https://example.com", "types": ["push.outcomes"]}), "push.outcomes"),
        (json!({"url": "https://example.com", "secret": "whsec_???"}), "secret"),
    ] {
        let refused = api.post("/v1/webhooks/new", body.clone()).await;
        assert_eq!((refused.status, refused.error().as_str()), (400, "bad_request"), "{body}");
        assert!(refused.text.contains(word), "{word} in {}", refused.text);
    }
    assert_eq!(api.post("/v1/webhooks/a%20b", json!({"url": "http://x/"})).await.status, 400);
    let body = json!({"url": receiver.url(), "allow_private": true, "enabled": false});
    let made = api.post("/v1/webhooks/new", body).await.good();
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("whsec_") && secret.len() == 38, "{made}");
    let again = api.post("/v1/webhooks/new", json!({"types": ["device.kicked"]})).await.good();
    assert_eq!((&again["secret"], &again["enabled"]), (&"***".into(), &false.into()));
    for answer in [
        api.post("/v1/webhooks/default", json!({"enabled": false})).await,
        api.delete("/v1/webhooks/default").await,
    ] {
        assert_eq!((answer.status, answer.error().as_str()), (409, "exists"), "{}", answer.text);
    }
    assert_eq!(api.get("/v1/webhooks/default").await.good()["source"], "config");
}
