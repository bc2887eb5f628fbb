//! The connection of a client, from dialling to its end; while the network changes, a second
//! attempt beside it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use nightjar_client_core::ConnectionId;
use tokio::task::JoinSet;

use crate::transport::{Address, Closed, ConnectError, Connection, Connector};

type Dialling = Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send>>;

/// What happened on it.
#[derive(Debug)]
pub(crate) enum Happened {
    Opened(ConnectionId),
    Packet(ConnectionId, Bytes),
    /// It is gone; why there never was one, if there was none.
    Closed(ConnectionId, Option<ConnectError>),
}

/// At most one attempt and one connection that counts, and those that are being ended.
#[derive(Default)]
pub(crate) struct Line {
    dialling: Option<(ConnectionId, Dialling)>,
    /// The machine ends the older of two before anything is waited for again.
    open: Vec<(ConnectionId, Connection)>,
    ending: JoinSet<()>,
}

impl Line {
    pub(crate) fn dial(
        &mut self,
        id: ConnectionId,
        connector: &Connector,
        to: Address,
        within: Duration,
    ) {
        let connector = connector.clone();
        let dialling = async move { connector.connect(&to, within).await };
        self.dialling = Some((id, Box::pin(dialling)));
    }

    /// Queues a packet; false when the connection cannot take it.
    pub(crate) fn send(&mut self, id: ConnectionId, packet: Bytes) -> bool {
        let open = self.open.iter_mut().find(|(open, _)| *open == id);
        open.is_some_and(|(_, connection)| connection.queue(packet).is_ok())
    }

    /// Ends it, after what was sent.
    pub(crate) fn close(&mut self, id: ConnectionId) {
        self.dialling.take_if(|(dialled, _)| *dialled == id);
        if let Some(at) = self.open.iter().position(|(open, _)| *open == id) {
            self.ending.spawn(self.open.swap_remove(at).1.close());
        }
        // What has ended by itself is forgotten here.
        while self.ending.try_join_next().is_some() {}
    }

    /// Waits for what happens next; while `wants_packets` is false nothing is read. Can be dropped
    /// and called again.
    pub(crate) async fn next(&mut self, wants_packets: bool) -> Happened {
        tokio::select! {
            dialled = dialled(&mut self.dialling) => {
                let id = self.dialling.take().map(|(id, _)| id).expect("it was just awaited");
                match dialled {
                    Ok(connection) => {
                        self.open.push((id, connection));
                        Happened::Opened(id)
                    }
                    Err(error) => Happened::Closed(id, Some(error)),
                }
            }
            moved = moved(self.open.last_mut(), wants_packets) => match moved {
                (id, Ok(packet)) => Happened::Packet(id, packet),
                (id, Err(_)) => {
                    self.open.pop();
                    Happened::Closed(id, None)
                }
            },
        }
    }

    /// Waits until every ended connection has said what it had to say: at most a second.
    pub(crate) async fn end(mut self) {
        while self.ending.join_next().await.is_some() {}
    }
}

async fn dialled(
    dialling: &mut Option<(ConnectionId, Dialling)>,
) -> Result<Connection, ConnectError> {
    match dialling {
        Some((_, dialling)) => dialling.await,
        None => pending().await,
    }
}

async fn moved(
    open: Option<&mut (ConnectionId, Connection)>,
    wants_packets: bool,
) -> (ConnectionId, Result<Bytes, Closed>) {
    let Some((id, connection)) = open else { return pending().await };
    if wants_packets {
        return (*id, connection.receive().await);
    }
    match connection.flush().await {
        Ok(()) => pending().await,
        Err(closed) => (*id, Err(closed)),
    }
}
