//! Short names for what is named at length, for vendors whose fields are short.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nightjar_model::NotificationId;
use ring::digest;

/// The number under which a vendor keeps a notification on the screen: the same for the same
/// notification, from 1 up. Two notifications of one device share theirs once in 2³¹ pairs; then
/// the later replaces the earlier.
pub(crate) fn notify_id(nid: &NotificationId) -> i32 {
    let hash = digest::digest(&digest::SHA256, nid.as_str().as_bytes());
    let first = hash.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
    (i32::from_be_bytes(*first) & i32::MAX).max(1)
}

/// A name of `chars` characters out of `[0-9a-zA-Z_-]`, the first of them a letter: the same for
/// the same text. At most 40.
pub(crate) fn short_key(text: &str, chars: usize) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let mut key = format!("n{}", URL_SAFE_NO_PAD.encode(hash.as_ref()));
    key.truncate(chars);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_same_notification_has_the_same_number() {
        let of = |request: nightjar_push::PushRequest| notify_id(&request.data.nid.unwrap());
        let number = of(samples::alert("xiaomi"));
        // The number is on people's screens when a server is updated: it must not change.
        assert_eq!(number, 138_096_421);
        assert_eq!(number, of(samples::alert("vivo")));
    }

    #[test]
    fn a_key_is_short_and_begins_with_a_letter() {
        let key = short_key("m.0192f0c1-2b3c-7d4e-8f50-112233445566", 8);
        assert_eq!(key, "nCDsvJS1");
        assert!(short_key("another", 20).len() == 20 && short_key("another", 8) != key);
    }
}
