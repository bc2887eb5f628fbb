//! A recording push service of the web (RFC 8030), and the browsers behind it, which decrypt what
//! it gets (RFC 8291). Endpoints without keys are those of old UnifiedPush distributors.

use std::collections::BTreeMap;
use std::ops::{Deref, RangeInclusive};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey, ecdh};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::ECDSA_P256_SHA256_FIXED;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::EcKey;
use crate::vendor::Vendor;
use crate::{Recorded, Script, Token, VendorServer, jwt};

const BODY_BYTES: RangeInclusive<usize> = 1..=4096;
const TTL_S: RangeInclusive<u64> = 0..=2_592_000;
const DAY_S: u64 = 24 * 3600;
const POINT_BYTES: usize = 65;

/// Who subscribed.
#[derive(Debug, Clone)]
struct Browser {
    key: SecretKey,
    auth: [u8; 16],
}

#[derive(Debug)]
struct Rules {
    vapid: EcKey,
    /// By the last segment of the endpoint; `None` has no keys.
    subscriptions: Mutex<BTreeMap<String, Option<Browser>>>,
    /// What signatures must be for; known once the server listens.
    origin: OnceLock<String>,
}

/// A push service on loopback. Stops when it is dropped.
#[derive(Debug)]
pub struct WebPushServer {
    server: VendorServer,
    directory: TempDir,
    rules: Arc<Rules>,
}

impl Deref for WebPushServer {
    type Target = VendorServer;

    fn deref(&self) -> &VendorServer {
        &self.server
    }
}

impl WebPushServer {
    /// Starts one whose subscriptions are made with one VAPID key.
    pub async fn start() -> Self {
        let rules = Arc::new(Rules {
            vapid: EcKey::generate(),
            subscriptions: Mutex::default(),
            origin: OnceLock::new(),
        });
        let server = VendorServer::start(Arc::clone(&rules) as Arc<dyn Vendor>).await;
        rules.origin.set(server.base_url()).expect("it is set here only");
        let directory = TempDir::new().expect("there is room for a key");
        let server = Self { server, directory, rules };
        std::fs::write(server.vapid_key_file(), server.rules.vapid.pem())
            .expect("there is room for a key");
        server
    }

    /// The private half of the key subscriptions are made with; removed with the server.
    #[must_use]
    pub fn vapid_key_file(&self) -> PathBuf {
        self.directory.path().join("vapid.pem")
    }

    /// The public half, as browsers take it.
    #[must_use]
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.rules.vapid.public())
    }

    /// The TOML table `[push.PROVIDER.NAME]` for endpoints of this server.
    #[must_use]
    pub fn config(&self, provider: &str, name: &str) -> String {
        format!(
            "[push.{provider}.{name}]\nvapid_key_file = '{}'\n\
             subject = \"mailto:ops@chat.example\"\nallow_private = true\n",
            self.vapid_key_file().display()
        )
    }

    /// A new subscription, as a browser says it in JSON. Scripts and records know it by its name.
    #[must_use]
    pub fn subscribe(&self, name: &str) -> String {
        let mut scalar = [0; 32];
        let mut auth = [0; 16];
        let random = SystemRandom::new();
        random.fill(&mut scalar).expect("the system has random bytes");
        random.fill(&mut auth).expect("the system has random bytes");
        let key = SecretKey::from_slice(&scalar).expect("all but a few of 2^256 numbers are keys");
        let public = key.public_key().to_sec1_point(false);
        let keys = json!({
            "p256dh": URL_SAFE_NO_PAD.encode(public.as_bytes()),
            "auth": URL_SAFE_NO_PAD.encode(auth),
        });
        self.keep(name, Some(Browser { key, auth }));
        json!({ "endpoint": self.endpoint(name), "expirationTime": null, "keys": keys }).to_string()
    }

    /// An endpoint of a distributor that knows no encryption.
    #[must_use]
    pub fn subscribe_without_keys(&self, name: &str) -> String {
        self.keep(name, None);
        json!({ "endpoint": self.endpoint(name) }).to_string()
    }

    /// The subscription ends.
    pub fn unsubscribe(&self, name: &str) {
        self.rules.subscriptions.lock().expect("no panic while locked").remove(name);
    }

    /// What the browser makes of a request; `None` for what it cannot decrypt.
    #[must_use]
    pub fn opened(&self, request: &Recorded) -> Option<Value> {
        let browser = self.rules.browser(&request.token)??;
        serde_json::from_slice(&browser.decrypt(&request.body)?).ok()
    }

    fn endpoint(&self, name: &str) -> String {
        format!("{}/push/{name}", self.base_url())
    }

    fn keep(&self, name: &str, browser: Option<Browser>) {
        let mut subscriptions = self.rules.subscriptions.lock().expect("no panic while locked");
        subscriptions.insert(name.to_owned(), browser);
    }
}

impl Rules {
    fn browser(&self, name: &str) -> Option<Option<Browser>> {
        self.subscriptions.lock().expect("no panic while locked").get(name).cloned()
    }

    /// What is wrong with the signature of a request (RFC 8292 §4.2).
    fn signature_fault(&self, request: &Recorded) -> Option<&'static str> {
        let Some(signed) = &request.signed else { return Some("no valid signature") };
        let public = format!("k={}", URL_SAFE_NO_PAD.encode(self.vapid.public()));
        let parts = request.header("authorization").split([',', ' ']);
        let now_s = request.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let ends_in_s = signed.claims["exp"].as_u64().and_then(|end| end.checked_sub(now_s));
        let subject = signed.claims["sub"].as_str().unwrap_or_default();
        if !parts.into_iter().any(|part| part.trim() == public) {
            Some("VAPID public key mismatch")
        } else if signed.claims["aud"].as_str() != self.origin.get().map(String::as_str) {
            Some("aud is another origin")
        } else if !ends_in_s.is_some_and(|left_s| (1..=DAY_S).contains(&left_s)) {
            Some("exp is not within a day")
        } else if !subject.starts_with("mailto:") && !subject.starts_with("https://") {
            Some("sub names nobody")
        } else {
            None
        }
    }

    /// What is wrong with the request itself: status, Mozilla's number for it, and why.
    fn fault(request: &Recorded, browser: Option<&Browser>) -> Option<(u16, u32, &'static str)> {
        let header = |name: &str| request.header(name);
        let ttl_s: Option<u64> = header("ttl").parse().ok();
        let topic = header("topic");
        let is_topic_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if request.method != "POST" {
            Some((405, 0, "only POST"))
        } else if !ttl_s.is_some_and(|ttl_s| TTL_S.contains(&ttl_s)) {
            Some((400, 112, "no valid TTL"))
        } else if !["", "very-low", "low", "normal", "high"].contains(&header("urgency")) {
            Some((400, 111, "no such urgency"))
        } else if topic.len() > 32 || !topic.chars().all(is_topic_char) {
            Some((400, 113, "no valid topic"))
        } else if request.body.len() > *BODY_BYTES.end() {
            Some((413, 104, "too long"))
        } else if !BODY_BYTES.contains(&request.body.len()) {
            Some((400, 110, "empty"))
        } else if browser.is_some() && header("content-encoding") != "aes128gcm" {
            Some((400, 110, "another encoding"))
        } else if browser.is_some_and(|browser| browser.decrypt(&request.body).is_none()) {
            // A service cannot know; the browser would drop it and nobody would hear why.
            Some((400, 110, "the browser cannot decrypt it"))
        } else {
            None
        }
    }
}

impl Browser {
    /// RFC 8291 §3.4 and RFC 8188 §2, one record.
    fn decrypt(&self, body: &[u8]) -> Option<Vec<u8>> {
        let (salt, rest) = body.split_at_checked(16)?;
        let (record_size, rest) = rest.split_first_chunk()?;
        let (id_length, rest) = rest.split_first()?;
        let (sender, record) = rest.split_at_checked(usize::from(*id_length))?;
        let size = usize::try_from(u32::from_be_bytes(*record_size)).ok()?;
        if sender.len() != POINT_BYTES || record.len() > size {
            return None;
        }
        let their_key = PublicKey::from_sec1_bytes(sender).ok()?;
        let secret = ecdh::diffie_hellman(self.key.to_nonzero_scalar(), their_key.as_affine());
        let ours = self.key.public_key().to_sec1_point(false);

        let of_both = hmac_sha256(&self.auth, &[secret.raw_secret_bytes()]);
        let input = hmac_sha256(&of_both, &[b"WebPush: info\0", ours.as_bytes(), sender, &[1]]);
        let of_message = hmac_sha256(salt, &[&input]);
        let key = hmac_sha256(&of_message, &[b"Content-Encoding: aes128gcm\0\x01"]);
        let nonce = hmac_sha256(&of_message, &[b"Content-Encoding: nonce\0\x01"]);

        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key[..16]).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).ok()?;
        let mut record = record.to_vec();
        let plaintext = key.open_in_place(nonce, Aad::empty(), &mut record).ok()?;
        let end = plaintext.iter().rposition(|byte| *byte != 0)?;
        (plaintext[end] == 2).then(|| plaintext[..end].to_vec())
    }
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().to_vec()
}

fn refuse(status: u16, errno: u32, message: &str) -> Script {
    Script::status(status).json(&json!({ "code": status, "errno": errno, "message": message }))
}

impl Vendor for Rules {
    fn is_fetch(&self, _: &str) -> bool {
        false
    }

    fn token(&self, request: &Recorded) -> String {
        request.path.strip_prefix("/push/").unwrap_or_default().to_owned()
    }

    fn signed(&self, request: &Recorded) -> Option<Token> {
        let rest = request.header("authorization").strip_prefix("vapid ")?;
        let token = rest.split(',').find_map(|part| part.trim().strip_prefix("t="))?;
        jwt::verify(token, &ECDSA_P256_SHA256_FIXED, self.vapid.public())
    }

    fn answer(&self, request: &Recorded) -> Script {
        let Some(browser) = self.browser(&request.token) else {
            return refuse(410, 106, "no such subscription");
        };
        if let Some(message) = browser.as_ref().and_then(|_| self.signature_fault(request)) {
            return refuse(401, 109, message);
        }
        match Self::fault(request, browser.as_ref()) {
            Some((status, errno, message)) => refuse(status, errno, message),
            None => Script::status(201).header("location", "/message/1"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the receiver of RFC 8291, appendix A, holds and gets.
    #[test]
    fn a_browser_decrypts_the_example_of_rfc_8291() {
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let browser = Browser {
            key: SecretKey::from_slice(&decoded("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"))
                .unwrap(),
            auth: decoded("BTBZMqHH6r4Tts7J_aSIgg").try_into().unwrap(),
        };
        let mut body = decoded(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLoc\
             InmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLV\
             WGNWQexSgSxsj_Qulcy4a-fN",
        );
        let plaintext = browser.decrypt(&body).unwrap();
        assert_eq!(plaintext, b"When I grow up, I want to be a watermelon");
        *body.last_mut().unwrap() ^= 1;
        assert!(browser.decrypt(&body).is_none());
    }
}
