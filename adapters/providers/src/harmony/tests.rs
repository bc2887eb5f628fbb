//! Against a recording Push Kit on loopback.

use nightjar_model::{NotificationId, Secret};
use nightjar_provider_servers::{
    HARMONY_CLIENT_ID, HarmonyServer, Recorded, Script, huawei_signature,
};
use nightjar_push::Scope;
use serde_json::json;

use super::*;
use crate::kit::{golden, resend, without};
use crate::notify_id::notify_id;
use crate::samples;
use crate::{KeyFile, ReceiptEvent};

fn config(server: &HarmonyServer) -> HarmonyConfig {
    HarmonyConfig {
        base_url: Some(server.base_url()),
        service_account_file: server.service_account_file().into(),
        client_id: HARMONY_CLIENT_ID.into(),
        category: "IM".into(),
        receipt_id: None,
        receipt_user: None,
        receipt_secret: None,
    }
}

fn open(server: &HarmonyServer) -> Harmony {
    Harmony::open("main", &config(server)).unwrap()
}

async fn push(harmony: &Harmony, token: &str) -> Answer {
    harmony.push(&samples::alert_to("harmony", token)).await
}

fn coded(status: u16, code: &str) -> Script {
    Script::status(status).json(&json!({ "code": code, "msg": "why", "requestId": "r1" }))
}

/// A request without its token, which is another every time.
fn without_token(request: &Recorded) -> Recorded {
    let mut request = request.clone();
    request.headers.remove("authorization").expect("a token");
    request
}

#[tokio::test]
async fn an_alert_on_the_wire() {
    let server = HarmonyServer::start().await;
    let answer = open(&server).push(&samples::alert("harmony")).await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Delivered, "accepted"));
    assert_eq!(answer.vendor, "170367510900000000000001");
    insta::assert_snapshot!(golden(&without_token(&server.requests()[0])));
}

#[tokio::test]
async fn a_withdrawal_revokes_each_notification() {
    let server = HarmonyServer::start().await;
    let harmony = open(&server);
    let mut request = samples::withdrawal("harmony");
    let storm = NotificationId::conversation(&request.data.conv);
    request.data.wd.push(storm.clone());
    assert_eq!(harmony.push(&request).await.outcome, Outcome::Delivered);
    let requests = server.requests();
    insta::assert_snapshot!(golden(&without_token(&requests[0])));
    assert_eq!(
        (requests.len(), requests[1].json()["notifyId"].as_i64()),
        (2, Some(notify_id(&storm).into()))
    );

    server.answer(samples::TOKEN, coded(500, "80000001"));
    let answer = harmony.push(&request).await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Retry, "80000001"));
    assert_eq!(server.requests().len(), 3, "the second is not asked for");
}

#[tokio::test]
async fn the_token_is_signed_as_huawei_says_and_kept() {
    let server = HarmonyServer::start().await;
    let harmony = open(&server);
    for token in ["t1", "t2"] {
        assert_eq!(push(&harmony, token).await.outcome, Outcome::Delivered);
    }
    let requests = server.requests();
    assert_eq!(requests[0].header("authorization"), requests[1].header("authorization"));
    let mut token = requests[0].signed.clone().expect("the signature is right");
    let issued_s = token.claims["iat"].take().as_u64().unwrap();
    let ends_s = token.claims["exp"].take().as_u64().unwrap();
    assert_eq!(ends_s - issued_s, 3600);
    assert!((wall_now().0 / 1000).abs_diff(issued_s) < 60);
    let told = json!([token.header, token.claims]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap());
}

#[tokio::test]
async fn a_token_that_expired_is_signed_anew_once_and_the_push_resent_once() {
    let server = HarmonyServer::start().await;
    let harmony = open(&server);
    server.answer("t1", coded(401, "80200005"));
    assert_eq!(push(&harmony, "t1").await.outcome, Outcome::Delivered);
    let [first, second] = &server.requests()[..] else { panic!("two requests") };
    // PSS signatures are random: another token, even within the same second.
    assert_ne!(first.header("authorization"), second.header("authorization"));
    server.answer_always("t2", coded(401, "80200001"));
    let answer = push(&harmony, "t2").await;
    assert_eq!((answer.outcome, answer.scope), (Outcome::ConfigError, Scope::Credential));
    assert_eq!(server.requests().len(), 4);
}

/// Proves the recording server: what it takes from us it takes for a reason.
#[tokio::test]
async fn a_request_without_any_of_what_huawei_demands_is_refused() {
    let server = HarmonyServer::start().await;
    let harmony = open(&server);
    push(&harmony, "t1").await;
    harmony.push(&samples::withdrawal("harmony")).await;
    let [sent, revoked] = &server.requests()[..] else { panic!("two requests") };
    for (pointer, code) in [
        ("/target", "80300010"),
        ("/target/token", "80300010"),
        ("/target/token/0", "80300010"),
        ("/payload", "80100003"),
        ("/payload/notification", "80100003"),
        ("/payload/notification/category", "80100001"),
        ("/payload/notification/title", "80100001"),
        ("/payload/notification/body", "80100001"),
        ("/payload/notification/clickAction", "80100001"),
        ("/payload/notification/clickAction/actionType", "80100001"),
    ] {
        let (_, answer) = resend(&server, sent, &without(&sent.json(), pointer)).await;
        assert_eq!(answer["code"], code, "without {pointer}");
    }
    for pointer in ["/notifyId", "/token"] {
        let (_, answer) = resend(&server, revoked, &without(&revoked.json(), pointer)).await;
        assert_eq!(answer["code"], "80300032", "without {pointer}");
    }
    for header in ["push-type", "authorization"] {
        let mut bare = sent.clone();
        bare.headers.remove(header);
        let (status, _) = resend(&server, &bare, &sent.json()).await;
        assert!(status.is_client_error(), "without {header}");
    }
    let (_, answer) = resend(&server, sent, &sent.json()).await;
    assert_eq!(answer["code"], "80000000");
}

#[tokio::test]
async fn the_cause_a_token_is_listed_under_decides() {
    let server = HarmonyServer::start().await;
    let harmony = open(&server);
    for (cause, outcome, scope) in codes::CAUSES {
        let mut causes = json!({});
        causes[*cause] = json!([cause]);
        let msg = json!({ "success": 0, "failure": 1, "illegalTokens": causes }).to_string();
        for code in ["80100000", "80300007"] {
            let script = json!({ "code": code, "msg": msg, "requestId": "r" });
            server.answer(cause, Script::status(200).json(&script));
            let answer = push(&harmony, cause).await;
            assert_eq!((answer.outcome, answer.scope), (*outcome, *scope), "{cause}");
            assert_eq!(answer.reason, *cause);
        }
    }
}

#[tokio::test]
async fn every_code_has_its_outcome_on_the_wire() {
    let server = HarmonyServer::start().await;
    let harmony = open(&server);
    for row in codes::ROWS.iter().filter(|row| row.outcome != Outcome::Delivered) {
        server.answer_always(row.code, coded(400, row.code));
        let answer = push(&harmony, row.code).await;
        let outcome = match row.outcome {
            Outcome::AuthExpired => Outcome::ConfigError,
            outcome => outcome,
        };
        assert_eq!((answer.outcome, answer.reason.as_str()), (outcome, row.code));
        assert_eq!(answer.scope, row.scope, "{row:?}");
    }
    server.answer("t1", Script::status(502).body("<html>bad gateway</html>"));
    let page = push(&harmony, "t1").await;
    assert_eq!((page.outcome, page.vendor.as_str()), (Outcome::Retry, "<html>bad gateway</html>"));
}

#[tokio::test]
async fn a_picture_that_was_not_reviewed_holds_no_message_up() {
    let server = HarmonyServer::start().await;
    let mut request = samples::alert_to("harmony", "t1");
    let image = json!({ "payload": { "notification": { "image": "https://a.example/i.png" } } });
    request.overrides = image.as_object().cloned();
    server.answer("t1", coded(400, "80100022"));
    let answer = open(&server).push(&request).await;
    let reason = "accepted without image: 80100022";
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::Delivered, reason));
    let [first, second] = &server.requests()[..] else { panic!("two requests") };
    assert_eq!(second.json(), without(&first.json(), "/payload/notification/image"));
}

#[tokio::test]
async fn a_message_over_4096_bytes_is_not_sent() {
    let server = HarmonyServer::start().await;
    let mut request = samples::alert("harmony");
    request.alert.as_mut().unwrap().body = "语".repeat(1400);
    let answer = open(&server).push(&request).await;
    assert_eq!((answer.outcome, answer.reason.as_str()), (Outcome::TooLarge, "payload_too_large"));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn its_receipts_are_those_of_huawei() {
    let server = HarmonyServer::start().await;
    let config = HarmonyConfig {
        receipt_user: Some("nightjar".into()),
        receipt_secret: Some(Secret::new("c2VjcmV0".into())),
        ..config(&server)
    };
    let harmony = Harmony::open("main", &config).unwrap();
    let now = wall_now();
    let signature = huawei_signature(b"secret", now.0, "n", "nightjar");
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("x-huawei-callback-id"),
        HeaderValue::from_str(&signature).unwrap(),
    )]);
    let status = json!({ "token": samples::TOKEN, "biTag": samples::MID, "pushType": 0,
                         "deliveryStatus": { "result": 0, "timestamp": 6 } });
    let body = json!({ "statuses": [status] }).to_string();
    let request = ReceiptRequest { query: "", headers: &headers, body: body.as_bytes() };
    let receipts = harmony.receipts(&request, now).unwrap();
    assert_eq!((receipts.len(), &receipts[0].event), (1, &ReceiptEvent::Arrived));
    assert_eq!(open(&server).receipts(&request, now), Err(ReceiptError::NotOffered));
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_named() {
    let server = HarmonyServer::start().await;
    let good = config(&server);
    let told = |config: HarmonyConfig| Harmony::open("main", &config).err().unwrap().to_string();
    let account = |change: &dyn Fn(&mut Value)| {
        let text = std::fs::read_to_string(server.service_account_file()).unwrap();
        let mut account: Value = serde_json::from_str(&text).unwrap();
        change(&mut account);
        let text = Secret::new(account.to_string());
        told(HarmonyConfig { service_account_file: KeyFile::Text { text }, ..good.clone() })
    };
    let told = [
        told(HarmonyConfig { base_url: Some("http://192.0.2.1".into()), ..good.clone() }),
        told(HarmonyConfig { client_id: String::new(), ..good.clone() }),
        told(HarmonyConfig { category: String::new(), ..good.clone() }),
        account(&|account| account["sub_account"] = Value::Null),
        account(&|account| account["private_key"] = "hush".into()),
        account(&|account| account["project_id"] = "../1".into()),
    ];
    let told = told.join("\n");
    // The key is made anew for each run, and is not always as long.
    let column = told.split("column ").nth(1).and_then(|rest| rest.split(')').next());
    insta::assert_snapshot!(told.replace(column.expect("a place in the file"), "N"));
}
