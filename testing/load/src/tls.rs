//! TLS of the clients, and a certificate for a server of the tool's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Certificate and key of a server, as files.
pub(crate) struct Pair {
    /// PEM.
    pub(crate) cert_file: PathBuf,
    /// PEM.
    pub(crate) key_file: PathBuf,
}

/// Makes a self-signed certificate for this machine.
pub(crate) fn make_pair(directory: &Path) -> anyhow::Result<Pair> {
    let made = rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])
        .context("no certificate could be made")?;
    let pair = Pair { cert_file: directory.join("cert.pem"), key_file: directory.join("key.pem") };
    for (file, text) in
        [(&pair.cert_file, made.cert.pem()), (&pair.key_file, made.signing_key.serialize_pem())]
    {
        std::fs::write(file, text)
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(pair)
}

/// What clients trust: the usual authorities, and those of a file.
///
/// # Errors
/// The file cannot be read as PEM.
pub(crate) fn client_config(ca_file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        let what = || format!("--ca-file {} cannot be read as PEM certificates", file.display());
        for certificate in CertificateDer::pem_file_iter(file).with_context(what)? {
            roots.add(certificate.with_context(what)?).with_context(what)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Every client is another device: none has a ticket of an earlier connection.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
