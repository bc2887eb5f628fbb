//! What a vendor reports of a push it took, and what is counted of pushes.

use nightjar_provider_servers::{Recorded, XIAOMI_RECEIPT_URL, XIAOMI_SECRET, XiaomiServer};
use nightjar_whole::within;
use serde_json::{Value, json};

use crate::setup;

/// A report of Mi Push: a form whose field `data` is JSON.
fn report(tag: &str, token: &str, kind: u32) -> String {
    let data = json!({"sdm1": {"param": tag, "type": kind, "targets": token, "timestamp": "1"}});
    let escaped: String = data.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("data={escaped}")
}

#[tokio::test]
async fn a_receipt_that_proves_itself_is_in_the_trace_and_counted_once() {
    let xiaomi = XiaomiServer::start().await;
    let config = format!("{}receipt_url = \"{XIAOMI_RECEIPT_URL}\"\n", xiaomi.config("main"));
    let server = setup().with(&config).start().await;
    let api = server.api();
    api.bind("bob", "phone", ["xiaomi", "main", "bob-phone"]).await;
    let sent = api.send("alice", json!({"user": "bob"}), "one").await;
    let requests = xiaomi.wait_until(|requests| !requests.is_empty());
    let requests: Vec<Recorded> = within("the push", requests).await;
    let form = requests[0].form();
    assert_eq!(form["extra.callback"], XIAOMI_RECEIPT_URL);
    let tag = &form["extra.callback.param"];

    let path = "/v1/push/receipts/xiaomi/main";
    let vendor = api.with_key(None);
    let forged = vendor.post_form(path, report(&tag.replace('A', "B"), "bob-phone", 1)).await;
    assert_eq!((forged.status, forged.error().as_str()), (401, "unauthorized"), "{}", forged.text);
    let of_another = vendor.post_form(path, report(tag, "carol-phone", 1)).await;
    assert_eq!(of_another.status, 401);
    assert_eq!(vendor.post_form(path, "nothing".into()).await.status, 400);
    let nowhere = vendor.post_form("/v1/push/receipts/xiaomi/other", String::new()).await;
    assert_eq!(nowhere.error(), "unknown_credential");
    for _ in 0..2 {
        let taken = vendor.post_form(path, report(tag, "bob-phone", 3)).await.good();
        assert_eq!(taken["code"], "0");
    }
    let trace = api.trace(sent["message_id"].as_str().expect("an id"), "bob").await;
    let of_step = |step: &str| trace.iter().filter(|event| event["step"] == step).count();
    assert_eq!([of_step("arrived"), of_step("clicked")], [1, 1], "{trace:#?}");

    let counted = async {
        loop {
            let all = api.get("/v1/push/statistics").await.good()["statistics"].clone();
            if all[0]["accepted"] == 1 {
                return all;
            }
        }
    };
    let counted: Value = within("the push to be counted", counted).await;
    assert_eq!((&counted[0]["arrived"], &counted[0]["clicked"]), (&1.into(), &1.into()));
    assert_eq!((&counted[0]["provider"], &counted[0]["failed"]), (&"xiaomi".into(), &json!({})));
    let day = counted[0]["day"].as_str().expect("a day");
    let range = |from: &str, to: &str| format!("/v1/push/statistics?from={from}&to={to}");
    let same = api.get(&range(day, day)).await.good();
    assert_eq!(same["statistics"].as_array().map(Vec::len), Some(1));
    let before = api.get(&range("2020-01-01", "2020-01-31")).await.good();
    assert_eq!(before["statistics"], json!([]));
    assert_eq!(api.get(&range("soon", day)).await.status, 400);
    assert!(!server.log().contains(XIAOMI_SECRET));
}
