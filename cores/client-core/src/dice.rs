//! The random bytes of one input.

use nightjar_model::{ClientMsgId, MessageId, WallMs};

/// Sixteen bytes for one input: ten for an id, six for a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dice([u8; 16]);

impl Dice {
    pub(crate) fn new(random: &[u8; 16]) -> Self {
        Self(*random)
    }

    /// The highest throw.
    #[cfg(test)]
    pub(crate) const fn most() -> Self {
        Self([255; 16])
    }

    /// A number from 0 to below 1.
    pub(crate) fn fraction(self) -> f64 {
        let [.., a, b, c, d, e, f] = self.0;
        let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        number as f64 / (1_u64 << 48) as f64
    }

    /// A number from 0 to below `end`, or 0.
    pub(crate) fn below(self, end: u64) -> u64 {
        (self.fraction() * end as f64) as u64
    }

    /// A new id for a message of this client: a UUIDv7.
    pub(crate) fn client_msg_id(self, now: WallMs) -> ClientMsgId {
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&self.0[..10]);
        let text = MessageId::new(now, &bytes).to_string();
        ClientMsgId::parse(&text).expect("a UUID is an id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_spans_zero_to_one() {
        assert_eq!(Dice::new(&[0; 16]).fraction(), 0.0);
        let most = Dice::new(&[255; 16]).fraction();
        assert!(most < 1.0 && most > 0.999_999);
        assert_eq!(Dice::new(&[255; 16]).below(1_000), 999);
        assert_eq!(Dice::new(&[255; 16]).below(0), 0);
    }
}
