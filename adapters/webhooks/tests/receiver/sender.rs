//! The loop: in order, signed, again until they are taken.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use nightjar_model::{Command, Reject, Reply, Secret};
use nightjar_outgoing::Key;
use nightjar_webhooks::{Sender, Target};
use sha2::Sha256;
use tokio::sync::watch;
use tokio::task::JoinHandle;

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
    task: JoinHandle<()>,
}

fn send(lanes: &Lanes, server: &Server) -> Sending {
    let (news, heard) = watch::channel(0);
    let target = Target::parse(&server.url("/hook"), true).unwrap();
    let key = Key::parse(&Secret::new(SECRET.to_owned())).unwrap();
    let asked = lanes.clone();
    let ask = move |command| {
        let answer = asked.ask(command);
        async move { answer }
    };
    let task = tokio::spawn(Sender::new(ask, heard, "default", target, key).run());
    Sending { news, task }
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
    let sending = send(&lanes, &server);
    let mut bodies = Vec::new();
    for expected in ["evt_1", "evt_1", "evt_1", "evt_2", "evt_3"] {
        let (id, request) = next(&mut server).await;
        assert_eq!(id, expected);
        bodies.push(request.body);
    }
    assert_eq!(bodies[0], bodies[2], "a retry is the same event");
    assert_eq!(bodies[4], r#"{"id":"evt_3","data":"日本 3"}"#);
    sending.task.abort();
}

#[tokio::test]
async fn a_redirect_or_a_refusal_is_not_a_taking() {
    let lanes = Lanes::with(1);
    let mut server = Server::start([Act::Status(302), Act::Status(410)]).await;
    let sending = send(&lanes, &server);
    assert_eq!(ids(&mut server, 3).await, ["evt_1"; 3]);
    sending.task.abort();
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
    sending.task.abort();
}

#[tokio::test]
async fn more_than_a_batch_comes_without_gap_or_double() {
    let lanes = Lanes::with(250);
    let mut server = Server::start([]).await;
    let sending = send(&lanes, &server);
    let expected: Vec<String> = (1..=250).map(|n| format!("evt_{n}")).collect();
    assert_eq!(ids(&mut server, 250).await, expected);
    sending.task.abort();
}

#[tokio::test]
async fn a_crash_repeats_an_event_under_its_id_and_skips_none() {
    let lanes = Lanes::with(3);
    lanes.0.lock().unwrap().dies_at = Some(2);
    let mut server = Server::start([]).await;
    let sending = send(&lanes, &server);
    soon(sending.task).await.unwrap();
    assert_eq!(ids(&mut server, 2).await, ["evt_1", "evt_2"]);
    let again = send(&lanes, &server);
    assert_eq!(ids(&mut server, 2).await, ["evt_2", "evt_3"]);
    again.task.abort();
}
