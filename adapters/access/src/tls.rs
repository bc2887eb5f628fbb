//! TLS from certificate files, which may be exchanged while they are served.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read as PEM.
    #[error("{what} '{}' cannot be read as PEM: {reason}", path.display())]
    File {
        /// Certificate or key.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not go together.
    #[error("the certificate and the key do not go together")]
    Pair(#[source] rustls::Error),
}

/// A certificate chain and its key in files. What was read last is served, until it is read anew.
#[derive(Debug, Clone)]
pub struct Certificate {
    cert_file: PathBuf,
    key_file: PathBuf,
    served: Arc<Served>,
}

#[derive(Debug)]
struct Served(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Certificate {
    /// Reads both files (PEM).
    ///
    /// # Errors
    /// [`TlsError`] names the file and the reason.
    pub fn open(cert_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let served = Arc::new(Served(RwLock::new(read(cert_file, key_file)?)));
        Ok(Self { cert_file: cert_file.to_owned(), key_file: key_file.to_owned(), served })
    }

    /// Reads both files again: new connections get what they hold now. Those that are open go on.
    ///
    /// # Errors
    /// [`TlsError`]; what was served goes on to be.
    pub fn reload(&self) -> Result<(), TlsError> {
        let read = read(&self.cert_file, &self.key_file)?;
        *self.served.0.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> [&Path; 2] {
        [&self.cert_file, &self.key_file]
    }

    /// A server's configuration that serves it, TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// [`TlsError`], which cannot come with the versions that are built in.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.served) as Arc<dyn ResolvesServerCert>);
        // Half a record is not held back for long: small writes, small buffers.
        config.max_fragment_size = None;
        config.send_tls13_tickets = 1;
        Ok(Arc::new(config))
    }
}

/// A server's configuration for one reading of the files.
///
/// # Errors
/// [`TlsError`] names the file and the reason.
pub fn server_config(cert_file: &Path, key_file: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    Certificate::open(cert_file, key_file)?.server_config()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(cert_file: &Path, key_file: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let file_error = |what, path: &Path, error: rustls_pki_types::pem::Error| TlsError::File {
        what,
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert_file)
        .and_then(Iterator::collect)
        .map_err(|error| file_error("certificate file", cert_file, error))?;
    let key = PrivateKeyDer::from_pem_file(key_file)
        .map_err(|error| file_error("key file", key_file, error))?;
    CertifiedKey::from_der(chain, key, &provider()).map(Arc::new).map_err(TlsError::Pair)
}
