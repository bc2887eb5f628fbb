//! What is kept of a user's password.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// The keys of one password, for each hash a client may log in with (RFC 5802, RFC 7677). Another
/// server may have kept only one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordKeys {
    /// For SCRAM-SHA-1.
    pub sha1: Option<ScramKeys>,
    /// For SCRAM-SHA-256.
    pub sha256: Option<ScramKeys>,
}

/// Enough to check that somebody knows a password, not enough to log in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScramKeys {
    /// Random; [`crate::limits::SALT_BYTES_MIN`] to [`crate::limits::SALT_BYTES_MAX`] bytes.
    pub salt: Vec<u8>,
    /// How often the password was hashed; [`crate::limits::ITERATIONS_MIN`] to
    /// [`crate::limits::ITERATIONS_MAX`].
    pub iterations: u32,
    /// Checks a client's proof.
    pub stored_key: Secret<Vec<u8>>,
    /// Proves the server to the client.
    pub server_key: Secret<Vec<u8>>,
}
