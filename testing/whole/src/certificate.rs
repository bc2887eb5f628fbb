//! A certificate for `localhost` and a client that trusts it alone.

use std::path::PathBuf;
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
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
        let folder = TempDir::new().expect("there is room for a folder");
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text);
        write("cert.pem", made.cert.pem()).expect("there is room for a certificate");
        write("key.pem", made.signing_key.serialize_pem()).expect("there is room for a key");
        Self { der: made.cert.der().clone(), folder }
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
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a well-formed certificate");
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .expect("ring has what the default versions need")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}
