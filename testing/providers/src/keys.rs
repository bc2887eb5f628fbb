//! Key pairs made when a test runs, in the forms the providers hand them out.

use std::convert::Infallible;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use rsa::PrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::{TryCryptoRng, TryRng};

/// A P-256 key as Apple's `.p8` holds it.
#[derive(Debug, Clone)]
pub struct EcKey {
    pem: String,
    public: Vec<u8>,
}

impl EcKey {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("random bytes");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).expect("own key");
        let public = pair.public_key().as_ref().to_vec();
        // ring writes the 32 bytes of the private key at 36 in its fixed 138-byte form.
        let der = apple_der(&made.as_ref()[36..68], &public);
        Self { pem: pem("PRIVATE KEY", &der), public }
    }

    /// The text of the key file.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The public point, uncompressed.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }
}

/// PKCS#8 with the curve repeated inside the key (RFC 5915), which ring's own form leaves out and
/// Apple's does not.
fn apple_der(private: &[u8], public: &[u8]) -> Vec<u8> {
    const CURVE: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const EC_KEY: [u8; 9] = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let parameters = tagged(0xa0, &CURVE);
    let point = tagged(0xa1, &tagged(0x03, &[&[0], public].concat()));
    let private = tagged(0x04, private);
    let key = tagged(0x30, &[&[0x02, 0x01, 0x01], &private[..], &parameters, &point].concat());
    let algorithm = tagged(0x30, &[&EC_KEY[..], &CURVE].concat());
    tagged(0x30, &[&[0x02, 0x01, 0x00], &algorithm[..], &tagged(0x04, &key)].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("shorter than 256 bytes");
    let head: &[u8] = if length < 128 { &[tag, length] } else { &[tag, 0x81, length] };
    [head, content].concat()
}

/// An RSA key as a service account holds it.
#[derive(Debug, Clone)]
pub struct RsaKey {
    pem: String,
    public: Vec<u8>,
}

impl RsaKey {
    /// A key of this process: made once, because it takes a while.
    #[must_use]
    pub fn generate() -> Self {
        static KEY: OnceLock<RsaKey> = OnceLock::new();
        KEY.get_or_init(|| {
            let key = PrivateKey::new(&mut RingRandom, 2048).expect("2048 bits are enough");
            let der = key.to_pkcs8_der().expect("a valid key");
            let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).expect("a valid key");
            Self {
                pem: pem("PRIVATE KEY", der.as_bytes()),
                public: pair.public().as_ref().to_vec(),
            }
        })
        .clone()
    }

    /// The text of the private key.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The public key, PKCS#1 DER.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

struct RingRandom;

impl TryRng for RingRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        SystemRandom::new().fill(bytes).expect("the system has random bytes");
        Ok(())
    }
}

impl TryCryptoRng for RingRandom {}
