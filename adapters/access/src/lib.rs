//! Who may come in: user tokens, admin keys, TLS certificates from files, the rate of handshakes.
//!
//! Deliberately absent: what a caller may do once inside.
//!
//! Read [`Tokens`] first.

mod admin;
mod passwords;
mod rate;
mod tls;
mod tokens;

pub use admin::AdminKeys;
pub use passwords::Passwords;
pub use rate::HandshakeRate;
pub use tls::{Certificate, TlsError, server_config};
pub use tokens::{Claims, IssuedToken, PushClaims, Tokens};
