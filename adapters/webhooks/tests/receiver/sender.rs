//! The loop: signed, in order of each user, again until they are taken.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use nightjar_model::{Command, Reject, Reply, Secret, WallMs, Webhook};
use nightjar_webhooks::Hub;
use sha2::Sha256;
use tokio::sync::watch;

use crate::server::{Act, Request, Server, soon};

/// The secret of the example in the Standard Webhooks specification.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Events and how far the receiver is, as the lanes keep them.
#[derive(Clone, Default)]
struct Lanes(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    events: Vec<String>,
    taken: u64,
    /// The server ends before this number is noted.
    dies_at: Option<u64>,
}

impl Lanes {
    fn with(count: u64) -> Self {
        let events = (1..=count).map(|n| format!(r#"{{"id":"evt_{n}","data":"日本 {n}"}}"#));
        let kept = Kept { events: events.collect(), ..Kept::default() };
        Self(Arc::new(Mutex::new(kept)))
    }

    fn ask(&self, command: Command) -> Result<Reply, Reject> {
        let mut kept = self.0.lock().unwrap();
        match command {
            Command::EventCursor { .. } => Ok(Reply::EventCursor(kept.taken)),
            Command::Events { after, limit } => {
                let above = (1..).zip(kept.events.iter().cloned()).skip(after as usize);
                Ok(Reply::Events(above.take(limit).collect()))
            }
            Command::EventsTaken { number, .. } if kept.dies_at == Some(number) => {
                kept.dies_at = None;
                Err(Reject::Draining)
            }
            Command::EventsTaken { number, .. } => {
                kept.taken = number;
                Ok(Reply::Done)
            }
            other => panic!("{other:?}"),
        }
    }
}

struct Sending {
    news: watch::Sender<u64>,
    hub: Arc<Hub>,
}

fn webhook(id: &str, server: &Server) -> Webhook {
    Webhook {
        id: id.into(),
        url: server.url("/hook"),
        secret: Secret::new(SECRET.to_owned()),
        types: Vec::new(),
        enabled: true,
        allow_private: true,
        changed_at: WallMs(0),
    }
}

fn hub(lanes: &Lanes) -> Sending {
    let (news, heard) = watch::channel(0);
    let asked = lanes.clone();
    let ask = Arc::new(move |command| -> nightjar_webhooks::AskFuture {
        let answer = asked.ask(command);
        Box::pin(async move { answer })
    });
    Sending { news, hub: Hub::new(ask, heard) }
}

fn send(lanes: &Lanes, server: &Server) -> Sending {
    let sending = hub(lanes);
    sending.hub.set(&webhook("default", server)).unwrap();
    sending
}

/// What any receiver of the scheme checks.
fn verify(request: &Request) {
    let key = BASE64_STANDARD.decode(&SECRET["whsec_".len()..]).unwrap();
    let (id, at) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.{}", request.body).as_bytes());
    let expected = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(request.header("webhook-signature"), format!("v1,{expected}"));
    let sent_s: u64 = at.parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(now.as_secs().abs_diff(sent_s) < 300, "the scheme's tolerance is five minutes");
}

async fn next(server: &mut Server) -> (String, Request) {
    let request = soon(server.requests.recv()).await.unwrap();
    verify(&request);
    (request.header("webhook-id").to_owned(), request)
}

async fn ids(server: &mut Server, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(next(server).await.0);
    }
    ids
}

#[tokio::test]
async fn events_are_signed_and_come_in_order_again_until_they_are_taken() {
    let lanes = Lanes::with(3);
    let script = [Act::Status(500), Act::Close, Act::Status(204), Act::Status(200)];
    let mut server = Server::start(script).await;
    let _sending = send(&lanes, &server);
    let mut bodies = Vec::new();
    for expected in ["evt_1", "evt_1", "evt_1", "evt_2", "evt_3"] {
        let (id, request) = next(&mut server).await;
        assert_eq!(id, expected);
        bodies.push(request.body);
    }
    assert_eq!(bodies[0], bodies[2], "a retry is the same event");
    assert_eq!(bodies[4], r#"{"id":"evt_3","data":"日本 3"}"#);
}

#[tokio::test]
async fn a_redirect_or_a_refusal_is_not_a_taking() {
    let lanes = Lanes::with(1);
    let mut server = Server::start([Act::Status(302), Act::Status(410)]).await;
    let _sending = send(&lanes, &server);
    assert_eq!(ids(&mut server, 3).await, ["evt_1"; 3]);
}

#[tokio::test]
async fn a_new_event_leaves_with_the_news_of_it() {
    let lanes = Lanes::with(1);
    let mut server = Server::start([]).await;
    let sending = send(&lanes, &server);
    assert_eq!(ids(&mut server, 1).await, ["evt_1"]);
    lanes.0.lock().unwrap().events.push(r#"{"id":"evt_2"}"#.into());
    sending.news.send_modify(|version| *version += 1);
    assert_eq!(ids(&mut server, 1).await, ["evt_2"]);
}

#[tokio::test]
async fn more_than_a_batch_comes_without_gap_or_double() {
    let lanes = Lanes::with(250);
    let mut server = Server::start([]).await;
    let _sending = send(&lanes, &server);
    let expected: Vec<String> = (1..=250).map(|n| format!("evt_{n}")).collect();
    assert_eq!(ids(&mut server, 250).await, expected);
}

#[tokio::test]
async fn a_crash_repeats_an_event_under_its_id_and_skips_none() {
    let lanes = Lanes::with(3);
    lanes.0.lock().unwrap().dies_at = Some(2);
    let mut server = Server::start([]).await;
    let sending = send(&lanes, &server);
    assert_eq!(ids(&mut server, 2).await, ["evt_1", "evt_2"]);
    let died = async {
        while lanes.0.lock().unwrap().dies_at.is_some() {
            tokio::task::yield_now().await;
        }
    };
    soon(died).await;
    drop(sending);
    let _again = send(&lanes, &server);
    assert_eq!(ids(&mut server, 2).await, ["evt_2", "evt_3"]);
}

/// Events of these users, in this order.
fn of_users(users: &[&str]) -> Lanes {
    let lanes = Lanes::default();
    for (n, user) in (1..).zip(users) {
        let event =
            format!(r#"{{"id":"evt_{n}","type":"push.outcome","data":{{"uid":"{user}"}}}}"#);
        lanes.0.lock().unwrap().events.push(event);
    }
    lanes
}

#[tokio::test]
async fn an_event_that_is_refused_holds_the_events_of_its_user_and_of_nobody_else() {
    let lanes = of_users(&["bob", "carol", "bob", "dave"]);
    let mut server = Server::refusing("bob").await;
    let sending = send(&lanes, &server);
    let mut first = ids(&mut server, 3).await;
    first.sort();
    assert_eq!(first, ["evt_1", "evt_2", "evt_4"], "those of the others came all the same");
    assert_eq!(lanes.0.lock().unwrap().taken, 0, "the oldest is not taken");
    server.refuse_nobody();
    assert_eq!(ids(&mut server, 2).await, ["evt_1", "evt_3"]);
    let all = async {
        while lanes.0.lock().unwrap().taken != 4 {
            tokio::task::yield_now().await;
        }
    };
    soon(all).await;
    let fares = &sending.hub.fares()["default"];
    assert_eq!((fares.taken, fares.refused), (4, 1));
    assert_eq!(fares.last_failure.as_ref().map(|(_, why)| why.as_str()), Some("it answered 422"));
}

#[tokio::test]
async fn a_receiver_that_is_gone_holds_only_itself() {
    let lanes = of_users(&["bob", "carol"]);
    let mut server = Server::start([]).await;
    let gone = Server::start([]).await.address;
    let sending = hub(&lanes);
    let url = format!("http://{gone}/");
    let nobody = Webhook { url, ..webhook("nobody", &server) };
    // The listener ends with its runtime's task only: the port refuses once it is closed.
    sending.hub.set(&nobody).unwrap();
    sending.hub.set(&webhook("somebody", &server)).unwrap();
    let mut both = ids(&mut server, 2).await;
    both.sort();
    assert_eq!(both, ["evt_1", "evt_2"]);
}

#[tokio::test]
async fn a_receiver_gets_the_types_it_wants_and_nothing_once_it_is_off() {
    let lanes = of_users(&["bob"]);
    let created = r#"{"id":"evt_2","type":"message.created","data":{"from":"alice"}}"#;
    lanes.0.lock().unwrap().events.push(created.into());
    let mut server = Server::start([]).await;
    let sending = hub(&lanes);
    let picky = Webhook { types: vec!["message.created".into()], ..webhook("picky", &server) };
    sending.hub.set(&picky).unwrap();
    assert_eq!(ids(&mut server, 1).await, ["evt_2"]);
    sending.hub.set(&Webhook { enabled: false, ..picky }).unwrap();
    assert!(sending.hub.fares().is_empty());
    lanes.0.lock().unwrap().events.push(created.into());
    sending.news.send_modify(|version| *version += 1);
    sending.hub.set(&webhook("all", &server)).unwrap();
    // Whatever it gets before, the new event comes to it alone.
    while ids(&mut server, 1).await != ["evt_3"] {}
    assert!(server.requests.try_recv().is_err());
}
