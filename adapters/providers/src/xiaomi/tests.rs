//! Against a recording Mi Push on loopback.

use std::time::Duration;

use nightjar_provider_servers::{
    Script, XIAOMI_CHANNEL, XIAOMI_PACKAGE, XIAOMI_RECEIPT_URL, XIAOMI_SECRET, XiaomiServer,
};
use serde_json::{Value, json};

use super::codes::ROWS;
use super::*;
use crate::kit::golden_form;
use crate::samples;

pub(super) fn config(base_url: &str) -> XiaomiConfig {
    XiaomiConfig {
        base_url: Some(base_url.to_owned()),
        app_secret: Secret::new(XIAOMI_SECRET.into()),
        package_name: XIAOMI_PACKAGE.into(),
        channel_id: XIAOMI_CHANNEL.into(),
        receipt_url: None,
    }
}

fn open(server: &XiaomiServer) -> Xiaomi {
    Xiaomi::open("main", &config(&server.base_url())).unwrap()
}

fn with_receipts(server: &XiaomiServer, url: &str) -> Xiaomi {
    let receipt_url = Some(url.to_owned());
    Xiaomi::open("main", &XiaomiConfig { receipt_url, ..config(&server.base_url()) }).unwrap()
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = XiaomiServer::start().await;
    let answer = with_receipts(&server, XIAOMI_RECEIPT_URL).push(&samples::alert("xiaomi")).await;
    assert_eq!((answer.outcome, answer.vendor.as_str()), (Outcome::Delivered, "sdm0"));
    insta::assert_snapshot!(golden_form(&server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_on_the_wire() {
    let server = XiaomiServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("xiaomi")).await;
    assert_eq!(answer.outcome, Outcome::Delivered);
    insta::assert_snapshot!(golden_form(&server.requests()[0]));
}

/// Proves the server under the other tests: it takes what we send and nothing less.
#[tokio::test]
async fn every_field_we_send_that_xiaomi_needs_is_missed_when_it_is_left_out() {
    let server = XiaomiServer::start().await;
    let xiaomi = open(&server);
    for (request, needed) in [
        (
            samples::alert("xiaomi"),
            &[
                ("registration_id", 21305),
                ("restricted_package_name", 22022),
                ("pass_through", 10017),
                ("title", 10016),
                ("description", 10016),
                ("extra.channel_id", 27001),
                ("notify_id", 10017),
                ("time_to_live", 10017),
            ][..],
        ),
        (
            samples::withdrawal("xiaomi"),
            &[
                ("registration_id", 21305),
                ("restricted_package_name", 22022),
                ("pass_through", 10017),
                ("payload", 10016),
            ][..],
        ),
    ] {
        for (field, code) in needed {
            let mut form = message::form(&xiaomi.config, &request, wall_now());
            assert_eq!(xiaomi.send(&form, &request.binding.token).await.0, Some(0));
            form.remove(field);
            let (answered, _) = xiaomi.send(&form, &request.binding.token).await;
            assert_eq!(answered, Some(*code), "{field}");
        }
    }
}

#[tokio::test]
async fn another_secret_is_refused_and_named() {
    let server = XiaomiServer::start().await;
    let app_secret = Secret::new("another".into());
    let config = XiaomiConfig { app_secret, ..config(&server.base_url()) };
    let answer = Xiaomi::open("main", &config).unwrap().push(&samples::alert("xiaomi")).await;
    let expected = (Outcome::ConfigError, "21301 authentication failed");
    assert_eq!((answer.outcome, answer.reason.as_str()), expected);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn every_row_has_its_outcome() {
    let server = XiaomiServer::start().await;
    let xiaomi = open(&server);
    for row in ROWS {
        let token = format!("t{}", row.code);
        server.answer_always(&token, Script::xiaomi(row.code, "its reason"));
        let answer = xiaomi.push(&samples::alert_to("xiaomi", &token)).await;
        assert_eq!((answer.outcome, answer.reason), (row.outcome, row.reason()), "{row:?}");
        assert!(answer.vendor.contains("its reason"), "{}", answer.vendor);
        let day_ms = 24 * 3600 * 1000;
        match (row.code, answer.retry_after_ms) {
            (10034, Some(1..)) if answer.retry_after_ms <= Some(day_ms) => {}
            (10027 | 10039 | 26004, Some(2_000)) | (65003, Some(300_000)) | (_, None) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_page_in_between_and_a_broken_connection_are_tried_again() {
    let server = XiaomiServer::start().await;
    let xiaomi = open(&server);
    for (script, reason) in [
        (Script::status(502).body("<html>bad gateway</html>"), "http_502"),
        (Script::accept().body("<html>login</html>"), "http_200"),
        (Script::drop_connection(), "connection_lost"),
    ] {
        server.answer("*", script);
        let answer = xiaomi.push(&samples::alert("xiaomi")).await;
        assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Retry, reason));
    }
    server.answer("*", Script::status(503).header("retry-after", "120"));
    assert_eq!(xiaomi.push(&samples::alert("xiaomi")).await.retry_after_ms, Some(120_000));
    server.answer("*", Script::xiaomi(10_027, "fast").header("retry-after", "120"));
    assert_eq!(xiaomi.push(&samples::alert("xiaomi")).await.retry_after_ms, Some(2_000));
}

#[tokio::test]
async fn a_message_goes_without_a_receipt_where_none_is_given() {
    let server = XiaomiServer::start().await;
    let answer =
        with_receipts(&server, "https://other.example/r").push(&samples::alert("xiaomi")).await;
    let reason = "accepted without receipt: 65038 receipt address not registered";
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Delivered, reason));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].form().contains_key("extra.callback.param"));
    assert!(!requests[1].form().keys().any(|field| field.starts_with("extra.callback")));
}

#[tokio::test]
async fn the_receipt_of_a_message_that_was_sent_is_believed() {
    let server = XiaomiServer::start().await;
    let xiaomi = with_receipts(&server, XIAOMI_RECEIPT_URL);
    xiaomi.push(&samples::alert("xiaomi")).await;
    let param = server.requests()[0].form()["extra.callback.param"].clone();
    let report = |param: &str| {
        let data = json!({"sdm0": {"param": param, "type": 1, "targets": samples::TOKEN}});
        let mut form = Form::default();
        form.set("data", data.to_string());
        let (body, headers) = (form.encode(), HeaderMap::new());
        let request = ReceiptRequest { query: "", headers: &headers, body: &body };
        xiaomi.receipts(&request, WallMs(1_730_000_000_000))
    };
    assert_eq!(report(&param).unwrap()[0].mid.to_string(), samples::MID);
    assert_eq!(report(&param.to_lowercase()), Err(ReceiptError::Forged));
}

#[tokio::test]
async fn a_device_that_is_not_found_for_a_day_is_gone() {
    let server = XiaomiServer::start().await;
    let xiaomi = open(&server);
    server.answer_always("t1", Script::xiaomi(65003, "not found"));
    let request = samples::alert_to("xiaomi", "t1");
    assert_eq!(xiaomi.push(&request).await.outcome, Outcome::Retry);
    tokio::time::pause();
    tokio::time::advance(doubts::DOUBTED + Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(xiaomi.push(&request).await.outcome, Outcome::TokenInvalid);
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let good = json!({"app_secret": "s", "package_name": "com.example", "channel_id": "c"});
    let told = |name: &str, value: &str| {
        let mut options = good.clone();
        options[name] = value.into();
        let config: XiaomiConfig = serde_json::from_value(options).unwrap();
        assert!(!format!("{config:?}").contains("app_secret: \"s"), "{config:?}");
        Xiaomi::open("main", &config).err().unwrap().to_string()
    };
    let told = [
        told("base_url", "http://192.0.2.1"),
        told("app_secret", " "),
        told("app_secret", "a\nb"),
        told("package_name", ""),
        told("channel_id", ""),
        told("receipt_url", "chat.example"),
    ];
    insta::assert_snapshot!(told.join("\n"));
    let without = serde_json::from_value::<XiaomiConfig>(json!({"app_secret": "s"}));
    assert!(without.unwrap_err().to_string().contains("package_name"));
    let all: Value = good;
    assert!(Xiaomi::open("main", &serde_json::from_value(all).unwrap()).is_ok());
}
