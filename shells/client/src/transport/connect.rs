//! From an address to an open connection.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;

use super::stream::PacketStream;
use super::websocket::{PacketSocket, config};
use super::{Address, Carrier, Connection};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Why the certificates to trust cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Not readable, or not PEM.
    #[error("cannot read certificates from {path}; it must be a PEM file")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// Nothing in it.
    #[error("{path} holds no certificate; it must be a PEM file with those to trust")]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// Not a certificate one can trust.
    #[error("{path} holds a certificate that cannot be used")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// TLS itself.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name is not known.
    #[error("the host of {address} cannot be found")]
    Lookup {
        /// Where to.
        address: Address,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nobody listens there, or there is no way there; of several addresses, the last one.
    #[error("{address} cannot be reached")]
    Unreachable {
        /// Where to.
        address: Address,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The host cannot be in a certificate.
    #[error("the host of {address} cannot be the name in a certificate")]
    Name {
        /// Where to.
        address: Address,
    },
    /// The server does not speak TLS there, or its certificate is not trusted.
    #[error("no safe connection to {address}")]
    Tls {
        /// Where to.
        address: Address,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// There is no WebSocket at this address.
    #[error("{address} opens no WebSocket")]
    WebSocket {
        /// Where to.
        address: Address,
        /// What came instead.
        #[source]
        source: Box<tokio_tungstenite::tungstenite::Error>,
    },
    /// It took too long.
    #[error("{address} did not open within {within_ms} ms")]
    TooSlow {
        /// Where to.
        address: Address,
        /// How long was waited, in milliseconds.
        within_ms: u128,
    },
}

/// Opens connections. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    /// Trusts the authorities browsers trust (webpki-roots), and those in a PEM file.
    ///
    /// # Errors
    /// [`TrustError`] names what is wrong with the file.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = ca_file {
            trust(&mut roots, file)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(config).into() })
    }

    /// Opens a connection; everything up to its first packet has to happen within the time.
    ///
    /// # Errors
    /// [`ConnectError`] names the step that failed.
    pub async fn connect(
        &self,
        address: &Address,
        within: Duration,
    ) -> Result<Connection, ConnectError> {
        let opened = timeout(within, self.open(address, Instant::now() + within)).await;
        let too_slow =
            |_| ConnectError::TooSlow { address: address.clone(), within_ms: within.as_millis() };
        Ok(Connection { carrier: opened.map_err(too_slow)?? })
    }

    async fn open(
        &self,
        address: &Address,
        until: Instant,
    ) -> Result<Box<dyn Carrier>, ConnectError> {
        let stream = reach(address, until).await?;
        if !address.is_encrypted {
            return carry(address, stream).await;
        }
        let name = ServerName::try_from(address.host.clone())
            .map_err(|_| ConnectError::Name { address: address.clone() })?;
        let stream = self
            .tls
            .connect(name, stream)
            .await
            .map_err(|source| ConnectError::Tls { address: address.clone(), source })?;
        carry(address, stream).await
    }
}

fn trust(roots: &mut RootCertStore, file: &Path) -> Result<(), TrustError> {
    let path = || file.to_owned();
    let unread = |source| TrustError::File { path: path(), source };
    let mut is_empty = true;
    for certificate in CertificateDer::pem_file_iter(file).map_err(unread)? {
        roots
            .add(certificate.map_err(unread)?)
            .map_err(|source| TrustError::Certificate { path: path(), source })?;
        is_empty = false;
    }
    if is_empty { Err(TrustError::Empty { path: path() }) } else { Ok(()) }
}

/// Tries the host's addresses in turn. Each gets its share of the time that is left, so that one
/// that swallows everything leaves time for the next.
async fn reach(address: &Address, until: Instant) -> Result<TcpStream, ConnectError> {
    let lookup = lookup_host((address.host.as_str(), address.port)).await;
    let found: Vec<SocketAddr> = lookup
        .map_err(|source| ConnectError::Lookup { address: address.clone(), source })?
        .take(ADDRESSES_MAX)
        .collect();
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for (tried, socket) in found.iter().enumerate() {
        let now = Instant::now();
        let share = until.saturating_duration_since(now) / (found.len() - tried) as u32;
        match timeout_at(now + share, TcpStream::connect(socket)).await {
            Ok(Ok(stream)) => {
                // Without it a packet may wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(ConnectError::Unreachable { address: address.clone(), source: failure })
}

async fn carry<S>(address: &Address, stream: S) -> Result<Box<dyn Carrier>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if address.path.is_none() {
        return Ok(Box::new(PacketStream::new(stream)));
    }
    let (socket, _) =
        client_async_with_config(address.to_string(), stream, Some(config())).await.map_err(
            |error| ConnectError::WebSocket { address: address.clone(), source: Box::new(error) },
        )?;
    Ok(Box::new(PacketSocket::new(socket)))
}
