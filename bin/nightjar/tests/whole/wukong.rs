//! WuKongIM's clients and back ends, as they are: other ends of the same conversations.

use std::net::SocketAddr;
use std::time::Duration;

use nightjar_whole::{Api, Device, Event, Login, Receiver, Server, WkClient, WkLogin};
use nightjar_wkproto::{Disconnect, Packet, Reason};
use serde_json::{Value, json};

use crate::scene::{AT_ONCE_MS, EARLY_MS, lateness_ms, nids, scene_of};
use crate::setup;

struct House {
    server: Server,
    /// WuKongIM's HTTP API.
    wukong: Api,
    tcp: SocketAddr,
}

async fn house(more: &str) -> House {
    let server = setup().with(more).start().await;
    let wukong = Api::new(server.address("wukong_http"), None);
    let tcp = server.address("wukong_tcp");
    House { server, wukong, tcp }
}

impl House {
    async fn app(&self, uid: &str, device_id: &str) -> WkClient {
        WkLogin::app(uid, device_id).join(&self.wukong, self.tcp).await
    }

    async fn native(&self, uid: &str) -> Device {
        Login::new(uid, "laptop").to(&self.server).await
    }

    async fn sync(&self, uid: &str) -> Value {
        self.wukong.post("/conversation/sync", json!({"uid": uid, "msg_count": 20})).await.good()
    }

    async fn messages(&self, uid: &str, peer: &str) -> Vec<Value> {
        let body = json!({
            "login_uid": uid, "channel_id": peer, "channel_type": 1, "start_message_seq": 0,
            "end_message_seq": 0, "limit": 100, "pull_mode": 1,
        });
        let page = self.wukong.post("/channel/messagesync", body).await.good();
        page["messages"].as_array().expect("messages").clone()
    }
}

#[tokio::test]
async fn an_app_and_a_native_client_write_in_one_conversation_with_one_count() {
    let house = house("").await;
    let native = house.native("alice").await;
    let mut app = house.app("bob", "phone").await;

    let sent = app.say("alice", "cmn-1", "from the app").await;
    assert_eq!((sent.reason, sent.message_seq, sent.client_seq), (Reason::Success, 1, 1));
    let got = native.messages(1).await.remove(0);
    assert_eq!((got.seq, got.client_msg_id.as_str(), got.from.as_str()), (1, "cmn-1", "bob"));
    assert_eq!(&got.content[..], br#"{"type":"text","text":"from the app"}"#);

    let answer = native.say("bob", "from the page").await;
    assert_eq!(answer.seq, 2);
    let (recv, payload) = app.recv().await;
    assert_eq!(payload, json!({"type": 1, "content": "from the page"}));
    assert_eq!((recv.from_uid.as_str(), recv.channel_id.as_str()), ("alice", "alice"));
    assert_eq!((recv.channel_type, recv.message_seq), (1, 2));
    assert!(recv.flags.red_dot);
    app.ack(&recv).await;
    app.ping().await;
}

#[tokio::test]
async fn a_resend_after_a_cut_is_one_message_with_the_first_answer() {
    let house = house("").await;
    let mut app = house.app("bob", "phone").await;
    let first = app.say("alice", "cmn-1", "once").await;
    drop(app);
    let mut again = WkLogin::app("bob", "phone").connect(house.tcp).await.expect("it is let in");
    let second = again.say("alice", "cmn-1", "once").await;
    assert_eq!((first.message_id, first.message_seq), (second.message_id, second.message_seq));
    assert_eq!(second.reason, Reason::Success);
    assert_eq!(house.messages("alice", "bob").await.len(), 1);
}

#[tokio::test]
async fn who_cannot_come_in_is_told_why_and_the_connection_ends() {
    let house = house("").await;
    let good = WkLogin::app("bob", "phone");
    good.set_token(&house.wukong, 0).await;
    let refused = async |login: WkLogin| match login.connect(house.tcp).await {
        Err(reason) => reason,
        Ok(client) => panic!("{client:?} was let in"),
    };
    let wrong = WkLogin { token: "wrong".into(), ..good.clone() };
    assert_eq!(refused(wrong).await, Reason::AuthFail);
    assert_eq!(refused(WkLogin::app("nobody", "phone")).await, Reason::AuthFail);
    let other_kind = WkLogin { flag: 1, ..good.clone() };
    assert_eq!(refused(other_kind).await, Reason::AuthFail);
    for uid in ["", "a@b", "a#b", "a&b"] {
        let bad = WkLogin { uid: uid.into(), ..good.clone() };
        let reason = refused(bad).await;
        assert!(!matches!(reason, Reason::Unknown | Reason::Success), "{uid}: {reason:?}");
    }
    // Versions below 4 know neither the version byte nor the node.
    let old = WkLogin { version: 2, ..good };
    old.connect(house.tcp).await.expect("version 2 is spoken").ping().await;
}

#[tokio::test]
async fn a_second_master_sends_the_first_one_away_for_good() {
    let house = house("").await;
    let first = WkLogin::app("bob", "first");
    first.set_token(&house.wukong, 1).await;
    let mut one = first.connect(house.tcp).await.expect("it is let in");
    let second = WkLogin::app("bob", "second");
    let mut two = second.connect(house.tcp).await.expect("it is let in");
    let told = Disconnect { reason: Reason::Kicked, text: "login in other device".into() };
    assert_eq!(one.next().await, Some(Packet::Disconnect(told)));
    assert_eq!(one.next().await, None);
    two.ping().await;
}

#[tokio::test]
async fn the_back_end_signs_a_device_out() {
    let house = house("").await;
    let mut app = house.app("bob", "phone").await;
    let online = house.wukong.post("/user/onlinestatus", json!(["bob", "alice"])).await.good();
    assert_eq!(online, json!([{"uid": "bob", "device_flag": 0, "online": 1}]));
    let quit = json!({"uid": "bob", "device_flag": -1});
    house.wukong.post("/user/device_quit", quit).await.good();
    assert!(matches!(app.next().await, Some(Packet::Disconnect(_))));
    assert_eq!(app.next().await, None);
    let again = WkLogin::app("bob", "phone").connect(house.tcp).await;
    assert_eq!(again.err(), Some(Reason::AuthFail));
}

#[tokio::test]
async fn a_send_that_cannot_be_is_refused_and_the_connection_stays() {
    let house = house("").await;
    let mut app = house.app("bob", "phone").await;
    let Packet::Send(mut forged) = app.send_of(("alice", 1), "cmn-1", "{}") else { panic!() };
    forged.client_msg_no = "cmn-2".into();
    app.write(&Packet::Send(forged)).await;
    let Some(Packet::Sendack(ack)) = app.next().await else { panic!("a SENDACK") };
    assert_eq!((ack.reason, ack.message_seq), (Reason::PayloadDecode, 0));
    assert_eq!(app.say_in(("nowhere", 2), "cmn-3", "x").await.reason, Reason::NoChannel);
    assert_eq!(app.say_in(("x", 99), "cmn-4", "x").await.reason, Reason::UnsupportedChannelType);
    assert_eq!(app.say("a@b", "cmn-5", "x").await.reason, Reason::BadChannelId);
    house
        .wukong
        .post(
            "/channel",
            json!({
                "channel_id": "g1", "channel_type": 2, "subscribers": ["alice"],
            }),
        )
        .await
        .good();
    assert_eq!(app.say_in(("g1", 2), "cmn-6", "x").await.reason, Reason::NotSubscriber);
    app.ping().await;
}

#[tokio::test]
async fn hostile_bytes_end_their_own_connection_and_no_other() {
    let house = house("").await;
    let mut good = house.app("bob", "phone").await;
    for bytes in [
        &b"\x70"[..],
        b"\x30\xff\xff\xff\xff\xff",
        b"\x10\x02\x05\x01",
        b"\x00\x00",
        b"{\"id\":\"1\",\"method\":\"send\",\"params\":{}}",
        b"{\"id\":",
        b"\xff\xff\xff\xff",
    ] {
        let mut stream = tokio::net::TcpStream::connect(house.tcp).await.expect("a listener");
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        stream.write_all(bytes).await.expect("the socket takes it");
        stream.shutdown().await.expect("the socket ends");
        let mut rest = Vec::new();
        let read = nightjar_whole::within("the end", stream.read_to_end(&mut rest)).await;
        assert!(read.is_err() || rest.len() < 200, "{rest:?}");
    }
    good.ping().await;
}

#[tokio::test]
async fn a_fresh_device_gets_everything_through_the_sync_routes() {
    let house = house("").await;
    let alice = house.native("alice").await;
    for n in 1..=45 {
        alice.say("bob", &format!("message {n}")).await;
    }
    let synced = house.sync("bob").await;
    let item = &synced[0];
    assert_eq!((&item["channel_id"], &item["channel_type"]), (&json!("alice"), &json!(1)));
    assert_eq!((&item["unread"], &item["last_msg_seq"]), (&json!(45), &json!(45)));
    let recents = item["recents"].as_array().expect("recents");
    assert_eq!(recents.len(), 20);
    assert_eq!(recents[0]["message_seq"], 45);
    // From the newest down, page after page, without a hole.
    let mut seqs: Vec<u64> = Vec::new();
    let mut start = 45;
    loop {
        let body = json!({
            "login_uid": "bob", "channel_id": "alice", "channel_type": 1,
            "start_message_seq": start, "end_message_seq": 0, "limit": 20, "pull_mode": 0,
        });
        let page = house.wukong.post("/channel/messagesync", body).await.good();
        let found = page["messages"].as_array().expect("messages").clone();
        let places: Vec<u64> = found.iter().map(|m| m["message_seq"].as_u64().unwrap()).collect();
        assert!(places.is_sorted());
        seqs.splice(0..0, places);
        if page["more"] == 0 {
            break;
        }
        start = seqs[0] - 1;
    }
    assert_eq!(seqs, (1..=45).collect::<Vec<_>>());
    // What the client has is not told again.
    let body = json!({"uid": "bob", "msg_count": 1, "last_msg_seqs": "alice:1:45"});
    assert_eq!(house.wukong.post("/conversation/sync", body).await.good(), json!([]));
}

#[tokio::test]
async fn unread_is_what_the_cursors_say() {
    let house = house("").await;
    let alice = house.native("alice").await;
    for n in 1..=5 {
        alice.say("bob", &format!("message {n}")).await;
    }
    let unread = async || house.sync("bob").await[0]["unread"].clone();
    assert_eq!(unread().await, 5);
    let place = json!({"uid": "bob", "channel_id": "alice", "channel_type": 1, "unread": 2});
    house.wukong.post("/conversations/setUnread", place.clone()).await.good();
    assert_eq!(unread().await, 2);
    assert_eq!(house.server.api().badge("bob").await.0, 2);
    // It never moves backwards.
    let back = json!({"uid": "bob", "channel_id": "alice", "channel_type": 1, "unread": 4});
    house.wukong.post("/conversations/setUnread", back).await.good();
    assert_eq!(unread().await, 2);
    // Who writes has read what came before, and his own message is not unread.
    let mut app = house.app("bob", "phone").await;
    app.say("alice", "cmn-1", "I am here").await;
    alice.say("bob", "and I").await;
    assert_eq!(unread().await, 1);
    house.wukong.post("/conversations/clearUnread", place).await.good();
    assert_eq!(unread().await, 0);
    assert_eq!(house.server.api().badge("bob").await.0, 0);
}

#[tokio::test]
async fn a_back_end_makes_a_group_and_its_system_writes_there() {
    let house = house("").await;
    let mut app = house.app("bob", "phone").await;
    let group = json!({"channel_id": "g1", "channel_type": 2, "subscribers": ["bob", "carol"]});
    house.wukong.post("/channel", group).await.good();
    // Who is in the group is an entry of its own.
    let (made, payload) = app.recv().await;
    assert_eq!((made.message_seq, &payload["cmd"]), (1, &json!("memberUpdate")));
    let payload = "eyJ0eXBlIjoxLCJjb250ZW50IjoieW8ifQ==";
    let send = json!({
        "header": {"red_dot": 1}, "channel_id": "g1", "channel_type": 2, "payload": payload,
        "client_msg_no": "api-1",
    });
    let sent = house.wukong.post("/message/send", send).await.good();
    assert_eq!((&sent["status"], &sent["data"]["client_msg_no"]), (&json!(200), &json!("api-1")));
    let (recv, payload) = app.recv().await;
    assert_eq!(payload, json!({"type": 1, "content": "yo"}));
    assert_eq!(
        (recv.from_uid.as_str(), recv.channel_id.as_str(), recv.channel_type),
        ("", "g1", 2)
    );
    assert_eq!(sent["data"]["message_idstr"], recv.message_id.to_string());
    let one = json!({
        "login_uid": "bob", "channel_id": "g1", "channel_type": 2, "message_id": recv.message_id,
    });
    let found = house.wukong.post("/message", one).await.good();
    assert_eq!(found["message_seq"], recv.message_seq);
    let remove = json!({"channel_id": "g1", "channel_type": 2, "subscribers": ["bob"]});
    house.wukong.post("/channel/subscriber_remove", remove).await.good();
    assert_eq!(app.say_in(("g1", 2), "cmn-1", "x").await.reason, Reason::NotSubscriber);
}

#[tokio::test]
async fn the_manager_token_opens_the_api_and_nothing_else_does() {
    let server = setup().with_wukong("manager_token = 'secret-of-the-manager'").start().await;
    let api = Api::new(server.address("wukong_http"), None);
    let get = async |headers: &[(&str, &str)]| {
        api.request(http::Method::GET, "/route?uid=u1", headers, None).await
    };
    let refused = get(&[]).await;
    assert_eq!((refused.status, refused.text.as_str()), (401, ""));
    assert_eq!(get(&[("token", "secret-of-the-manage")]).await.status, 401);
    let route = get(&[("token", "secret-of-the-manager")]).await.good();
    assert_eq!(route["tcp_addr"], server.address("wukong_tcp").to_string());
    assert_eq!(api.get("/health").await.good(), json!({"status": "ok"}));
}

#[tokio::test]
async fn without_a_manager_token_a_page_from_elsewhere_is_kept_out() {
    let house = house("").await;
    let get = async |headers: &[(&str, &str)]| {
        house.wukong.request(http::Method::GET, "/route?uid=u1", headers, None).await.status
    };
    assert_eq!(get(&[("origin", "http://localhost:5172")]).await, 200);
    assert_eq!(get(&[("origin", "https://example.com")]).await, 403);
    assert_eq!(get(&[("host", "example.com")]).await, 403);
}

#[tokio::test]
async fn a_frozen_app_that_confirmed_before_is_pushed_by_its_deadline_and_then_at_once() {
    let hooks = Receiver::start().await;
    let scene = scene_of(setup().with(&hooks.config())).await;
    let wukong = Api::new(scene.server.address("wukong_http"), None);
    let login = WkLogin::app("bob", "phone");
    let mut app = login.join(&wukong, scene.server.address("wukong_tcp")).await;
    scene.bind("bob", "phone").await;
    scene.alice.say("bob", "before").await;
    let (recv, _) = app.recv().await;
    app.ack(&recv).await;
    let read = json!({"uid": "bob", "channel_id": "alice", "channel_type": 1});
    wukong.post("/conversations/clearUnread", read).await.good();
    // From here on it reads nothing and says nothing, and its socket stays open.
    let first = scene.alice.say("bob", "one").await;
    let late = lateness_ms(&scene.push_of(&first.message_id).await, first.at);
    assert!((5_000 - EARLY_MS..=5_500).contains(&late), "{late} ms");
    let second = scene.alice.say("bob", "two").await;
    let late = lateness_ms(&scene.push_of(&second.message_id).await, second.at);
    assert!(late <= AT_ONCE_MS, "{late} ms");
    assert_eq!(nids(&scene.apns.requests(), "bob-phone").len(), 2);
    let offline = |events: &[Event]| {
        let due = events.iter().filter(|event| event.kind() == "message.offline");
        due.map(|event| event.json["data"]["message"]["message_id"].clone()).collect::<Vec<_>>()
    };
    let events = hooks.wait_until("two debts", |events| offline(events).len() == 2).await;
    assert_eq!(offline(&events), [json!(first.message_id), json!(second.message_id)]);
    drop(app);
    let last = scene.alice.say("bob", "after the close").await;
    let late = lateness_ms(&scene.push_of(&last.message_id).await, last.at);
    assert!(late <= AT_ONCE_MS, "{late} ms");
}

#[tokio::test]
async fn a_slow_app_is_not_frozen_and_one_that_shows_nothing_is_found_out() {
    let scene = scene_of(setup().with_wukong("push_if_unread_after_s = 7")).await;
    let wukong = Api::new(scene.server.address("wukong_http"), None);
    let login = WkLogin::app("bob", "phone");
    let mut app = login.join(&wukong, scene.server.address("wukong_tcp")).await;
    scene.bind("bob", "phone").await;
    let first = scene.alice.say("bob", "one").await;
    let (one, _) = app.recv().await;
    // It is busy with its start for longer than a deadline.
    tokio::time::sleep(Duration::from_secs(6)).await;
    app.ack(&one).await;
    let late = lateness_ms(&scene.push_of(&first.message_id).await, first.at);
    assert!((7_000 - EARLY_MS..=8_000).contains(&late), "nobody read it: {late} ms");
    assert_eq!(nids(&scene.apns.requests(), "bob-phone").len(), 1);
    // Told that it is off the screen, what it confirms is not shown.
    let gone = json!({"uid": "bob", "device_flag": 0, "state": "background"});
    wukong.post("/user/app_state", gone).await.good();
    let second = scene.alice.say("bob", "two").await;
    let (two, _) = app.recv().await;
    app.ack(&two).await;
    let late = lateness_ms(&scene.push_of(&second.message_id).await, second.at);
    assert!(late <= AT_ONCE_MS, "{late} ms");
    // Back on the screen and read in time: nothing.
    let back = json!({"uid": "bob", "device_id": "phone", "state": "foreground"});
    wukong.post("/user/app_state", back).await.good();
    scene.alice.say("bob", "three").await;
    let (three, _) = app.recv().await;
    app.ack(&three).await;
    let read = json!({"uid": "bob", "channel_id": "alice", "channel_type": 1});
    wukong.post("/conversations/clearUnread", read).await.good();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(nids(&scene.apns.requests(), "bob-phone").len(), 2);
}
