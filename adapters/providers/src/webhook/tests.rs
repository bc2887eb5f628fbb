//! Against a recording receiver on loopback.

use nightjar_model::Secret;
use nightjar_provider_servers::{Recorded, Script, WEBHOOK_SECRET, WebhookServer};
use serde_json::json;

use super::*;
use crate::samples;

fn config(server: &WebhookServer) -> WebhookConfig {
    WebhookConfig {
        url: server.url(),
        secret: Secret::new(WEBHOOK_SECRET.into()),
        allow_private: true,
    }
}

fn open(server: &WebhookServer) -> Webhook {
    Webhook::open("main", &config(server)).unwrap()
}

async fn push(webhook: &Webhook, token: &str) -> Answer {
    webhook.push(&samples::alert_to("webhook", token)).await
}

/// A request as text; what differs from run to run is replaced.
fn golden(request: &Recorded) -> String {
    let mut headers = request.headers.clone();
    headers.retain(|name, _| name != "host" && name != "content-length");
    headers.insert("webhook-timestamp".into(), "<now>".into());
    headers.insert("webhook-signature".into(), "v1,<signature>".into());
    let mut body = request.json();
    body["at"] = "<now>".into();
    let golden = json!({
        "request": format!("{} {}", request.method, request.path),
        "headers": headers,
        "body": body,
    });
    serde_json::to_string_pretty(&golden).unwrap()
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = WebhookServer::start().await;
    let mut request = samples::alert("webhook");
    request.binding.locale = Some("de-AT".into());
    request.overrides = json!({"token": "theirs", "ticket": 7}).as_object().cloned();
    let answer = open(&server).push(&request).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_on_the_wire() {
    let server = WebhookServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("webhook")).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

/// Proves the receiver under the other tests: it takes what we sign and nothing less.
#[tokio::test]
async fn what_a_receiver_verifies_is_missed_when_it_is_left_out_or_changed() {
    let server = WebhookServer::start().await;
    let webhook = open(&server);
    let body = r#"{"type":"push.notification"}"#;
    let now_s = wall_now().0 / 1000;
    let status = async |headers: HeaderMap, body: &str| {
        let body = Bytes::from(body.to_owned());
        webhook.http.post(&webhook.url, headers, body).await.unwrap().0.status.as_u16()
    };
    let whole = webhook.headers("push_1", now_s, body);
    assert_eq!(status(whole.clone(), body).await, 200);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut part = whole.clone();
        part.remove(name).unwrap();
        assert_eq!(status(part, body).await, 401, "{name}");
    }
    assert_eq!(status(whole, "{}").await, 401, "another body");
    assert_eq!(status(webhook.headers("push_1", now_s - 301, body), body).await, 401, "old");
}

#[tokio::test]
async fn the_answer_of_the_receiver_counts() {
    let server = WebhookServer::start().await;
    let webhook = open(&server);
    server.answer("t1", Script::status(429).header("retry-after", "7"));
    let answer = push(&webhook, "t1").await;
    assert_eq!((answer.outcome, answer.scope), (Outcome::Throttled, Scope::Credential));
    assert_eq!(answer.retry_after_ms, Some(7000));
    server.answer("t1", Script::accept().json(&json!({"invalid_tokens": ["t1"]})));
    let answer = push(&webhook, "t1").await;
    assert_eq!((answer.outcome, answer.scope), (Outcome::TokenInvalid, Scope::Message));
    assert!(!answer.vendor.contains("t1"), "{answer:?}");
    server.answer("t1", Script::status(302).header("location", "/elsewhere"));
    assert_eq!(push(&webhook, "t1").await.outcome, Outcome::ConfigError);
    assert_eq!(server.requests().len(), 3, "no redirect is followed");
    server.answer("t1", Script::drop_connection());
    assert_eq!(push(&webhook, "t1").await.reason, "connection_lost");
}

#[tokio::test]
async fn a_try_is_the_same_event_again() {
    let server = WebhookServer::start().await;
    let webhook = open(&server);
    server.answer("t1", Script::status(503));
    assert_eq!(push(&webhook, "t1").await.outcome, Outcome::Retry);
    assert_eq!(push(&webhook, "t1").await.outcome, Outcome::Delivered);
    let requests = server.requests();
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
}

#[tokio::test]
async fn silence_ends_after_fifteen_seconds() {
    let server = WebhookServer::start().await;
    let webhook = std::sync::Arc::new(open(&server));
    server.answer("t1", Script::silent());
    let under_way = std::sync::Arc::clone(&webhook);
    let waits = tokio::spawn(async move { push(&under_way, "t1").await });
    server.wait_for(1).await;
    tokio::time::pause();
    tokio::time::advance(ANSWER_WITHIN - Duration::from_secs(1)).await;
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    tokio::time::advance(Duration::from_secs(2)).await;
    let answer = waits.await.unwrap();
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Retry, "timeout"));
}

#[tokio::test]
async fn a_private_receiver_needs_permission() {
    let server = WebhookServer::start().await;
    let url = server.url().replace("http://", "https://");
    let strict = WebhookConfig { url, allow_private: false, ..config(&server) };
    let answer = push(&Webhook::open("main", &strict).unwrap(), "t1").await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::ConfigError, "private_address"));
    assert_eq!(answer.scope, Scope::Credential);
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_named() {
    let server = WebhookServer::start().await;
    let good = config(&server);
    let told = |config: WebhookConfig| Webhook::open("main", &config).err().unwrap().to_string();
    let secret = |text: &str| WebhookConfig { secret: Secret::new(text.into()), ..good.clone() };
    let url = |url: &str| WebhookConfig { url: url.into(), allow_private: false, ..good.clone() };
    let told = [
        told(url("ftp://a.example/hook")),
        told(url("https://me:hush@a.example/hook")),
        told(url("http://a.example/hook")),
        told(secret("")),
        told(secret("whsec_?")),
        told(secret("whsec_aHVzaA==")),
    ];
    assert!(Webhook::open("main", &url("https://a.example/hook?to=x")).is_ok());
    assert!(!told.join("").contains("hush"), "{told:?}");
    insta::assert_snapshot!(told.join("\n"));
}
