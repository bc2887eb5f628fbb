//! Against a recording Push Kit on loopback.

use std::sync::Arc;

use nightjar_provider_servers::{
    HUAWEI_APP_ID, HUAWEI_APP_SECRET, HUAWEI_PROJECT_ID, HuaweiServer, Script,
};
use serde_json::json;

use super::*;
use crate::kit::{golden, resend, without};
use crate::samples;

fn config(server: &HuaweiServer) -> HuaweiConfig {
    HuaweiConfig {
        base_url: Some(server.base_url()),
        token_url: Some(server.token_url()),
        app_id: HUAWEI_APP_ID.into(),
        app_secret: Secret::new(HUAWEI_APP_SECRET.into()),
        project_id: None,
        category: "IM".into(),
        channel_id: Some("chat".into()),
        badge_class: Some("com.example.chat.Main".into()),
        receipt_id: None,
        receipt_user: None,
        receipt_secret: None,
    }
}

fn open(server: &HuaweiServer) -> Huawei {
    Huawei::open("main", &config(server)).unwrap()
}

async fn push(huawei: &Huawei, token: &str) -> Answer {
    huawei.push(&samples::alert_to("huawei", token)).await
}

fn coded(status: u16, code: &str) -> Script {
    Script::status(status).json(&json!({ "code": code, "msg": "why", "requestId": "r1" }))
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = HuaweiServer::start().await;
    let answer = open(&server).push(&samples::alert("huawei")).await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Delivered, "accepted"));
    assert_eq!(answer.vendor, "163550102310000000000000001");
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_on_the_wire() {
    let server = HuaweiServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("huawei")).await;
    assert_eq!(answer.outcome, Outcome::Delivered);
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

#[tokio::test]
async fn with_a_project_it_goes_over_v2() {
    let server = HuaweiServer::start().await;
    let project_id = Some(HUAWEI_PROJECT_ID.to_owned());
    let huawei = Huawei::open("main", &HuaweiConfig { project_id, ..config(&server) }).unwrap();
    assert_eq!(push(&huawei, "t1").await.outcome, Outcome::Delivered);
    let path = format!("/v2/{HUAWEI_PROJECT_ID}/messages:send");
    assert_eq!(server.requests()[0].path, path);
}

/// Proves the recording server: what it takes from us it takes for a reason.
#[tokio::test]
async fn a_request_without_any_of_what_huawei_demands_is_refused() {
    let server = HuaweiServer::start().await;
    assert_eq!(push(&open(&server), "t1").await.outcome, Outcome::Delivered);
    let sent = server.requests().remove(0);
    for (pointer, code) in [
        ("/message", "80300010"),
        ("/message/token", "80300010"),
        ("/message/token/0", "80300010"),
        ("/message/android", "80100003"),
        ("/message/android/notification/title", "80100001"),
        ("/message/android/notification/body", "80100001"),
        ("/message/android/notification/click_action", "80100001"),
        ("/message/android/notification/click_action/type", "80100001"),
        ("/message/android/notification/badge/class", "80100001"),
    ] {
        let (_, answer) = resend(&server, &sent, &without(&sent.json(), pointer)).await;
        assert_eq!(answer["code"], code, "without {pointer}");
    }
    let (_, answer) = resend(&server, &sent, &sent.json()).await;
    assert_eq!(answer["code"], "80000000");
}

#[tokio::test]
async fn a_hundred_senders_fetch_one_token_with_the_apps_secret() {
    let server = HuaweiServer::start().await;
    let huawei = Arc::new(open(&server));
    server.answer_token(Script::accept().held());
    let pushes: Vec<_> = (0..100)
        .map(|n| {
            let huawei = Arc::clone(&huawei);
            tokio::spawn(async move { push(&huawei, &format!("t{n}")).await })
        })
        .collect();
    server.wait_for_token_requests(1).await;
    server.release();
    for push in pushes {
        assert_eq!(push.await.unwrap().outcome, Outcome::Delivered);
    }
    assert_eq!((server.token_requests().len(), server.requests().len()), (1, 100));
    let fetch = server.token_requests().remove(0);
    assert_eq!(
        String::from_utf8(fetch.body).unwrap(),
        format!(
            "grant_type=client_credentials&client_id={HUAWEI_APP_ID}\
             &client_secret=a+secret+%26+%3Dmore%2B"
        )
    );
}

#[tokio::test]
async fn an_expired_token_is_fetched_anew_once_and_the_push_resent_once() {
    let server = HuaweiServer::start().await;
    let huawei = open(&server);
    push(&huawei, "t1").await;
    server.revoke_tokens();
    assert_eq!(push(&huawei, "t2").await.outcome, Outcome::Delivered);
    assert_eq!((server.token_requests().len(), server.requests().len()), (2, 3));
}

#[tokio::test]
async fn a_wrong_secret_is_a_fault_of_the_configuration() {
    let server = HuaweiServer::start().await;
    let app_secret = Secret::new("another".to_owned());
    let huawei = Huawei::open("main", &HuaweiConfig { app_secret, ..config(&server) }).unwrap();
    let answer = push(&huawei, "t1").await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::ConfigError, "token_http_400"));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn every_code_has_its_outcome_on_the_wire() {
    let server = HuaweiServer::start().await;
    let huawei = open(&server);
    for row in codes::ROWS {
        server.answer_always(row.code, coded(400, row.code));
        let before = server.requests().len();
        let answer = push(&huawei, row.code).await;
        let (outcome, attempts) = match row.outcome {
            Outcome::AuthExpired => (Outcome::ConfigError, 2),
            outcome => (outcome, 1),
        };
        let reason = if outcome == Outcome::Delivered { "accepted" } else { row.code };
        assert_eq!((answer.outcome, answer.reason.as_str()), (outcome, reason));
        assert_eq!(server.requests().len() - before, attempts, "{row:?}");
        assert_eq!(answer.scope, row.scope, "{row:?}");
        if outcome != Outcome::Delivered {
            assert!(answer.vendor.contains(r#""msg":"why""#), "{}", answer.vendor);
            assert!(answer.vendor.contains("***"), "the code is this test's token");
        }
    }
}

#[tokio::test]
async fn a_receipt_address_that_cannot_be_used_holds_no_message_up() {
    let server = HuaweiServer::start().await;
    let receipt_id = Some("RCP1".to_owned());
    let huawei = Huawei::open("main", &HuaweiConfig { receipt_id, ..config(&server) }).unwrap();
    server.answer("t1", coded(400, "80300013"));
    let answer = push(&huawei, "t1").await;
    let reason = "accepted without receipt: 80300013";
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Delivered, reason));
    let [first, second] = &server.requests()[..] else { panic!("two requests") };
    assert_eq!(second.json(), without(&first.json(), "/message/android/receipt_id"));
}

#[tokio::test]
async fn the_list_of_a_partial_answer_is_about_the_token() {
    let server = HuaweiServer::start().await;
    let huawei = open(&server);
    let listing = |token: &str| {
        let msg = json!({ "success": 1, "failure": 1, "illegal_tokens": [token] }).to_string();
        Script::status(200).json(&json!({ "code": "80100000", "msg": msg, "requestId": "r" }))
    };
    server.answer("t1", listing("t1"));
    let answer = push(&huawei, "t1").await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::TokenInvalid, "80100000"));
    assert!(!answer.vendor.contains("t1"), "{}", answer.vendor);
    server.answer("t2", listing("t1"));
    assert_eq!(push(&huawei, "t2").await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_page_from_in_between_and_a_wait_are_passed_on() {
    let server = HuaweiServer::start().await;
    let huawei = open(&server);
    server.answer("t1", Script::status(502).body("<html>bad gateway</html>"));
    let page = push(&huawei, "t1").await;
    assert_eq!((page.outcome, page.reason.as_str()), (Outcome::Retry, "http_502"));
    assert_eq!(page.vendor, "<html>bad gateway</html>");
    server.answer("t1", Script::status(503).header("retry-after", "7"));
    let busy = push(&huawei, "t1").await;
    assert_eq!((busy.outcome, busy.retry_after_ms), (Outcome::Throttled, Some(7000)));
    server.answer("t1", Script::drop_connection());
    assert_eq!(push(&huawei, "t1").await.reason, "connection_lost");
}

#[tokio::test]
async fn a_message_over_4096_bytes_is_not_sent() {
    let server = HuaweiServer::start().await;
    let mut request = samples::alert("huawei");
    request.alert.as_mut().unwrap().body = "语".repeat(1400);
    let answer = open(&server).push(&request).await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::TooLarge, "payload_too_large"));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_named() {
    let server = HuaweiServer::start().await;
    let good = config(&server);
    let told = |config: HuaweiConfig| Huawei::open("main", &config).err().unwrap().to_string();
    let empty = || Secret::new(String::new());
    let told = [
        told(HuaweiConfig { base_url: Some("http://192.0.2.1".into()), ..good.clone() }),
        told(HuaweiConfig { token_url: Some("ftp://localhost".into()), ..good.clone() }),
        told(HuaweiConfig { app_id: "1/2".into(), ..good.clone() }),
        told(HuaweiConfig { project_id: Some(String::new()), ..good.clone() }),
        told(HuaweiConfig { app_secret: empty(), ..good.clone() }),
        told(HuaweiConfig { category: String::new(), ..good.clone() }),
    ];
    insta::assert_snapshot!(told.join("\n"));
    assert!(!format!("{good:?}").contains("secret &"));
}
