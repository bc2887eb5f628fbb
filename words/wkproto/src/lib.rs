//! What WuKongIM's clients speak, as bytes and as meaning.
//!
//! [`next_frame`] splits a stream, [`Packet`] is read from a frame and written for the version a
//! client speaks; [`rpc`] is the same packets as JSON-RPC. [`Exchange`] and [`Cipher`] are the
//! encryption, [`Channel`] says which conversation a channel is, [`payload`] which content a
//! payload is.
//!
//! Deliberately absent: connections, storage, randomness (it is an argument), any rule about
//! messaging.
//!
//! Read [`Packet`] first.

mod channel;
mod cipher;
mod error;
mod frame;
mod message;
mod number;
mod packet;
pub mod payload;
mod read;
mod reason;
pub mod rpc;
#[cfg(test)]
mod tests;

pub use channel::{
    Channel, ChannelError, SYSTEM_UID, UID_FORBIDDEN, person_channel_id, system_uid,
};
pub use cipher::{BadKey, Cipher, Exchange};
pub use error::WkError;
pub use frame::{Frame, next_frame};
pub use message::wire_seq;
pub use number::MessageNumber;
pub use packet::{
    Connack, Connect, Disconnect, Event, Flags, Kind, Packet, Recv, Recvack, SendPacket, Sendack,
    Setting, Sub, Suback,
};
pub use reason::Reason;

/// The newest version of the protocol that is spoken here.
pub const VERSION_MAX: u8 = 5;
/// The bytes after a packet's length field, at most.
pub const PACKET_BYTES_MAX: usize = 1 << 20;
