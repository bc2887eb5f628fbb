//! TLS before the server, for those who prove themselves with a certificate.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// The name of the client's certificate file.
pub(super) const CERT_FILE: &str = "client.pem";
/// The name of its key's file.
pub(super) const KEY_FILE: &str = "client.key";

/// A certificate authority that signed the server and one client.
pub(super) struct Front {
    pub(super) authority: CertificateDer<'static>,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Front {
    /// Makes all of them and writes the client's into `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, key()).expect("a certificate");
        let issue = |name: &str, key: &KeyPair| {
            let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            params.signed_by(key, &authority).expect("a certificate")
        };
        let client_key = key();
        let client = issue("client.example", &client_key);
        std::fs::write(folder.join(CERT_FILE), client.pem()).expect("there is room");
        std::fs::write(folder.join(KEY_FILE), client_key.serialize_pem()).expect("there is room");

        let server_key = key();
        let server = issue("localhost", &server_key);
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("its own certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the usual versions")
            .with_client_cert_verifier(verifier.build().expect("there is a root"))
            .with_single_cert(vec![server.der().clone()], secret)
            .expect("certificate and key belong together");
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self { authority: authority.der().clone(), acceptor }
    }

    /// Passes on what those with the right certificate say.
    pub(super) async fn run(acceptor: TlsAcceptor, listener: TcpListener, server: SocketAddr) {
        let mut connections = JoinSet::new();
        while let Ok((tcp, _)) = listener.accept().await {
            while connections.try_join_next().is_some() {}
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let mut outer = acceptor.accept(tcp).await?;
                let mut inner = TcpStream::connect(server).await?;
                copy_bidirectional(&mut outer, &mut inner).await
            });
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("random bytes")
}
