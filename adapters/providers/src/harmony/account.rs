//! The service account: who signs, for which project.

use std::time::Duration;

use nightjar_model::{Secret, WallMs};
use nightjar_push::Answer;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;

use crate::bearer::Bought;
use crate::config::text_or_number;
use crate::{answers, jwt};

/// Huawei's own value; it stays where messages go to another server.
const AUDIENCE: &str = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";
/// How long a token says it lives. Huawei refuses more than a day.
pub(super) const LIFE: Duration = Duration::from_secs(3600);

/// The fields of Huawei's key file that are used; it holds more.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(deserialize_with = "text_or_number")]
    project_id: String,
    key_id: String,
    private_key: String,
    sub_account: String,
}

/// A service account that can sign.
pub(super) struct ServiceAccount {
    pub(super) project_id: String,
    key_id: String,
    sub_account: String,
    key: RsaKeyPair,
    random: SystemRandom,
}

impl ServiceAccount {
    /// Reads the JSON key file; the error says what is wrong with it and repeats none of it.
    pub(super) fn new(json: &[u8]) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_slice(json).map_err(|error| {
            format!(
                "is not a service account key of Huawei (line {}, column {}): it has project_id, \
                 key_id, private_key and sub_account",
                error.line(),
                error.column()
            )
        })?;
        let der = jwt::pkcs8_from_pem(file.private_key.as_bytes())
            .map_err(|reason| format!("private_key {reason}"))?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|_| "private_key is not an RSA key of 2048 to 4096 bits".to_owned())?;
        Ok(Self {
            project_id: file.project_id,
            key_id: file.key_id,
            sub_account: file.sub_account,
            key,
            random: SystemRandom::new(),
        })
    }

    /// The signed token, which authorises requests by itself.
    pub(super) fn sign(&self, now: WallMs) -> Result<Bought, Answer> {
        let now_s = now.0 / 1000;
        let header = json!({ "alg": "PS256", "kid": self.key_id, "typ": "JWT" });
        let claims = json!({
            "iss": self.sub_account,
            "aud": AUDIENCE,
            "iat": now_s,
            "exp": now_s + LIFE.as_secs(),
        });
        let token = jwt::encode(&header, &claims, |input| {
            let mut signature = vec![0; self.key.public().modulus_len()];
            self.key.sign(&RSA_PSS_SHA256, &self.random, input, &mut signature)?;
            Ok(signature)
        });
        let token = token.map_err(|_| answers::unsignable())?;
        let value = Secret::new(format!("Bearer {token}"));
        Bought::new(&value, LIFE).map_err(|_| answers::unsignable())
    }
}
