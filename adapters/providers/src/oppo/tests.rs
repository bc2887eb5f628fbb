//! Against a recording OPPO Push on loopback.

use std::sync::Arc;
use std::time::Duration;

use nightjar_provider_servers::{
    OPPO_APP_KEY, OPPO_CATEGORY, OPPO_CHANNEL, OPPO_RECEIPT_URL, OPPO_SECRET, OppoServer, Script,
};
use nightjar_push::Scope;
use serde_json::json;

use super::codes::ROWS;
use super::*;
use crate::kit::{golden_form, without};
use crate::samples;

pub(super) fn config(base_url: &str) -> OppoConfig {
    OppoConfig {
        base_url: Some(base_url.to_owned()),
        app_key: Secret::new(OPPO_APP_KEY.into()),
        master_secret: Secret::new(OPPO_SECRET.into()),
        channel_id: OPPO_CHANNEL.into(),
        category: OPPO_CATEGORY.into(),
        notify_level: 16,
        receipt_url: Some(OPPO_RECEIPT_URL.into()),
    }
}

fn open(server: &OppoServer) -> Oppo {
    Oppo::open("main", &config(&server.base_url())).unwrap()
}

async fn push(oppo: &Oppo, token: &str) -> Answer {
    oppo.push(&samples::alert_to("oppo", token)).await
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = OppoServer::start().await;
    let answer = open(&server).push(&samples::alert("oppo")).await;
    assert_eq!(answer.outcome, Outcome::Delivered);
    assert!(answer.vendor.starts_with("1-1-1-"), "{}", answer.vendor);
    insta::assert_snapshot!(golden_form(&server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_is_not_sent_and_says_why() {
    let server = OppoServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("oppo")).await;
    let expected = (Outcome::Reject, "withdrawal_not_offered");
    assert_eq!((answer.outcome, answer.reason.as_str()), expected);
    assert!(server.requests().is_empty() && server.token_requests().is_empty());
}

/// Proves the server under the other tests: it takes what we send and nothing less.
#[tokio::test]
async fn every_field_we_send_that_oppo_needs_is_missed_when_it_is_left_out() {
    let server = OppoServer::start().await;
    let oppo = open(&server);
    let request = samples::alert("oppo");
    let (alert, token) = (request.alert.as_ref().unwrap(), &request.binding.token);
    let whole = message::message(&oppo.config, &request, alert, wall_now());
    push(&oppo, "first").await;
    let bearer = HeaderValue::from_str(&server.requests()[0].form()["auth_token"]).unwrap();
    let code = |message: Value| {
        let (oppo, bearer) = (&oppo, &bearer);
        async move { oppo.post(&oppo.china, bearer, &message, token).await.0 }
    };
    assert_eq!(code(whole.clone()).await, Some(0));
    for (pointer, expected) in [
        ("/target_type", 40),
        ("/target_value", 10_000),
        ("/notification", 40),
        ("/notification/title", 40),
        ("/notification/content", 40),
        ("/notification/style", 41),
        ("/notification/channel_id", 41),
        ("/notification/category", 67),
        ("/notification/action_parameters", 41),
        ("/notification/off_line_ttl", 41),
        ("/notification/notify_id", 41),
        ("/notification/app_message_id", 41),
    ] {
        assert_eq!(code(without(&whole, pointer)).await, Some(expected), "{pointer}");
    }
    let nothing = HeaderValue::from_static("");
    assert_eq!(oppo.post(&oppo.china, &nothing, &whole, token).await.0, Some(29));
}

#[tokio::test]
async fn every_row_has_its_outcome() {
    let server = OppoServer::start().await;
    let oppo = open(&server);
    for row in ROWS {
        server.answer_always("t1", Script::oppo(row.code, "its words"));
        let before = server.requests().len();
        let answer = push(&oppo, "t1").await;
        let (outcome, attempts) = match row.outcome {
            // Bought anew, refused again.
            Outcome::AuthExpired => (Outcome::ConfigError, 2),
            outcome => (outcome, if row.code == codes::CLASS_REFUSED { 2 } else { 1 }),
        };
        assert_eq!((answer.outcome, answer.reason), (outcome, row.reason()), "{row:?}");
        assert_eq!((answer.scope, server.requests().len() - before), (row.scope, attempts));
    }
}

#[tokio::test]
async fn a_message_goes_without_its_class_where_the_app_has_no_right_to_it() {
    let server = OppoServer::start().await;
    let config = OppoConfig { category: "NEWS".into(), ..config(&server.base_url()) };
    let answer = push(&Oppo::open("main", &config).unwrap(), "t1").await;
    let reason = "accepted without class: 67 class or level refused";
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Delivered, reason));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let last: Value = serde_json::from_str(&requests[1].form()["message"]).unwrap();
    assert_eq!(last["notification"].get("category"), None);
    assert_eq!(last["notification"].get("notify_level"), None);
    assert_eq!(last["notification"]["channel_id"], OPPO_CHANNEL);
}

#[tokio::test]
async fn a_hundred_senders_buy_one_token() {
    let server = OppoServer::start().await;
    let oppo = Arc::new(open(&server));
    server.answer_token(Script::accept().held());
    let pushes: Vec<_> = (0..100)
        .map(|n| {
            let oppo = Arc::clone(&oppo);
            tokio::spawn(async move { push(&oppo, &format!("t{n}")).await })
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
async fn a_revoked_token_is_bought_anew_once_and_the_push_resent_once() {
    let server = OppoServer::start().await;
    let oppo = open(&server);
    push(&oppo, "t1").await;
    server.revoke_tokens();
    assert_eq!(push(&oppo, "t2").await.outcome, Outcome::Delivered);
    assert_eq!((server.token_requests().len(), server.requests().len()), (2, 3));
}

#[tokio::test]
async fn a_token_is_replaced_after_an_hour() {
    let server = OppoServer::start().await;
    let oppo = open(&server);
    push(&oppo, "t1").await;
    for (minutes, bought) in [(59, 1), (2, 2)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(minutes * 60)).await;
        tokio::time::resume();
        push(&oppo, "t1").await;
        assert_eq!(server.token_requests().len(), bought, "{minutes} minutes later");
    }
}

#[tokio::test]
async fn a_clock_ten_minutes_wrong_is_a_fault_an_operator_can_read() {
    for (skew_s, outcome) in [
        (-590, Outcome::Delivered),
        (590, Outcome::Delivered),
        (-610, Outcome::ConfigError),
        (610, Outcome::ConfigError),
    ] {
        let server = OppoServer::start().await;
        server.clock_ahead_s(skew_s);
        let answer = push(&open(&server), "t1").await;
        assert_eq!(answer.outcome, outcome, "{skew_s} s: {answer:?}");
        if outcome == Outcome::ConfigError {
            assert_eq!(answer.reason, "auth: 19 timestamp refused: check this clock");
            assert_eq!(answer.scope, Scope::Credential);
        }
    }
}

#[tokio::test]
async fn an_auth_that_fails_is_told_apart() {
    for (script, outcome, reason) in [
        (Script::oppo(16, "sign"), Outcome::ConfigError, "auth: 16 illegal signature"),
        (Script::oppo(11, "token"), Outcome::ConfigError, "auth: 11 auth token refused"),
        (Script::oppo(-2, "flow"), Outcome::Throttled, "auth: -2 flow control"),
        (Script::oppo(-1, "later"), Outcome::Retry, "auth: -1 service unavailable"),
        (Script::accept().body("<html>"), Outcome::Retry, "auth: http_200"),
        (Script::accept().body(r#"{"code":0}"#), Outcome::Retry, "auth: malformed_answer"),
        (Script::status(401), Outcome::ConfigError, "auth: http_401"),
        (Script::drop_connection(), Outcome::Retry, "auth: connection_lost"),
    ] {
        let server = OppoServer::start().await;
        server.answer_token(script);
        let answer = push(&open(&server), "t1").await;
        assert_eq!((answer.outcome, answer.reason.as_str()), (outcome, reason));
        assert_eq!(answer.scope, Scope::Credential, "{reason}");
        assert!(!answer.may_have_arrived() && server.requests().is_empty());
    }
    let server = OppoServer::start().await;
    for fails_at_auth in [true, false] {
        let busy = Script::status(503).header("retry-after", "7");
        match fails_at_auth {
            true => server.answer_token(busy),
            false => server.answer("t1", busy),
        }
        assert_eq!(push(&open(&server), "t1").await.retry_after_ms, Some(7_000));
    }
}

#[test]
fn where_a_phone_was_sold_stands_in_its_id() {
    for (id, chinese) in [
        ("b6bbd94b59cdb5df", true),
        ("CN_b6bbd94b", true),
        ("OPPO_CN_b6bbd94b", true),
        ("IN_b6bbd94b", false),
        ("realme_IN_b6bbd94b", false),
        ("CN_OPPO_b6bbd94b", false),
        ("a_CN_b_c", false),
    ] {
        assert_eq!(is_chinese(id), chinese, "{id}");
    }
}

#[tokio::test]
async fn the_receipt_of_a_message_that_was_sent_is_believed() {
    let server = OppoServer::start().await;
    let oppo = open(&server);
    oppo.push(&samples::alert("oppo")).await;
    let sent: Value = serde_json::from_str(&server.requests()[0].form()["message"]).unwrap();
    let param = &sent["notification"]["call_back_parameter"];
    let report = json!([{
        "registrationIds": samples::TOKEN, "param": param, "eventType": "push_arrive",
    }]);
    let (body, headers) = (report.to_string(), HeaderMap::new());
    let request = ReceiptRequest { query: "", headers: &headers, body: body.as_bytes() };
    let receipts = oppo.receipts(&request, WallMs(1_730_000_000_000)).unwrap();
    assert_eq!(receipts[0].mid.to_string(), samples::MID);
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let good = json!({
        "app_key": "hush", "master_secret": "hush", "channel_id": "chat", "category": "IM",
    });
    let told = |name: &str, value: Value| {
        let mut options = good.clone();
        options[name] = value;
        let config: OppoConfig = serde_json::from_value(options).unwrap();
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
        Oppo::open("main", &config).err().unwrap().to_string()
    };
    let told = [
        told("base_url", "http://192.0.2.1".into()),
        told("app_key", "".into()),
        told("master_secret", "".into()),
        told("channel_id", "".into()),
        told("category", "".into()),
        told("notify_level", 3.into()),
        told("receipt_url", "chat.example".into()),
    ];
    insta::assert_snapshot!(told.join("\n"));
    let missing = serde_json::from_value(json!({"app_key": "k", "master_secret": "s"})).unwrap();
    let missing = Oppo::open("main", &missing).err().unwrap();
    assert_eq!(missing.option, "channel_id");
    assert!(Oppo::open("main", &serde_json::from_value(good).unwrap()).is_ok());
}
