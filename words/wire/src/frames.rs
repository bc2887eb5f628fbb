//! Splits a byte stream into packets.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::WireError;
use crate::header::packet_len;

/// Takes the next whole packet out of what was read so far; `None` until one is there.
///
/// The length field is checked as soon as its four bytes are there, before anything is reserved
/// for it. The caller owns the buffer, so an idle connection need not have one.
///
/// # Errors
/// [`WireError::BadLength`]: the stream cannot go on.
pub fn next_packet(buffer: &mut BytesMut) -> Result<Option<Bytes>, WireError> {
    let Some(mut field) = buffer.get(..4) else { return Ok(None) };
    let length = packet_len(field.get_i32())?;
    if buffer.len() < length {
        buffer.reserve(length - buffer.len());
        return Ok(None);
    }
    Ok(Some(buffer.split_to(length).freeze()))
}
