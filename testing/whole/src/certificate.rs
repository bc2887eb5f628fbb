//! A certificate for `localhost` and a client that trusts it alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

/// A self-signed certificate in files; removed when dropped.
#[derive(Debug)]
pub struct Certificate {
    folder: TempDir,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// A new one.
    ///
    /// # Panics
    /// When there is no room for two small files.
    #[must_use]
    pub fn generate() -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        Self { der: write(folder.path()), folder }
    }

    /// Another certificate and key take the place of these in their files; answers a client that
    /// trusts the new one alone.
    ///
    /// # Panics
    /// When there is no room for two small files.
    #[must_use]
    pub fn renew(&self) -> Arc<ClientConfig> {
        trusting(write(self.folder.path()))
    }

    /// The chain as PEM.
    #[must_use]
    pub fn cert_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The key as PEM.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// A client that trusts this certificate and no other.
    ///
    /// # Panics
    /// Never: the certificate is well-formed.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        trusting(self.der.clone())
    }
}

fn write(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text);
    write("cert.pem", made.cert.pem()).expect("there is room for a certificate");
    write("key.pem", made.signing_key.serialize_pem()).expect("there is room for a key");
    made.cert.der().clone()
}

fn trusting(der: CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(der).expect("a well-formed certificate");
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("ring has what the default versions need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
