//! The 16 bytes before every body: four big-endian `i32`.

use bytes::{Buf, BufMut};
use nightjar_model::limits::PACKET_BYTES_MAX;

use crate::error::WireError;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 16;

/// A packet's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole packet, header included.
    pub length: i32,
    /// Ties an answer to its request; 0 for one-way packets.
    pub serial: i32,
    /// What the packet is.
    pub command: i32,
    /// 0, or the number of a reject.
    pub code: i32,
}

impl Header {
    /// Reads the first 16 bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`], [`WireError::BadLength`].
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let Some(mut bytes) = bytes.get(..HEADER_BYTES) else { return Err(WireError::Truncated) };
        let length = bytes.get_i32();
        packet_len(length)?;
        Ok(Self {
            length,
            serial: bytes.get_i32(),
            command: bytes.get_i32(),
            code: bytes.get_i32(),
        })
    }

    /// Writes the 16 bytes.
    pub fn put(&self, out: &mut impl BufMut) {
        out.put_i32(self.length);
        out.put_i32(self.serial);
        out.put_i32(self.command);
        out.put_i32(self.code);
    }
}

/// The length field as a count of bytes, if it is one a packet may have.
///
/// # Errors
/// [`WireError::BadLength`].
pub(crate) fn packet_len(length: i32) -> Result<usize, WireError> {
    match usize::try_from(length) {
        Ok(bytes) if (HEADER_BYTES..=PACKET_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(WireError::BadLength { length }),
    }
}
