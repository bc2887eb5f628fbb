//! What lets a receipt be believed where the vendor signs none: a request carries the id of its
//! message with our own code over it and the token, which the vendor repeats in the receipt.
//!
//! So nobody can report what was not sent, nor for another device than it was sent to. Within
//! [`RECEIPT_WITHIN_MS`] a receipt may come twice; it says the same again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nightjar_model::{MessageId, Secret, WallMs};
use ring::hmac;

use crate::receipt::{Receipt, ReceiptError, ReceiptEvent};

/// No vendor keeps a message longer than two weeks; a day more for a receipt under way.
const RECEIPT_WITHIN_MS: u64 = 15 * 24 * 3600 * 1000;
const MID_BYTES: usize = 16;

/// The tag: 64 characters, the most vivo and Meizu repeat.
pub(crate) fn sign(secret: &Secret<String>, mid: MessageId, token: &Secret<String>) -> String {
    let code = hmac::sign(&key(secret), &signed(mid, token));
    URL_SAFE_NO_PAD.encode([&mid.as_bytes()[..], code.as_ref()].concat())
}

/// The message of a tag.
///
/// # Errors
/// [`ReceiptError::Forged`] for a tag we did not give this token, [`ReceiptError::Stale`] for one
/// of a message no vendor keeps any more.
pub(crate) fn read(
    secret: &Secret<String>,
    tag: &str,
    token: &Secret<String>,
    now: WallMs,
) -> Result<MessageId, ReceiptError> {
    let bytes = URL_SAFE_NO_PAD.decode(tag).map_err(|_| ReceiptError::Forged)?;
    let (mid, code) = bytes.split_first_chunk::<MID_BYTES>().ok_or(ReceiptError::Forged)?;
    let mid = MessageId::from_bytes(*mid);
    hmac::verify(&key(secret), &signed(mid, token), code).map_err(|_| ReceiptError::Forged)?;
    if now.0.saturating_sub(made_ms(mid)) > RECEIPT_WITHIN_MS {
        return Err(ReceiptError::Stale);
    }
    Ok(mid)
}

/// The receipts of one report whose tags are ours.
pub(crate) struct Ours<'a> {
    secret: &'a Secret<String>,
    now: WallMs,
    receipts: Vec<Receipt>,
    /// What was wrong with the first that is not ours.
    refused: Option<ReceiptError>,
}

impl<'a> Ours<'a> {
    /// None yet.
    pub(crate) fn new(secret: &'a Secret<String>, now: WallMs) -> Self {
        Self { secret, now, receipts: Vec::new(), refused: None }
    }

    /// One receipt of the report.
    pub(crate) fn add(&mut self, tag: &str, token: &str, event: ReceiptEvent, at: Option<WallMs>) {
        let token = Secret::new(token.to_owned());
        match read(self.secret, tag, &token, self.now) {
            Ok(mid) => self.receipts.push(Receipt { mid, token, event, at }),
            Err(error) => self.refused = self.refused.or(Some(error)),
        }
    }

    /// Those that are ours: something else may send with the same keys.
    ///
    /// # Errors
    /// What was wrong with the first, where none is ours.
    pub(crate) fn receipts(self) -> Result<Vec<Receipt>, ReceiptError> {
        match self.refused {
            Some(error) if self.receipts.is_empty() => Err(error),
            _ => Ok(self.receipts),
        }
    }
}

/// When a message was made: the first 48 bits of its id (RFC 9562 §5.7).
fn made_ms(mid: MessageId) -> u64 {
    mid.as_bytes().iter().take(6).fold(0, |ms, byte| ms << 8 | u64::from(*byte))
}

fn key(secret: &Secret<String>) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

fn signed(mid: MessageId, token: &Secret<String>) -> Vec<u8> {
    [b"nightjar receipt\0", &mid.as_bytes()[..], token.expose().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.into())
    }

    #[test]
    fn a_tag_holds_for_its_message_its_token_and_two_weeks() {
        let (key, token) = (secret("app secret"), secret(samples::TOKEN));
        let mid = MessageId::parse(samples::MID).unwrap();
        let sent = WallMs(made_ms(mid));
        let tag = sign(&key, mid, &token);
        assert_eq!(tag.len(), 64);
        assert_eq!(read(&key, &tag, &token, sent), Ok(mid));
        let last = WallMs(sent.0 + RECEIPT_WITHIN_MS);
        assert_eq!(read(&key, &tag, &token, last), Ok(mid));
        assert_eq!(read(&key, &tag, &token, WallMs(last.0 + 1)), Err(ReceiptError::Stale));
        let forged = Err(ReceiptError::Forged);
        assert_eq!(read(&secret("another"), &tag, &token, sent), forged);
        assert_eq!(read(&key, &tag, &secret("another"), sent), forged);
        let mut other = tag.clone().into_bytes();
        for place in [0, 30, 63] {
            other[place] = if other[place] == b'A' { b'E' } else { b'A' };
            assert_eq!(read(&key, str::from_utf8(&other).unwrap(), &token, sent), forged);
        }
        for text in ["", "A", &tag[..22], "é", &tag[..60]] {
            assert_eq!(read(&key, text, &token, sent), forged, "{text}");
        }
    }
}
