//! Tokens the servers are shown, verified with the public key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;

/// A token whose signature is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its header.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

/// Reads `text`; `None` unless its form and its signature are right.
pub(crate) fn verify(
    text: &str,
    algorithm: &'static dyn VerificationAlgorithm,
    public: &[u8],
) -> Option<Token> {
    let (input, signature) = text.rsplit_once('.')?;
    let (header, claims) = input.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(algorithm, public).verify(input.as_bytes(), &signature).ok()?;
    let part = |text| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    Some(Token { header: part(header)?, claims: part(claims)? })
}
