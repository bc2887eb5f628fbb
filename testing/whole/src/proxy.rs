//! A network that can fail: everything a client and a server say passes through here.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes on their way in one direction of one connection.
const BUFFER_BYTES: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weather {
    /// Bytes stay where they are; the connections stay open.
    is_paused: bool,
    /// Connections of an earlier one are cut.
    era: u64,
    /// Where the server is now.
    target: SocketAddr,
}

/// A proxy on loopback, with an address that stays while servers come and go. Stops when it is
/// dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    /// Holds the accepting task, which holds the connections.
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A proxy in front of this address.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("the socket is bound");
        let weather = watch::Sender::new(Weather { is_paused: false, era: 0, target });
        let weather = Arc::new(weather);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, weather.subscribe()));
        Self { address, weather, _tasks: tasks }
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing passes, and neither side is told.
    pub fn pause(&self) {
        self.weather.send_modify(|weather| weather.is_paused = true);
    }

    /// What was held passes.
    pub fn resume(&self) {
        self.weather.send_modify(|weather| weather.is_paused = false);
    }

    /// Ends every connection with all that is on its way.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.era += 1);
    }

    /// The server has moved.
    pub fn redirect(&self, target: SocketAddr) {
        self.weather.send_modify(|weather| weather.target = target);
    }
}

async fn accept(listener: TcpListener, weather: watch::Receiver<Weather>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone before it was accepted needs no connection.
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(connect(client, weather.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Until one side ends or the connection is cut; then both are closed.
async fn connect(client: TcpStream, mut weather: watch::Receiver<Weather>) {
    let Weather { era, target, .. } = *weather.borrow_and_update();
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = carry(from_client, to_server, weather.clone()) => {}
        () = carry(from_server, to_client, weather.clone()) => {}
        _ = weather.wait_for(|weather| weather.era != era) => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        if weather.wait_for(|weather| !weather.is_paused).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
