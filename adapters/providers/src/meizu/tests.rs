//! Against a recording Flyme Push on loopback.

use nightjar_provider_servers::{
    MEIZU_APP_ID, MEIZU_RECEIPT_URL, MEIZU_SECRET, MeizuServer, Script,
};
use nightjar_push::{Outcome, Scope};
use serde_json::json;

use super::codes::{ROWS, TOKEN_ROWS};
use super::*;
use crate::kit::{golden_form, without};
use crate::samples;

pub(super) fn config(base_url: &str) -> MeizuConfig {
    MeizuConfig {
        base_url: Some(base_url.to_owned()),
        app_id: MEIZU_APP_ID.into(),
        app_secret: Secret::new(MEIZU_SECRET.into()),
        receipt_url: Some(MEIZU_RECEIPT_URL.into()),
        receipt_token: None,
    }
}

fn open(server: &MeizuServer) -> Meizu {
    Meizu::open("main", &config(&server.base_url())).unwrap()
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = MeizuServer::start().await;
    let answer = open(&server).push(&samples::alert("meizu")).await;
    assert_eq!((answer.outcome, answer.vendor.as_str()), (Outcome::Delivered, "NS0"));
    insta::assert_snapshot!(golden_form(&server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_is_not_sent_and_says_why() {
    let server = MeizuServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("meizu")).await;
    let expected = (Outcome::Reject, "withdrawal_not_offered");
    assert_eq!((answer.outcome, answer.reason.as_str()), expected);
    assert!(server.requests().is_empty());
}

/// Proves the server under the other tests: it takes what we send and nothing less.
#[tokio::test]
async fn every_field_we_send_that_meizu_needs_is_missed_when_it_is_left_out() {
    let server = MeizuServer::start().await;
    let meizu = open(&server);
    let request = samples::alert("meizu");
    let alert = request.alert.as_ref().unwrap();
    let whole = message::message(&meizu.config, &request, alert, wall_now());
    let token = &request.binding.token;
    assert_eq!(meizu.send(&whole, token).await.outcome, Outcome::Delivered);
    for pointer in [
        "/noticeBarInfo",
        "/noticeBarInfo/noticeMsgType",
        "/noticeBarInfo/title",
        "/noticeBarInfo/content",
        "/clickTypeInfo/parameters",
        "/pushTimeInfo/validTime",
        "/extra/callback",
    ] {
        let answer = meizu.send(&without(&whole, pointer), token).await;
        assert!(answer.reason.starts_with("1005 "), "{pointer}: {answer:?}");
    }
    assert!(meizu.send(&whole, &Secret::default()).await.reason.starts_with("110004 "));
    let headers = || HeaderMap::from_iter([(CONTENT_TYPE, form::CONTENT_TYPE)]);
    for (field, code) in [("appId", "110000"), ("sign", "1006"), ("messageJson", "110004")] {
        let mut form = message::form(&meizu.config, token.expose(), &whole);
        form.remove(field);
        let sent = meizu.http.post(&meizu.send_url, headers(), form.encode()).await;
        let answer: Value = serde_json::from_slice(&sent.unwrap().1).unwrap();
        assert_eq!(answer["code"], code, "{field}");
    }
}

#[tokio::test]
async fn another_secret_is_refused_and_named() {
    let server = MeizuServer::start().await;
    let app_secret = Secret::new("another".into());
    let config = MeizuConfig { app_secret, ..config(&server.base_url()) };
    let answer = Meizu::open("main", &config).unwrap().push(&samples::alert("meizu")).await;
    let expected = (Outcome::ConfigError, "1006 signature refused", Scope::Credential);
    assert_eq!((answer.outcome, answer.reason.as_str(), answer.scope), expected);
}

#[tokio::test]
async fn every_row_has_its_outcome() {
    let server = MeizuServer::start().await;
    let meizu = open(&server);
    let rows = ROWS.iter().map(|row| (row, false));
    for (row, of_token) in rows.chain(TOKEN_ROWS.iter().map(|row| (row, true))) {
        let script = match of_token {
            true => Script::meizu("200", &json!({ row.code.to_string(): ["t1", "t2"] })),
            false => Script::meizu(&row.code.to_string(), &"".into()),
        };
        server.answer("t1", script);
        let answer = meizu.push(&samples::alert_to("meizu", "t1")).await;
        let expected = (row.outcome, row.reason(), row.scope);
        assert_eq!((answer.outcome, answer.reason, answer.scope), expected, "{row:?}");
        assert!(!answer.vendor.contains("t1"), "{}", answer.vendor);
    }
    server.answer("*", Script::status(503).body("<html>").header("retry-after", "9"));
    let answer = meizu.push(&samples::alert("meizu")).await;
    assert_eq!((answer.outcome, answer.retry_after_ms), (Outcome::Retry, Some(9_000)));
}

#[tokio::test]
async fn the_receipt_of_a_message_that_was_sent_is_believed() {
    let server = MeizuServer::start().await;
    let meizu = open(&server);
    meizu.push(&samples::alert("meizu")).await;
    let sent: Value = serde_json::from_str(&server.requests()[0].form()["messageJson"]).unwrap();
    let entry = json!({
        "param": sent["extra"]["callback.param"], "type": 2, "targets": [samples::TOKEN],
    });
    let mut form = form::Form::default();
    form.set("cb", json!({ "NS0-2": entry }).to_string());
    let (body, headers) = (form.encode(), HeaderMap::new());
    let request = ReceiptRequest { query: "", headers: &headers, body: &body };
    let receipts = meizu.receipts(&request, WallMs(1_730_000_000_000)).unwrap();
    assert_eq!(receipts[0].mid.to_string(), samples::MID);
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let good = json!({"app_id": 100_999, "app_secret": "hush"});
    let told = |name: &str, value: Value| {
        let mut options = good.clone();
        options[name] = value;
        let config: MeizuConfig = serde_json::from_value(options).unwrap();
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
        Meizu::open("main", &config).err().unwrap().to_string()
    };
    let told = [
        told("base_url", "ftp://localhost".into()),
        told("app_id", "".into()),
        told("app_secret", "".into()),
        told("receipt_url", format!("https://chat.example/{}", "x".repeat(128)).into()),
    ];
    insta::assert_snapshot!(told.join("\n"));
    assert!(Meizu::open("main", &serde_json::from_value(good).unwrap()).is_ok());
}
