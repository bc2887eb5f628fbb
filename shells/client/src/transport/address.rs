//! Where a server is and how it is spoken to, as people write it.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The path of a WebSocket when the address names none (docs/protocol.md, "Ways to connect").
const WEBSOCKET_PATH: &str = "/v1/ws";

/// Bytes of a host name (RFC 1035).
const HOST_BYTES_MAX: usize = 253;

/// `nightjar://host:port` or just `host:port`, `nightjar+tls://host:port`, `ws://host[:port]`,
/// `wss://host[:port]`; `http` and `https` mean `ws` and `wss` to the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) is_encrypted: bool,
    /// A name, or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Of the WebSocket; `None`: packets go over the byte stream as they are.
    pub(super) path: Option<String>,
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another protocol.
    #[error(
        "'{0}://' is not a way to reach a server; use nightjar, nightjar+tls, ws, wss, http or \
         https"
    )]
    Scheme(String),
    /// No host.
    #[error("the address names no host; write host:port")]
    NoHost,
    /// What stands for the host is neither a name nor an IP address.
    #[error("'{0}' is neither a host name nor an IP address; IPv6 goes in brackets: [::1]")]
    Host(String),
    /// No port, and this way to connect has none of its own.
    #[error("the address names no port; write host:port, usually 7301")]
    NoPort,
    /// Not a port.
    #[error("'{0}' is not a port; ports go from 1 to 65535")]
    Port(String),
    /// `user@host`.
    #[error("an address holds no user name or password; the account is named elsewhere")]
    Account,
    /// A path where there can be none, or with characters it cannot have.
    #[error("'{0}' is not a path of this address")]
    Path(String),
}

impl Address {
    /// Whether nobody between can read along: a redirect must not lose this.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// `host:port`, as a request names it.
    pub(crate) fn authority(&self) -> String {
        let (open, shut) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{open}{}{shut}:{}", self.host, self.port)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("nightjar", text));
        let (is_encrypted, own_port) = match scheme.to_ascii_lowercase().as_str() {
            "nightjar" => (false, None),
            "nightjar+tls" => (true, None),
            "ws" | "http" => (false, Some(80)),
            "wss" | "https" => (true, Some(443)),
            _ => return Err(AddressError::Scheme(scheme.to_owned())),
        };
        let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = split_place(place)?;
        Ok(Self {
            is_encrypted,
            host: host.to_ascii_lowercase(),
            port: port.or(own_port).ok_or(AddressError::NoPort)?,
            path: read_path(path, own_port.is_some())?,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (&self.path, self.is_encrypted) {
            (None, false) => "nightjar",
            (None, true) => "nightjar+tls",
            (Some(_), false) => "ws",
            (Some(_), true) => "wss",
        };
        let path = self.path.as_deref().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}

fn split_place(place: &str) -> Result<(&str, Option<u16>), AddressError> {
    if place.contains('@') {
        return Err(AddressError::Account);
    }
    if let Some(rest) = place.strip_prefix('[') {
        let wrong = || AddressError::Host(place.to_owned());
        let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
        host.parse::<Ipv6Addr>().map_err(|_| wrong())?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, Some(read_port(port)?))),
            None if port.is_empty() => Ok((host, None)),
            None => Err(wrong()),
        };
    }
    let (host, port) = match place.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    };
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    // More colons are an IPv6 address without its brackets.
    let is_bare_ipv6 = port.is_some_and(|port| port.contains(':'));
    if is_bare_ipv6 || host.len() > HOST_BYTES_MAX || !host.bytes().all(is_name_byte) {
        return Err(AddressError::Host(place.to_owned()));
    }
    Ok((host, port.map(read_port).transpose()?))
}

fn read_port(text: &str) -> Result<u16, AddressError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| is_number && *port > 0);
    port.ok_or_else(|| AddressError::Port(text.to_owned()))
}

fn read_path(path: &str, is_websocket: bool) -> Result<Option<String>, AddressError> {
    match (path, is_websocket) {
        ("" | "/", true) => Ok(Some(WEBSOCKET_PATH.to_owned())),
        ("" | "/", false) => Ok(None),
        (path, true)
            if path.starts_with('/')
                && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') =>
        {
            Ok(Some(path.to_owned()))
        }
        _ => Err(AddressError::Path(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_address_is_read() {
        for (text, meant) in [
            ("nightjar://chat.example.com:7301", "nightjar://chat.example.com:7301"),
            ("127.0.0.1:7301", "nightjar://127.0.0.1:7301"),
            ("localhost:7301/", "nightjar://localhost:7301"),
            ("[::1]:7301", "nightjar://[::1]:7301"),
            ("nightjar+tls://Chat.Example.com:7301", "nightjar+tls://chat.example.com:7301"),
            ("ws://host:7300", "ws://host:7300/v1/ws"),
            ("WS://host:7300/v1/ws", "ws://host:7300/v1/ws"),
            ("http://host:7300/", "ws://host:7300/v1/ws"),
            ("http://host", "ws://host:80/v1/ws"),
            ("https://host", "wss://host:443/v1/ws"),
            ("wss://[2001:db8::1]", "wss://[2001:db8::1]:443/v1/ws"),
            ("wss://host/chat/v1/ws?a=b", "wss://host:443/chat/v1/ws?a=b"),
        ] {
            let address: Address = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(address.to_string(), meant, "{text}");
            assert_eq!(meant.parse(), Ok(address.clone()), "{text}");
            let is_encrypted = meant.starts_with("wss") || meant.starts_with("nightjar+tls");
            assert_eq!(address.is_encrypted(), is_encrypted, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_has_a_name() {
        use AddressError::{Account, Host, NoHost, NoPort, Path, Port, Scheme};
        for (text, error) in [
            ("", NoHost),
            ("nightjar://", NoHost),
            (":7301", NoHost),
            ("ftp://host:1", Scheme("ftp".into())),
            ("://host:1", Scheme("".into())),
            ("host", NoPort),
            ("[::1]", NoPort),
            ("nightjar+tls://host", NoPort),
            ("host:", Port("".into())),
            ("host:0", Port("0".into())),
            ("host:+80", Port("+80".into())),
            ("host:65536", Port("65536".into())),
            ("ws://host:x", Port("x".into())),
            ("::1:7301", NoHost),
            ("2001:db8::1", Host("2001:db8::1".into())),
            ("[::1:7301", Host("[::1:7301".into())),
            ("[::1]x", Host("[::1]x".into())),
            ("[localhost]:1", Host("[localhost]:1".into())),
            ("two words:1", Host("two words:1".into())),
            ("me:secret@host:1", Account),
            ("nightjar://host:1/v1/ws", Path("/v1/ws".into())),
            ("ws://host:1/v1 ws", Path("/v1 ws".into())),
            ("ws://host:1?a", Path("?a".into())),
            ("ws://host:1/v1/ws#part", Path("/v1/ws#part".into())),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
        let long = format!("{}:1", "a".repeat(HOST_BYTES_MAX + 1));
        assert_eq!(long.parse::<Address>(), Err(Host(long.clone())));
    }
}
