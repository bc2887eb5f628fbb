//! SCRAM, the server's side (RFC 5802, RFC 7677): a login that shows neither side the password.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use nightjar_model::{ScramKeys, Secret};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The longest message of a client: a name, a nonce, a proof and a channel binding fit well.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// The longest nonce of a client.
const NONCE_BYTES_MAX: usize = 256;

/// Which hash an exchange uses; keys are stored for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    /// SCRAM-SHA-1, the only one that many clients know.
    Sha1,
    /// SCRAM-SHA-256.
    Sha256,
}

impl Hash {
    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
        }
    }

    fn mac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        const ANY_LENGTH: &str = "HMAC takes keys of any length";
        match self {
            Self::Sha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(key).expect(ANY_LENGTH);
                mac.chain_update(bytes).finalize().into_bytes().to_vec()
            }
            Self::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_LENGTH);
                mac.chain_update(bytes).finalize().into_bytes().to_vec()
            }
        }
    }

    fn salted(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                let salted: [u8; 20] =
                    pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password.as_bytes(), salt, iterations);
                salted.to_vec()
            }
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, iterations)
                    .to_vec()
            }
        }
    }
}

/// The keys of a password. Costs `iterations` hashes: milliseconds of processor time, so call it
/// where that may be spent.
///
/// # Errors
/// [`ScramError::Password`] when the password is empty or holds what RFC 4013 forbids, such as
/// control characters: no client could type it.
pub fn keys(
    hash: Hash,
    password: &Secret<String>,
    salt: Vec<u8>,
    iterations: u32,
) -> Result<ScramKeys, ScramError> {
    let prepared = stringprep::saslprep(password.expose()).map_err(|_| ScramError::Password)?;
    if prepared.is_empty() {
        return Err(ScramError::Password);
    }
    let salted = hash.salted(&prepared, &salt, iterations);
    let stored_key = Secret::new(hash.digest(&hash.mac(&salted, b"Client Key")));
    let server_key = Secret::new(hash.mac(&salted, b"Server Key"));
    Ok(ScramKeys { salt, iterations, stored_key, server_key })
}

/// Keys that no password opens, the same for the same name, so that an exchange for somebody who
/// does not exist looks like any other. `key` is a secret of this server.
#[must_use]
pub fn decoy_keys(key: &[u8], name: &str, iterations: u32) -> ScramKeys {
    let salt = Hash::Sha256.mac(key, name.as_bytes());
    let unknown = Secret::new(Hash::Sha256.mac(key, &salt));
    ScramKeys {
        salt: salt[..16].to_vec(),
        iterations,
        stored_key: unknown.clone(),
        server_key: unknown,
    }
}

/// What a client says about binding the login to the TLS connection it runs over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelBinding {
    /// `n`: the client cannot.
    Unsupported,
    /// `y`: the client could, and thinks the server cannot.
    Unused,
    /// `p`: it does, with a binding of this type.
    Type(String),
}

/// The first message of a client (RFC 5802 §7, `client-first-message`).
#[derive(Clone, PartialEq, Eq)]
pub struct ClientFirst {
    /// What it says about channel binding.
    pub binding: ChannelBinding,
    /// As whom it wants to act, if it says so.
    pub authzid: Option<String>,
    /// Who it is.
    pub user: String,
    nonce: String,
    /// Everything before the bare message.
    gs2_header: String,
    bare: String,
}

impl fmt::Debug for ClientFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFirst").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why an exchange fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not a message of SCRAM.
    #[error("the message does not have the form of RFC 5802")]
    Malformed,
    /// An extension that must be understood, and is not.
    #[error("the message asks for an extension this server does not know")]
    Extension,
    /// Nonce, channel binding or proof are not what they should be.
    #[error("the proof is wrong")]
    NotAuthorized,
    /// A password that could not be typed again.
    #[error("the password is empty or holds characters that passwords cannot have (RFC 4013)")]
    Password,
}

impl ClientFirst {
    /// Reads the message.
    ///
    /// # Errors
    /// [`ScramError::Malformed`] or [`ScramError::Extension`].
    pub fn parse(message: &[u8]) -> Result<Self, ScramError> {
        let text = as_text(message)?;
        let mut parts = text.splitn(3, ',');
        let mut next = || parts.next().ok_or(ScramError::Malformed);
        let (flag, authzid, bare) = (next()?, next()?, next()?);
        let binding = match flag {
            "n" => ChannelBinding::Unsupported,
            "y" => ChannelBinding::Unused,
            _ => ChannelBinding::Type(attribute(flag, 'p')?.to_owned()),
        };
        let authzid = match authzid {
            "" => None,
            text => Some(unescape(attribute(text, 'a')?)?),
        };
        let gs2_header = text[..text.len() - bare.len()].to_owned();
        if bare.starts_with("m=") {
            return Err(ScramError::Extension);
        }
        let mut fields = bare.split(',');
        let mut field = |name| attribute(fields.next().ok_or(ScramError::Malformed)?, name);
        let (user, nonce) = (unescape(field('n')?)?, field('r')?.to_owned());
        let is_printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if nonce.is_empty() || nonce.len() > NONCE_BYTES_MAX || !is_printable || user.is_empty() {
            return Err(ScramError::Malformed);
        }
        Ok(Self { binding, authzid, user, nonce, gs2_header, bare: bare.to_owned() })
    }
}

/// An exchange that waits for the client's proof.
#[derive(Debug)]
pub struct Exchange {
    hash: Hash,
    keys: ScramKeys,
    nonce: String,
    gs2_header: String,
    /// Both first messages, with commas, as the proof covers them.
    so_far: Secret<String>,
}

impl Exchange {
    /// Answers the first message: the exchange, and `server-first-message`. `server_nonce` is
    /// fresh random text without a comma.
    #[must_use]
    pub fn start(
        hash: Hash,
        first: &ClientFirst,
        keys: ScramKeys,
        server_nonce: &str,
    ) -> (Self, String) {
        let nonce = format!("{}{server_nonce}", first.nonce);
        let (salt, iterations) = (STANDARD.encode(&keys.salt), keys.iterations);
        let answer = format!("r={nonce},s={salt},i={iterations}");
        let so_far = Secret::new(format!("{},{answer},", first.bare));
        (Self { hash, keys, nonce, gs2_header: first.gs2_header.clone(), so_far }, answer)
    }

    /// Checks the last message and answers `server-final-message`. `binding` is what the client
    /// must have bound to, if it said it would.
    ///
    /// # Errors
    /// [`ScramError::Malformed`], or [`ScramError::NotAuthorized`] whatever else is wrong.
    pub fn finish(self, message: &[u8], binding: &[u8]) -> Result<String, ScramError> {
        let text = as_text(message)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut fields = without_proof.split(',');
        let mut field = |name| attribute(fields.next().ok_or(ScramError::Malformed)?, name);
        let (bound, nonce) = (field('c')?, field('r')?);
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Malformed)?;
        let expected = STANDARD.encode([self.gs2_header.as_bytes(), binding].concat());

        let covered = format!("{}{without_proof}", self.so_far.expose());
        let signature = self.hash.mac(self.keys.stored_key.expose(), covered.as_bytes());
        let is_whole = proof.len() == signature.len();
        let client_key: Vec<u8> =
            proof.iter().zip(&signature).map(|(proof, signature)| proof ^ signature).collect();
        let is_proven = self.hash.digest(&client_key).ct_eq(self.keys.stored_key.expose());
        let is_same = nonce.as_bytes().ct_eq(self.nonce.as_bytes())
            & bound.as_bytes().ct_eq(expected.as_bytes());
        if !is_whole || !bool::from(is_proven & is_same) {
            return Err(ScramError::NotAuthorized);
        }
        let signature = self.hash.mac(self.keys.server_key.expose(), covered.as_bytes());
        Ok(format!("v={}", STANDARD.encode(signature)))
    }
}

fn as_text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(ScramError::Malformed);
    }
    let text = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
    if text.contains('\0') { Err(ScramError::Malformed) } else { Ok(text) }
}

/// The value of `name=value`.
fn attribute(text: &str, name: char) -> Result<&str, ScramError> {
    let value = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
    value.filter(|value| !value.is_empty()).ok_or(ScramError::Malformed)
}

/// Names stand with `=2C` for a comma and `=3D` for an equals sign.
fn unescape(name: &str) -> Result<String, ScramError> {
    let mut parts = name.split('=');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match part.split_at_checked(2) {
            Some(("2C", rest)) => (',', rest),
            Some(("3D", rest)) => ('=', rest),
            _ => return Err(ScramError::Malformed),
        };
        plain.push(sign);
        plain.push_str(rest);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests;
