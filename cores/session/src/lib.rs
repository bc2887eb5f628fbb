//! The server's end of one native connection, without I/O.
//!
//! A [`Session`] turns packets into commands for the lanes, and their replies and notices into
//! packets. It owns what is about this connection: the hello, the heartbeat, requests on their
//! way, which entries were given and how far they may be acknowledged, the drain, the end.
//!
//! The shell's loop: before each packet ask [`Session::wants_input`]; after every
//! [`Session::handle`] call [`Session::poll`] until it answers `None`; sleep until an input comes
//! or [`Session::wait_until`]. [`Output::Close`] is always the last output.
//!
//! Deliberately absent: sockets, clocks, tokens' signatures, storage, any rule about messaging.
//!
//! What any protocol's connection does with entries, acknowledgements and a window is
//! [`Deliveries`]; the other gateways use it too.
//!
//! Read [`Input`], [`Output`] and [`Session`] first.

mod answers;
mod client;
mod deliveries;
mod flow;
mod given;
mod heartbeat;
mod io;
mod lanes;
mod pending;
mod phase;
mod requests;
mod session;
#[cfg(test)]
mod tests;
mod unreadable;
mod window;
mod withdrawals;
pub mod wukong;

pub use deliveries::{Claim, Deliveries, Pull};
pub use io::{Claims, Form, Frame, Input, Output, RequestId, SessionConfig};
pub use session::Session;
