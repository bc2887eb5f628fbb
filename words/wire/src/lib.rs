//! The native protocol: a 16-byte header, protobuf bodies, and the same packets as JSON text.
//!
//! `proto/native.proto` is the one definition of both forms. This crate turns bytes into
//! [`Packet`]s and back; what a packet means is the session's business.
//!
//! Deliberately absent: what a message means, sockets, buffers that grow without bound.
//!
//! Read [`Header`] and [`Packet`] first.

mod inline_json;

/// The bodies, as compiled from `proto/native.proto`.
#[allow(missing_docs, reason = "generated; the schema carries the documentation")]
pub mod body {
    include!(concat!(env!("OUT_DIR"), "/nightjar.rs"));
}

/// The schema as text, served at `/native.proto`.
pub const SCHEMA: &str = include_str!("../proto/native.proto");
