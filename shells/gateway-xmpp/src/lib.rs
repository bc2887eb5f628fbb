//! XMPP front doors: TCP with STARTTLS, direct TLS, WebSocket.
//!
//! Bytes go to [`nightjar_xmpp_session::Stream`] and what it says goes to the socket and the lanes.
//!
//! Deliberately absent: any rule about messaging, and what a stanza means.
//!
//! Read [`XmppGateway`] first, then `drive.rs`.

mod bindings;
mod drive;
mod gateway;
mod socket;
mod transport;
mod websocket;

pub use gateway::{Door, XmppGateway};
