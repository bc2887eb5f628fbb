//! Front doors for WuKongIM's clients, over TCP and WebSocket, and for back ends that call its
//! HTTP API.
//!
//! [`WukongGateway`] moves bytes between sockets and [`nightjar_session::wukong`], looks tokens up,
//! and ends the connections that a login or a back end ends. [`router`] is the HTTP API, and a
//! [`Webhook`] tells a back end what happens.
//!
//! Deliberately absent: rules about messaging. What only WuKongIM knows of (tokens by kind of
//! device, system accounts, channel records) is kept under names of its own in the lanes' store.
//!
//! Read [`WukongGateway`] first.

mod drive;
mod gateway;
mod http;
mod kept;
mod logins;
mod tokens;
mod transport;
mod webhook;

pub use gateway::WukongGateway;
pub use http::{Addresses, WukongApi, router};
pub use webhook::Webhook;
