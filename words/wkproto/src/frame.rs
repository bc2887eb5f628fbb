//! Splitting a stream into packets.

use bytes::{Buf, Bytes, BytesMut};

use crate::packet::{Flags, Kind};
use crate::{PACKET_BYTES_MAX, WkError};

/// One packet, not yet read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which packet.
    pub kind: Kind,
    /// The low four bits of its first byte.
    pub flags: Flags,
    /// What follows the length; empty for a ping and a pong.
    pub body: Bytes,
}

/// Takes the next whole packet from the front of `stream`; `None` while it is not all there.
///
/// The length is checked before anything is reserved for it.
///
/// # Errors
/// [`WkError::BadLength`], [`WkError::TooLarge`], [`WkError::UnknownKind`]: what follows cannot be
/// split any more.
pub fn next_frame(stream: &mut BytesMut) -> Result<Option<Frame>, WkError> {
    let Some(&first) = stream.first() else { return Ok(None) };
    let kind = Kind::from_number(first >> 4)?;
    let flags = Flags::from_bits(first);
    if matches!(kind, Kind::Ping | Kind::Pong) {
        stream.advance(1);
        return Ok(Some(Frame { kind, flags, body: Bytes::new() }));
    }
    let Some((length, length_bytes)) = remaining_length(&stream[1..])? else { return Ok(None) };
    if length > PACKET_BYTES_MAX {
        return Err(WkError::TooLarge);
    }
    let head = 1 + length_bytes;
    if stream.len() < head + length {
        return Ok(None);
    }
    stream.advance(head);
    Ok(Some(Frame { kind, flags, body: stream.split_to(length).freeze() }))
}

/// Seven bits a byte, the low ones first; the top bit says that more follow.
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, WkError> {
    let mut length = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            // Every packet but ping and pong has a body.
            return if length == 0 { Err(WkError::BadLength) } else { Ok(Some((length, at + 1))) };
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(WkError::BadLength) }
}

/// Writes a length as [`remaining_length`] reads it.
pub(crate) fn put_remaining_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}
