//! Accepting connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nightjar_access::HandshakeRate;
use nightjar_decider::Handle;
use nightjar_model::limits::HELLO_WITHIN_MS;
use nightjar_model::{Command, DeviceId, Reject, Uid};
use nightjar_session::wukong::{WkSession, WkSessionConfig};
use nightjar_wkproto::PACKET_BYTES_MAX;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::drive::drive;
use crate::kept::Kept;
use crate::logins::Logins;
use crate::transport::{StreamTransport, WebSocketTransport};
use crate::webhook::{Teller, Webhook};

/// Pause after a failed accept: file descriptors are short, those in use must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes a WebSocket reads at a time; the library's own default is 32 times as much for each
/// connection.
const WEBSOCKET_BUFFER_BYTES: usize = 4 << 10;

/// What the front doors for WuKongIM's clients share.
pub struct WukongGateway {
    /// The way to the lanes.
    pub(crate) handle: Handle,
    pub(crate) config: WkSessionConfig,
    pub(crate) rate: Arc<HandshakeRate>,
    pub(crate) kept: Kept,
    pub(crate) logins: Logins,
    connections_max: usize,
    connections: Arc<AtomicUsize>,
}

/// Where it is kept which device is the master of its kind.
fn master_key(uid: &Uid, device_flag: u8) -> String {
    format!("master/{device_flag}/{uid}")
}

/// Counts a connection for as long as it lives.
struct Room(Arc<AtomicUsize>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl WukongGateway {
    /// A gateway to these lanes. `connections` is counted together with the other front doors, up
    /// to `connections_max`.
    #[must_use]
    pub fn new(
        handle: Handle,
        config: WkSessionConfig,
        rate: Arc<HandshakeRate>,
        connections_max: usize,
        connections: Arc<AtomicUsize>,
    ) -> Self {
        let kept = Kept::new(handle.clone());
        let logins = Logins::default();
        Self { handle, config, rate, kept, logins, connections_max, connections }
    }

    /// Tells a back end what happens, until the lanes end.
    pub async fn tell(self: Arc<Self>, webhook: Webhook) {
        let (handle, logins) = (self.handle.clone(), self.logins.clone());
        logins.tell_changes();
        let news = handle.events();
        drop(self);
        Teller { handle, logins, webhook }.run(news).await;
    }

    /// Accepts connections over TCP until the server stops; those that are open end by their
    /// drain.
    pub async fn serve_tcp(
        self: Arc<Self>,
        listener: TcpListener,
        stopping: watch::Receiver<bool>,
    ) {
        self.serve(listener, stopping, false).await;
    }

    /// The same over WebSocket, at any path.
    pub async fn serve_websocket(
        self: Arc<Self>,
        listener: TcpListener,
        stopping: watch::Receiver<bool>,
    ) {
        self.serve(listener, stopping, true).await;
    }

    async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stopping: watch::Receiver<bool>,
        is_websocket: bool,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopping.changed() => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    let Some(room) = self.room() else { continue };
                    // Without it small packets may wait for the acknowledgement of the one before.
                    let _ = stream.set_nodelay(true);
                    let gateway = Arc::clone(&self);
                    tokio::spawn(async move {
                        gateway.run(stream, address, is_websocket).await;
                        drop(room);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn run(&self, stream: TcpStream, address: SocketAddr, is_websocket: bool) {
        let Some(mut session) = self.session() else { return };
        if !is_websocket {
            let mut transport = StreamTransport::new(stream);
            return drive(self, &mut transport, &mut session, address).await;
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(WEBSOCKET_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(PACKET_BYTES_MAX + 16))
            .max_frame_size(Some(PACKET_BYTES_MAX + 16));
        let shake = tokio_tungstenite::accept_async_with_config(stream, Some(config));
        let within = Duration::from_millis(HELLO_WITHIN_MS);
        // Boxed: the handshake is over soon, and the connection stays.
        if let Ok(Ok(socket)) = tokio::time::timeout(within, Box::pin(shake)).await {
            let mut transport = WebSocketTransport::new(socket);
            drive(self, &mut transport, &mut session, address).await;
        }
    }

    /// Room for one more connection; the socket of one without is dropped.
    fn room(&self) -> Option<Room> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        let room = Room(Arc::clone(&self.connections));
        if before < self.connections_max {
            return Some(room);
        }
        metrics::counter!("nightjar_connections_refused_total").increment(1);
        None
    }

    /// A master came in: the one before it, if it was another device, is signed out for good,
    /// whether it has a connection or not.
    pub(crate) async fn became_master(
        &self,
        uid: &Uid,
        device_flag: u8,
        device_id: &DeviceId,
    ) -> Result<(), Reject> {
        let key = master_key(uid, device_flag);
        let before: Option<String> = self.kept.get(&key).await?;
        if before.as_deref() == Some(device_id.as_str()) {
            return Ok(());
        }
        self.kept.put(key, &device_id.as_str()).await?;
        match before.and_then(|before| DeviceId::parse(&before).ok()) {
            Some(before) => self.kick(uid, before, "login in other device").await,
            None => Ok(()),
        }
    }

    /// The back end signs a kind of device out: those that are in, and the master.
    pub(crate) async fn sign_out(
        &self,
        uid: &Uid,
        device_flag: u8,
        text: &str,
    ) -> Result<(), Reject> {
        let key = master_key(uid, device_flag);
        let master: Option<String> = self.kept.get(&key).await?;
        let mut devices = self.logins.devices(uid, Some(device_flag));
        devices.extend(master.and_then(|id| DeviceId::parse(&id).ok()));
        for device_id in devices {
            self.kick(uid, device_id, text).await?;
        }
        self.kept.remove(key).await
    }

    async fn kick(&self, uid: &Uid, device_id: DeviceId, text: &str) -> Result<(), Reject> {
        let (uid, reason) = (uid.clone(), text.to_owned());
        match self.handle.call(Command::Kick { uid, device_id, reason }).await {
            // It was never seen, or made room for others.
            Err(Reject::UnknownDevice) => Ok(()),
            done => done.map(|_| ()),
        }
    }

    fn session(&self) -> Option<WkSession> {
        let mut random = [0; 48];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::error!(%error, "the operating system gave no random bytes");
            return None;
        }
        Some(WkSession::new(&self.config, random, self.handle.clock.now().mono))
    }
}
