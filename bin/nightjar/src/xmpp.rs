//! `[xmpp]`: its options, its certificate, its listeners.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::Context;
use nightjar_access::{HandshakeRate, Passwords};
use nightjar_decider::Handle;
use nightjar_gateway_xmpp::{Door, XmppGateway};
use nightjar_model::Secret;
use nightjar_xmpp_session::StreamConfig;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::serve::{bind_unless_taken, write_private};

/// Where XMPP listens unless somebody chose otherwise.
const LISTEN: &str = "127.0.0.1:5222";
/// Where XMPP over direct TLS listens unless somebody chose otherwise.
const LISTEN_TLS: &str = "127.0.0.1:5223";

/// `[xmpp]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct XmppSection {
    /// TCP with STARTTLS. Default `127.0.0.1:5222`, left out where the port is taken; empty turns
    /// it off.
    pub(crate) listen: String,
    /// Direct TLS. Default `127.0.0.1:5223`, left out where the port is taken; empty turns it off.
    pub(crate) tls: String,
    /// The domain of every account. Default `localhost`.
    pub(crate) domain: String,
    /// Certificate chain, PEM. Without one the server makes its own, for loopback.
    pub(crate) cert_file: Option<PathBuf>,
    /// Its key, PEM.
    pub(crate) key_file: Option<PathBuf>,
    /// `never` (default), or `loopback`: no TLS is asked for on a loopback address.
    pub(crate) allow_plaintext: Plaintext,
    /// Accept passwords as they are, over TLS. Not offered by this version.
    pub(crate) sasl_plain: bool,
    /// Where components connect. Not offered by this version.
    pub(crate) component: String,
    /// Their secrets, by domain. Not offered by this version.
    pub(crate) components: std::collections::BTreeMap<String, Secret<String>>,
}

/// Where a login may travel unencrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Plaintext {
    /// Nowhere.
    Never,
    /// Within this machine.
    Loopback,
}

impl Default for XmppSection {
    fn default() -> Self {
        Self {
            listen: LISTEN.into(),
            tls: LISTEN_TLS.into(),
            domain: "localhost".into(),
            cert_file: None,
            key_file: None,
            allow_plaintext: Plaintext::Never,
            sasl_plain: false,
            component: String::new(),
            components: Default::default(),
        }
    }
}

impl XmppSection {
    /// Options and addresses that listeners on other addresses than loopback would need TLS for.
    pub(crate) fn listeners(&self) -> [(&'static str, &str, bool); 2] {
        let has_tls = self.cert_file.is_some();
        [("xmpp.listen", self.listen.as_str(), has_tls), ("xmpp.tls", self.tls.as_str(), has_tls)]
    }

    /// What is wrong with it: an option and why.
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str)> {
        if self.cert_file.is_some() != self.key_file.is_some() {
            return Some(("xmpp.cert_file", "needs xmpp.key_file beside it, and the other way"));
        }
        let is_domain = nightjar_xmpp::Jid::parse(&self.domain)
            .is_ok_and(|jid| jid.local().is_none() && jid.to_string() == self.domain);
        if !is_domain {
            return Some(("xmpp.domain", "is no domain in lower case, such as chat.example"));
        }
        None
    }

    /// Options that are named but not offered by this version.
    pub(crate) fn not_offered(&self) -> impl Iterator<Item = &'static str> {
        let has_components = !self.component.is_empty() || !self.components.is_empty();
        let plain = self.sasl_plain.then_some("xmpp.sasl_plain");
        plain.into_iter().chain(has_components.then_some("xmpp.component"))
    }
}

/// The front doors that are open.
pub(crate) struct Xmpp {
    /// For the WebSocket on the HTTP port.
    pub(crate) gateway: Arc<XmppGateway>,
    /// Where STARTTLS listens.
    pub(crate) listen: Option<SocketAddr>,
    /// Where direct TLS listens.
    pub(crate) tls: Option<SocketAddr>,
}

/// What the front doors need of the rest of the server.
pub(crate) struct Shared {
    pub(crate) handle: Handle,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) handshakes_per_s: u32,
    pub(crate) connections_max: usize,
}

/// Opens the front doors.
pub(crate) async fn start(
    section: &XmppSection,
    data_dir: &Path,
    shared: Shared,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<Xmpp> {
    let (cert_file, key_file) = match (&section.cert_file, &section.key_file) {
        (Some(cert), Some(key)) => (cert.clone(), key.clone()),
        _ => own_certificate(data_dir, &section.domain)?,
    };
    let tls = nightjar_access::server_config(&cert_file, &key_file)?;
    let certificate = CertificateDer::pem_file_iter(&cert_file)?
        .next()
        .context("xmpp.cert_file holds no certificate")??;
    let direct = TlsAcceptor::from(Arc::new(XmppGateway::with_alpn((*tls).clone())));
    let gateway = Arc::new(XmppGateway {
        handle: shared.handle,
        passwords: shared.passwords,
        config: Arc::new(StreamConfig { domain: section.domain.clone() }),
        tls: Some((TlsAcceptor::from(tls), certificate)),
        rate: Arc::new(HandshakeRate::new(shared.handshakes_per_s)),
        connections_max: shared.connections_max,
        connections: AtomicUsize::new(0),
    });
    let door = match section.allow_plaintext {
        Plaintext::Never => Door::StartTls,
        Plaintext::Loopback => Door::Plain,
    };
    let mut addresses = [None, None];
    let doors = [
        ("xmpp.listen", &section.listen, LISTEN, door, None),
        ("xmpp.tls", &section.tls, LISTEN_TLS, Door::Tls, Some(direct)),
    ];
    for (address, (option, chosen, default, door, direct)) in addresses.iter_mut().zip(doors) {
        let Some(listener) = bind_unless_taken(chosen, option, default).await? else { continue };
        *address = Some(listener.local_addr().context("a listener has no address")?);
        let gateway = Arc::clone(&gateway);
        tokio::spawn(gateway.serve(listener, door, direct, stopping.clone()));
    }
    let [listen, tls] = addresses;
    Ok(Xmpp { gateway, listen, tls })
}

/// A certificate of this server's own, kept so that a client that trusted it once goes on doing so.
fn own_certificate(data_dir: &Path, domain: &str) -> anyhow::Result<(PathBuf, PathBuf)> {
    let cert_file = data_dir.join("xmpp-cert.pem");
    let key_file = data_dir.join("xmpp-key.pem");
    if !cert_file.exists() || !key_file.exists() {
        let made = rcgen::generate_simple_self_signed([domain.to_owned()])
            .context("no certificate could be made")?;
        let _ = std::fs::remove_file(&key_file);
        write_private(&key_file, &made.signing_key.serialize_pem())
            .with_context(|| format!("{} cannot be written", key_file.display()))?;
        std::fs::write(&cert_file, made.cert.pem())
            .with_context(|| format!("{} cannot be written", cert_file.display()))?;
    }
    Ok((cert_file, key_file))
}
