//! Against a recording JPush on loopback.

use nightjar_provider_servers::{JPUSH_KEY, JPUSH_SECRET, JpushServer, Recorded, Script};
use nightjar_push::{Outcome, Scope};
use serde_json::json;

use super::codes::ROWS;
use super::*;
use crate::kit::without;
use crate::samples;

pub(super) fn config(base_url: &str) -> JpushConfig {
    JpushConfig {
        base_url: Some(base_url.to_owned()),
        app_key: Secret::new(JPUSH_KEY.into()),
        master_secret: Secret::new(JPUSH_SECRET.into()),
        channel_id: Some("chat".into()),
    }
}

fn open(server: &JpushServer) -> Jpush {
    Jpush::open("main", &config(&server.base_url())).unwrap()
}

/// A request as text; what differs from run to run is left out.
fn golden(request: &Recorded) -> String {
    let mut headers = request.headers.clone();
    headers.retain(|name, _| name != "host" && name != "content-length");
    let golden = json!({
        "request": format!("{} {}", request.method, request.path),
        "headers": headers,
        "body": request.json(),
    });
    serde_json::to_string_pretty(&golden).unwrap()
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = JpushServer::start().await;
    let answer = open(&server).push(&samples::alert("jpush")).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    assert!(!answer.vendor.is_empty());
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_on_the_wire() {
    let server = JpushServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("jpush")).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

/// Proves the server under the other tests: it takes what we send and nothing less.
#[tokio::test]
async fn every_field_jpush_needs_is_missed_when_it_is_left_out() {
    let server = JpushServer::start().await;
    let jpush = open(&server);
    for (request, needed) in [
        (
            samples::alert("jpush"),
            &[
                ("/platform", 1002),
                ("/audience", 1002),
                ("/audience/registration_id", 1003),
                ("/notification", 1002),
                ("/notification/android/alert", 1003),
                ("/notification/ios/alert", 1003),
                ("/notification/hmos/alert", 1003),
            ][..],
        ),
        (samples::withdrawal("jpush"), &[("/message", 1002), ("/message/msg_content", 1003)][..]),
    ] {
        for (pointer, code) in needed {
            let body = message::body(&jpush.config, &request, wall_now());
            assert_eq!(jpush.send(&body, &request.binding.token).await.outcome, Outcome::Delivered);
            let answer = jpush.send(&without(&body, pointer), &request.binding.token).await;
            assert!(answer.reason.starts_with(&code.to_string()), "{pointer}: {answer:?}");
        }
    }
    let mut strange = config(&server.base_url());
    strange.master_secret = Secret::new("another".into());
    let answer = Jpush::open("main", &strange).unwrap().push(&samples::alert("jpush")).await;
    assert_eq!((answer.outcome, answer.scope), (Outcome::ConfigError, Scope::Credential));
}

#[tokio::test]
async fn every_row_has_its_outcome() {
    let server = JpushServer::start().await;
    let jpush = open(&server);
    for row in ROWS {
        let error = json!({ "error": { "code": row.code, "message": "as documented" } });
        server.answer("*", Script::status(400).json(&error).header("x-rate-limit-reset", "7"));
        let answer = jpush.push(&samples::alert("jpush")).await;
        assert_eq!((answer.outcome, answer.scope), (row.outcome, row.scope), "{row:?}");
        let waits = (row.outcome == Outcome::Throttled).then_some(7000);
        assert_eq!(answer.retry_after_ms, waits, "{row:?}");
    }
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let good = config("http://127.0.0.1:1");
    let told = |config: JpushConfig| Jpush::open("main", &config).err().unwrap().to_string();
    let told = [
        told(JpushConfig { base_url: Some("http://192.0.2.1".into()), ..good.clone() }),
        told(JpushConfig { app_key: Secret::default(), ..good.clone() }),
        told(JpushConfig { master_secret: Secret::default(), ..good.clone() }),
    ];
    insta::assert_snapshot!(told.join("\n"));
}
