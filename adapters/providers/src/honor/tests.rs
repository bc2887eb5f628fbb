//! Against a recording Honor Push on loopback.

use std::sync::Arc;

use nightjar_provider_servers::{
    HONOR_APP_ID, HONOR_CLIENT_ID, HONOR_CLIENT_SECRET, HonorServer, Recorded, Script,
    huawei_signature,
};
use serde_json::json;

use super::*;
use crate::kit::{golden, resend, without};
use crate::samples;

fn config(server: &HonorServer) -> HonorConfig {
    HonorConfig {
        base_url: Some(server.base_url()),
        token_url: Some(server.token_url()),
        app_id: HONOR_APP_ID.into(),
        client_id: HONOR_CLIENT_ID.into(),
        client_secret: Secret::new(HONOR_CLIENT_SECRET.into()),
        badge_class: Some("com.example.chat.Main".into()),
        receipt_user: None,
        receipt_secret: None,
    }
}

fn open(server: &HonorServer) -> Honor {
    Honor::open("main", &config(server)).unwrap()
}

async fn push(honor: &Honor, token: &str) -> Answer {
    honor.push(&samples::alert_to("honor", token)).await
}

/// A request without its moment, which is another every time.
fn without_moment(request: &Recorded) -> Recorded {
    let mut request = request.clone();
    let at: u64 = request.headers.remove("timestamp").expect("a moment").parse().unwrap();
    assert!(wall_now().0.abs_diff(at) < 60_000);
    request
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = HonorServer::start().await;
    let answer = open(&server).push(&samples::alert("honor")).await;
    assert_eq!((answer.outcome, answer.vendor.as_str()), (Outcome::Delivered, "honor-1"));
    insta::assert_snapshot!(golden(&without_moment(&server.requests()[0])));
}

#[tokio::test]
async fn a_withdrawal_on_the_wire() {
    let server = HonorServer::start().await;
    let answer = open(&server).push(&samples::withdrawal("honor")).await;
    assert_eq!(answer.outcome, Outcome::Delivered);
    insta::assert_snapshot!(golden(&without_moment(&server.requests()[0])));
}

/// Proves the recording server: what it takes from us it takes for a reason.
#[tokio::test]
async fn a_request_without_any_of_what_honor_demands_is_refused() {
    let server = HonorServer::start().await;
    push(&open(&server), "t1").await;
    let sent = server.requests().remove(0);
    for (pointer, code) in [
        ("/token", "80300010"),
        ("/token/0", "80300010"),
        ("/android", "80100003"),
        ("/android/notification/title", "80100001"),
        ("/android/notification/body", "80100001"),
        ("/android/notification/clickAction", "80100001"),
        ("/android/notification/clickAction/type", "80100001"),
        ("/android/notification/badge/badgeClass", "80100001"),
    ] {
        let (_, answer) = resend(&server, &sent, &without(&sent.json(), pointer)).await;
        assert_eq!(answer["code"], code, "without {pointer}");
    }
    for (header, code) in [("timestamp", "80100001"), ("authorization", "80200003")] {
        let mut bare = sent.clone();
        bare.headers.remove(header);
        let (_, answer) = resend(&server, &bare, &sent.json()).await;
        assert_eq!(answer["code"], code, "without {header}");
    }
    let (_, answer) = resend(&server, &sent, &sent.json()).await;
    assert_eq!(answer["data"]["sendResult"], true);
}

#[tokio::test]
async fn a_hundred_senders_fetch_one_token_with_the_push_services_secret() {
    let server = HonorServer::start().await;
    let honor = Arc::new(open(&server));
    server.answer_token(Script::accept().held());
    let pushes: Vec<_> = (0..100)
        .map(|n| {
            let honor = Arc::clone(&honor);
            tokio::spawn(async move { push(&honor, &format!("t{n}")).await })
        })
        .collect();
    server.wait_for_token_requests(1).await;
    server.release();
    for push in pushes {
        assert_eq!(push.await.unwrap().outcome, Outcome::Delivered);
    }
    assert_eq!((server.token_requests().len(), server.requests().len()), (1, 100));
    server.revoke_tokens();
    assert_eq!(push(&honor, "t1").await.outcome, Outcome::Delivered);
    assert_eq!((server.token_requests().len(), server.requests().len()), (2, 102));
}

#[tokio::test]
async fn every_code_has_its_outcome_on_the_wire() {
    let server = HonorServer::start().await;
    let honor = open(&server);
    for row in codes::ROWS {
        let code = match row.code {
            family @ ("8020" | "801") => format!("{family:0<8}"),
            code => code.to_owned(),
        };
        let script = Script::status(200).json(&json!({ "code": code, "message": "why" }));
        server.answer_always(row.meaning, script);
        let answer = push(&honor, row.meaning).await;
        let outcome = match row.outcome {
            Outcome::AuthExpired => Outcome::ConfigError,
            outcome => outcome,
        };
        assert_eq!((answer.outcome, answer.reason), (outcome, code), "{row:?}");
        assert_eq!(answer.scope, row.scope, "{row:?}");
    }
}

#[tokio::test]
async fn a_token_on_the_fail_list_is_tried_once_more_and_kept() {
    let server = HonorServer::start().await;
    let honor = open(&server);
    let listing = |list: &str, token: &str| {
        let mut data = json!({ "sendResult": false, "requestId": "r" });
        data[list] = json!([token]);
        Script::status(200).json(&json!({ "code": 200, "message": "m", "data": data }))
    };
    server.answer("t1", listing("failTokens", "t1"));
    assert_eq!(push(&honor, "t1").await.outcome, Outcome::Delivered);
    server.answer_always("t2", listing("failTokens", "t2"));
    let answer = push(&honor, "t2").await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Reject, "failTokens"));
    assert!(!answer.vendor.contains("t2"), "{}", answer.vendor);
    assert_eq!(server.requests().len(), 4);
    server.answer("t3", listing("expireTokens", "t3"));
    assert_eq!(push(&honor, "t3").await.outcome, Outcome::TokenInvalid);
}

#[tokio::test]
async fn a_page_from_in_between_and_a_wait_are_passed_on() {
    let server = HonorServer::start().await;
    let honor = open(&server);
    server.answer("t1", Script::status(502).body("<html>bad gateway</html>"));
    let page = push(&honor, "t1").await;
    assert_eq!((page.outcome, page.vendor.as_str()), (Outcome::Retry, "<html>bad gateway</html>"));
    server.answer("t1", Script::status(503).header("retry-after", "7"));
    let busy = push(&honor, "t1").await;
    assert_eq!((busy.outcome, busy.retry_after_ms), (Outcome::Throttled, Some(7000)));
    let mut request = samples::alert("honor");
    request.alert.as_mut().unwrap().body = "语".repeat(1400);
    assert_eq!(honor.push(&request).await.outcome, Outcome::TooLarge);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn its_receipts_have_huaweis_form() {
    let server = HonorServer::start().await;
    let config = HonorConfig {
        receipt_user: Some("nightjar".into()),
        receipt_secret: Some(Secret::new("hush".into())),
        ..config(&server)
    };
    let honor = Honor::open("main", &config).unwrap();
    let now = wall_now();
    let signature = huawei_signature(b"hush", now.0, "n", "nightjar");
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("x-huawei-callback-id"),
        HeaderValue::from_str(&signature).unwrap(),
    )]);
    let status = json!({ "token": samples::TOKEN, "biTag": samples::MID, "status": 0 });
    let body = json!({ "statuses": [status] }).to_string();
    let request = ReceiptRequest { query: "", headers: &headers, body: body.as_bytes() };
    assert_eq!(honor.receipts(&request, now).unwrap().len(), 1);
    assert_eq!(open(&server).receipts(&request, now), Err(ReceiptError::NotOffered));
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_named() {
    let server = HonorServer::start().await;
    let good = config(&server);
    let told = |config: HonorConfig| Honor::open("main", &config).err().unwrap().to_string();
    let told = [
        told(HonorConfig { base_url: Some("http://192.0.2.1".into()), ..good.clone() }),
        told(HonorConfig { token_url: Some("ftp://localhost".into()), ..good.clone() }),
        told(HonorConfig { app_id: "1/2".into(), ..good.clone() }),
        told(HonorConfig { client_id: String::new(), ..good.clone() }),
        told(HonorConfig { client_secret: Secret::default(), ..good.clone() }),
    ];
    insta::assert_snapshot!(told.join("\n"));
    assert!(!format!("{good:?}").contains("another secret"));
}
