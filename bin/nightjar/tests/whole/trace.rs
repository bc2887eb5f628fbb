//! Why did this phone stay silent? The recorded life of a message has the one answer.

use nightjar_whole::{Acks, Login, within};
use serde_json::Value;

use crate::scene::{Scene, scene};

fn step<'a>(trace: &'a [Value], device_id: Option<&str>, step: &str) -> Option<&'a Value> {
    trace.iter().find(|event| event["step"] == step && event["device_id"].as_str() == device_id)
}

fn reason(event: &Value) -> &str {
    event["reason"].as_str().unwrap_or_default()
}

impl Scene {
    /// The trace of Bob's message, once it has a step of a device.
    async fn trace_with(&self, message_id: &str, device_id: &str, name: &str) -> Vec<Value> {
        let api = self.server.api();
        let found = async {
            loop {
                let trace = api.trace(message_id, "bob").await;
                if step(&trace, Some(device_id), name).is_some() {
                    return trace;
                }
            }
        };
        within(&format!("{name} of {device_id}"), found).await
    }
}

#[tokio::test]
async fn a_pushed_message_has_its_whole_life_in_its_trace() {
    let mut scene = scene("[deadlines]\nforeground_ms = 300").await;
    let phone = scene.phone(Login::new("bob", "phone")).await;
    let laptop = Login::new("bob", "laptop").acks(Acks::Surfaced).to(&scene.server).await;
    phone.freeze();
    let sent = scene.alice.say("bob", "one").await;
    scene.push_to("bob-phone", &sent.message_id).await;
    scene.trace_with(&sent.message_id, "phone", "provider").await;
    phone.thaw();
    laptop.messages(1).await;
    laptop.read(&sent.conversation, sent.seq).await;
    let trace = scene.trace_with(&sent.message_id, "phone", "withdrawn").await;

    assert!(trace.is_sorted_by_key(|event| event["at"].as_u64()), "{trace:#?}");
    let life = [
        (None, "accepted"),
        (None, "committed"),
        (Some("phone"), "delivered"),
        (Some("phone"), "deadline"),
        (Some("phone"), "decided"),
        (Some("phone"), "provider"),
        (Some("laptop"), "read"),
        (Some("phone"), "withdrawn"),
    ];
    let mut at = Vec::new();
    for (device_id, name) in life {
        let event = step(&trace, device_id, name);
        let event = event.unwrap_or_else(|| panic!("no {name} of {device_id:?} in {trace:#?}"));
        at.push(event["at"].as_u64().expect("a time"));
    }
    assert!(at.is_sorted(), "{trace:#?}");
    assert_eq!(at[0], sent.at);
    assert!(at[3] >= sent.at + 300, "the deadline passed: {trace:#?}");
    let of = |device_id, name| step(&trace, Some(device_id), name).expect("it is there");
    assert_eq!(reason(of("phone", "deadline")), "foreground_deadline");
    assert_eq!(reason(of("phone", "decided")), "foreground_deadline");
    assert!(reason(of("phone", "provider")).starts_with("delivered"), "{trace:#?}");
    assert_eq!(of("phone", "provider")["detail"], "apns");
    assert!(step(&trace, Some("laptop"), "surfaced").is_some(), "{trace:#?}");
    assert!(step(&trace, Some("laptop"), "decided").is_none(), "it showed the message: {trace:#?}");

    // Over an orderly end, and over a kill of what was started from its files.
    scene.server.terminate().await;
    for _ in 0..2 {
        scene.server.start_again().await;
        let again = scene.server.api().trace(&sent.message_id, "bob").await;
        assert_eq!(again, trace, "a trace is durable");
        scene.server.kill().await;
    }
}

#[tokio::test]
async fn a_device_without_a_binding_has_that_for_a_reason() {
    let scene = scene("").await;
    let phone = Login::new("bob", "phone").background(0).to(&scene.server).await;
    phone.freeze();
    let sent = scene.alice.say("bob", "one").await;
    let trace = scene.trace_with(&sent.message_id, "phone", "decided").await;
    assert_eq!(reason(step(&trace, Some("phone"), "decided").expect("it is there")), "no_binding");
}

#[tokio::test]
async fn a_user_without_a_device_has_that_for_a_reason() {
    let scene = scene("").await;
    let sent = scene.alice.say("bob", "one").await;
    let decided = async {
        loop {
            let trace = scene.server.api().trace(&sent.message_id, "bob").await;
            if let Some(event) = step(&trace, None, "decided") {
                return event.clone();
            }
        }
    };
    assert_eq!(reason(&within("a decision", decided).await), "no_device");
}

#[tokio::test]
async fn a_refused_token_is_named_and_removed() {
    let scene = scene("").await;
    scene.apns.answer_always(
        "bob-phone",
        nightjar_provider_servers::Script::refuse(410, "Unregistered").timestamp_ms(u64::MAX >> 12),
    );
    scene.bind("bob", "phone").await;
    let sent = scene.alice.say("bob", "one").await;
    let trace = scene.trace_with(&sent.message_id, "phone", "provider").await;
    let provider = reason(step(&trace, Some("phone"), "provider").expect("it is there"));
    assert!(provider.starts_with("token_invalid"), "{trace:#?}");
    let removed = async {
        let api = scene.server.api();
        while api.device("bob", "phone").await["bindings"] != serde_json::json!([]) {}
    };
    within("the binding to be removed", removed).await;
}

#[tokio::test]
async fn only_who_may_see_a_message_has_a_trace_of_it() {
    let scene = scene("").await;
    let sent = scene.alice.say("bob", "one").await;
    let api = scene.server.api();
    let path = |uid: &str| format!("/v1/messages/{}/trace?user={uid}", sent.message_id);
    let stranger = api.get(&path("carol")).await;
    assert_eq!((stranger.status, stranger.error().as_str()), (404, "unknown_message"));
    assert_eq!(api.get(&path("alice")).await.status, 200);
}
