//! Against a recording APNs on loopback.

mod connections;
mod kinds;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use nightjar_model::Environment;
use nightjar_provider_servers::{ApnsServer, KEY_ID, Recorded, Script, TEAM_ID, TOPIC};
use nightjar_push::{Answer, Outcome};
use serde_json::json;

use super::*;
use crate::{KeyFile, samples};

fn config(server: &ApnsServer) -> ApnsConfig {
    ApnsConfig {
        base_url: Some(server.base_url()),
        team_id: Some(TEAM_ID.into()),
        key_id: Some(KEY_ID.into()),
        key_file: server.key_file().into(),
        cert_file: None,
        topic: TOPIC.into(),
        environment: Environment::Production,
    }
}

fn open(server: &ApnsServer) -> Apns {
    Apns::open(ApnsKind::Alert, "main", &config(server)).unwrap()
}

async fn push(apns: &Apns, token: &str) -> Answer {
    apns.push(&samples::alert_to("apns", token)).await
}

fn authorizations(requests: &[Recorded]) -> Vec<&str> {
    requests.iter().map(|request| request.header("authorization")).collect()
}

/// A request as text; what differs from run to run is replaced.
fn golden(request: &Recorded) -> String {
    let mut headers: BTreeMap<&str, &str> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.insert("apns-id", "<uuid>");
    headers.insert("authorization", "bearer <jwt>");
    let golden = json!({
        "request": format!("{} {}", request.method, request.path),
        "headers": headers,
        "body": request.json(),
    });
    serde_json::to_string_pretty(&golden).unwrap()
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = ApnsServer::start().await;
    let answer = open(&server).push(&samples::alert("apns")).await;
    let request = &server.requests()[0];
    assert_eq!((answer.outcome, &answer.vendor), (Outcome::Delivered, &request.headers["apns-id"]));
    insta::assert_snapshot!(golden(request));
}

#[tokio::test]
async fn a_withdrawal_on_the_wire() {
    let server = ApnsServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("apns")).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

#[tokio::test]
async fn the_key_token_is_apples() {
    let server = ApnsServer::start().await;
    open(&server).push(&samples::alert("apns")).await;
    let mut token = server.requests().remove(0).signed.expect("the signature is right");
    assert_eq!(token.header, json!({ "alg": "ES256", "kid": KEY_ID }));
    let issued_s = token.claims["iat"].take().as_u64().unwrap();
    assert!(crate::clock::wall_now().0 / 1000 - issued_s < 60);
    assert_eq!(token.claims, json!({ "iss": TEAM_ID, "iat": null }));
}

#[tokio::test]
async fn a_dead_token_says_since_when() {
    let server = ApnsServer::start().await;
    server.answer("gone", Script::refuse(410, "Unregistered").timestamp_ms(1_700_000_000_123));
    let answer = push(&open(&server), "gone").await;
    assert_eq!(answer.outcome, Outcome::TokenInvalid);
    assert_eq!(answer.dead_since, Some(nightjar_model::WallMs(1_700_000_000_123)));
}

#[tokio::test]
async fn a_page_instead_of_json_is_judged_by_its_status() {
    let server = ApnsServer::start().await;
    let page =
        Script::status(502).body("<html>no upstream for t1</html>").header("retry-after", "7");
    server.answer("t1", page);
    let answer = push(&open(&server), "t1").await;
    let expected = Answer {
        vendor: "<html>no upstream for ***</html>".into(),
        retry_after_ms: Some(7000),
        ..Answer::new(Outcome::Retry, "http_502")
    };
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn an_expired_key_token_is_signed_anew_once_and_the_push_resent_once() {
    let server = ApnsServer::start().await;
    let apns = open(&server);
    server.answer("t1", Script::refuse(403, "ExpiredProviderToken"));
    assert_eq!(push(&apns, "t1").await.outcome, Outcome::Delivered);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_ne!(authorizations(&requests)[0], authorizations(&requests)[1]);
    assert_eq!(requests[0].header("apns-id"), requests[1].header("apns-id"));
}

#[tokio::test]
async fn a_key_token_that_stays_expired_is_not_signed_again_for_20_minutes() {
    let server = ApnsServer::start().await;
    let apns = open(&server);
    server.answer_always("*", Script::refuse(403, "ExpiredProviderToken"));
    assert_eq!(push(&apns, "t1").await.outcome, Outcome::AuthExpired);
    assert_eq!(push(&apns, "t2").await.outcome, Outcome::AuthExpired);
    let requests = server.requests();
    let seen: std::collections::BTreeSet<_> = authorizations(&requests).into_iter().collect();
    assert_eq!((requests.len(), seen.len()), (3, 2), "resent once, then the pause holds");
}

#[tokio::test]
async fn a_hundred_senders_share_one_key_token_and_one_refresh() {
    let server = ApnsServer::start().await;
    let apns = Arc::new(open(&server));
    assert_eq!(push(&apns, "first").await.outcome, Outcome::Delivered);
    let pushes: Vec<_> = (0..100)
        .map(|n| {
            server.answer(&format!("t{n}"), Script::refuse(403, "ExpiredProviderToken").held());
            let apns = Arc::clone(&apns);
            tokio::spawn(async move { push(&apns, &format!("t{n}")).await })
        })
        .collect();
    server.wait_for(101).await;
    server.release();
    for push in pushes {
        assert_eq!(push.await.unwrap().outcome, Outcome::Delivered);
    }
    let requests = server.requests();
    let seen: std::collections::BTreeSet<_> = authorizations(&requests).into_iter().collect();
    assert_eq!((requests.len(), seen.len()), (201, 2));
    assert_eq!(server.connections().len(), 1);
}

#[tokio::test]
async fn an_unknown_environment_is_found_by_asking_the_other() {
    let (production, sandbox) = (ApnsServer::start().await, ApnsServer::start().await);
    let mut config = config(&production);
    config.base_url = None;
    // The sandbox knows another key: what counts here is which server is asked.
    sandbox.answer_always("dev", Script::accept());
    production.answer_always("dev", Script::refuse(400, "BadDeviceToken"));
    let urls = [production.base_url(), sandbox.base_url()];
    let (which, urls) = ((ApnsKind::Alert, "main"), [urls[0].as_str(), urls[1].as_str()]);
    let apns = Apns::with_servers(which, &config, urls, public_roots()).unwrap();
    let mut request = samples::alert_to("apns", "dev");
    assert_eq!(
        apns.push(&request).await.outcome,
        Outcome::TokenInvalid,
        "its environment is known"
    );
    request.binding.environment = None;
    assert_eq!(apns.push(&request).await.outcome, Outcome::Delivered);
    request.binding.environment = Some(Environment::Sandbox);
    assert_eq!(apns.push(&request).await.outcome, Outcome::Delivered);
    assert_eq!((production.requests().len(), sandbox.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_base_url_stands_for_both_environments() {
    let server = ApnsServer::start().await;
    let apns = open(&server);
    server.answer_always("*", Script::refuse(400, "BadDeviceToken"));
    for environment in [None, Some(Environment::Sandbox), Some(Environment::Production)] {
        let mut request = samples::alert("apns");
        request.binding.environment = environment;
        assert_eq!(apns.push(&request).await.outcome, Outcome::TokenInvalid);
    }
    assert_eq!((server.requests().len(), server.connections().len()), (3, 1));
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_named() {
    let server = ApnsServer::start().await;
    let good = config(&server);
    let told = |config: ApnsConfig| {
        Apns::open(ApnsKind::Alert, "main", &config).err().unwrap().to_string()
    };
    let not_a_key = server.directory().join("not-a-key");
    std::fs::write(&not_a_key, "hello").unwrap();
    let told = [
        told(ApnsConfig { base_url: Some("http://192.0.2.1".into()), ..good.clone() }),
        told(ApnsConfig { key_file: not_a_key.into(), ..good.clone() }),
        told(ApnsConfig { key_file: "missing.p8".into(), ..good.clone() }),
        told(ApnsConfig { team_id: Some("a b".into()), ..good.clone() }),
        told(ApnsConfig { key_id: None, ..good.clone() }),
        told(ApnsConfig { cert_file: Some(server.key_file().into()), ..good.clone() }),
        told(ApnsConfig {
            team_id: None,
            key_id: None,
            cert_file: Some(server.key_file().into()),
            ..good.clone()
        }),
        told(ApnsConfig { topic: "\n".into(), ..good.clone() }),
    ];
    insta::assert_snapshot!(told.join("\n"));
}
