//! The way in: address, TLS, and local addresses for many connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustls_pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::wire::{Socket, Wire};

/// Connections from one local address to one port; a system has some 28,000 ports for them.
const CONNECTIONS_AN_ADDRESS: usize = 20_000;

/// A native front door.
#[derive(Clone)]
pub(crate) struct Door {
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// How to speak TLS there, and whom the certificate must name.
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Door {
    /// Opens the n-th connection.
    pub(crate) async fn open(&self, number: usize) -> io::Result<Wire> {
        let stream = self.connect(number).await?;
        stream.set_nodelay(true)?;
        let socket: Box<dyn Socket> = match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
        };
        Ok(Wire::new(socket))
    }

    async fn connect(&self, number: usize) -> io::Result<TcpStream> {
        match source(self.address, number) {
            None => TcpStream::connect(self.address).await,
            Some(source) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::new(source, 0))?;
                socket.connect(self.address).await
            }
        }
    }
}

/// From where to connect when one local address has too few ports: loopback has many addresses.
fn source(to: SocketAddr, number: usize) -> Option<IpAddr> {
    let block = u8::try_from(number / CONNECTIONS_AN_ADDRESS).ok()?;
    let is_needed = block > 0 && to.is_ipv4() && to.ip().is_loopback();
    is_needed.then(|| IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1 + block)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_local_addresses_are_used_only_when_ports_run_out() {
        let (here, there) = ("127.0.0.1:7301".parse().unwrap(), "192.0.2.1:7301".parse().unwrap());
        assert_eq!(source(here, CONNECTIONS_AN_ADDRESS - 1), None);
        assert_eq!(source(here, CONNECTIONS_AN_ADDRESS), Some(Ipv4Addr::new(127, 0, 0, 2).into()));
        assert_eq!(source(there, CONNECTIONS_AN_ADDRESS), None);
    }
}
