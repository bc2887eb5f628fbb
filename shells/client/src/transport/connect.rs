//! From an address to an open connection.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nightjar_client_core::{Addresses, ConnectPhase, Race, Turn, defaults};
use nightjar_model::Mono;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;

use super::stream::PacketStream;
use super::websocket::{PacketSocket, config};
use super::{Address, Carrier, Connection};

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

impl ConnectError {
    /// What the attempt did not get over, if that is known.
    pub(crate) fn phase(&self) -> Option<ConnectPhase> {
        Some(match self {
            Self::Lookup { .. } => ConnectPhase::Name,
            Self::Unreachable { .. } => ConnectPhase::Reach,
            Self::Name { .. } | Self::Tls { .. } | Self::WebSocket { .. } => ConnectPhase::Tls,
            Self::TooSlow { .. } => return None,
        })
    }
}

/// A byte stream, encrypted or not.
pub(crate) type Stream = Box<dyn ReadWrite>;

pub(crate) trait ReadWrite: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadWrite for S {}

/// Opens connections. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    addresses: Arc<Mutex<Addresses>>,
    /// Where the time of `addresses` begins.
    since: Instant,
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
        Ok(Self { tls: Arc::new(config).into(), addresses: Arc::default(), since: Instant::now() })
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
        let opened = timeout(within, self.open(address)).await;
        let too_slow =
            |_| ConnectError::TooSlow { address: address.clone(), within_ms: within.as_millis() };
        Ok(Connection { carrier: opened.map_err(too_slow)?? })
    }

    /// Opens a byte stream, encrypted where the address says so.
    pub(crate) async fn stream(
        &self,
        address: &Address,
        within: Duration,
    ) -> Result<Stream, ConnectError> {
        let opened = timeout(within, self.race(address, |socket| self.stream_at(address, socket)));
        let too_slow =
            |_| ConnectError::TooSlow { address: address.clone(), within_ms: within.as_millis() };
        opened.await.map_err(too_slow)?
    }

    async fn open(&self, address: &Address) -> Result<Box<dyn Carrier>, ConnectError> {
        let open =
            |socket| async move { carry(address, self.stream_at(address, socket).await?).await };
        self.race(address, open).await
    }

    /// Races the host's addresses; the first that is open wins.
    async fn race<T, F: Future<Output = Result<T, ConnectError>>>(
        &self,
        address: &Address,
        open: impl Fn(SocketAddr) -> F,
    ) -> Result<T, ConnectError> {
        let found = look_up(address).await?;
        let mut race = Race::new(self.addresses().order(&found, self.now()), self.now());
        let mut running = FuturesUnordered::new();
        let nobody = io::ErrorKind::NotFound.into();
        let mut failure = ConnectError::Unreachable { address: address.clone(), source: nobody };
        loop {
            let wait = match race.turn(self.now()) {
                Turn::Start(socket) => {
                    let opening = open(socket);
                    running.push(async move { (socket, opening.await) });
                    continue;
                }
                Turn::Over => return Err(failure),
                Turn::Wait(until) => until.map(|at| Duration::from_millis(at.since(self.now()))),
            };
            let ended = tokio::select! {
                ended = running.next() => ended,
                () = sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => continue,
            };
            match ended {
                Some((socket, Ok(opened))) => {
                    self.addresses().worked(socket, self.now());
                    return Ok(opened);
                }
                Some((socket, Err(error))) => {
                    self.addresses().failed(socket, self.now());
                    race.failed(self.now());
                    failure = error;
                }
                None => return Err(failure),
            }
        }
    }

    /// Within the time of one address: TCP, and TLS where the address says so.
    async fn stream_at(
        &self,
        address: &Address,
        socket: SocketAddr,
    ) -> Result<Stream, ConnectError> {
        let within = Duration::from_millis(defaults::ADDRESS_MS);
        let opened = timeout(within, self.open_stream(address, socket)).await;
        opened.unwrap_or_else(|_| {
            let source = io::ErrorKind::TimedOut.into();
            Err(ConnectError::Unreachable { address: address.clone(), source })
        })
    }

    async fn open_stream(
        &self,
        address: &Address,
        socket: SocketAddr,
    ) -> Result<Stream, ConnectError> {
        let opened = TcpStream::connect(socket).await;
        let stream = opened
            .map_err(|source| ConnectError::Unreachable { address: address.clone(), source })?;
        // Without it a packet may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        if !address.is_encrypted {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(address.host.clone())
            .map_err(|_| ConnectError::Name { address: address.clone() })?;
        let opened = self.tls.connect(name, stream).await;
        let failed = |source| ConnectError::Tls { address: address.clone(), source };
        Ok(Box::new(opened.map_err(failed)?))
    }

    fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Mono {
        Mono(u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX))
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

/// What may be tried of the host.
async fn look_up(address: &Address) -> Result<Vec<SocketAddr>, ConnectError> {
    let found = lookup_host((address.host.as_str(), address.port)).await;
    let found =
        found.map_err(|source| ConnectError::Lookup { address: address.clone(), source })?;
    Ok(found.collect())
}

async fn carry(address: &Address, stream: Stream) -> Result<Box<dyn Carrier>, ConnectError> {
    if address.path.is_none() {
        return Ok(Box::new(PacketStream::new(stream)));
    }
    let (socket, _) =
        client_async_with_config(address.to_string(), stream, Some(config())).await.map_err(
            |error| ConnectError::WebSocket { address: address.clone(), source: Box::new(error) },
        )?;
    Ok(Box::new(PacketSocket::new(socket)))
}
