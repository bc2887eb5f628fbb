//! The service account: who signs, for which project.

use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;

use crate::clock::wall_now;
use crate::jwt;

/// The one right the access token asks for.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// Google's own library keeps this audience even where the key file names another `token_uri`.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// The longest life Google allows an assertion.
const ASSERTION_S: u64 = 3600;

/// The fields of Google's key file that are used; it holds more.
#[derive(Deserialize)]
struct KeyFile {
    project_id: String,
    private_key_id: String,
    private_key: String,
    client_email: String,
    token_uri: Option<String>,
}

/// A service account that can sign.
pub(super) struct ServiceAccount {
    pub(super) project_id: String,
    /// Where the key file says access tokens come from.
    pub(super) token_uri: Option<String>,
    key_id: String,
    email: String,
    key: RsaKeyPair,
    random: SystemRandom,
}

impl ServiceAccount {
    /// Reads the JSON key file; the error says what is wrong with it and repeats none of it.
    pub(super) fn new(json: &[u8]) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_slice(json).map_err(|error| {
            format!(
                "is not a service account key (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        let path_safe = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if file.project_id.is_empty() || !file.project_id.chars().all(path_safe) {
            return Err("holds a project_id that is none".into());
        }
        let der = jwt::pkcs8_from_pem(file.private_key.as_bytes())
            .map_err(|reason| format!("private_key {reason}"))?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|_| "private_key is not an RSA key of 2048 to 4096 bits".to_owned())?;
        Ok(Self {
            project_id: file.project_id,
            token_uri: file.token_uri,
            key_id: file.private_key_id,
            email: file.client_email,
            key,
            random: SystemRandom::new(),
        })
    }

    /// A signed statement that buys an access token (RFC 7523).
    pub(super) fn assertion(&self) -> Result<String, Unspecified> {
        let now_s = wall_now().0 / 1000;
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": AUDIENCE,
            "iat": now_s,
            "exp": now_s + ASSERTION_S,
        });
        jwt::encode(&header, &claims, |input| {
            let mut signature = vec![0; self.key.public().modulus_len()];
            self.key.sign(&RSA_PKCS1_SHA256, &self.random, input, &mut signature)?;
            Ok(signature)
        })
    }
}
