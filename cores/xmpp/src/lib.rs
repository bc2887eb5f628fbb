//! The server's end of one XMPP connection, without I/O.
//!
//! A [`Stream`] turns what a client writes into commands for the lanes, and their replies and
//! notices into stanzas. It owns what is about this connection: negotiation and login, resource
//! binding, which stanza acknowledges which entries (XEP-0198), what the client is told of others.
//! A person's app is on the screen until the client says otherwise (XEP-0352).
//!
//! The shell's loop: before each read ask [`Stream::wants_input`]; after every [`Stream::handle`]
//! call [`Stream::poll`] until it answers `None`; sleep until an input comes or
//! [`Stream::wait_until`]. [`Output::Close`] is always the last output.
//!
//! Deliberately absent: sockets, TLS, clocks, randomness, stored accounts, any rule about
//! messaging or pushing.
//!
//! Read [`Input`], [`Output`] and [`Stream`] first, then `login.rs`, `message.rs` and `manage.rs`.

mod archive;
mod bind;
mod entity;
mod features;
mod io;
mod iq;
mod login;
mod manage;
mod message;
mod phase;
mod presence;
mod roster;
mod stanza;
mod stream;
#[cfg(test)]
mod tests;

pub use io::{Bindings, Framing, Input, Output, RequestId, Security, StreamConfig};
pub use stream::Stream;
