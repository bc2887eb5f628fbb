//! Against a recording FCM on loopback.

use std::sync::Arc;
use std::time::Duration;

use nightjar_provider_servers::{FcmServer, PROJECT_ID, Script};
use nightjar_push::Scope;
use serde_json::json;

use super::codes::{About, ROWS, Row};
use super::*;
use crate::kit::golden;
use crate::samples;
use crate::transport::ANSWER_WITHIN;

fn config(server: &FcmServer) -> FcmConfig {
    FcmConfig {
        base_url: Some(server.base_url()),
        token_url: None,
        service_account_file: server.service_account_file().into(),
    }
}

fn open(server: &FcmServer) -> Fcm {
    Fcm::open("main", &config(server)).unwrap()
}

async fn push(fcm: &Fcm, token: &str) -> Answer {
    fcm.push(&samples::alert_to("fcm", token)).await
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = FcmServer::start().await;
    let answer = open(&server).push(&samples::alert("fcm")).await;
    assert_eq!(answer.outcome, Outcome::Delivered);
    assert!(answer.vendor.starts_with(&format!("projects/{PROJECT_ID}/messages/")));
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_on_the_wire() {
    let server = FcmServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("fcm")).await;
    assert_eq!(answer.outcome, Outcome::Delivered);
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

#[tokio::test]
async fn the_assertion_is_googles() {
    let server = FcmServer::start().await;
    push(&open(&server), "t1").await;
    let fetch = server.token_requests().remove(0);
    assert_eq!(fetch.header("content-type"), "application/x-www-form-urlencoded");
    let mut token = fetch.signed.expect("the signature is right");
    let issued_s = token.claims["iat"].take().as_u64().unwrap();
    let ends_s = token.claims["exp"].take().as_u64().unwrap();
    assert_eq!(ends_s - issued_s, 3600);
    assert!((wall_now().0 / 1000).abs_diff(issued_s) < 60);
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&json!([token.header, token.claims])).unwrap()
    );
}

#[tokio::test]
async fn a_hundred_senders_fetch_one_token() {
    let server = FcmServer::start().await;
    let fcm = Arc::new(open(&server));
    server.answer_token(Script::accept().held());
    let pushes: Vec<_> = (0..100)
        .map(|n| {
            let fcm = Arc::clone(&fcm);
            tokio::spawn(async move { push(&fcm, &format!("t{n}")).await })
        })
        .collect();
    server.wait_for_token_requests(1).await;
    server.release();
    for push in pushes {
        assert_eq!(push.await.unwrap().outcome, Outcome::Delivered);
    }
    assert_eq!((server.token_requests().len(), server.requests().len()), (1, 100));
}

#[tokio::test]
async fn a_hundred_senders_share_one_failure() {
    let server = FcmServer::start().await;
    let fcm = Arc::new(open(&server));
    server.answer_token(Script::status(503).header("retry-after", "9").held());
    let pushes: Vec<_> = (0..100)
        .map(|n| {
            let fcm = Arc::clone(&fcm);
            tokio::spawn(async move { push(&fcm, &format!("t{n}")).await })
        })
        .collect();
    server.wait_for_token_requests(1).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    server.release();
    for push in pushes {
        let answer = push.await.unwrap();
        assert_eq!((answer.outcome, answer.retry_after_ms), (Outcome::Retry, Some(9000)));
        assert_eq!((answer.scope, answer.may_have_arrived()), (Scope::Credential, false));
    }
    assert_eq!((server.token_requests().len(), server.requests().len()), (1, 0));
    assert_eq!(push(&fcm, "later").await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_revoked_token_is_fetched_anew_once_and_the_push_resent_once() {
    let server = FcmServer::start().await;
    let fcm = open(&server);
    push(&fcm, "t1").await;
    server.revoke_tokens();
    assert_eq!(push(&fcm, "t2").await.outcome, Outcome::Delivered);
    assert_eq!((server.token_requests().len(), server.requests().len()), (2, 3));
}

#[tokio::test]
async fn a_token_refused_twice_is_not_tried_a_third_time() {
    let server = FcmServer::start().await;
    let fcm = open(&server);
    server.answer_always("*", Script::google(401, "UNAUTHENTICATED", "no"));
    assert_eq!(push(&fcm, "t1").await.outcome, Outcome::ConfigError);
    assert_eq!((server.token_requests().len(), server.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_token_is_replaced_five_minutes_before_its_end() {
    let server = FcmServer::start().await;
    let fcm = open(&server);
    push(&fcm, "t1").await;
    for (ahead, fetches) in [(Duration::from_secs(10), 1), (Duration::ZERO, 2)] {
        tokio::time::pause();
        let life = Duration::from_secs(3599) - REFRESH_EARLY;
        let step = if ahead.is_zero() { Duration::from_secs(10) } else { life - ahead };
        tokio::time::advance(step).await;
        tokio::time::resume();
        assert_eq!(push(&fcm, "t2").await.outcome, Outcome::Delivered);
        assert_eq!(server.token_requests().len(), fetches, "{ahead:?} before it is due");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_refuses_is_told_apart() {
    for (script, outcome, reason) in [
        (
            Script::status(400).body(r#"{"error":"invalid_grant"}"#),
            Outcome::ConfigError,
            "token_http_400",
        ),
        (Script::status(401), Outcome::ConfigError, "token_http_401"),
        (Script::status(429), Outcome::Throttled, "token_http_429"),
        (Script::status(500).body("<html>"), Outcome::Retry, "token_http_500"),
        (Script::accept().body("<html>"), Outcome::Retry, "token_malformed_answer"),
        (Script::drop_connection(), Outcome::Retry, "token_connection_lost"),
    ] {
        let server = FcmServer::start().await;
        server.answer_token(script);
        let answer = push(&open(&server), "t1").await;
        assert_eq!((answer.outcome, answer.reason.as_str()), (outcome, reason));
        assert!(server.requests().is_empty());
    }
}

fn script(row: &Row) -> Script {
    let message = match row.about {
        About::Anything => "Something",
        About::Token => "The registration token is not a valid FCM registration token",
        About::Size => "Android message is too big",
    };
    match row.code {
        // These have no FcmError.
        "UNAUTHENTICATED" | "PERMISSION_DENIED" | "NOT_FOUND" | "RESOURCE_EXHAUSTED" => {
            Script::google(row.status, row.code, message)
        }
        code => Script::fcm(row.status, "UNKNOWN", code, message),
    }
}

#[tokio::test]
async fn every_row_has_its_outcome() {
    for row in ROWS {
        let server = FcmServer::start().await;
        server.answer_always("t1", script(row));
        let answer = push(&open(&server), "t1").await;
        let (outcome, attempts) = match row.outcome {
            Outcome::AuthExpired => (Outcome::ConfigError, 2),
            outcome => (outcome, 1),
        };
        assert_eq!((answer.outcome, answer.reason.as_str()), (outcome, row.code), "{row:?}");
        assert_eq!(server.requests().len(), attempts, "{row:?}");
        assert_eq!(answer.retry_after_ms, None, "{row:?}");
    }
}

#[test]
fn who_has_to_wait() {
    let of = |row: &Row| (row.code, codes::scope(row.outcome, Some(row.code)));
    let more: Vec<_> = ROWS.iter().map(of).filter(|(_, scope)| *scope != Scope::Message).collect();
    let expected = [
        ("UNAUTHENTICATED", Scope::Credential),
        ("PERMISSION_DENIED", Scope::Credential),
        ("NOT_FOUND", Scope::Credential),
        ("QUOTA_EXCEEDED", Scope::Device),
        ("RESOURCE_EXHAUSTED", Scope::Credential),
    ];
    assert_eq!(more, expected);
}

#[tokio::test]
async fn a_field_violation_names_the_token() {
    let server = FcmServer::start().await;
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{ "field": "message.token", "description": "Invalid" }],
    }]);
    let error = json!({ "status": "INVALID_ARGUMENT", "message": "Invalid", "details": details });
    server.answer("t1", Script::status(400).json(&json!({ "error": error })));
    assert_eq!(push(&open(&server), "t1").await.outcome, Outcome::TokenInvalid);
}

#[tokio::test]
async fn the_wait_google_asks_for_is_passed_on() {
    let server = FcmServer::start().await;
    let fcm = open(&server);
    let busy = || Script::fcm(503, "UNAVAILABLE", "UNAVAILABLE", "busy");
    server.answer("t1", busy().header("retry-after", "120"));
    assert_eq!(push(&fcm, "t1").await.retry_after_ms, Some(120_000));
    server.answer("t1", busy().header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(push(&fcm, "t1").await.retry_after_ms, Some(0));
    server.answer("t1", Script::status(502).body("<html>bad gateway</html>"));
    let page = push(&fcm, "t1").await;
    assert_eq!((page.outcome, page.vendor.as_str()), (Outcome::Retry, "<html>bad gateway</html>"));
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let server = FcmServer::start().await;
    server.answer("t1", Script::accept().body(vec![b'x'; 65 << 10]));
    let answer = push(&open(&server), "t1").await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Retry, "answer_too_large"));
}

#[tokio::test]
async fn silence_ends_after_ten_seconds_and_a_broken_connection_at_once() {
    let server = FcmServer::start().await;
    let fcm = Arc::new(open(&server));
    server.answer("t1", Script::drop_connection());
    let answer = push(&fcm, "t1").await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Retry, "connection_lost"));
    server.answer("t1", Script::silent());
    let sent = Arc::clone(&fcm);
    let silent = tokio::spawn(async move { push(&sent, "t1").await });
    server.wait_for(2).await;
    tokio::time::pause();
    tokio::time::advance(ANSWER_WITHIN + Duration::from_secs(1)).await;
    assert_eq!(silent.await.unwrap().reason, "timeout");
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_named() {
    let server = FcmServer::start().await;
    let good = config(&server);
    let told = |config: FcmConfig| Fcm::open("main", &config).err().unwrap().to_string();
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("account.json");
    let account = |text: &str| {
        std::fs::write(&file, text).unwrap();
        told(FcmConfig { service_account_file: file.clone().into(), ..good.clone() })
    };
    let text = std::fs::read_to_string(server.service_account_file()).unwrap();
    let mut no_uri: serde_json::Value = serde_json::from_str(&text).unwrap();
    no_uri.as_object_mut().unwrap().remove("token_uri");
    let mut bad_key = no_uri.clone();
    bad_key["private_key"] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".into();
    let told = [
        told(FcmConfig { base_url: Some("http://192.0.2.1".into()), ..good.clone() }),
        told(FcmConfig { token_url: Some("http://192.0.2.1".into()), ..good.clone() }),
        told(FcmConfig { service_account_file: "missing.json".into(), ..good.clone() }),
        account("not json"),
        account(&no_uri.to_string()),
        account(&bad_key.to_string()),
    ];
    insta::assert_snapshot!(told.join("\n"));
}
