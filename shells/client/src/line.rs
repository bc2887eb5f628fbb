//! The one connection of a client, from dialling to its end.

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

/// At most one connection, and those that are being ended.
#[derive(Default)]
pub(crate) struct Line {
    state: State,
    ending: JoinSet<()>,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Dialling(ConnectionId, Dialling),
    Open(ConnectionId, Connection),
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
        self.state = State::Dialling(id, Box::pin(dialling));
    }

    /// Queues a packet; false when the connection cannot take it.
    pub(crate) fn send(&mut self, id: ConnectionId, packet: Bytes) -> bool {
        match &mut self.state {
            State::Open(open, connection) if *open == id => connection.queue(packet).is_ok(),
            _ => false,
        }
    }

    /// Ends it, after what was sent.
    pub(crate) fn close(&mut self, id: ConnectionId) {
        match std::mem::take(&mut self.state) {
            State::Open(open, connection) if open == id => {
                self.ending.spawn(connection.close());
            }
            State::Dialling(dialled, _) if dialled == id => {}
            other => self.state = other,
        }
        // What has ended by itself is forgotten here.
        while self.ending.try_join_next().is_some() {}
    }

    /// Waits for what happens next; while `wants_packets` is false nothing is read. Can be dropped
    /// and called again.
    pub(crate) async fn next(&mut self, wants_packets: bool) -> Happened {
        match &mut self.state {
            State::Idle => pending().await,
            State::Dialling(id, dialling) => {
                let id = *id;
                match dialling.await {
                    Ok(connection) => {
                        self.state = State::Open(id, connection);
                        Happened::Opened(id)
                    }
                    Err(error) => {
                        self.state = State::Idle;
                        Happened::Closed(id, Some(error))
                    }
                }
            }
            State::Open(id, connection) => {
                let id = *id;
                match moved(connection, wants_packets).await {
                    Ok(packet) => Happened::Packet(id, packet),
                    Err(_) => {
                        self.state = State::Idle;
                        Happened::Closed(id, None)
                    }
                }
            }
        }
    }

    /// Waits until every ended connection has said what it had to say: at most a second.
    pub(crate) async fn end(mut self) {
        while self.ending.join_next().await.is_some() {}
    }
}

async fn moved(connection: &mut Connection, wants_packets: bool) -> Result<Bytes, Closed> {
    if wants_packets {
        return connection.receive().await;
    }
    connection.flush().await?;
    pending().await
}
