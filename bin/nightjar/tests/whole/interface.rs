//! The HTTP interface: who may call, what is answered, and what an error looks like.

use http::Method;
use nightjar_whole::{Answer, Api, Login};
use serde_json::{Value, json};

use crate::setup;

/// Asserts the shape of every error: status, name, a message, and whether to try again.
fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.error().as_str()), (status, code), "{}", answer.text);
    let error = &answer.json()["error"];
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    assert!(error["retry"].is_boolean(), "{error}");
    let kind = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
    assert!(kind.is_some_and(|kind| kind.starts_with("application/json")), "{kind:?}");
}

#[tokio::test]
async fn the_ready_file_names_where_the_server_really_listens() {
    let server = setup().start().await;
    let addresses = server.addresses().as_object().expect("an object").clone();
    let names: Vec<&String> = addresses.keys().collect();
    assert_eq!(names, ["http", "native", "wukong_http", "wukong_tcp", "wukong_ws"]);
    for name in names {
        let text = addresses[name].as_str().expect("host:port");
        let address: std::net::SocketAddr = text.parse().expect("host:port");
        assert_ne!(address.port(), 0);
        std::net::TcpStream::connect(address).expect("somebody listens there");
    }
    assert_eq!(server.api().get("/healthz").await.status, 200);
    assert_eq!(server.api().get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_listener_with_an_empty_address_is_off() {
    let listeners = ["NATIVE__LISTEN", "WUKONG__TCP", "WUKONG__WS", "WUKONG__HTTP"];
    let off = |setup: nightjar_whole::Setup, name: &str| setup.env(&format!("NIGHTJAR_{name}"), "");
    let server = listeners.into_iter().fold(setup(), off).start().await;
    let addresses = server.addresses().as_object().expect("an object");
    assert_eq!(addresses.keys().collect::<Vec<_>>(), ["http"]);
}

#[tokio::test]
async fn every_route_but_health_needs_the_admin_key() {
    let server = setup().start().await;
    let api = server.api();
    let guarded = [
        (Method::PUT, "/v1/users/bob"),
        (Method::POST, "/v1/users/bob/tokens"),
        (Method::GET, "/v1/users/bob/unread"),
        (Method::GET, "/v1/users/bob/devices"),
        (Method::PUT, "/v1/users/bob/devices/phone/push"),
        (Method::DELETE, "/v1/users/bob/devices/phone/push"),
        (Method::POST, "/v1/users/bob/devices/phone/kick"),
        (Method::POST, "/v1/users/bob/devices/phone/app-state"),
        (Method::POST, "/v1/groups"),
        (Method::GET, "/v1/groups/crew/members"),
        (Method::POST, "/v1/messages"),
        (Method::GET, "/v1/messages/00000000-0000-7000-8000-000000000000/trace?user=bob"),
        (Method::GET, "/v1/conversations/d:alice:bob/messages?viewer=bob"),
        (Method::POST, "/v1/push/explain"),
        (Method::GET, "/v1/events"),
        (Method::GET, "/metrics"),
        (Method::GET, "/openapi.json"),
    ];
    for (method, path) in guarded {
        for key in [None, Some("wrong"), Some("")] {
            let stranger = api.with_key(key);
            let answer = stranger.request(method.clone(), path, &[], Some(&json!({}))).await;
            assert_error(&answer, 401, "unauthorized");
        }
    }
    let stranger = api.with_key(None);
    for path in ["/healthz", "/readyz", "/native.proto"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn errors_have_one_shape_and_the_names_of_the_protocol() {
    let server = setup().start().await;
    let api = server.api();
    let bind = json!({"provider": "apns", "credential": "none", "token": "t"});
    let content = json!({"type": "text", "text": "hello"});
    let to_bob = json!({"user": "bob"});
    let send = |to: &Value, content: &Value| json!({"from": "alice", "to": to, "content": content});
    let large = json!({"type": "text", "text": "x".repeat(64 << 10)});
    // One byte more than a body may have, so that the server has read all of it when it refuses.
    let frame = send(&to_bob, &json!({"type": "text", "text": ""})).to_string().len();
    let huge = json!({"type": "text", "text": "x".repeat((1 << 20) + 1 - frame)});
    let no_message = "/v1/messages/00000000-0000-7000-8000-000000000000/trace?user=bob";
    for (answer, status, code) in [
        (api.put("/v1/users/bob/devices/phone/push", bind).await, 400, "unknown_credential"),
        (api.post("/v1/messages", json!({})).await, 400, "bad_request"),
        (api.post("/v1/messages", json!([1])).await, 400, "bad_request"),
        (api.post("/v1/messages", send(&json!({}), &content)).await, 400, "bad_request"),
        (api.post("/v1/messages", send(&to_bob, &json!("text"))).await, 400, "bad_request"),
        (api.post("/v1/messages", send(&to_bob, &json!([1]))).await, 400, "bad_request"),
        (api.post("/v1/messages", send(&to_bob, &large)).await, 413, "too_large"),
        (api.post("/v1/messages", send(&to_bob, &huge)).await, 413, "too_large"),
        (
            api.post("/v1/messages", send(&json!({"group": "x"}), &content)).await,
            404,
            "unknown_group",
        ),
        (api.get("/v1/groups/x/members").await, 404, "unknown_group"),
        (api.get(no_message).await, 404, "unknown_message"),
        (api.get("/v1/messages/x/trace?user=bob").await, 400, "bad_request"),
        (api.get("/v1/conversations/d:a:b/messages?viewer=eve").await, 404, "unknown_conversation"),
        (api.get("/v1/conversations/d:a:b/messages").await, 400, "bad_request"),
        (
            api.post("/v1/users/bob/devices/x/kick", json!({"reason": ""})).await,
            404,
            "unknown_device",
        ),
        (api.post("/v1/users/bob/tokens", json!({"ttl_s": 0})).await, 400, "bad_request"),
        (api.put(&format!("/v1/users/{}", "x".repeat(129)), json!({})).await, 400, "bad_request"),
        (api.get("/v1/nothing").await, 404, "unknown_command"),
        (api.post("/v1/nothing", json!({})).await, 404, "unknown_command"),
        (api.get("/v1/messages").await, 404, "unknown_command"),
        (api.get("/v1/dev/pushes").await, 404, "unknown_command"),
        (api.get("/nothing").await, 404, "unknown_command"),
    ] {
        assert_error(&answer, status, code);
    }
    let group = json!({"id": "crew", "owner": "alice", "members": ["bob"]});
    api.post("/v1/groups", group.clone()).await.good();
    assert_error(&api.post("/v1/groups", group).await, 409, "exists");
}

#[tokio::test]
async fn a_body_far_above_its_limit_is_refused_with_words_and_not_with_a_reset() {
    let server = setup().start().await;
    let content = json!({"type": "text", "text": "x".repeat(4 << 20)});
    let body = json!({"from": "alice", "to": {"user": "bob"}, "content": content});
    for _ in 0..20 {
        assert_error(&server.api().post("/v1/messages", body.clone()).await, 413, "too_large");
    }
}

#[tokio::test]
async fn answers_have_the_fields_of_the_interface() {
    let server = setup().start().await;
    let api = server.api();
    let has = |value: &Value, names: &[&str]| {
        for name in names {
            assert!(!value[*name].is_null(), "no '{name}' in {value}");
        }
    };
    let user = api.put("/v1/users/alice", json!({"name": "Alice", "unknown": 1})).await.good();
    assert_eq!((&user["uid"], &user["name"]), (&json!("alice"), &json!("Alice")));
    let token = api.post("/v1/users/alice/tokens", json!({"ttl_s": 60})).await.good();
    has(&token, &["token", "expires_at"]);
    let group = json!({"id": "crew", "name": "Crew", "owner": "alice", "members": ["bob"]});
    let group = api.post("/v1/groups", group).await.good();
    assert_eq!(group["id"], "crew");
    has(&group, &["conversation"]);
    let members = api.get("/v1/groups/crew/members").await.good();
    let listed = members["members"].as_array().expect("members");
    let mut uids: Vec<&str> = listed.iter().filter_map(|member| member["uid"].as_str()).collect();
    uids.sort_unstable();
    assert_eq!(uids, ["alice", "bob"]);
    has(&members["members"][0], &["role", "ver"]);
    has(&members, &["removed", "next"]);

    let body = json!({
        "from": "alice", "to": {"user": "bob"}, "client_msg_id": "mine",
        "content": {"type": "card", "n": 12345678901234567890_u64, "z": 1, "a": 2},
    });
    let first = api.post("/v1/messages", body.clone()).await.good();
    has(&first, &["message_id", "conversation", "seq", "at"]);
    assert_eq!(first["duplicate"], false);
    let mut again = api.post("/v1/messages", body).await.good();
    assert_eq!(again["duplicate"], true);
    again["duplicate"] = json!(false);
    assert_eq!(again, first);
    let conversation = first["conversation"].as_str().expect("a conversation");
    for _ in 0..4 {
        api.send("alice", json!({"user": "bob"}), "more").await;
    }
    let page =
        |query: &str| format!("/v1/conversations/{conversation}/messages?viewer=bob&{query}");
    let seqs = |answer: &Value| -> Vec<u64> {
        let messages = answer["messages"].as_array().expect("messages");
        messages.iter().filter_map(|message| message["seq"].as_u64()).collect()
    };
    for (query, expected) in [
        ("limit=2", vec![4, 5]),
        ("after=1&limit=2", vec![2, 3]),
        ("before=4&limit=2", vec![2, 3]),
        ("after=1&before=3", vec![2]),
        ("after=5", vec![]),
    ] {
        let answer = api.get(&page(query)).await.good();
        assert_eq!(seqs(&answer), expected, "{query}");
        assert_eq!(answer["head_seq"], 5, "{query}");
    }
    let text = api.get(&page("limit=5")).await.text;
    assert!(text.contains(r#"{"a":2,"n":12345678901234567890,"type":"card","z":1}"#), "{text}");
    let unread = api.get("/v1/users/bob/unread").await.good();
    assert_eq!(unread["total"], 5);
    has(&unread, &["bv"]);
    assert_eq!(unread["conversations"][0]["conversation"], conversation);
    assert_eq!(unread["conversations"][0]["unread"], 5);
    has(&unread["conversations"][0], &["mentions"]);
    let explained =
        json!({"from": "alice", "to": {"user": "bob"}, "content": {"type": "text", "text": "?"}});
    let explained = api.post("/v1/push/explain", explained).await.good();
    assert_eq!(explained["devices"][0]["decision"], "silent");
    assert_eq!(explained["devices"][0]["reason"], "no_device");
}

#[tokio::test]
async fn devices_are_told_with_their_state_and_shortened_tokens() {
    let apns = nightjar_provider_servers::ApnsServer::start().await;
    let server = setup().with(&apns.config("main")).start().await;
    let api = server.api();
    let phone = Login::new("bob", "phone").to(&server).await;
    let token = "0123456789abcdef0123456789abcdef";
    api.bind("bob", "phone", ["apns", "main", token]).await;
    api.bind("bob", "tablet", ["apns", "main", "other"]).await;
    let listed = api.get("/v1/users/bob/devices").await;
    assert!(!listed.text.contains(token), "{}", listed.text);
    let device = api.device("bob", "phone").await;
    assert_eq!((&device["platform"], &device["app_state"]), (&json!("cli"), &json!("foreground")));
    assert_eq!(device["debts"], 0);
    assert!(device["since"].is_u64());
    assert_eq!(device["bindings"][0]["provider"], "apns");
    assert_eq!(api.device("bob", "tablet").await["app_state"], "offline");
    phone.go_to_background(0).await;
    assert_eq!(api.device("bob", "phone").await["app_state"], "background");
    let state = json!({"state": "foreground"});
    api.post("/v1/users/bob/devices/phone/app-state", state).await.good();
    assert_eq!(api.device("bob", "phone").await["app_state"], "foreground");
    api.delete("/v1/users/bob/devices/phone/push?provider=apns&credential=main").await.good();
    assert_eq!(api.device("bob", "phone").await["bindings"], json!([]));
    api.delete("/v1/users/bob/devices/tablet/push").await.good();
    assert_eq!(api.device("bob", "tablet").await["bindings"], json!([]));
    assert!(!server.log().contains(token));
}

#[tokio::test]
async fn the_server_describes_itself() {
    let server = setup().start().await;
    let api = server.api();
    let schema = api.get("/native.proto").await;
    assert!(schema.text.contains("message HelloAnswer"), "{}", schema.text);
    let document = api.get("/openapi.json").await.good();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    assert!(document["paths"]["/v1/messages"]["post"].is_object());
    let metrics = api.get("/metrics").await.text;
    for name in ["nightjar_messages_total", "nightjar_pushes_total", "nightjar_work_rows_at_open"] {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{metrics}");
    }
}

#[tokio::test]
async fn development_mode_needs_no_file_catches_pushes_and_lets_anybody_in() {
    let server = setup().development().start().await;
    let api = server.api();
    let stranger = api.with_key(None);
    for path in ["/metrics", "/openapi.json", "/healthz", "/"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
    assert_error(&stranger.get("/v1/users/bob/unread").await, 401, "unauthorized");
    let phone = Login::new("bob", "phone").background(0).to(&server).await;
    phone.freeze();
    let sent = api.send("alice", json!({"user": "bob"}), "hello").await;
    let caught = async {
        loop {
            let pushes = api.get("/v1/dev/pushes").await.good();
            if let Some(push) = pushes["pushes"].as_array().and_then(|pushes| pushes.first()) {
                return push.clone();
            }
        }
    };
    let push = nightjar_whole::within("a caught push", caught).await;
    assert_eq!(push["uid"], "bob");
    assert_eq!(push["device_id"], "phone");
    assert_eq!(push["mid"], sent["message_id"]);
    assert_eq!(push["nid"], format!("m.{}", sent["message_id"].as_str().expect("an id")));
    assert_eq!((&push["title"], &push["body"]), (&json!("alice"), &json!("hello")));
    assert_eq!((&push["seq"], &push["badge"]), (&json!(1), &json!(1)));
    for name in ["at", "bv", "data"] {
        assert!(!push[name].is_null(), "no '{name}' in {push}");
    }
    assert_eq!(push["data"]["mid"], sent["message_id"]);
}

#[tokio::test]
async fn development_mode_answers_no_page_of_another_site() {
    let server = setup().development().start().await;
    let api = server.api();
    let own = server.http().to_string();
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let ask = |path: &'static str, headers: Vec<(&'static str, String)>| {
        let api: Api = api.clone();
        async move {
            let mut all: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            if path == "/v1/ws" {
                all.extend(upgrade);
            }
            api.request(Method::GET, path, &all, None).await
        }
    };
    for path in ["/v1/ws", "/v1/users/bob/unread", "/metrics", "/"] {
        for headers in [
            vec![("host", "evil.example".to_owned())],
            vec![("host", "localhost.evil.example:7300".to_owned())],
            vec![("origin", "http://evil.example".to_owned())],
            vec![("origin", "null".to_owned())],
            vec![("origin", "http://127.0.0.1:1".to_owned())],
        ] {
            let answer = ask(path, headers.clone()).await;
            assert_eq!(answer.status, 403, "{path} {headers:?}");
            assert_error(&answer, 403, "forbidden");
        }
    }
    let origin = vec![("origin", format!("http://{own}"))];
    assert_eq!(ask("/metrics", origin).await.status, 200);
}
