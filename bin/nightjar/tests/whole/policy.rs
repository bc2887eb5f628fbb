//! What people and operators choose about pushes, from outside.

use nightjar_whole::{Acks, Login, Server, ms_since_epoch, within};
use serde_json::{Value, json};

use crate::scene::{Scene, nids, of_token, scene};

async fn chooses(server: &Server, uid: &str, settings: Value) -> Value {
    server.api().put(&format!("/v1/users/{uid}/push-settings"), settings).await.good()
}

/// Writes to Bob as the back end does.
async fn writes(scene: &Scene, push: Value) -> Value {
    let body = json!({"from": "alice", "to": {"user": "bob"}, "push": push,
        "content": {"type": "text", "text": "hello"}});
    scene.server.api().post("/v1/messages", body).await.good()
}

async fn decided(scene: &Scene, message: &Value) -> Vec<String> {
    let id = message["message_id"].as_str().expect("it has an id").to_owned();
    let mut reasons = Vec::new();
    let found = async {
        while reasons.is_empty() {
            let trace = scene.server.api().trace(&id, "bob").await;
            let steps = trace.iter().filter(|event| event["step"] == "decided");
            reasons = steps.map(|event| event["reason"].as_str().unwrap_or("").into()).collect();
        }
    };
    within("a decision", found).await;
    reasons
}

#[tokio::test]
async fn settings_come_back_as_they_were_put_also_after_a_kill() {
    let mut scene = scene("").await;
    let document = json!({
        "mode": "at", "display": "sender", "policy": {"delay_if_active_s": 10},
        "quiet_hours": {"time_zone": "Asia/Shanghai",
            "intervals": [{"start": "22:00", "end": "07:00", "weekdays": [1, 7]}]},
        "blocked": ["mallory"], "conversations": {"g:crew": {"mode": "none"}},
    });
    assert_eq!(chooses(&scene.server, "bob", document.clone()).await, document);
    let policy = json!({"policy": "all_offline", "storm": false, "display": "nothing"});
    scene.server.api().put("/v1/push/policy", policy.clone()).await.good();
    scene.server.kill().await;
    scene.server.start_again().await;
    let api = scene.server.api();
    assert_eq!(api.get("/v1/users/bob/push-settings").await.good(), document);
    assert_eq!(api.get("/v1/users/carol/push-settings").await.good(), json!({}));
    assert_eq!(api.get("/v1/push/policy").await.good(), policy);
    let bad = json!({"quiet_hours": {"time_zone": "Mars", "intervals": []}});
    let refused = api.put("/v1/users/bob/push-settings", bad).await;
    assert_eq!((refused.status, refused.error()), (400, "bad_request".to_owned()));
    let words = refused.json()["error"]["message"].to_string();
    assert!(words.contains("quiet_hours.time_zone"), "{words}");
    assert_eq!(api.get("/v1/users/bob/push-settings").await.good(), document, "nothing changed");
}

#[tokio::test]
async fn a_muted_conversation_is_silent_and_leaves_the_badge_unless_forced() {
    let scene = scene("").await;
    scene.bind("bob", "phone").await;
    let first = writes(&scene, json!({})).await;
    scene.push_of(first["message_id"].as_str().expect("an id")).await;
    let before = scene.server.api().badge("bob").await;
    let id = first["conversation"].as_str().expect("an id");
    let until = ms_since_epoch(std::time::SystemTime::now()) + 3_600_000;
    chooses(&scene.server, "bob", json!({"conversations": {id: {"muted_until": until}}})).await;
    let muted = scene.server.api().badge("bob").await;
    assert_eq!((before.0, muted.0), (1, 0));
    assert!(muted.1 > before.1, "{muted:?} after {before:?}");
    let silent = writes(&scene, json!({})).await;
    assert_eq!(decided(&scene, &silent).await, ["muted"]);
    let forced = writes(&scene, json!({"force": true})).await;
    let push = scene.push_of(forced["message_id"].as_str().expect("an id")).await;
    assert_eq!(push.json()["badge"], 0);
    assert_eq!(nids(&scene.apns.requests(), "bob-phone").len(), 2);
    chooses(&scene.server, "bob", json!({})).await;
    assert_eq!(scene.server.api().badge("bob").await.0, 3);
}

#[tokio::test]
async fn a_phone_waits_for_a_laptop_on_the_screen_and_not_if_it_is_read_there() {
    let scene = scene("[push]\npolicy = { delay_if_active_s = 2 }").await;
    scene.bind("bob", "phone").await;
    let laptop = Login::new("bob", "laptop").acks(Acks::Surfaced).to(&scene.server).await;
    let read = writes(&scene, json!({})).await;
    laptop.messages(1).await;
    laptop.read(read["conversation"].as_str().expect("an id"), 1).await;
    let unread = writes(&scene, json!({})).await;
    let push = scene.push_of(unread["message_id"].as_str().expect("an id")).await;
    let late = ms_since_epoch(push.at) - unread["at"].as_u64().expect("a time");
    assert!((1_950..4_000).contains(&late), "{late} ms");
    assert_eq!(of_token(&scene.apns.requests(), "bob-phone").len(), 1);
    assert_eq!(decided(&scene, &unread).await, ["active_elsewhere", "offline"]);
}

#[tokio::test]
async fn what_is_shown_and_never_read_is_pushed_after_a_while() {
    let scene = scene("").await;
    chooses(&scene.server, "bob", json!({"push_if_unread_after_s": 1})).await;
    let phone = scene.phone(Login::new("bob", "phone").acks(Acks::Surfaced)).await;
    let sent = writes(&scene, json!({})).await;
    phone.messages(1).await;
    let push = scene.push_of(sent["message_id"].as_str().expect("an id")).await;
    let late = ms_since_epoch(push.at) - sent["at"].as_u64().expect("a time");
    assert!((950..3_000).contains(&late), "{late} ms");
    assert_eq!(decided(&scene, &sent).await, ["unread"]);
}

#[tokio::test]
async fn templates_filters_and_overrides_reach_the_provider_and_our_keys_win() {
    let scene = scene("").await;
    let api = scene.server.api();
    for device in ["phone", "tablet"] {
        scene.bind("bob", device).await;
    }
    let post = |body: Value| api.post("/v1/push/templates/news", body);
    post(json!({"title": "{$from_name}", "body": "{0}"})).await.good();
    post(json!({"title": "Von {$from_name}", "body": "{0}!", "locale": "de"})).await.good();
    let all = api.get("/v1/push/templates/news").await.good();
    assert_eq!(
        (&all["title"], all["locales"][1]["locale"].as_str()),
        (&json!("{$from_name}"), Some("de"))
    );
    chooses(&scene.server, "bob", json!({"language": "de-CH"})).await;
    chooses(&scene.server, "alice", json!({"nickname": "Ally"})).await;
    let sent = writes(
        &scene,
        json!({
            "title": "not this", "template": {"name": "news", "body_args": ["Neu"]},
            "filter": {"ignore_devices": ["tablet"]},
            "providers": {"apns": {"aps": {"category": "chat", "badge": 99}, "mid": "x"}},
        }),
    )
    .await;
    let json = scene.push_of(sent["message_id"].as_str().expect("an id")).await.json();
    assert_eq!(json["aps"]["alert"], json!({"title": "Von Ally", "body": "Neu!"}));
    assert_eq!((&json["aps"]["category"], &json["aps"]["badge"]), (&json!("chat"), &json!(1)));
    assert_eq!(json["mid"], sent["message_id"]);
    scene.assert_not_pushed("bob-tablet").await;
    assert_eq!(api.delete("/v1/push/templates/news").await.status, 204);
    let gone = api.get("/v1/push/templates/news").await;
    assert_eq!((gone.status, gone.error()), (404, "unknown_template".to_owned()));
}

#[tokio::test]
async fn an_explanation_says_what_would_be_shown_and_when_and_outcomes_what_was() {
    let scene = scene("").await;
    scene.bind("bob", "phone").await;
    chooses(
        &scene.server,
        "bob",
        json!({"quiet_hours": {"time_zone": "Europe/Berlin",
            "intervals": [{"start": "22:00", "end": "07:00"}]}}),
    )
    .await;
    // In Berlin 12:00 and 23:00 of 14 July 2026.
    let mut lines = Vec::new();
    for at in [1_784_023_200_000_u64, 1_784_062_800_000] {
        let body = json!({"from": "alice", "to": {"user": "bob"}, "at": at,
            "content": {"type": "text", "text": "hello"}});
        let answer = scene.server.api().post("/v1/push/explain", body).await.good();
        lines.push(answer["devices"][0].clone());
    }
    let shown = json!({"uid": "bob", "device_id": "phone", "decision": "push", "reason": "offline",
        "title": "alice", "body": "hello"});
    assert_eq!(lines[0], shown);
    assert_eq!(
        (&lines[1]["decision"], &lines[1]["reason"]),
        (&json!("silent"), &json!("quiet_hours"))
    );
    assert_eq!(scene.apns.requests().len(), 0);

    let sent = writes(&scene, json!({"force": true})).await;
    let mut rows = Value::Null;
    let written = async {
        while rows["outcomes"].as_array().is_none_or(Vec::is_empty) {
            rows = scene.server.api().get("/v1/push/outcomes").await.good();
        }
    };
    within("the outcome", written).await;
    let row = &rows["outcomes"][0];
    assert_eq!(row["message_id"], sent["message_id"]);
    for (field, expected) in [("outcome", "delivered"), ("provider", "apns"), ("uid", "bob")] {
        assert_eq!(row[field], expected, "{row}");
    }
    let more = scene.server.api().get(&format!("/v1/push/outcomes?after={}", rows["next"])).await;
    assert_eq!(more.good(), json!({"outcomes": [], "next": rows["next"]}));
}
