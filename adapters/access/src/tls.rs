//! TLS from certificate files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
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

/// Reads a certificate chain and its key (PEM) into a server's configuration, TLS 1.2 and 1.3.
///
/// # Errors
/// [`TlsError`] names the file and the reason.
pub fn server_config(cert_file: &Path, key_file: &Path) -> Result<Arc<ServerConfig>, TlsError> {
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    // Half a record is not held back for long: small writes, small buffers.
    config.max_fragment_size = None;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}
