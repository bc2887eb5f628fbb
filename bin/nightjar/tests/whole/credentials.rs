//! Push credentials over the API: made, tried, replaced, turned off and removed while the server
//! runs, and as they were after it was killed.

use nightjar_provider_servers::{ApnsServer, FcmServer, KEY_ID, Script, TEAM_ID, TOPIC};
use nightjar_whole::{Api, Server, within};
use serde_json::{Value, json};

use crate::scene::{nid, scene};
use crate::setup;

/// The options of an APNs credential that leads to this server, its key as text.
fn apns_options(apns: &ApnsServer) -> Value {
    let key = std::fs::read_to_string(apns.key_file()).expect("the server's key");
    json!({
        "provider": "apns", "base_url": apns.base_url(), "team_id": TEAM_ID, "key_id": KEY_ID,
        "topic": TOPIC, "key": key,
    })
}

/// What the API says of one credential.
async fn known(api: &Api, name: &str) -> Value {
    api.get(&format!("/v1/push/credentials/{name}")).await.good()
}

/// The same, once the provider took something.
async fn good(api: &Api, name: &str) -> Value {
    let good = async {
        loop {
            let known = known(api, name).await;
            if known["health"]["state"] == "good" {
                return known;
            }
        }
    };
    within("the answer to be counted", good).await
}

/// The reason of the last decision about a message for Bob.
async fn decided(api: &Api, message_id: &str) -> String {
    let decided = async {
        loop {
            let trace = api.trace(message_id, "bob").await;
            let step = trace.iter().rev().find(|event| event["step"] == "decided");
            if let Some(step) = step {
                return step["reason"].as_str().expect("a decision has a reason").to_owned();
            }
        }
    };
    within("a decision", decided).await
}

async fn pushed(apns: &ApnsServer, sent: &Value) {
    let nid = nid(sent["message_id"].as_str().expect("an id"));
    let is_there = apns.wait_until(|pushes| pushes.iter().any(|push| push.json()["nid"] == nid));
    within("the push", is_there).await;
}

/// Every word the server said must be without the key.
fn assert_silent_about_keys(server: &Server, apns: &ApnsServer, answers: &[&Value]) {
    let key = std::fs::read_to_string(apns.key_file()).expect("the server's key");
    let line = key.lines().nth(1).expect("a key has lines");
    assert!(!server.log().contains(line));
    for answer in answers {
        assert!(!answer.to_string().contains(line), "{answer}");
    }
}

#[tokio::test]
async fn a_credential_made_while_the_server_runs_pushes_at_once_and_after_a_kill() {
    let apns = ApnsServer::start().await;
    let mut server = setup().start().await;
    let api = server.api();
    let early = json!({"provider": "apns", "credential": "app", "token": "bob-phone"});
    let refused = api.put("/v1/users/bob/devices/phone/push", early).await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "unknown_credential"));

    let made = api.post("/v1/push/credentials/app", apns_options(&apns)).await.good();
    assert_eq!((&made["source"], &made["enabled"]), (&"api".into(), &true.into()));
    assert_eq!(
        (&made["options"]["key"], &made["options"]["topic"]),
        (&"***".into(), &TOPIC.into())
    );
    assert_eq!(made["health"], json!({"state": "unused", "answers": {}}));
    api.bind("bob", "phone", ["apns", "app", "bob-phone"]).await;
    pushed(&apns, &api.send("alice", json!({"user": "bob"}), "one").await).await;
    good(&api, "app").await;
    let answered =
        async { while api.get("/v1/push/outcomes").await.good()["outcomes"] == json!([]) {} };
    within("the answer to be written", answered).await;

    server.kill().await;
    server.start_again().await;
    let api = server.api();
    pushed(&apns, &api.send("alice", json!({"user": "bob"}), "two").await).await;
    let known = good(&api, "app").await;
    assert_eq!(known["health"]["answers"], json!({"delivered": 1}));
    let answers =
        "nightjar_push_answers_total{provider=\"apns\",credential=\"app\",outcome=\"delivered\"}";
    assert!((api.metric(answers).await - 1.0).abs() < f64::EPSILON);
    let listed = api.get("/v1/push/credentials").await.good();
    assert_eq!(listed["credentials"][0]["name"], "app");
    assert_silent_about_keys(&server, &apns, &[&made, &known, &listed]);

    api.delete("/v1/push/credentials/app").await.good();
    let sent = api.send("alice", json!({"user": "bob"}), "three").await;
    let reason = decided(&api, sent["message_id"].as_str().expect("an id")).await;
    assert_eq!(reason, "unknown_credential");
}

#[tokio::test]
async fn one_of_the_file_is_turned_off_and_on_and_is_otherwise_read_only() {
    let mut scene = scene("").await;
    scene.bind("bob", "phone").await;
    let api = scene.server.api();
    let path = "/v1/push/credentials/main";
    for answer in [api.post(path, apns_options(&scene.apns)).await, api.delete(path).await] {
        assert_eq!((answer.status, answer.error().as_str()), (409, "exists"), "{}", answer.text);
        assert!(answer.text.contains("configuration file"), "{}", answer.text);
    }
    let off = api.post(path, json!({"enabled": false})).await.good();
    assert_eq!((&off["source"], &off["enabled"]), (&"config".into(), &false.into()));
    let sent = api.send("alice", json!({"user": "bob"}), "one").await;
    let message_id = sent["message_id"].as_str().expect("an id");
    assert_eq!(decided(&api, message_id).await, "credential_disabled");
    scene.server.kill().await;
    scene.server.start_again().await;
    let api = scene.server.api();
    assert_eq!(known(&api, "main").await["enabled"], false);
    api.post(path, json!({"enabled": true})).await.good();
    pushed(&scene.apns, &api.send("alice", json!({"user": "bob"}), "two").await).await;
    assert_eq!(scene.apns.requests().len(), 1, "the first stayed silent");
}

#[tokio::test]
async fn new_keys_take_over_while_a_request_ends_with_the_old() {
    let (old, new) = (ApnsServer::start().await, ApnsServer::start().await);
    let server = setup().start().await;
    let api = server.api();
    api.post("/v1/push/credentials/app", apns_options(&old)).await.good();
    api.bind("bob", "phone", ["apns", "app", "bob-phone"]).await;
    api.bind("carol", "phone", ["apns", "app", "carol-phone"]).await;
    old.answer("bob-phone", Script::accept().held());
    let first = api.send("alice", json!({"user": "bob"}), "one").await;
    pushed(&old, &first).await;
    api.post("/v1/push/credentials/app", apns_options(&new)).await.good();
    pushed(&new, &api.send("alice", json!({"user": "carol"}), "two").await).await;
    old.release();
    pushed(&new, &api.send("alice", json!({"user": "bob"}), "three").await).await;
    let trace = api.trace(first["message_id"].as_str().expect("an id"), "bob").await;
    let answer = trace.iter().find(|event| event["step"] == "provider").expect("an answer");
    assert!(answer["reason"].as_str().is_some_and(|text| text.starts_with("delivered")));
    assert_eq!(old.requests().len(), 1);
    // Keys that open nothing change nothing.
    let mut bad = apns_options(&new);
    bad["key"] = "-----BEGIN PRIVATE KEY-----\nhush".into();
    let refused = api.post("/v1/push/credentials/app", bad).await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "bad_request"));
    assert!(
        refused.text.contains("key_file") && !refused.text.contains("hush"),
        "{}",
        refused.text
    );
    pushed(&new, &api.send("alice", json!({"user": "carol"}), "four").await).await;
}

#[tokio::test]
async fn a_test_is_one_push_and_answers_what_the_provider_said() {
    let scene = scene("").await;
    let api = scene.server.api();
    let path = "/v1/push/credentials/main/test";
    let nobody = api.post(path, json!({"uid": "bob"})).await;
    assert_eq!((nobody.status, nobody.error().as_str()), (404, "unknown_device"));
    scene.bind("bob", "phone").await;
    let told = api.post(path, json!({"uid": "bob"})).await.good();
    assert_eq!((&told["device_id"], &told["outcome"]), (&"phone".into(), &"delivered".into()));
    scene.apns.answer("bob-phone", Script::refuse(403, "InvalidProviderToken"));
    scene.apns.answer("bob-phone", Script::refuse(403, "InvalidProviderToken"));
    let told = api.post(path, json!({"uid": "bob"})).await.good();
    assert_eq!(told["reason"], "InvalidProviderToken", "{told}");
    let health = known(&api, "main").await["health"].clone();
    assert_eq!(
        (&health["state"], &health["last_failure"]["reason"]),
        (&"failing".into(), &"InvalidProviderToken".into())
    );
    let unknown = api.post("/v1/push/credentials/none/test", json!({"uid": "bob"})).await;
    assert_eq!(unknown.error(), "unknown_credential");
}

#[tokio::test]
async fn mistakes_are_named_and_two_of_a_name_are_told_apart() {
    let fcm = FcmServer::start().await;
    let scene = scene(&fcm.config("main")).await;
    let api = scene.server.api();
    let both = api.get("/v1/push/credentials/main").await;
    assert_eq!(both.status, 400);
    assert!(both.text.contains("apns, fcm"), "{}", both.text);
    let one = api.get("/v1/push/credentials/main?provider=fcm").await.good();
    assert_eq!(one["provider"], "fcm");
    for (name, body, word) in [
        ("new", json!({}), "provider"),
        ("new", json!({"team_id": "T"}), "provider"),
        ("new", json!({"enabled": "no"}), "enabled"),
        ("new", json!({"provider": "pigeon", "x": 1}), "pigeon"),
        ("new", json!({"provider": "apns", "team_id": "T"}), "key_file"),
        ("new", json!({"provider": "apns", "teamid": "T"}), "teamid"),
        ("no%20name", apns_options(&scene.apns), "letters"),
    ] {
        let refused = api.post(&format!("/v1/push/credentials/{name}"), body.clone()).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
        assert!(refused.text.contains(word), "{word} in {}", refused.text);
    }
    let absent = api.post("/v1/push/credentials/new", json!({"enabled": false})).await;
    assert_eq!(absent.error(), "unknown_credential");
    let listed = api.get("/v1/push/credentials").await.good();
    assert_eq!(listed["credentials"].as_array().map(Vec::len), Some(2), "{listed}");
}
