//! One HTTP/2 connection to APNs.
//!
//! h2 tells which streams a GOAWAY left unprocessed: those, and what never became a stream, fail
//! with [`LinkError::Unprocessed`] and may be sent again elsewhere. A stream that was open when
//! the connection broke is [`LinkError::Lost`]: Apple may have taken it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::{Request, StatusCode, response};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

use crate::transport::{ANSWER_BYTES_MAX, ANSWER_WITHIN, CONNECT_WITHIN, Stream};

/// How often a connection is probed. Apple wants connections kept for hours and no frequent pings.
pub(super) const PING_EVERY: Duration = Duration::from_secs(15 * 60);
/// Within this time the peer must answer a ping.
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of the headers of an answer.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// Why a request got no answer on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkError {
    /// The peer certainly did not process it.
    Unprocessed,
    /// The connection broke after it was written.
    Lost,
    /// No answer in time.
    Timeout,
}

/// An answer, read whole.
pub(super) struct Reply {
    pub(super) head: response::Parts,
    pub(super) body: Bytes,
}

/// An open connection.
pub(super) struct Link {
    send: SendRequest<Bytes>,
    /// One turn until the first success, closed from then on: before it has seen a valid token,
    /// APNs allows a single stream.
    turns: Semaphore,
    /// Requests given to it and not answered yet.
    under_way: AtomicUsize,
    ended: Arc<AtomicBool>,
}

/// A connection that is counted on for one request.
pub(super) struct Lease {
    pub(super) link: Arc<Link>,
}

impl Lease {
    pub(super) fn new(link: &Arc<Link>) -> Self {
        link.under_way.fetch_add(1, Ordering::AcqRel);
        Self { link: Arc::clone(link) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.link.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Link {
    /// Speaks HTTP/2 on `stream` and drives it in a task that ends with the connection.
    pub(super) async fn open(stream: Stream) -> io::Result<Arc<Self>> {
        if !stream.may_speak_h2() {
            return Err(io::Error::other("the peer does not speak HTTP/2"));
        }
        let handshake = h2::client::Builder::new()
            .enable_push(false)
            .initial_max_send_streams(1)
            .max_header_list_size(HEADER_BYTES_MAX)
            .handshake(stream);
        let opened = timeout(CONNECT_WITHIN, handshake).await;
        let (send, mut connection) =
            opened.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)?;
        let ended = Arc::new(AtomicBool::new(false));
        let pings = connection.ping_pong();
        tokio::spawn(drive(connection, pings, Arc::clone(&ended)));
        let (turns, under_way) = (Semaphore::new(1), AtomicUsize::new(0));
        Ok(Arc::new(Self { send, turns, under_way, ended }))
    }

    /// Whether a new request may be given to it.
    pub(super) fn is_open(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }

    /// Requests it was given and has not answered.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    /// Whether a further request would wait for a stream.
    pub(super) fn is_full(&self) -> bool {
        self.under_way() >= self.send.current_max_send_streams()
    }

    /// Whether a request on it succeeded.
    pub(super) fn is_proven(&self) -> bool {
        self.turns.is_closed()
    }

    /// Takes no new requests; those under way go on.
    pub(super) fn retire(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// One request and its answer, within [`ANSWER_WITHIN`].
    pub(super) async fn exchange(
        &self,
        head: Request<()>,
        body: Bytes,
    ) -> Result<Reply, LinkError> {
        match timeout(ANSWER_WITHIN, self.send(head, body)).await {
            Ok(result) => result,
            Err(_) => Err(LinkError::Timeout),
        }
    }

    async fn send(&self, head: Request<()>, body: Bytes) -> Result<Reply, LinkError> {
        let _turn: Option<SemaphorePermit<'_>> = self.turns.acquire().await.ok();
        let unprocessed = |_| LinkError::Unprocessed;
        // `ready` and the opening of the stream keep to the peer's MAX_CONCURRENT_STREAMS.
        let mut send = self.send.clone().ready().await.map_err(unprocessed)?;
        let (answer, mut stream) = send.send_request(head, false).map_err(unprocessed)?;
        // An error here also ends the answer, which knows more about it.
        let _ = stream.send_data(body, true);
        let reply = receive(answer).await?;
        if reply.head.status == StatusCode::OK {
            self.turns.close();
        }
        Ok(reply)
    }
}

async fn receive(answer: ResponseFuture) -> Result<Reply, LinkError> {
    let (head, mut stream) = answer.await.map_err(|error| cause(&error))?.into_parts();
    let body = read_body(&mut stream).await;
    Ok(Reply { head, body })
}

/// What can be read of a body. The status has said the most important; a broken or endless body
/// leaves it standing.
async fn read_body(stream: &mut RecvStream) -> Bytes {
    let mut body = Vec::new();
    while let Some(Ok(chunk)) = stream.data().await {
        let _ = stream.flow_control().release_capacity(chunk.len());
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            body.clear();
            break;
        }
    }
    body.into()
}

/// h2 gives the peer's GOAWAY only to streams above its last processed one; streams below it fail
/// with the input/output error that follows.
fn cause(error: &h2::Error) -> LinkError {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    if error.is_remote() && (error.is_go_away() || refused) {
        LinkError::Unprocessed
    } else {
        LinkError::Lost
    }
}

/// Runs the connection until it ends or no longer answers pings.
async fn drive(
    connection: Connection<Stream, Bytes>,
    pings: Option<PingPong>,
    ended: Arc<AtomicBool>,
) {
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(%error, "APNs connection ended");
            }
        }
        () = unanswered(pings) => tracing::debug!("APNs connection answers no ping"),
    }
    ended.store(true, Ordering::Release);
}

/// Ends when a ping is not answered.
async fn unanswered(pings: Option<PingPong>) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        sleep(PING_EVERY).await;
        match timeout(PONG_WITHIN, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            _ => return,
        }
    }
}
