//! A message's id as the 63 bits WuKongIM's clients know.

use nightjar_model::{MessageId, WallMs};

/// 2020-01-01T00:00:00Z: from there 41 bits of milliseconds last until 2089.
const EPOCH_MS: u64 = 1_577_836_800_000;
/// Random bits below the time: two messages of one millisecond share a number once in four
/// million pairs.
const RANDOM_BITS: u32 = 22;

/// A message's number: its time, then random bits, both of its [`MessageId`]; always positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageNumber(pub i64);

impl MessageNumber {
    /// The number of a message.
    #[must_use]
    pub fn of(id: MessageId) -> Self {
        let bytes = id.as_bytes();
        let head = u64::from_be_bytes(bytes[..8].try_into().expect("an id has 16 bytes"));
        let (ms, random_a) = (head >> 16, head & 0xfff);
        let random_b = u64::from(u16::from_be_bytes([bytes[8], bytes[9]]) >> 4 & 0x3ff);
        let time = ms.saturating_sub(EPOCH_MS) << RANDOM_BITS & i64::MAX as u64;
        Self((time | random_a << 10 | random_b) as i64)
    }

    /// When the message's id was made; the server made it when it accepted the message.
    #[must_use]
    pub fn at(self) -> WallMs {
        WallMs((self.0.max(0) as u64 >> RANDOM_BITS) + EPOCH_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_positive_ascends_with_time_and_knows_it() {
        let number = |at: u64, byte: u8| MessageNumber::of(MessageId::new(WallMs(at), &[byte; 10]));
        let now = 1_795_000_000_000;
        assert_eq!(number(now, 0xff).at(), WallMs(now));
        assert_eq!(number(3_700_000_000_000, 0xff).at(), WallMs(3_700_000_000_000));
        assert!(number(now, 0xff) < number(now + 1, 0));
        assert!(number(now, 0).0 > 0);
        assert_ne!(number(now, 1), number(now, 2));
    }
}
