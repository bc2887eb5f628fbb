//! Reading the fields of a body, and writing them.

use bytes::Bytes;

use crate::WkError;

/// A text has at most so many bytes: the reference reads the length as a signed number.
const TEXT_BYTES_MAX: usize = 32_767;

/// A body and how far it was read.
pub(crate) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(crate) fn new(body: Bytes) -> Self {
        Self { rest: body }
    }

    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WkError> {
        let (head, _) = self.rest.split_first_chunk::<N>().ok_or(WkError::Truncated(field))?;
        let head = *head;
        let _ = self.rest.split_to(N);
        Ok(head)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, WkError> {
        self.take::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, WkError> {
        self.take(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, WkError> {
        self.take(field).map(u64::from_be_bytes)
    }

    pub(crate) fn i64(&mut self, field: &'static str) -> Result<i64, WkError> {
        self.take(field).map(i64::from_be_bytes)
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<String, WkError> {
        let length = usize::from(u16::from_be_bytes(self.take(field)?));
        if length > TEXT_BYTES_MAX {
            return Err(WkError::BadText(field));
        }
        if self.rest.len() < length {
            return Err(WkError::Truncated(field));
        }
        let bytes = self.rest.split_to(length);
        String::from_utf8(bytes.into()).map_err(|_| WkError::BadText(field))
    }

    /// Everything that was not read.
    pub(crate) fn rest(self) -> Bytes {
        self.rest
    }
}

/// A text longer than it may be is cut at a character: none of ours is.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    out.extend((end as u16).to_be_bytes());
    out.extend(&text.as_bytes()[..end]);
}
