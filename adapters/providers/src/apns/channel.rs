//! The connection of one environment: opened when it is needed, replaced when it ended.

use std::io;
use std::sync::Arc;

use nightjar_push::{Answer, Outcome};
use tokio::sync::Mutex;

use super::link::{Lease, Link, LinkError, Reply};
use super::request::Prepared;
use super::token::Bearer;
use crate::transport::{Connector, Origin};

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelError {
    /// No connection could be opened.
    Connect,
    /// The peer certainly did not process it; a new connection may.
    Unprocessed,
    /// The connection broke after the request was written.
    Lost,
    /// No answer in time.
    Timeout,
    /// The parts do not make a request.
    Malformed,
}

impl ChannelError {
    /// What it comes to for the push it was about: everything passes with time, except a request
    /// that cannot be built.
    pub(super) fn answer(self) -> Answer {
        match self {
            Self::Malformed => Answer::new(Outcome::Reject, self.as_str()),
            Self::Connect | Self::Unprocessed => Answer::unsent(self.as_str()),
            Self::Lost | Self::Timeout => Answer::new(Outcome::Retry, self.as_str()),
        }
    }

    /// The stable name in traces.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connection_failed",
            Self::Unprocessed => "connection_refused_stream",
            Self::Lost => "connection_lost",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed_request",
        }
    }
}

/// Connections of one environment. Apple allows a thousand streams on each; where it allows
/// fewer, several carry what one credential may have under way.
pub(super) const LINKS_MAX: usize = 4;

/// Where requests of one environment go.
pub(super) struct Channel {
    origin: Origin,
    connector: Connector,
    /// Held while a connection is opened, so that a hundred senders open one.
    links: Mutex<Vec<Arc<Link>>>,
}

impl Channel {
    pub(super) fn new(origin: Origin, connector: Connector) -> Self {
        Self { origin, connector, links: Mutex::default() }
    }

    /// One attempt, and the connection it was made on.
    pub(super) async fn exchange(
        &self,
        prepared: &Prepared,
        bearer: Option<&Bearer>,
    ) -> Result<(Reply, Arc<Link>), ChannelError> {
        let head = prepared.head(&self.origin, bearer).map_err(|_| ChannelError::Malformed)?;
        let lease = self.link().await.map_err(|error| {
            tracing::debug!(%error, "APNs connection failed");
            ChannelError::Connect
        })?;
        match lease.link.exchange(head, prepared.payload.clone()).await {
            Ok(reply) => Ok((reply, Arc::clone(&lease.link))),
            Err(error) => {
                // Whatever went wrong, the next request fares better on a fresh connection.
                lease.link.retire();
                Err(match error {
                    LinkError::Unprocessed => ChannelError::Unprocessed,
                    LinkError::Lost => ChannelError::Lost,
                    LinkError::Timeout => ChannelError::Timeout,
                })
            }
        }
    }

    /// The open connection with the least to do; a further one when even that is full and each
    /// has proven that our keys are good.
    async fn link(&self) -> io::Result<Lease> {
        let mut links = self.links.lock().await;
        links.retain(|link| link.is_open());
        let least = links.iter().min_by_key(|link| link.under_way());
        let may_grow = links.len() < LINKS_MAX && links.iter().all(|link| link.is_proven());
        match least {
            Some(link) if !(may_grow && link.is_full()) => Ok(Lease::new(link)),
            _ => {
                let link = Link::open(self.connector.connect(&self.origin).await?).await?;
                let lease = Lease::new(&link);
                links.push(link);
                Ok(lease)
            }
        }
    }
}
