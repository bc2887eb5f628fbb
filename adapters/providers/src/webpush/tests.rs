//! Against a recording push service on loopback, whose browsers decrypt.

use nightjar_provider_servers::{Recorded, Script, WebPushServer};
use serde_json::{Value, json};

use super::statuses::ROWS;
use super::*;
use crate::samples;

fn config(server: &WebPushServer) -> WebPushConfig {
    WebPushConfig {
        base_url: None,
        vapid_key_file: server.vapid_key_file().into(),
        subject: "mailto:ops@chat.example".into(),
        allow_private: true,
    }
}

fn open(server: &WebPushServer) -> WebPush {
    WebPush::open("main", &config(server)).unwrap()
}

fn unified(server: &WebPushServer) -> WebPush {
    let config = UnifiedPushConfig {
        vapid_key_file: Some(server.vapid_key_file().into()),
        subject: Some("https://chat.example".into()),
        allow_private: true,
        ..UnifiedPushConfig::default()
    };
    WebPush::open_unified("main", &config).unwrap()
}

async fn push(provider: &WebPush, token: &str) -> Answer {
    provider.push(&samples::alert_to("webpush", token)).await
}

/// A request as text, its body decrypted; what differs from run to run is replaced.
fn golden(server: &WebPushServer, request: &Recorded) -> String {
    let mut headers = request.headers.clone();
    headers.retain(|name, _| name != "host" && name != "content-length");
    if let Some(authorization) = headers.get_mut("authorization") {
        *authorization = "vapid t=<jwt>, k=<key>".into();
    }
    let golden = json!({
        "request": format!("{} {}", request.method, request.path),
        "headers": headers,
        "body": server.opened(request).unwrap_or_else(|| request.json()),
    });
    serde_json::to_string_pretty(&golden).unwrap()
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = WebPushServer::start().await;
    let answer = push(&open(&server), &server.subscribe("laptop")).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    insta::assert_snapshot!(golden(&server, &server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_on_the_wire() {
    let server = WebPushServer::start().await;
    let mut request = samples::withdrawal("webpush");
    request.binding.token = nightjar_model::Secret::new(server.subscribe("laptop"));
    let answer = open(&server).push(&request).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    insta::assert_snapshot!(golden(&server, &server.requests()[0]));
}

#[tokio::test]
async fn an_endpoint_without_keys_learns_only_that_there_is_something() {
    let server = WebPushServer::start().await;
    let subscription = server.subscribe_without_keys("phone");
    let answer = push(&unified(&server), &subscription).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    insta::assert_snapshot!(golden(&server, &server.requests()[0]));
    let answer = push(&open(&server), &subscription).await;
    assert_eq!(answer.reason, "malformed_subscription", "browsers always have keys");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_distributor_with_keys_gets_what_a_browser_gets() {
    let server = WebPushServer::start().await;
    let subscription = server.subscribe("phone");
    assert_eq!(push(&unified(&server), &subscription).await.outcome, Outcome::Delivered);
    assert_eq!(push(&open(&server), &subscription).await.outcome, Outcome::Delivered);
    let bodies: Vec<Value> =
        server.requests().iter().map(|request| server.opened(request).unwrap()).collect();
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn the_signature_is_for_the_origin_and_kept() {
    let server = WebPushServer::start().await;
    let provider = open(&server);
    let subscription = server.subscribe("laptop");
    for _ in 0..3 {
        push(&provider, &subscription).await;
    }
    let requests = server.requests();
    let signed = requests[0].signed.clone().expect("the signature is right");
    assert_eq!(signed.header, json!({"typ": "JWT", "alg": "ES256"}));
    assert_eq!(signed.claims["aud"], server.base_url());
    assert_eq!(signed.claims["sub"], "mailto:ops@chat.example");
    let left_s = signed.claims["exp"].as_u64().unwrap() - wall_now().0 / 1000;
    assert!((11 * 3600..=12 * 3600).contains(&left_s), "{left_s}");
    assert!(requests.iter().all(|request| request.signed.as_ref() == Some(&signed)));
    assert_eq!(provider.public_key(), Some(server.public_key()));
}

/// Proves the service under the other tests: it takes what we send and nothing less.
#[tokio::test]
async fn what_a_push_service_needs_is_missed_when_it_is_left_out() {
    let server = WebPushServer::start().await;
    let provider = open(&server);
    let request = samples::alert_to("webpush", &server.subscribe("laptop"));
    let whole = Prepared::new(&request, false, wall_now(), &provider.random).unwrap();
    let answer = provider.send(&request, &whole).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    for (header, reason) in [("ttl", "errno_112"), ("content-encoding", "errno_110")] {
        let mut part = Prepared::new(&request, false, wall_now(), &provider.random).unwrap();
        part.headers.remove(header).unwrap();
        let answer = provider.send(&request, &part).await;
        assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Reject, reason), "{header}");
    }
    let mut unsigned = Prepared::new(&request, false, wall_now(), &provider.random).unwrap();
    unsigned.is_encrypted = false;
    let answer = provider.send(&request, &unsigned).await;
    assert_eq!(
        (answer.outcome, answer.reason.as_str()),
        (Outcome::ConfigError, "errno_109"),
        "without a signature"
    );
    let mut another = Prepared::new(&request, false, wall_now(), &provider.random).unwrap();
    another.origin = "https://elsewhere.example".into();
    assert_eq!(provider.send(&request, &another).await.reason, "errno_109");
    let mut broken = Prepared::new(&request, false, wall_now(), &provider.random).unwrap();
    let mut body = broken.body.to_vec();
    body[100] ^= 1;
    broken.body = body.into();
    assert_eq!(provider.send(&request, &broken).await.reason, "errno_110");
}

#[tokio::test]
async fn every_row_has_its_outcome_and_its_step() {
    let server = WebPushServer::start().await;
    let (subscription, provider) = (server.subscribe("laptop"), open(&server));
    for row in ROWS.iter().filter(|row| row.status != 200) {
        let before = server.requests().len();
        let script = Script::status(row.status).body(format!("so: {}", row.says));
        let script = script.header("location", "/push/moved").header("retry-after", "7");
        server.answer_always("*", script);
        let answer = push(&provider, &subscription).await;
        assert_eq!(answer.outcome, row.outcome, "{row:?}");
        let asked = server.requests().len() - before;
        assert_eq!(asked, if row.step == Step::Report { 1 } else { 2 }, "{row:?}");
        if row.outcome == Outcome::Delivered {
            continue;
        }
        assert_eq!(answer.reason, format!("http_{}", row.status));
        assert_eq!(answer.retry_after_ms, Some(7000));
        let is_of_device = row.outcome == Outcome::Throttled;
        assert_eq!(answer.scope == Scope::Device, is_of_device, "{row:?}");
        assert_ne!(answer.scope, Scope::Credential, "one endpoint speaks for itself alone");
    }
}

#[tokio::test]
async fn a_refused_signature_is_made_anew_once_and_the_push_resent_once() {
    let server = WebPushServer::start().await;
    let (provider, subscription) = (open(&server), server.subscribe("laptop"));
    server.answer("laptop", Script::status(401));
    assert_eq!(push(&provider, &subscription).await.outcome, Outcome::Delivered);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0].header("authorization"), requests[1].header("authorization"));
    assert_eq!(requests[0].body, requests[1].body, "the same message");
}

#[tokio::test]
async fn an_endpoint_that_moved_within_its_origin_is_followed_once_and_no_further() {
    let server = WebPushServer::start().await;
    let (provider, subscription) = (open(&server), server.subscribe("laptop"));
    let elsewhere = WebPushServer::start().await;
    let far = format!("{}/push/laptop", elsewhere.base_url());
    for (location, asked, outcome) in [
        ("/push/laptop", 2, Outcome::Delivered),
        (&format!("{}/push/laptop", server.base_url()), 2, Outcome::Delivered),
        (&far, 1, Outcome::Reject),
        ("//127.0.0.2/push/laptop", 1, Outcome::Reject),
        ("", 1, Outcome::Reject),
    ] {
        let before = server.requests().len();
        server.answer("laptop", Script::status(308).header("location", location));
        assert_eq!(push(&provider, &subscription).await.outcome, outcome, "{location}");
        assert_eq!(server.requests().len() - before, asked, "{location}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn private_endpoints_are_not_asked_unless_allowed() {
    let server = WebPushServer::start().await;
    let provider =
        WebPush::open("main", &WebPushConfig { allow_private: false, ..config(&server) }).unwrap();
    let subscription = server.subscribe("laptop");
    let port = server.base_url().rsplit_once(':').unwrap().1.to_owned();
    for host in
        ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "[::ffff:10.0.0.1]"]
    {
        for scheme in ["http", "https"] {
            let endpoint = format!("{scheme}://{host}:{port}");
            let subscription = subscription.replace(&server.base_url(), &endpoint);
            let answer = push(&provider, &subscription).await;
            let told = (answer.outcome, answer.reason.as_str(), answer.scope);
            assert_eq!(told, (Outcome::Reject, "private_address", Scope::Message), "{endpoint}");
        }
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_relay_gets_every_request_in_the_endpoints_place() {
    let server = WebPushServer::start().await;
    let base_url = Some(format!("{}/relay/", server.base_url()));
    let provider =
        WebPush::open("main", &WebPushConfig { base_url, allow_private: false, ..config(&server) })
            .unwrap();
    let subscription =
        server.subscribe("laptop").replace(&server.base_url(), "https://push.example");
    server.answer("*", Script::status(201));
    assert_eq!(push(&provider, &subscription).await.outcome, Outcome::Delivered);
    let request = &server.requests()[0];
    assert_eq!(request.path, "/relay/push/laptop");
    assert_eq!(request.signed.as_ref().unwrap().claims["aud"], "https://push.example");
}

#[tokio::test]
async fn nobody_at_the_other_end_is_a_retry_and_a_dead_subscription_is_told() {
    let server = WebPushServer::start().await;
    let (provider, subscription) = (open(&server), server.subscribe("laptop"));
    server.unsubscribe("laptop");
    let answer = push(&provider, &subscription).await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::TokenInvalid, "errno_106"));
    let provider = open(&server);
    drop(server);
    let answer = push(&provider, &subscription).await;
    assert_eq!(answer, Answer::unsent("connection_failed"));
}

#[tokio::test]
async fn the_endpoint_is_not_repeated_in_what_is_kept() {
    let server = WebPushServer::start().await;
    let (provider, subscription) = (open(&server), server.subscribe("laptop"));
    let endpoint = format!("{}/push/laptop", server.base_url());
    server.answer("laptop", Script::status(400).body(format!("no: {endpoint} and {subscription}")));
    assert_eq!(push(&provider, &subscription).await.vendor, "no: *** and ***");
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_named() {
    let server = WebPushServer::start().await;
    let good = config(&server);
    let told = |config: WebPushConfig| WebPush::open("main", &config).err().unwrap().to_string();
    let text = |text: &str| KeyFile::Text { text: nightjar_model::Secret::new(text.into()) };
    let keyless = UnifiedPushConfig { vapid_key_file: None, ..UnifiedPushConfig::default() };
    assert!(WebPush::open_unified("main", &keyless).unwrap().public_key().is_none());
    let half = UnifiedPushConfig { vapid_key_file: Some("x".into()), ..keyless };
    let told = [
        told(WebPushConfig { subject: "ops@chat.example".into(), ..good.clone() }),
        told(WebPushConfig { subject: "mailto:ops".into(), ..good.clone() }),
        told(WebPushConfig { vapid_key_file: text("hush"), ..good.clone() }),
        told(WebPushConfig { vapid_key_file: "missing.pem".into(), ..good.clone() }),
        told(WebPushConfig { base_url: Some("http://192.0.2.1".into()), ..good.clone() }),
        WebPush::open_unified("main", &half).err().unwrap().to_string(),
    ];
    insta::assert_snapshot!(told.join("\n"));
}
