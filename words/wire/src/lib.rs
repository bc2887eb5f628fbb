//! The native protocol: a 16-byte header, protobuf bodies, and the same packets as JSON text.
//!
//! `proto/native.proto` is the one definition of both forms. This crate turns bytes into
//! [`Packet`]s and back; what a packet means is the session's business.
//!
//! Deliberately absent: what a message means, sockets, buffers that grow without bound.
//!
//! Read [`Header`] and [`Packet`] first.

mod error;
mod frames;
mod header;
mod inline_json;
mod mentions;
mod message;
mod packet;

pub use error::WireError;
pub use frames::next_packet;
pub use header::{HEADER_BYTES, Header};
pub use message::message;
pub use packet::{Body, Kind, Packet, SERVER_SERIAL_MIN, Side, deliver_bytes};

/// The bodies, as compiled from `proto/native.proto`.
#[allow(missing_docs, reason = "generated; the schema carries the documentation")]
pub mod body {
    include!(concat!(env!("OUT_DIR"), "/nightjar.rs"));
}

/// The schema as text, served at `/native.proto`.
pub const SCHEMA: &str = include_str!("../proto/native.proto");
