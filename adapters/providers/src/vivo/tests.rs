//! Against a recording vivo Push on loopback.

use std::sync::Arc;

use nightjar_provider_servers::{
    Script, VIVO_APP_ID, VIVO_APP_KEY, VIVO_RECEIPT_URL, VIVO_SECRET, VivoServer,
};
use nightjar_push::{Alert, Scope};

use super::codes::{CLASS_REFUSED, ROWS, USER_ROWS, WORDS_REFUSED};
use super::*;
use crate::kit::{golden, without};
use crate::samples;

pub(super) fn config(base_url: &str) -> VivoConfig {
    let options = json!({
        "base_url": base_url, "app_id": VIVO_APP_ID, "app_key": VIVO_APP_KEY,
        "app_secret": VIVO_SECRET, "category": "IM", "classification": 1,
        "receipt_url": VIVO_RECEIPT_URL,
    });
    serde_json::from_value(options).unwrap()
}

fn open(server: &VivoServer) -> Vivo {
    Vivo::open("main", &config(&server.base_url())).unwrap()
}

async fn push(vivo: &Vivo, token: &str) -> Answer {
    vivo.push(&samples::alert_to("vivo", token)).await
}

/// An alert vivo has nothing against: the sample's words are only Latin letters.
fn chinese() -> PushRequest {
    let alert =
        Alert { title: "小明".into(), body: "今天中午吃什么?".into(), sound: None };
    PushRequest { alert: Some(alert), ..samples::alert("vivo") }
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = VivoServer::start().await;
    let answer = open(&server).push(&chinese()).await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Delivered, "accepted"));
    insta::assert_snapshot!(golden(&server.requests()[0]));
}

#[tokio::test]
async fn a_withdrawal_is_not_sent_and_says_why() {
    let server = VivoServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("vivo")).await;
    let expected = (Outcome::Reject, "withdrawal_not_offered");
    assert_eq!((answer.outcome, answer.reason.as_str()), expected);
    assert!(server.requests().is_empty() && server.token_requests().is_empty());
}

#[tokio::test]
async fn words_vivo_refuses_are_replaced_once() {
    let server = VivoServer::start().await;
    let vivo = open(&server);
    for (title, body) in
        [("Alice", "Lunch"), ("小明", "12345"), ("小明", "[image]"), ("测试", "你好")]
    {
        let alert = Alert { title: title.into(), body: body.into(), sound: None };
        let before = server.requests().len();
        let answer = vivo.push(&PushRequest { alert: Some(alert), ..chinese() }).await;
        let expected = (Outcome::Delivered, "accepted in other words: 10085 words refused");
        assert_eq!((answer.outcome, answer.reason.as_str()), expected, "{title}: {body}");
        let requests = server.requests().split_off(before);
        assert_eq!((requests.len(), &requests[0].json()["content"]), (2, &body.into()));
        assert_eq!(requests[1].json()["content"], vivo.config.safe_text);
        assert_ne!(requests[0].json()["requestId"], requests[1].json()["requestId"]);
    }
}

#[tokio::test]
async fn a_message_goes_without_its_class_where_vivo_refuses_it() {
    let server = VivoServer::start().await;
    for (category, code) in
        [("LETTERS", "10096 unknown class"), ("MARKETING", "10097 class and classification differ")]
    {
        let config = VivoConfig { category: category.into(), ..config(&server.base_url()) };
        let answer = Vivo::open("main", &config).unwrap().push(&chinese()).await;
        assert_eq!(answer.outcome, Outcome::Delivered);
        assert_eq!(answer.reason, format!("accepted without class: {code}"));
        assert_eq!(server.requests().last().unwrap().json().get("category"), None);
    }
}

/// Proves the server under the other tests: it takes what we send and nothing less.
#[tokio::test]
async fn every_field_we_send_that_vivo_needs_is_missed_when_it_is_left_out() {
    let server = VivoServer::start().await;
    let vivo = open(&server);
    let request = chinese();
    vivo.push(&request).await;
    let sent = server.requests().remove(0);
    let bearer = HeaderValue::from_str(sent.header("authtoken")).unwrap();
    let (whole, token) = (sent.json(), &request.binding.token);
    assert_eq!(vivo.post(&bearer, &whole, token).await.0, Some(0));
    for (pointer, code) in [
        ("/appId", 10_094),
        ("/regId", 10_302),
        ("/notifyType", 10_050),
        ("/title", 10_050),
        ("/content", 10_050),
        ("/skipType", 10_050),
        ("/classification", 10_097),
        ("/requestId", 10_050),
        ("/notifyId", 10_050),
        ("/timeToLive", 10_050),
        ("/clientCustomMap", 10_050),
    ] {
        let (answered, _) = vivo.post(&bearer, &without(&whole, pointer), token).await;
        assert_eq!(answered, Some(code), "{pointer}");
    }
    let nothing = HeaderValue::from_static("");
    assert_eq!(vivo.post(&nothing, &whole, token).await.0, Some(10_000));
}

#[tokio::test]
async fn every_row_has_its_outcome() {
    let server = VivoServer::start().await;
    let vivo = open(&server);
    for row in ROWS {
        server.answer_always("t1", Script::vivo(row.code, "its words"));
        let before = server.requests().len();
        let answer = push(&vivo, "t1").await;
        let repeated = WORDS_REFUSED.contains(&row.code) || CLASS_REFUSED.contains(&row.code);
        let (outcome, attempts) = match row.outcome {
            // Bought anew, refused again.
            Outcome::AuthExpired => (Outcome::ConfigError, 2),
            outcome => (outcome, if repeated { 2 } else { 1 }),
        };
        assert_eq!((answer.outcome, answer.reason), (outcome, row.reason()), "{row:?}");
        assert_eq!((answer.scope, server.requests().len() - before), (row.scope, attempts));
    }
    for row in USER_ROWS {
        let user = json!({ "userid": "t2", "status": row.code });
        let body = json!({ "result": 10_302, "desc": "regId", "invalidUser": user });
        server.answer("t2", Script::status(200).json(&body));
        let answer = push(&vivo, "t2").await;
        assert_eq!((answer.outcome, answer.reason), (row.outcome, row.reason()), "{row:?}");
    }
}

#[tokio::test]
async fn a_hundred_senders_buy_one_token() {
    let server = VivoServer::start().await;
    let vivo = Arc::new(open(&server));
    server.answer_token(Script::accept().held());
    let pushes: Vec<_> = (0..100)
        .map(|_| {
            let vivo = Arc::clone(&vivo);
            tokio::spawn(async move { vivo.push(&chinese()).await })
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
    let server = VivoServer::start().await;
    let vivo = open(&server);
    vivo.push(&chinese()).await;
    server.revoke_tokens();
    assert_eq!(vivo.push(&chinese()).await.outcome, Outcome::Delivered);
    assert_eq!((server.token_requests().len(), server.requests().len()), (2, 3));
}

#[tokio::test]
async fn a_token_is_replaced_after_an_hour() {
    let server = VivoServer::start().await;
    let vivo = open(&server);
    vivo.push(&chinese()).await;
    for (minutes, bought) in [(59, 1), (2, 2)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(minutes * 60)).await;
        tokio::time::resume();
        vivo.push(&chinese()).await;
        assert_eq!(server.token_requests().len(), bought, "{minutes} minutes later");
    }
}

#[tokio::test]
async fn a_clock_ten_minutes_wrong_buys_nothing() {
    for (skew_s, outcome) in [
        (-590, Outcome::Delivered),
        (590, Outcome::Delivered),
        (-610, Outcome::ConfigError),
        (610, Outcome::ConfigError),
    ] {
        let server = VivoServer::start().await;
        server.clock_ahead_s(skew_s);
        let answer = open(&server).push(&chinese()).await;
        assert_eq!(answer.outcome, outcome, "{skew_s} s: {answer:?}");
        // The number is not documented; vivo's own words say what is wrong.
        let told = answer.vendor.contains("timestamp");
        assert_eq!(told, outcome == Outcome::ConfigError, "{}", answer.vendor);
    }
}

#[tokio::test]
async fn an_auth_that_fails_is_told_apart() {
    for (script, outcome, reason) in [
        (Script::vivo(10_202, "sign"), Outcome::ConfigError, "auth: 10202 unknown"),
        (Script::vivo(10_000, "no"), Outcome::ConfigError, "auth: 10000 authentication failed"),
        (Script::vivo(10_072, "fast"), Outcome::Throttled, "auth: 10072 too fast"),
        (Script::status(500).body("Internet server error!"), Outcome::Retry, "auth: http_500"),
        (Script::accept().body(r#"{"result":0}"#), Outcome::Retry, "auth: malformed_answer"),
        (Script::drop_connection(), Outcome::Retry, "auth: connection_lost"),
    ] {
        let server = VivoServer::start().await;
        server.answer_token(script);
        let answer = push(&open(&server), "t1").await;
        assert_eq!((answer.outcome, answer.reason.as_str()), (outcome, reason));
        assert_eq!(answer.scope, Scope::Credential, "{reason}");
        assert!(!answer.may_have_arrived() && server.requests().is_empty());
    }
    let server = VivoServer::start().await;
    for fails_at_auth in [true, false] {
        let busy = Script::status(503).header("retry-after", "7");
        match fails_at_auth {
            true => server.answer_token(busy),
            false => server.answer("t1", busy),
        }
        assert_eq!(push(&open(&server), "t1").await.retry_after_ms, Some(7_000));
    }
}

#[tokio::test]
async fn the_receipt_of_a_message_that_was_sent_is_believed() {
    let server = VivoServer::start().await;
    let vivo = open(&server);
    vivo.push(&chinese()).await;
    let param = server.requests()[0].json()["extra"]["callback.param"].clone();
    let report = json!({ "5131": { "param": param, "targets": samples::TOKEN } }).to_string();
    let headers = HeaderMap::new();
    let request = ReceiptRequest { query: "", headers: &headers, body: report.as_bytes() };
    let receipts = vivo.receipts(&request, WallMs(1_730_000_000_000)).unwrap();
    assert_eq!(receipts[0].mid.to_string(), samples::MID);
}

#[tokio::test]
async fn a_registered_address_goes_by_its_number() {
    let server = VivoServer::start().await;
    let receipt_id = Some("17".to_owned());
    let config = VivoConfig { receipt_id, ..config(&server.base_url()) };
    Vivo::open("main", &config).unwrap().push(&chinese()).await;
    let extra = server.requests()[0].json()["extra"].clone();
    assert_eq!((&extra["callback.id"], extra.get("callback")), (&"17".into(), None));
    assert_eq!(extra["callback.param"].as_str().map(str::len), Some(64));
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let good = json!({
        "app_id": 10_004, "app_key": "hush", "app_secret": "hush", "category": "IM",
        "classification": 1,
    });
    let told = |name: &str, value: Value| {
        let mut options = good.clone();
        options[name] = value;
        let config: VivoConfig = serde_json::from_value(options).unwrap();
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
        Vivo::open("main", &config).err().unwrap().to_string()
    };
    let told = [
        told("base_url", "http://192.0.2.1".into()),
        told("app_id", "".into()),
        told("app_key", "".into()),
        told("app_secret", "".into()),
        told("category", "".into()),
        told("classification", Value::Null),
        told("classification", 2.into()),
        told("ttl_s_max", 59.into()),
        told("safe_text", "".into()),
        told("receipt_url", "chat.example".into()),
    ];
    insta::assert_snapshot!(told.join("\n"));
    assert!(Vivo::open("main", &serde_json::from_value(good).unwrap()).is_ok());
}
