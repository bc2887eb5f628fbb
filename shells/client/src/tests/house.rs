//! A server with two doors, joined as the binary joins it, and clients in front of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use nightjar_access::{HandshakeRate, Tokens};
use nightjar_client_core::{Event, Identity, MessageRow};
use nightjar_decider::{Clock, Decider, Pusher};
use nightjar_domain::Deadlines;
use nightjar_gateway_native::NativeGateway;
use nightjar_model::{ConversationId, DeviceId, Platform, Secret, Target, Uid};
use nightjar_node::NodeConfig;
use nightjar_push::{Answer, Outcome, PushPolicy};
use nightjar_session::SessionConfig;
use nightjar_store_memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::chat::content;
use crate::store::Store;
use crate::transport::{Address, Connector};
use crate::{Client, LedgerFile, News, Settings};

/// Far above what anything here takes; only a defect waits so long.
const WITHIN: Duration = Duration::from_secs(30);

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(WITHIN, what).await.expect("it comes soon")
}

pub(crate) struct House {
    /// Keeps the thread.
    _decider: Decider,
    gateway: Arc<NativeGateway>,
    stop: watch::Sender<bool>,
    pub(crate) folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn open() -> Self {
        let pusher = Pusher::new(tokio::runtime::Handle::current(), |_| {
            Box::pin(async { Answer::new(Outcome::Delivered, "200") })
        });
        let (release, parts) = Decider::release(pusher, Clock::start());
        let store = MemoryStore::new(move |commit| release.safe(commit));
        let node = NodeConfig {
            deadlines: Deadlines::default(),
            policy: PushPolicy::default(),
            credentials: Default::default(),
            fallback: None,
            pushes_in_flight_max: 100,
            events: false,
        };
        let decider = Decider::start(parts, node, Box::new(store), |_| {}).unwrap();
        let gateway = Arc::new(NativeGateway {
            handle: decider.handle(),
            tokens: Arc::new(Tokens::new(&Secret::new("a secret".to_owned()))),
            config: SessionConfig::default(),
            rate: Arc::new(HandshakeRate::new(0)),
            connections_max: 1_000,
            connections: Arc::new(AtomicUsize::new(0)),
        });
        let folder = tempfile::tempdir().unwrap();
        Self { _decider: decider, gateway, stop: watch::channel(false).0, folder }
    }

    pub(crate) fn token(&self, user: &str) -> String {
        let now = self.gateway.handle.clock.now().wall;
        self.gateway.tokens.issue(&uid(user), None, None, now).unwrap().token.expose().clone()
    }

    /// A door for packets on TCP.
    pub(crate) async fn door(&self) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(Arc::clone(&self.gateway).serve(listener, None, self.stop.subscribe()));
        address.to_string().parse().unwrap()
    }

    /// A door for WebSockets.
    pub(crate) async fn web_door(&self) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = NativeGateway::websocket_route(Arc::clone(&self.gateway));
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        format!("http://{address}").parse().unwrap()
    }

    pub(crate) fn file(&self, user: &str) -> PathBuf {
        self.folder.path().join(format!("{user}.sqlite"))
    }

    /// A user's phone with its file, in front of these servers.
    pub(crate) async fn phone(&self, user: &str, servers: Vec<Address>) -> Phone {
        Phone::start(user, &self.token(user), servers, &self.file(user)).await
    }
}

pub(crate) fn uid(name: &str) -> Uid {
    Uid::parse(name).unwrap()
}

pub(crate) fn to(name: &str) -> Target {
    Target::User(uid(name))
}

pub(crate) fn chat_of(a: &str, b: &str) -> ConversationId {
    ConversationId::direct(&uid(a), &uid(b))
}

/// An address where nobody listens.
pub(crate) async fn nowhere() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string().parse().unwrap()
}

pub(crate) struct Phone {
    pub(crate) client: Client,
    pub(crate) news: mpsc::Receiver<News>,
}

impl Phone {
    pub(crate) async fn start(user: &str, token: &str, servers: Vec<Address>, file: &Path) -> Self {
        let (store, restored) = Store::open(file).await.unwrap();
        let (client, news) = Client::start(Settings {
            servers,
            connector: Connector::new(None).unwrap(),
            identity: Identity {
                uid: uid(user),
                device_id: DeviceId::parse(&format!("{user}-phone")).unwrap(),
                token: Secret::new(token.to_owned()),
            },
            platform: Platform::Cli,
            app: None,
            store: Some((store, restored)),
            ledger: Some(LedgerFile::new(&file.with_extension("ledger"))),
            record: None,
        });
        Self { client, news }
    }

    /// Waits until the process may be frozen.
    pub(crate) async fn is_released(&mut self) {
        soon(async { while !matches!(self.news.recv().await, Some(News::ReleaseBackground)) {} })
            .await;
    }

    /// Waits for an event; what comes before it is dropped.
    pub(crate) async fn hears<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        soon(async {
            loop {
                match self.news.recv().await.expect("the client lives") {
                    News::Event(event) => {
                        if let Some(found) = wanted(&event) {
                            return found;
                        }
                    }
                    News::StoreFailed(error) => panic!("{error}"),
                    _ => {}
                }
            }
        })
        .await
    }

    /// Waits until the list is up to date: the device is known to the server from then on.
    pub(crate) async fn is_there(&mut self) {
        self.hears(|event| (*event == Event::Synced).then_some(())).await;
    }

    pub(crate) async fn writes(&self, user: &str, text: &str) {
        self.client.send(to(user), content::content(text)).await.unwrap();
    }

    pub(crate) async fn is_sent(&mut self) -> u64 {
        self.hears(|event| match event {
            Event::Sent { seq, .. } => Some(*seq),
            _ => None,
        })
        .await
    }

    /// The text of the next message.
    pub(crate) async fn receives(&mut self) -> String {
        self.hears(|event| match event {
            Event::Message(message) => Some(text(message)),
            _ => None,
        })
        .await
    }
}

pub(crate) fn text(message: &MessageRow) -> String {
    content::text(&message.content)
}
