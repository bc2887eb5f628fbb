//! Every phone maker's channel: a message to a frozen phone arrives at its recording server, with
//! the eight data names where that vendor lets an app read them, and is taken back once it was
//! read elsewhere, where the vendor has a way to; a token the vendor calls dead is unbound.
//!
//! The recording servers refuse what their vendors would refuse. A channel is one row below.

use std::ops::Deref;

use nightjar_provider_servers::{
    HarmonyServer, HonorServer, HuaweiServer, MeizuServer, OppoServer, Recorded, Script,
    VendorServer, VivoServer, XiaomiServer,
};
use nightjar_whole::{Api, Login, within};
use serde_json::{Value, json};

use crate::scene::{AT_ONCE_MS, lateness_ms, nid};
use crate::setup;

/// How to reach a vendor's recording server, and where its requests hold what.
struct Channel {
    provider: &'static str,
    config: String,
    server: Box<dyn Deref<Target = VendorServer>>,
    /// The token, what is shown, and the data part of a request.
    read: fn(&Recorded) -> Seen,
}

/// How a vendor takes a notification back.
enum Withdrawal {
    /// A message that shows nothing, whose data part names it.
    Message,
    /// A request for that, under the number the alert had.
    Revocation,
    /// Not at all: the vendor has no message without a notification.
    NotOffered,
}

fn withdrawal(provider: &str) -> Withdrawal {
    match provider {
        "oppo" | "vivo" | "meizu" => Withdrawal::NotOffered,
        "harmony" => Withdrawal::Revocation,
        _ => Withdrawal::Message,
    }
}

/// What a request says.
#[derive(Debug)]
struct Seen {
    token: String,
    title: Value,
    body: Value,
    data: Value,
}

async fn huawei() -> Channel {
    let server = HuaweiServer::start().await;
    let read = |request: &Recorded| {
        let android = &request.json()["message"]["android"];
        Seen {
            token: request.token.clone(),
            title: android["notification"]["title"].clone(),
            body: android["notification"]["body"].clone(),
            data: json_text(&android["data"]),
        }
    };
    Channel { provider: "huawei", config: server.config("main"), server: Box::new(server), read }
}

async fn harmony() -> Channel {
    let server = HarmonyServer::start().await;
    let read = |request: &Recorded| {
        let shown = &request.json()["payload"]["notification"];
        Seen {
            token: request.token.clone(),
            title: shown["title"].clone(),
            body: shown["body"].clone(),
            data: shown["clickAction"]["data"].clone(),
        }
    };
    Channel { provider: "harmony", config: server.config("main"), server: Box::new(server), read }
}

async fn honor() -> Channel {
    let server = HonorServer::start().await;
    let read = |request: &Recorded| {
        let android = &request.json()["android"];
        Seen {
            token: request.token.clone(),
            title: android["notification"]["title"].clone(),
            body: android["notification"]["body"].clone(),
            data: json_text(&android["data"]),
        }
    };
    Channel { provider: "honor", config: server.config("main"), server: Box::new(server), read }
}

async fn xiaomi() -> Channel {
    let server = XiaomiServer::start().await;
    let read = |request: &Recorded| {
        let form = json!(request.form());
        Seen {
            token: request.token.clone(),
            title: form["title"].clone(),
            body: form["description"].clone(),
            data: json_text(&form["payload"]),
        }
    };
    Channel { provider: "xiaomi", config: server.config("main"), server: Box::new(server), read }
}

async fn oppo() -> Channel {
    let server = OppoServer::start().await;
    let read = |request: &Recorded| {
        let notification = &json_text(&json!(request.form())["message"])["notification"];
        Seen {
            token: request.token.clone(),
            title: notification["title"].clone(),
            body: notification["content"].clone(),
            data: json_text(&notification["action_parameters"]),
        }
    };
    Channel { provider: "oppo", config: server.config("main"), server: Box::new(server), read }
}

/// Refuses the title, which has only Latin letters, and takes the message in other words.
async fn vivo() -> Channel {
    let server = VivoServer::start().await;
    let read = |request: &Recorded| {
        let json = request.json();
        Seen {
            token: request.token.clone(),
            title: json["title"].clone(),
            body: json["content"].clone(),
            data: json["clientCustomMap"].clone(),
        }
    };
    Channel { provider: "vivo", config: server.config("main"), server: Box::new(server), read }
}

async fn meizu() -> Channel {
    let server = MeizuServer::start().await;
    let read = |request: &Recorded| {
        let message = json_text(&json!(request.form())["messageJson"]);
        Seen {
            token: request.token.clone(),
            title: message["noticeBarInfo"]["title"].clone(),
            body: message["noticeBarInfo"]["content"].clone(),
            data: message["clickTypeInfo"]["parameters"].clone(),
        }
    };
    Channel { provider: "meizu", config: server.config("main"), server: Box::new(server), read }
}

/// JSON inside a text.
fn json_text(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap_or_default()).unwrap_or_default()
}

impl Channel {
    /// The first request of which `is_it` holds.
    async fn request(&self, what: &str, is_it: impl Fn(&Seen) -> bool) -> (Recorded, Seen) {
        let found = |request: &&Recorded| is_it(&(self.read)(request));
        let all = within(what, self.server.wait_until(|all| all.iter().any(|one| found(&one))));
        let request = all.await.iter().find(found).expect("it was just there").clone();
        let seen = (self.read)(&request);
        (request, seen)
    }
}

async fn carries_a_message_and_its_withdrawal(channel: Channel) {
    let provider = channel.provider;
    let server = setup().with(&channel.config).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let laptop = Login::new("bob", "laptop").to(&server).await;
    let phone = Login::new("bob", "phone").background(0).to(&server).await;
    server.api().bind("bob", "phone", [provider, "main", "bob-phone"]).await;
    phone.freeze();

    let sent = alice.say("bob", "Mittag? 今天 🥪").await;
    let nid = nid(&sent.message_id);
    let (request, seen) = channel.request("the push", |seen| seen.data["nid"] == *nid).await;
    assert!(lateness_ms(&request, sent.at) <= AT_ONCE_MS, "{provider}: {request:?}");
    assert_eq!(seen.token, "bob-phone");
    assert_eq!((&seen.title, &seen.body), (&json!("alice"), &json!("Mittag? 今天 🥪")));
    let data = |name: &str| text(&seen.data[name]);
    assert_eq!((data("v"), data("seq")), ("1".into(), "1".into()));
    assert_eq!((data("mid"), data("conv")), (sent.message_id.clone(), sent.conversation.clone()));
    let (badge, bv) = server.api().badge("bob").await;
    assert_eq!((data("badge"), data("bv")), (badge.to_string(), bv.to_string()));
    assert!(data("exp").parse::<u64>().is_ok_and(|exp| exp > sent.at), "{seen:?}");

    // The recording server is as strict as its vendor, and took it.
    let outcome = within("an outcome", outcome_of(&server.api(), &sent.message_id)).await;
    assert_eq!(
        (&outcome["outcome"], &outcome["provider"]),
        (&json!("delivered"), &json!(provider))
    );

    drop(phone);
    laptop.messages(1).await;
    laptop.read(&sent.conversation, sent.seq).await;
    match withdrawal(provider) {
        Withdrawal::Message => {
            let withdraws = |seen: &Seen| names_withdrawn(&seen.data).contains(&nid);
            let (_, seen) = channel.request("the withdrawal", withdraws).await;
            assert_eq!((&seen.title, &seen.body), (&Value::Null, &Value::Null), "{seen:?}");
            let data = |name: &str| text(&seen.data[name]);
            assert_eq!((data("badge"), data("v")), ("0".into(), "1".into()));
        }
        Withdrawal::Revocation => {
            let number = request.json()["payload"]["notification"]["notifyId"].clone();
            assert!(number.is_u64(), "{request:?}");
            let revokes = |all: &[Recorded]| all.iter().any(|one| one.json()["notifyId"] == number);
            within("the revocation", channel.server.wait_until(revokes)).await;
        }
        Withdrawal::NotOffered => {
            let api = server.api();
            let told = is_told(&api, &sent.message_id, "reject withdrawal_not_offered");
            within("the reason why nothing is taken back", told).await;
        }
    }
}

/// What the vendor says of a token, and it is gone.
async fn a_dead_token_is_unbound(channel: Channel, said: Script) {
    let server = setup().with(&channel.config).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    server.api().bind("bob", "phone", [channel.provider, "main", "dead"]).await;
    channel.server.answer("dead", said);
    alice.say("bob", "hello").await;
    let api = server.api();
    let unbound = async { while api.device("bob", "phone").await["bindings"] != json!([]) {} };
    within(channel.provider, unbound).await;
}

/// Waits until the trace of bob's message has a step of the provider with this reason.
async fn is_told(api: &Api, message_id: &str, reason: &str) {
    let told = |event: &Value| event["step"] == "provider" && event["reason"] == reason;
    while !api.trace(message_id, "bob").await.iter().any(told) {}
}

/// The first row of a message, once it is there.
async fn outcome_of(api: &Api, message_id: &str) -> Value {
    loop {
        let answer = api.get("/v1/push/outcomes").await.good();
        let mut rows = answer["outcomes"].as_array().into_iter().flatten();
        if let Some(row) = rows.find(|row| row["message_id"] == message_id) {
            return row.clone();
        }
    }
}

/// A number or a text as text: some vendors have texts only.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The notification ids to take back, from an array or the text of one.
fn names_withdrawn(data: &Value) -> Vec<String> {
    let ids = if data["wd"].is_string() { json_text(&data["wd"]) } else { data["wd"].clone() };
    ids.as_array().into_iter().flatten().map(text).collect()
}

#[tokio::test]
async fn huawei_carries_a_message_and_its_withdrawal() {
    carries_a_message_and_its_withdrawal(huawei().await).await;
}

#[tokio::test]
async fn harmony_carries_a_message_and_its_revocation() {
    carries_a_message_and_its_withdrawal(harmony().await).await;
}

#[tokio::test]
async fn honor_carries_a_message_and_its_withdrawal() {
    carries_a_message_and_its_withdrawal(honor().await).await;
}

#[tokio::test]
async fn xiaomi_carries_a_message_and_its_withdrawal() {
    carries_a_message_and_its_withdrawal(xiaomi().await).await;
}

#[tokio::test]
async fn oppo_carries_a_message() {
    carries_a_message_and_its_withdrawal(oppo().await).await;
}

#[tokio::test]
async fn vivo_carries_a_message() {
    carries_a_message_and_its_withdrawal(vivo().await).await;
}

#[tokio::test]
async fn meizu_carries_a_message() {
    carries_a_message_and_its_withdrawal(meizu().await).await;
}

#[tokio::test]
async fn a_token_that_is_dead_goes_whatever_the_vendor_calls_it() {
    let code = |code: &str| Script::status(200).json(&json!({ "code": code, "msg": "dead" }));
    a_dead_token_is_unbound(huawei().await, code("80300007")).await;
    a_dead_token_is_unbound(harmony().await, code("80300007")).await;
    a_dead_token_is_unbound(honor().await, code("80300007")).await;
    a_dead_token_is_unbound(xiaomi().await, Script::xiaomi(10_029, "regid")).await;
    a_dead_token_is_unbound(oppo().await, Script::oppo(10_001, "unsubscribed")).await;
    a_dead_token_is_unbound(vivo().await, Script::vivo(10_302, "regId")).await;
    let listed = json!({ "110003": ["dead"] });
    a_dead_token_is_unbound(meizu().await, Script::meizu("200", &listed)).await;
}
