//! Webhooks against a receiver on a real socket.

mod post;
mod sender;
mod server;
