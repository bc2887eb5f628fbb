//! Connections to providers: TLS, or plain on loopback; every wait and every answer is bounded.

mod http_client;
mod identity;
mod stream;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use nightjar_outgoing::is_public;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

pub(crate) use http_client::{HttpClient, HttpError};
pub(crate) use identity::Identity;
pub(crate) use stream::Stream;

/// From the name look-up to the end of the TLS handshake.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// From the request to the last byte of its answer.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of an answer that are read.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 10;

/// ALPN name of HTTP/2 (RFC 9113 §3.1).
pub(crate) const ALPN_H2: &[u8] = b"h2";
/// ALPN name of HTTP/1.1.
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Where connections may lead. What a name leads to is looked up for each connection, and the
/// address that was judged is the one that is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To servers the operator named: anywhere with TLS, on loopback without.
    Named,
    /// To servers a stranger named: public addresses, with TLS.
    Public,
    /// To servers a stranger named, private ones included, those without TLS too.
    Private,
}

impl Reach {
    /// For URLs that others named.
    pub(crate) fn to_strangers(allow_private: bool) -> Self {
        if allow_private { Self::Private } else { Self::Public }
    }

    fn permits(self, tls: bool, address: IpAddr) -> bool {
        match self {
            Self::Named => tls || address.is_loopback(),
            Self::Public => tls && is_public(address),
            Self::Private => tls || !is_public(address),
        }
    }
}

/// Why nothing was dialled.
#[derive(Debug, thiserror::Error)]
#[error("the address is out of reach: private, or public without TLS")]
pub(crate) struct OutOfReach;

/// A server: scheme, host, port and what stands before every path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    tls: bool,
    host: String,
    port: u16,
    /// The text before a path, without a slash at its end.
    url: String,
}

impl Origin {
    /// Reads a `base_url`. `http://` is taken for loopback only; the error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let origin = Self::read(text)?;
        if !origin.tls && !is_loopback_name(&origin.host) {
            return Err("http:// is accepted for loopback only".into());
        }
        Ok(origin)
    }

    /// Reads the URL of any server; the error says what is wrong.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let url = text.trim_end_matches('/');
        let uri: Uri = url.parse().map_err(|_| "is not a URL".to_owned())?;
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err("may hold a scheme, a host, a port and a path, nothing else".into());
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let (tls, port) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            _ => return Err("begins with neither https:// nor http://".into()),
        };
        let port = authority.port_u16().unwrap_or(port);
        Ok(Self { tls, host, port, url: url.to_owned() })
    }

    /// The whole URL of a path that begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The same, ready to be asked; the error says what is wrong.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, &'static str> {
        self.url(path).parse().map_err(|_| "makes no URL with a path behind it")
    }
}

/// `scheme://host[:port]` as RFC 6454 writes it; `None` for a URL that names no server of the web, or somebody's password.
pub(crate) fn origin_of(url: &Uri) -> Option<String> {
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    Some(match authority.port_u16() {
        Some(port) if port != usual => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

fn is_loopback_name(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The certificate authorities the browsers trust.
pub(crate) fn public_roots() -> rustls::RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// Opens connections. Names are looked up anew for each.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: TlsConnector,
    reach: Reach,
}

impl Connector {
    /// Trusts the certificate authorities the browsers trust, offers `alpn`, reaches what the
    /// operator named.
    pub(crate) fn new(alpn: &[&[u8]]) -> Self {
        Self::trusting(public_roots(), alpn, None).expect("without an identity nothing is refused")
    }

    /// Trusts only `roots`, and shows `identity` to a server that asks. The error says why that
    /// cannot be shown.
    pub(crate) fn trusting(
        roots: rustls::RootCertStore,
        alpn: &[&[u8]],
        identity: Option<Identity>,
    ) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                config.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), reach: Reach::Named })
    }

    /// The same within another reach.
    pub(crate) fn within(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// A connection to `origin`, within [`CONNECT_WITHIN`].
    pub(crate) async fn connect(&self, origin: &Origin) -> io::Result<Stream> {
        match timeout(CONNECT_WITHIN, self.open(origin)).await {
            Ok(opened) => opened,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn open(&self, origin: &Origin) -> io::Result<Stream> {
        let tcp = self.dial(origin).await?;
        tcp.set_nodelay(true)?;
        if !origin.tls {
            return Ok(Stream::Plain(tcp));
        }
        let name = ServerName::try_from(origin.host.clone()).map_err(io::Error::other)?;
        Ok(Stream::Tls(Box::new(self.tls.connect(name, tcp).await?)))
    }

    /// The first address within reach that answers.
    async fn dial(&self, origin: &Origin) -> io::Result<TcpStream> {
        let found = tokio::net::lookup_host((origin.host.as_str(), origin.port)).await?;
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in found {
            if !self.reach.permits(origin.tls, address.ip()) {
                failure = io::Error::other(OutOfReach);
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for url in
            ["http://127.0.0.1:9", "http://[::1]:9/", "http://localhost", "https://a.example"]
        {
            assert!(Origin::parse(url).is_ok(), "{url}");
        }
        let refused = Origin::parse("http://192.0.2.1:9").unwrap_err();
        assert_eq!(refused, "http:// is accepted for loopback only");
        for url in
            ["ftp://localhost", "localhost", "", "https://u@a.example", "https://a.example?x"]
        {
            assert!(Origin::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn strangers_lead_to_public_addresses_with_tls_unless_private_ones_are_allowed() {
        let (public, private) = ("1.1.1.1".parse().unwrap(), "10.0.0.1".parse().unwrap());
        let permits = |reach: Reach| {
            [(true, public), (true, private), (false, public), (false, private)]
                .map(|(tls, address)| reach.permits(tls, address))
        };
        assert_eq!(permits(Reach::to_strangers(false)), [true, false, false, false]);
        assert_eq!(permits(Reach::to_strangers(true)), [true, true, false, true]);
        assert_eq!(permits(Reach::Named), [true, true, false, false]);
    }

    #[test]
    fn a_path_in_the_base_stays() {
        let origin = Origin::parse("https://proxy.example/apns/").unwrap();
        assert_eq!(origin.url("/3/device/x"), "https://proxy.example/apns/3/device/x");
    }

    #[test]
    fn an_origin_has_no_usual_port_and_no_capitals() {
        let origin = |url: &str| origin_of(&url.parse().unwrap());
        assert_eq!(origin("https://Push.Example:443/a?b").unwrap(), "https://push.example");
        assert_eq!(origin("https://push.example:8443/").unwrap(), "https://push.example:8443");
        assert_eq!(origin("http://[::1]:80/").unwrap(), "http://[::1]");
    }
}
