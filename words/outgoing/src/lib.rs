//! Requests to addresses that other people name: which addresses are anybody's to reach, and the
//! signature of the Standard Webhooks scheme.
//!
//! Deliberately absent: sockets, clocks, what is sent and when it is sent again.
//!
//! Read [`is_public`] and [`Key`].

mod address;
mod signature;

pub use address::is_public;
pub use signature::{Key, KeyError, new_secret};
