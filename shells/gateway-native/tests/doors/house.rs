//! A server with its doors, joined as the binary joins them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nightjar_access::{HandshakeRate, Tokens};
use nightjar_decider::{Clock, Decider, Handle, Pusher};
use nightjar_domain::Deadlines;
use nightjar_gateway_native::NativeGateway;
use nightjar_model::{Secret, Uid};
use nightjar_node::NodeConfig;
use nightjar_push::{Answer, Outcome, PushPolicy};
use nightjar_session::SessionConfig;
use nightjar_store_memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

/// Far above what anything here takes; only a defect waits so long.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(WITHIN, what).await.expect("it comes soon")
}

pub(crate) struct House {
    /// Keeps the thread.
    _decider: Decider,
    gateway: Arc<NativeGateway>,
    stop: watch::Sender<bool>,
}

impl House {
    pub(crate) fn open() -> Self {
        Self::with(SessionConfig::default(), 1_000)
    }

    pub(crate) fn with(config: SessionConfig, connections_max: usize) -> Self {
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
            config,
            rate: Arc::new(HandshakeRate::new(0)),
            connections_max,
            connections: Arc::new(AtomicUsize::new(0)),
        });
        Self { _decider: decider, gateway, stop: watch::channel(false).0 }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.gateway.handle.clone()
    }

    pub(crate) fn token(&self, user: &str) -> String {
        let uid = Uid::parse(user).unwrap();
        let now = self.gateway.handle.clock.now().wall;
        self.gateway.tokens.issue(&uid, None, None, now).unwrap().token.expose().clone()
    }

    /// Opens a door for TCP, or for TLS with a certificate.
    pub(crate) async fn door(&self, tls: Option<Arc<ServerConfig>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = Arc::clone(&self.gateway);
        tokio::spawn(gateway.serve(listener, tls, self.stop.subscribe()));
        address
    }

    /// Opens the door for WebSockets.
    pub(crate) async fn web_door(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = NativeGateway::websocket_route(Arc::clone(&self.gateway));
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    }

    /// Waits until so many connections are there.
    pub(crate) async fn holds(&self, count: usize) {
        soon(async {
            while self.gateway.connections.load(Ordering::Relaxed) != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}
