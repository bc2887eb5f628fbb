//! Accepting connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use nightjar_access::{HandshakeRate, Passwords};
use nightjar_decider::Handle;
use nightjar_model::Secret;
use nightjar_xmpp::Limits;
use nightjar_xmpp_session::{Framing, Security, Stream, StreamConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::drive::{drive, secure};
use crate::socket::{Socket, SocketTransport};
use crate::websocket::WebSocketTransport;

/// Pause after a failed accept: file descriptors are short, those in use must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes a WebSocket reads at a time; the library's own default is 32 times as much for each
/// connection.
const WEBSOCKET_BUFFER_BYTES: usize = 4 << 10;
/// The name of XMPP among the protocols of a WebSocket (RFC 7395 §3.1).
const PROTOCOL: &str = "xmpp";

/// What the XMPP front doors share.
pub struct XmppGateway {
    /// The way to the lanes.
    pub handle: Handle,
    /// What is kept of passwords, and what is not.
    pub passwords: Arc<Passwords>,
    /// What an operator chose.
    pub config: Arc<StreamConfig>,
    /// TLS, with the certificate it shows; without it only a door of plain text opens.
    pub tls: Option<(TlsAcceptor, CertificateDer<'static>)>,
    /// How often an address may connect.
    pub rate: Arc<HandshakeRate>,
    /// Connections at a time, over all front doors of this gateway.
    pub connections_max: usize,
    /// Connections now.
    pub connections: AtomicUsize,
}

/// How a connection on a listener begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// In the clear, and STARTTLS before anything else.
    StartTls,
    /// Encrypted from the first byte (XEP-0368).
    Tls,
    /// In the clear for good, for peers on this machine.
    Plain,
}

/// Counts a connection for as long as it lives.
struct Place(Arc<XmppGateway>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl XmppGateway {
    /// The names a client may ask for on a port of direct TLS.
    #[must_use]
    pub fn with_alpn(mut config: ServerConfig) -> ServerConfig {
        config.alpn_protocols = vec![b"xmpp-client".to_vec()];
        config
    }

    /// Accepts connections until the server stops; those that are open end by their drain.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        door: Door,
        direct: Option<TlsAcceptor>,
        mut stopping: watch::Receiver<bool>,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopping.changed() => return,
            };
            match accepted {
                Ok((stream, address)) => self.accepted(stream, address, door, direct.clone()),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accepted(
        self: &Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        door: Door,
        direct: Option<TlsAcceptor>,
    ) {
        let Some(place) = self.place(address) else { return };
        // Without it small stanzas may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let gateway = Arc::clone(self);
        tokio::spawn(async move {
            // Reachable from here only; whoever is elsewhere gets no plain text (`Door::Plain`
            // stands on a loopback address, and this is the second lock).
            let is_here = address.ip().is_loopback();
            let (socket, security) = match (door, direct) {
                (Door::Tls, Some(acceptor)) => match secure(&gateway, stream, &acceptor).await {
                    Some((stream, bindings)) => {
                        (Socket::Tls(Box::new(stream)), Security::Tls(bindings))
                    }
                    None => return drop(place),
                },
                (Door::Plain, _) if is_here => (Socket::Plain(stream), Security::Plain),
                _ => (Socket::Plain(stream), Security::StartTls),
            };
            let mut transport = SocketTransport::new(socket);
            let mut session = gateway.stream(Framing::Socket, security);
            drive(&gateway, &mut transport, &mut session).await;
            drop(place);
        });
    }

    /// Room for one more connection; the socket of one without is dropped.
    fn place(self: &Arc<Self>, address: SocketAddr) -> Option<Place> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        let now = self.handle.clock.now().mono;
        if before < self.connections_max && self.rate.allows(address.ip(), now) {
            return Some(place);
        }
        metrics::counter!("nightjar_connections_refused_total").increment(1);
        None
    }

    fn stream(&self, framing: Framing, security: Security) -> Box<Stream> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the system gives random bytes");
        let (config, now) = (Arc::clone(&self.config), self.handle.clock.now());
        Box::new(Stream::new(framing, security, config, Secret::new(seed), now))
    }

    /// `/xmpp-websocket`, and where it is written for those who look (XEP-0156).
    pub fn websocket_route(self: Arc<Self>) -> Router {
        Router::new().route("/xmpp-websocket", get(upgrade)).with_state(self)
    }
}

async fn upgrade(
    State(gateway): State<Arc<XmppGateway>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(place) = gateway.place(address) else {
        let busy = axum::http::StatusCode::SERVICE_UNAVAILABLE;
        return (busy, "the server has no room for more connections now").into_response();
    };
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(WEBSOCKET_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Limits::USER.element_bytes)
        .max_frame_size(Limits::USER.element_bytes)
        .on_upgrade(move |socket| async move {
            let mut transport = WebSocketTransport::new(socket);
            let mut session = gateway.stream(Framing::WebSocket, Security::Plain);
            drive(&gateway, &mut transport, &mut session).await;
            drop(place);
        })
        .into_response()
}
