//! Encryption of one connection: X25519, then AES-128-CBC on payloads, and an MD5 over what matters.
//!
//! One IV for all messages and a signature without a secret of its own: it hides payloads from a
//! casual look and is no replacement for TLS.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::packet::{Recv, SendPacket};

/// The characters of a salt.
const SALT: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The client's key is missing, is no 32 bytes in base64, or leads to no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client key is no X25519 public key in base64")]
pub struct BadKey;

/// What the server says of its half of the exchange, and what both ends then encrypt with.
pub struct Exchange {
    /// The server's public key, base64: the `server_key` of CONNACK.
    pub server_key: String,
    /// Sixteen letters and digits: the `salt` of CONNACK, and the IV.
    pub salt: String,
    /// Encrypts and decrypts.
    pub cipher: Cipher,
}

impl Exchange {
    /// The server's half: 32 random bytes make its key, 16 more the salt.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn new(client_key: &str, random: &[u8; 48]) -> Result<Self, BadKey> {
        let (secret, salt) = random.split_at(32);
        let secret: [u8; 32] = secret.try_into().expect("it was split there");
        let salt = salt.iter().map(|byte| char::from(SALT[usize::from(*byte) % SALT.len()]));
        Self::with(client_key, secret, salt.collect())
    }

    pub(crate) fn with(client_key: &str, secret: [u8; 32], salt: String) -> Result<Self, BadKey> {
        let client: [u8; 32] =
            STANDARD.decode(client_key).ok().and_then(|key| key.try_into().ok()).ok_or(BadKey)?;
        let secret = StaticSecret::from(secret);
        let shared = secret.diffie_hellman(&PublicKey::from(client));
        if !shared.was_contributory() {
            return Err(BadKey);
        }
        let server_key = STANDARD.encode(PublicKey::from(&secret).as_bytes());
        let cipher = Cipher::new(shared.as_bytes(), &salt);
        Ok(Self { server_key, salt, cipher })
    }

    /// The client's half, for programs that are one: its secret and what CONNACK said.
    ///
    /// # Errors
    /// [`BadKey`] when the server's key is none.
    pub fn of_client(secret: [u8; 32], server_key: &str, salt: &str) -> Result<Cipher, BadKey> {
        Self::with(server_key, secret, salt.to_owned()).map(|exchange| exchange.cipher)
    }

    /// The public key of a client's secret, base64: the `client_key` of CONNECT.
    #[must_use]
    pub fn client_key(secret: [u8; 32]) -> String {
        STANDARD.encode(PublicKey::from(&StaticSecret::from(secret)).as_bytes())
    }
}

/// Encrypts and signs the payloads of one connection.
#[derive(Clone)]
pub struct Cipher {
    key: [u8; 16],
    iv: [u8; 16],
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(***)")
    }
}

impl Cipher {
    /// The key is the first sixteen characters of a hexadecimal MD5; a shorter salt is filled
    /// with zeros.
    fn new(shared: &[u8; 32], salt: &str) -> Self {
        let digest = hex(&Md5::digest(STANDARD.encode(shared)));
        let (mut key, mut iv) = ([0; 16], [0; 16]);
        key.copy_from_slice(&digest.as_bytes()[..16]);
        iv.iter_mut().zip(salt.bytes()).for_each(|(to, from)| *to = from);
        Self { key, iv }
    }

    /// Plain bytes as base64 of what hides them.
    #[must_use]
    pub fn encrypt(&self, plain: &[u8]) -> String {
        let encryptor = cbc::Encryptor::<Aes128>::new(&self.key.into(), &self.iv.into());
        STANDARD.encode(encryptor.encrypt_padded_vec::<Pkcs7>(plain))
    }

    /// The plain bytes; `None` when nobody who knows the key wrote this.
    #[must_use]
    pub fn decrypt(&self, text: &[u8]) -> Option<Vec<u8>> {
        let hidden = STANDARD.decode(text).ok()?;
        let decryptor = cbc::Decryptor::<Aes128>::new(&self.key.into(), &self.iv.into());
        decryptor.decrypt_padded_vec::<Pkcs7>(&hidden).ok()
    }

    /// The `msg_key` over what a SEND holds, its payload already encrypted.
    #[must_use]
    pub fn key_of_send(&self, send: &SendPacket) -> String {
        let SendPacket { client_seq, client_msg_no, channel_id, channel_type, .. } = send;
        let head = format!("{client_seq}{client_msg_no}{channel_id}{channel_type}");
        self.msg_key(head, &send.payload)
    }

    /// The `msg_key` over what a RECV holds, its payload already encrypted.
    #[must_use]
    pub fn key_of_recv(&self, recv: &Recv) -> String {
        let Recv { message_id, message_seq, client_msg_no, timestamp, .. } = recv;
        let Recv { from_uid, channel_id, channel_type, .. } = recv;
        let head = format!(
            "{message_id}{message_seq}{client_msg_no}{timestamp}{from_uid}{channel_id}{channel_type}"
        );
        self.msg_key(head, &recv.payload)
    }

    fn msg_key(&self, head: String, payload: &[u8]) -> String {
        let mut verify = head.into_bytes();
        verify.extend(payload);
        hex(&Md5::digest(self.encrypt(&verify)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
