//! The whole server from outside: the real binary, its sockets, its signals and its files.
//!
//! One module a subject; what they share is in `nightjar-whole`. Times are measured by the clock
//! of this machine from what the server said was the moment of the message, and the bounds are
//! those of the protocol, not those of a fast day.

mod amend;
mod bridges;
mod calls;
mod channels;
mod chat;
mod connect;
mod contacts;
mod credentials;
mod drained;
mod extension;
mod fetch;
mod frozen;
mod groups;
mod hostile;
mod interface;
mod killed;
mod once;
mod operator;
mod outages;
mod policy;
mod presence;
mod pushes;
mod receipts;
mod rough;
mod scene;
mod signed_out;
mod trace;
mod vendors;
mod webhooks;
mod webpush;
mod withdrawn;
mod wukong;
mod xmpp;

use nightjar_whole::Setup;

/// A server of this build.
fn setup() -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_nightjar"))
}
