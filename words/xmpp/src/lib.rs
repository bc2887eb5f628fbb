//! The words of XMPP: elements, the reader of a stream, addresses, SCRAM.
//!
//! Everything a client writes goes through [`Reader`], which knows the limits of a stream and the
//! XML that RFC 6120 §11 forbids. What the server writes is an [`Element`].
//!
//! Deliberately absent: what a stanza means, sockets, randomness, stored accounts.
//!
//! Read [`Element`] and [`Reader`] first.

mod element;
mod jid;
pub mod ns;
mod reader;
mod scram;

pub use element::{Element, Node};
pub use jid::{Jid, JidError, resource};
pub use reader::{Item, Limits, Reader, StreamError};
pub use scram::{ChannelBinding, ClientFirst, Exchange, Hash, ScramError, decoy_keys, keys};
