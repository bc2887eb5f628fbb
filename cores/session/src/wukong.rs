//! The server's end of one connection of a WuKongIM client, without I/O.
//!
//! It lives through the same phases as a native session and gives entries the same way. What is
//! its own: packets or JSON-RPC by the first byte, the encryption, acknowledgements that name one
//! message each, and a client that never says whether its app is on the screen.
//!
//! Nothing of an earlier connection is given again: WuKongIM's clients catch up over its HTTP API,
//! and would count a message twice.

mod client;
mod io;
mod lanes;
mod session;
#[cfg(test)]
mod tests;
mod unacked;

pub use client::push_of;
pub use io::{WkFrame, WkInput, WkLogin, WkOutput, WkPass, WkSessionConfig};
pub use session::WkSession;
