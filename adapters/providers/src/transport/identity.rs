//! What this side shows of itself when a TLS connection is opened.

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A client certificate with its chain, and its key.
pub(crate) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both; the error says what is wrong with them and repeats none of it.
    pub(crate) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = certificates.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or("holds no PEM block BEGIN CERTIFICATE")?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| "has a key_file without a PEM block BEGIN PRIVATE KEY".to_owned())?;
        Ok(Self { chain, key })
    }
}
