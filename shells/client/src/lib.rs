//! The client shell: tokio and SQLite around client-core.
//!
//! [`store`] keeps what the client commits, [`transport`] carries its packets.
//!
//! Deliberately absent: what a packet or a row means; that is client-core's.

pub mod store;
pub mod transport;
