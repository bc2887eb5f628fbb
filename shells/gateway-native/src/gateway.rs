//! Accepting connections, up to the first byte of a packet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use nightjar_access::{HandshakeRate, Tokens};
use nightjar_decider::Handle;
use nightjar_model::limits::{HELLO_WITHIN_MS, PACKET_BYTES_MAX};
use nightjar_session::{Form, Session, SessionConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::drive::drive;
use crate::stream::StreamTransport;
use crate::websocket::WebSocketTransport;

/// Pause after a failed accept: file descriptors are short, those in use must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes a WebSocket reads at a time; the library's own default is 32 times as much for each
/// connection.
const WEBSOCKET_BUFFER_BYTES: usize = 4 << 10;

/// What the native front doors share.
pub struct NativeGateway {
    /// The way to the lanes.
    pub handle: Handle,
    /// Verifies user tokens.
    pub tokens: Arc<Tokens>,
    /// What an operator chose.
    pub config: SessionConfig,
    /// How often an address may say hello.
    pub rate: Arc<HandshakeRate>,
    /// Connections at a time, over all native front doors.
    pub connections_max: usize,
    /// Connections now.
    pub connections: Arc<AtomicUsize>,
}

/// Counts a connection for as long as it lives.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl NativeGateway {
    /// Accepts native connections until the server stops; those that are open end by their drain.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let acceptor = tls.map(TlsAcceptor::from);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopping.changed() => return,
            };
            match accepted {
                Ok((stream, address)) => self.accepted(stream, address, acceptor.clone()),
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
        acceptor: Option<TlsAcceptor>,
    ) {
        let Some(place) = self.place() else { return };
        // Without it small packets may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let gateway = Arc::clone(self);
        match acceptor {
            None => {
                tokio::spawn(async move {
                    let mut transport = StreamTransport::new(stream);
                    drive(&gateway, &mut transport, &mut gateway.session(), address).await;
                    drop(place);
                });
            }
            Some(acceptor) => {
                tokio::spawn(async move {
                    let within = Duration::from_millis(HELLO_WITHIN_MS);
                    // Boxed: the handshake is over soon, and the connection stays.
                    let shake = Box::pin(tokio::time::timeout(within, acceptor.accept(stream)));
                    let shaken = shake.await;
                    if let Ok(Ok(stream)) = shaken {
                        let mut transport = StreamTransport::new(Box::new(stream));
                        drive(&gateway, &mut transport, &mut gateway.session(), address).await;
                    } else {
                        metrics::counter!("nightjar_tls_handshakes_failed_total").increment(1);
                    }
                    drop(place);
                });
            }
        }
    }

    /// Room for one more connection; the socket of one without is dropped.
    fn place(&self) -> Option<Place> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.connections));
        if before < self.connections_max {
            return Some(place);
        }
        metrics::counter!("nightjar_connections_refused_total").increment(1);
        None
    }

    fn session(&self) -> Session {
        Session::new(Form::Binary, &self.config, self.handle.clock.now().mono)
    }

    /// `GET /v1/ws`: the same protocol, one packet a WebSocket message.
    pub fn websocket_route(self: Arc<Self>) -> Router {
        Router::new().route("/v1/ws", get(upgrade)).with_state(self)
    }
}

async fn upgrade(
    State(gateway): State<Arc<NativeGateway>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(place) = gateway.place() else {
        return (http_busy(), "the server has no room for more connections now").into_response();
    };
    upgrade
        .read_buffer_size(WEBSOCKET_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(PACKET_BYTES_MAX)
        .max_frame_size(PACKET_BYTES_MAX)
        .on_upgrade(move |socket| async move {
            let mut transport = WebSocketTransport::new(socket);
            drive(&gateway, &mut transport, &mut gateway.session(), address).await;
            drop(place);
        })
        .into_response()
}

fn http_busy() -> axum::http::StatusCode {
    axum::http::StatusCode::SERVICE_UNAVAILABLE
}
