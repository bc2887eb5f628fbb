//! Request and answer over pooled connections, HTTP/2 where TLS agrees on it, else HTTP/1.1.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use nightjar_push::{Answer, Outcome};
use tokio::time::timeout;
use tower::Service;

use super::{
    ALPN_H2, ALPN_HTTP1, ANSWER_BYTES_MAX, ANSWER_WITHIN, Connector, Origin, OutOfReach, Reach,
    Stream,
};

/// Shorter than the idle time-out of the providers' front ends.
const IDLE_KEPT: Duration = Duration::from_secs(60);
/// Idle connections kept to one host.
const IDLE_CONNECTIONS_MAX: usize = 32;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HttpError {
    /// No connection could be opened; nothing was sent.
    Connect,
    /// The address is not one that may be reached; nothing was sent.
    OutOfReach,
    /// The connection broke; the request may have been processed.
    Lost,
    /// No whole answer in time; the request may have been processed.
    Timeout,
    /// The answer was longer than [`ANSWER_BYTES_MAX`].
    AnswerTooLarge,
}

impl HttpError {
    /// The stable name in traces.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connection_failed",
            Self::OutOfReach => "private_address",
            Self::Lost => "connection_lost",
            Self::Timeout => "timeout",
            Self::AnswerTooLarge => "answer_too_large",
        }
    }

    /// What it comes to for the push it was about.
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Connect => Answer::unsent(self.as_str()),
            // Not for the whole credential: one stranger's address says nothing about the others.
            Self::OutOfReach => Answer {
                vendor: "allow_private permits private addresses".into(),
                ..Answer::new(Outcome::Reject, self.as_str())
            },
            Self::Lost | Self::Timeout | Self::AnswerTooLarge => {
                Answer::new(Outcome::Retry, self.as_str())
            }
        }
    }
}

/// Follows no redirect, repeats nothing that was written.
pub(crate) struct HttpClient {
    client: Client<Connector, Full<Bytes>>,
    answer_within: Duration,
}

impl HttpClient {
    /// A client without connections, for servers the operator named.
    pub(crate) fn new() -> Self {
        Self::within(Reach::Named, ANSWER_WITHIN)
    }

    /// A client without connections that reaches no further and waits no longer.
    pub(crate) fn within(reach: Reach, answer_within: Duration) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_KEPT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(Connector::new(&[ALPN_H2, ALPN_HTTP1]).within(reach));
        Self { client, answer_within }
    }

    /// [`HttpClient::send`] of a POST.
    pub(crate) async fn post(
        &self,
        url: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(response::Parts, Bytes), HttpError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers;
        self.send(request).await
    }

    /// One request and its whole answer, within the time of this client.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(response::Parts, Bytes), HttpError> {
        match timeout(self.answer_within, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::Timeout),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(response::Parts, Bytes), HttpError> {
        let answer = self.client.request(request).await.map_err(|error| {
            if is_out_of_reach(&error) {
                HttpError::OutOfReach
            } else if error.is_connect() {
                HttpError::Connect
            } else {
                HttpError::Lost
            }
        })?;
        let (parts, body) = answer.into_parts();
        match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
            Ok(body) => Ok((parts, body.to_bytes())),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(HttpError::AnswerTooLarge)
            }
            Err(_) => Err(HttpError::Lost),
        }
    }
}

/// Whether the cause at the bottom is [`OutOfReach`].
fn is_out_of_reach(error: &(dyn Error + 'static)) -> bool {
    let of_io = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    of_io.is_some_and(|inner| inner.is::<OutOfReach>())
        || error.source().is_some_and(is_out_of_reach)
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let origin = Origin::read(&uri.to_string())
                .map_err(|reason| io::Error::new(io::ErrorKind::InvalidInput, reason))?;
            connector.connect(&origin).await.map(TokioIo::new)
        })
    }
}
