//! The native protocol's front doors: TCP, TLS, and WebSocket on the HTTP port.
//!
//! One task a connection. It moves bytes between a [`transport`] and a `Session`, and commands and
//! mail between the session and the decider; idle connections hold no buffers.
//!
//! Deliberately absent: what a packet means (`nightjar-session`), rules about messaging.
//!
//! Read [`NativeGateway`] first, then `drive.rs`.
//!
//! [`transport`]: crate::transport

mod drive;
mod gateway;
mod measured;
mod stream;
mod transport;
mod websocket;

pub use gateway::NativeGateway;
