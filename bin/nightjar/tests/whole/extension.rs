//! An app's extension beside the app: a real `nightjar chat` in a process of its own and runs of
//! `nightjar_client::fetch` share one ledger file, before a real server.

use std::collections::BTreeSet;

use nightjar_client::LedgerFile;
use nightjar_client::fetch::{Alert, Api, Content, Push, Quiet, Screen, fetch};
use nightjar_client::transport::Connector;
use nightjar_model::NotificationId;
use nightjar_provider_servers::Recorded;
use nightjar_whole::{Chat, Login, Person, within};
use serde_json::{Value, json};

use crate::scene::{Scene, nid, scene};

/// What the system shows besides what runs hand over.
#[derive(Default)]
struct Shade {
    posted: Vec<Alert>,
    withdrawn: BTreeSet<NotificationId>,
    badge: Option<u64>,
}

impl Screen for Shade {
    async fn post(&mut self, alert: &Alert) -> bool {
        self.posted.push(alert.clone());
        true
    }

    async fn withdraw(&mut self, ids: &[NotificationId]) {
        self.withdrawn.extend(ids.iter().cloned());
    }

    fn set_badge(&mut self, unread: u64) {
        self.badge = Some(unread);
    }
}

/// What the extension of Bob's terminal needs.
struct Extension {
    api: Api,
    ledger: LedgerFile,
}

impl Extension {
    fn of_bob(scene: &Scene) -> Self {
        let server = format!("http://{}", scene.server.http()).parse().unwrap();
        let api = Api { server, connector: Connector::new(None).unwrap() };
        let ledger = LedgerFile::new(&scene.server.setup().folder().join("bob.ledger"));
        Self { api, ledger }
    }

    /// A run for this push, in what may be any process.
    async fn woken_by(&self, push: &Value, shade: &mut Shade) -> Content {
        let push = Push::parse(&push.to_string()).expect("it is a push of ours");
        within("a run", fetch(push, &self.api, &self.ledger, shade)).await
    }
}

/// Bob at a terminal that is up to date.
async fn bob_at(scene: &Scene) -> (Person, Chat) {
    let bob = Person::new(&scene.server, "bob", "alice").await;
    let mut chat = bob.chat(scene.server.setup(), &[scene.server.native().to_string()]);
    scene.bind("bob", &bob.device_id()).await;
    chat.until("unread").await;
    (bob, chat)
}

fn push_of(message_id: &str, seq: u64) -> Value {
    json!({
        "v": 1, "mid": message_id, "nid": nid(message_id), "conv": "d:alice:bob", "seq": seq,
        "badge": seq, "bv": 0,
    })
}

fn id(message_id: &str) -> NotificationId {
    NotificationId::parse(&nid(message_id)).unwrap()
}

#[tokio::test]
async fn app_and_extension_at_the_same_time_alert_once_of_each_message() {
    let scene = scene("").await;
    let (_, mut chat) = bob_at(&scene).await;
    let extension = Extension::of_bob(&scene);
    chat.types("/background -1").await;
    chat.until("in the background").await;
    let mut alerts = Vec::new();
    for n in 1..=12 {
        let text = format!("no. {n};");
        let sent = scene.alice.say("bob", &text).await;
        let push = push_of(&sent.message_id, sent.seq);
        let (mut one, mut other) = (Shade::default(), Shade::default());
        // The same push twice, as providers do, and the app on its connection.
        let runs = tokio::join!(
            extension.woken_by(&push, &mut one),
            extension.woken_by(&push, &mut other)
        );
        assert_eq!((one.posted.len(), other.posted.len()), (0, 0));
        for content in [runs.0, runs.1] {
            if !matches!(content, Content::Quiet(_)) {
                alerts.push(text.clone());
            }
        }
    }
    // A last message that only the app hears of: whatever it had to post is posted.
    scene.alice.say("bob", "the end;").await;
    chat.until("(notification) alice: the end;").await;
    let (_, printed) = chat.quits().await;
    for n in 1..=12 {
        let text = format!("no. {n};");
        let line = format!("(notification) alice: {text}");
        let by_app = printed.iter().filter(|printed| printed.contains(&line)).count();
        let by_extension = alerts.iter().filter(|alerted| **alerted == text).count();
        assert_eq!(by_app + by_extension, 1, "{text} {by_app} {by_extension} {printed:#?}");
    }
}

#[tokio::test]
async fn a_push_after_the_app_is_gone_is_shown_told_and_imported() {
    let scene = scene("").await;
    let (bob, mut chat) = bob_at(&scene).await;
    let extension = Extension::of_bob(&scene);
    scene.alice.say("bob", "good night").await;
    chat.until("good night").await;
    chat.kill().await;
    let device_id = bob.device_id();
    let sent = scene.alice.say("bob", "while you sleep").await;
    let push = scene.push_to(&format!("bob-{device_id}"), &sent.message_id).await.json();
    let mut shade = Shade::default();
    let content = extension.woken_by(&push, &mut shade).await;
    let Content::Show(shown) = content else { panic!("{content:?}") };
    assert_eq!((shown.id, shown.from.as_str()), (id(&sent.message_id), "alice"));
    assert_eq!(shade.badge, Some(2));
    let trace = scene.server.api().trace(&sent.message_id, "bob").await;
    let of_device = trace.iter().filter(|event| event["device_id"] == device_id.as_str());
    let steps: Vec<_> = of_device.filter_map(|event| event["step"].as_str()).collect();
    assert!(steps.contains(&"arrived") && steps.contains(&"surfaced"), "{steps:?}");

    // No server is needed to read it in the app.
    let mut chat = bob.chat(scene.server.setup(), &["127.0.0.1:1".to_owned()]);
    chat.until("while you sleep").await;
    chat.quits().await;
}

#[tokio::test]
async fn what_was_read_elsewhere_leaves_the_screen_and_a_late_push_of_it_stays_quiet() {
    let scene = scene("").await;
    let (bob, chat) = bob_at(&scene).await;
    let extension = Extension::of_bob(&scene);
    chat.kill().await;
    let token = format!("bob-{}", bob.device_id());
    let sent = scene.alice.say("bob", "hello").await;
    let push = scene.push_to(&token, &sent.message_id).await.json();
    let mut shade = Shade::default();
    let shown = extension.woken_by(&push, &mut shade).await;
    assert!(matches!(shown, Content::Show(_)), "{shown:?}");

    let laptop = Login::new("bob", "laptop").to(&scene.server).await;
    laptop.read("d:alice:bob", 1).await;
    let is_it = |push: &Recorded| {
        push.token == token && push.json()["wd"][0] == nid(&sent.message_id).as_str()
    };
    let withdrawal = scene.push_where("the withdrawal", is_it).await.json();
    let quiet = extension.woken_by(&withdrawal, &mut shade).await;
    assert_eq!(quiet, Content::Quiet(Quiet::NothingToShow));
    assert!(shade.withdrawn.contains(&id(&sent.message_id)));
    assert_eq!(shade.badge, Some(0));
    let late = extension.woken_by(&push, &mut shade).await;
    assert_eq!(late, Content::Quiet(Quiet::Withdrawn));
    assert_eq!(shade.posted, []);
}

#[tokio::test]
async fn a_device_that_was_kicked_is_shown_nothing() {
    let scene = scene("").await;
    let (bob, chat) = bob_at(&scene).await;
    let extension = Extension::of_bob(&scene);
    chat.kill().await;
    let path = format!("/v1/users/bob/devices/{}/kick", bob.device_id());
    scene.server.api().post(&path, json!({"reason": "lost"})).await;
    let sent = scene.alice.say("bob", "to nobody").await;
    let push = push_of(&sent.message_id, sent.seq);
    let mut shade = Shade::default();
    let refused = extension.woken_by(&push, &mut shade).await;
    assert_eq!((refused, shade.badge), (Content::Quiet(Quiet::SignedOut), Some(0)));
}
