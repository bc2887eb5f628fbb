//! The Standard Webhooks signature: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use nightjar_model::Secret;
use sha2::Sha256;

/// Why a text is not a signing secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// After `whsec_` comes base64.
    #[error("the secret is not base64 after 'whsec_'")]
    NotBase64,
    /// The scheme asks for 24 to 64 bytes.
    #[error("the secret has {0} bytes; 24 to 64 are needed")]
    Length(usize),
}

/// A signing key.
#[derive(Debug, Clone)]
pub struct Key(Secret<Vec<u8>>);

impl Key {
    /// Reads a secret: `whsec_` and base64, or any other text as its bytes.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(secret: &Secret<String>) -> Result<Self, KeyError> {
        let text = secret.expose();
        let Some(encoded) = text.strip_prefix("whsec_") else {
            return Ok(Self(Secret::new(text.clone().into_bytes())));
        };
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| KeyError::NotBase64)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(KeyError::Length(bytes.len()));
        }
        Ok(Self(Secret::new(bytes)))
    }

    /// The value of `webhook-signature`. `timestamp_s` is Unix time in seconds.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose())
            .expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// A secret of the scheme's form from 24 random bytes.
#[must_use]
pub fn new_secret(random: &[u8; 24]) -> Secret<String> {
    Secret::new(format!("whsec_{}", BASE64_STANDARD.encode(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_verifies() {
        // The example of the Standard Webhooks specification.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let key = Key::parse(&secret).unwrap();
        let signature =
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn bad_secrets_are_named() {
        let parse = |text: &str| Key::parse(&Secret::new(text.to_owned())).map(|_| ());
        assert_eq!(parse("whsec_???"), Err(KeyError::NotBase64));
        assert_eq!(parse("whsec_YWJj"), Err(KeyError::Length(3)));
        assert_eq!(parse("plain words"), Ok(()));
    }
}
