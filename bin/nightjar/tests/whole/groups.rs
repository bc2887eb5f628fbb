//! Accepting a message is one small commit, whatever the size of the group.

use std::collections::BTreeSet;

use nightjar_whole::{Acks, Api, Device, Login, within};
use nightjar_wire::{Body, Kind, body};
use serde_json::{Value, json};

use crate::scene::{nid, nids, scene};
use crate::setup;

/// Messages whose commits are compared; the median of them.
const SAMPLES: usize = 9;

async fn group_of(api: &Api, id: &str, members: usize) -> String {
    let members: Vec<String> = (0..members).map(|n| format!("{id}-{n}")).collect();
    let body = json!({"id": id, "name": id, "owner": "alice", "members": members});
    let group = api.post("/v1/groups", body).await.good();
    group["conversation"].as_str().expect("a conversation").to_owned()
}

/// Waits until everything the last message came to is written.
async fn settled(api: &Api) {
    let idle = async {
        let mut before = api.metric("nightjar_store_rows_written_total").await;
        let mut same = 0;
        while same < 10 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            let now = api.metric("nightjar_store_rows_written_total").await;
            same = if now == before { same + 1 } else { 0 };
            before = now;
        }
    };
    within("the store to be idle", idle).await;
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// What one message into this group costs: rows of its own commit, and rows and bytes of
/// everything that is written because of it; the medians of several.
async fn message_costs(api: &Api, group: &str) -> [f64; 3] {
    const COUNTERS: [&str; 2] =
        ["nightjar_store_rows_written_total", "nightjar_store_bytes_written_total"];
    let mut costs: [Vec<f64>; 3] = Default::default();
    for n in 0..SAMPLES {
        let mut before = [0.0; 2];
        for (before, name) in before.iter_mut().zip(COUNTERS) {
            *before = api.metric(name).await;
        }
        api.send("alice", json!({"group": group}), &format!("message {n}")).await;
        costs[0].push(api.metric("nightjar_message_commit_rows").await);
        settled(api).await;
        for (n, name) in COUNTERS.into_iter().enumerate() {
            costs[n + 1].push(api.metric(name).await - before[n]);
        }
    }
    costs.map(median)
}

#[tokio::test]
async fn a_message_costs_the_same_in_a_group_of_a_thousand_and_of_ten_thousand() {
    let server = setup().start().await;
    let api = server.api();
    group_of(&api, "large", 999).await;
    group_of(&api, "huge", 9_999).await;
    settled(&api).await;
    let large = message_costs(&api, "large").await;
    let huge = message_costs(&api, "huge").await;
    for (n, what) in ["rows of the commit", "rows in all", "bytes in all"].iter().enumerate() {
        let (large, huge) = (large[n], huge[n]);
        assert!((huge - large).abs() < large / 10.0, "{what}: {large} and {huge}");
    }
}

#[tokio::test]
async fn a_burst_into_a_group_reaches_everybody_who_is_connected_and_pushes_everybody_else() {
    const MEMBERS: usize = 30;
    const MESSAGES: usize = 300;
    let scene = scene("[push]\nstorm = false").await;
    group_of(&scene.server.api(), "crew", MEMBERS).await;
    let mut connected = Vec::new();
    for n in 0..MEMBERS / 2 {
        let login = Login::new(&format!("crew-{n}"), "laptop").acks(Acks::Surfaced);
        connected.push(login.to(&scene.server).await);
    }
    scene.bind("crew-29", "phone").await;
    let writers: [Device; 3] = [
        Login::new("alice", "one").to(&scene.server).await,
        Login::new("crew-28", "two").to(&scene.server).await,
        Login::new("crew-27", "three").to(&scene.server).await,
    ];
    let answers: Vec<_> = (0..MESSAGES)
        .map(|n| {
            let send = body::Send {
                to: Some(body::To { group: Some("crew".to_owned()), ..body::To::default() }),
                client_msg_id: format!("burst-{n}"),
                content: r#"{"type":"text","text":"all at once"}"#.into(),
                ..body::Send::default()
            };
            writers[n % writers.len()].begin(Kind::Send, Body::Send(send))
        })
        .collect();
    let mut expected = BTreeSet::new();
    for answer in answers {
        match within("an answer", answer).await {
            Some(Ok(Body::SendAnswer(answer))) => expected.insert(nid(&answer.message_id)),
            other => panic!("a send was answered with {other:?}"),
        };
    }
    for device in &connected {
        let messages = device.messages(MESSAGES).await;
        assert!(messages.windows(2).all(|two| two[0].seq + 1 == two[1].seq), "{}", device.uid);
        let ids: BTreeSet<String> =
            messages.iter().map(|message| nid(&message.message_id)).collect();
        assert_eq!(ids, expected, "{}", device.uid);
    }
    let pushes = scene.apns.wait_until(|pushes| nids(pushes, "crew-29-phone").len() >= MESSAGES);
    let pushes = within("every push", pushes).await;
    let pushed = nids(&pushes, "crew-29-phone");
    assert_eq!(pushed.iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(pushed.len(), MESSAGES);
    let seqs: Vec<u64> = pushes.iter().filter_map(|push| push.json()["seq"].as_u64()).collect();
    assert!(seqs.is_sorted(), "the pushes of a conversation are in order");
}

#[tokio::test]
async fn who_joins_sees_what_follows_and_who_leaves_is_told_no_more() {
    let scene = scene("").await;
    let api = scene.server.api();
    let conversation = group_of(&api, "crew", 2).await;
    let texts = |history: &[Value]| -> Vec<String> {
        let text = |message: &Value| message["content"]["text"].as_str().map(str::to_owned);
        history.iter().filter_map(text).collect()
    };
    api.send("alice", json!({"group": "crew"}), "before").await;
    api.post("/v1/groups/crew/members", json!({"members": ["late"]})).await.good();
    scene.bind("late", "phone").await;
    api.send("alice", json!({"group": "crew"}), "between").await;
    let pushed = |push: &nightjar_provider_servers::Recorded| push.token == "late-phone";
    scene.push_where("a push to who joined", pushed).await;
    let body = json!({"members": ["late"]});
    let left = api.request(http::Method::DELETE, "/v1/groups/crew/members", &[], Some(&body)).await;
    left.good();
    scene.bind("crew-0", "phone").await;
    let after = api.send("alice", json!({"group": "crew"}), "after").await;
    scene.push_of(after["message_id"].as_str().expect("an id")).await;
    assert_eq!(nids(&scene.apns.requests(), "late-phone").len(), 1);
    assert_eq!(texts(&api.whole_history(&conversation, "late").await), ["between"]);
    let all = texts(&api.whole_history(&conversation, "crew-0").await);
    assert_eq!(all, ["before", "between", "after"]);
    let stranger = api.get(&format!("/v1/conversations/{conversation}/messages?viewer=eve")).await;
    assert_eq!((stranger.status, stranger.error().as_str()), (404, "unknown_conversation"));
    let refused = api
        .post(
            "/v1/messages",
            json!({"from": "late", "to": {"group": "crew"}, "content": {"type": "x"}}),
        )
        .await;
    assert_eq!((refused.status, refused.error().as_str()), (403, "not_member"));
}

#[tokio::test]
async fn a_list_of_members_is_brought_up_to_date_by_its_token() {
    let scene = scene("").await;
    let api = scene.server.api();
    group_of(&api, "crew", 2).await;
    let list = |since: String| {
        let api = api.clone();
        async move { api.get(&format!("/v1/groups/crew/members?since={since}")).await }
    };
    let all = list(String::new()).await.good();
    let member = |uid: &str, role: &str, ver: u64| json!({"uid": uid, "role": role, "ver": ver});
    let first = [member("alice", "owner", 1), member("crew-0", "member", 1)];
    assert_eq!(all["members"], json!([first[0], first[1], member("crew-1", "member", 1)]));
    api.post("/v1/groups/crew/members", json!({"members": ["late"]})).await.good();
    let body = json!({"members": ["crew-1"]});
    let path = "/v1/groups/crew/members";
    api.request(http::Method::DELETE, path, &[], Some(&body)).await.good();
    let changed = list(all["next"].as_str().expect("a token").to_owned()).await.good();
    assert_eq!(changed["members"], json!([member("late", "member", 2)]));
    assert_eq!(changed["removed"], json!(["crew-1"]));
    let forged = list("v1.9.late".to_owned()).await;
    assert_eq!((forged.status, forged.error().as_str()), (400, "bad_request"));
}
