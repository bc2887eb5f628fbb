//! One POST to an address an operator named: no redirects, no private addresses unless allowed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use nightjar_outgoing::is_public;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// From the name look-up to the status line.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Why an address cannot be a receiver.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// Not an `http` or `https` URL with a host.
    #[error("'{0}' is not an http:// or https:// URL")]
    NotUrl(String),
}

/// Why a POST was not answered.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The name has no address.
    #[error("the receiver's name could not be resolved")]
    Resolve(#[source] std::io::Error),
    /// The address is this machine's or a private one.
    #[error("the receiver's address {0} is private; set allow_private to permit it")]
    Private(IpAddr),
    /// TCP or TLS failed.
    #[error("no connection to the receiver")]
    Connect(#[source] std::io::Error),
    /// The request or its answer broke.
    #[error("the exchange with the receiver failed")]
    Exchange(#[from] hyper::Error),
    /// No answer in time.
    #[error("no answer within 15 s")]
    Timeout,
}

/// A receiver.
#[derive(Clone)]
pub struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    allow_private: bool,
}

impl Target {
    /// Reads a URL. `allow_private` permits loopback and private addresses.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(url: &str, allow_private: bool) -> Result<Self, TargetError> {
        let not_url = || TargetError::NotUrl(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| not_url())?;
        let host = uri.host().ok_or_else(not_url)?.trim_matches(['[', ']']).to_owned();
        let (is_tls, port) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            _ => return Err(not_url()),
        };
        let port = uri.port_u16().unwrap_or(port);
        let tls = is_tls.then(connector);
        Ok(Self { uri, host, port, tls, allow_private })
    }

    /// Sends one event and answers the status.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn post(
        &self,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<StatusCode, PostError> {
        timeout(ANSWER_WITHIN, self.exchange(headers, body))
            .await
            .unwrap_or(Err(PostError::Timeout))
    }

    async fn exchange(
        &self,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<StatusCode, PostError> {
        // The address that was checked is the one that is used: a name cannot change in between.
        let address = self.resolve().await?;
        let stream = TcpStream::connect(address).await.map_err(PostError::Connect)?;
        match &self.tls {
            None => self.send(stream, headers, body).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone())
                    .map_err(|error| PostError::Connect(std::io::Error::other(error)))?;
                let stream = tls.connect(name, stream).await.map_err(PostError::Connect)?;
                self.send(stream, headers, body).await
            }
        }
    }

    pub(crate) async fn resolve(&self) -> Result<SocketAddr, PostError> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(PostError::Resolve)?;
        let mut refused = None;
        for address in found {
            if self.allow_private || is_public(address.ip()) {
                return Ok(address);
            }
            refused = Some(address.ip());
        }
        Err(refused.map_or_else(
            || PostError::Resolve(std::io::Error::from(std::io::ErrorKind::NotFound)),
            PostError::Private,
        ))
    }

    async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<StatusCode, PostError> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(http::header::HOST, self.uri.authority().map_or("", |a| a.as_str()))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::USER_AGENT, "nightjar");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .expect("the URL was parsed and the headers hold visible ASCII");
        let answer = sender.send_request(request).await;
        driver.abort();
        Ok(answer?.status())
    }
}

fn connector() -> TlsConnector {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_are_targets() {
        assert!(Target::parse("http://127.0.0.1:9/hook", true).is_ok());
        for bad in ["", "example.com", "ftp://example.com", "http://"] {
            assert!(Target::parse(bad, true).is_err(), "{bad}");
        }
    }
}
