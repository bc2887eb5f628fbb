//! Who we are to push services: VAPID (RFC 8292), one signed token an origin.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;
use tokio::time::Instant;

use crate::clock::wall_now;
use crate::jwt;

/// Half of the longest life that RFC 8292 §2 allows: a clock may be wrong by hours.
const LIFE: Duration = Duration::from_secs(12 * 3600);
/// A token is signed anew so long before its end.
const SIGN_EARLY: Duration = Duration::from_secs(3600);
/// Tokens kept. Browsers know four push services; distributors of UnifiedPush are many.
const ORIGINS_MAX: usize = 1_000;

/// A token in the form of its header.
#[derive(Clone)]
pub(super) struct Signed {
    /// `vapid t=…, k=…`, marked sensitive.
    pub(super) value: HeaderValue,
    /// Which token of this process it is: says whether a rejected one was replaced already.
    pub(super) number: u64,
    fresh_until: Instant,
}

#[derive(Default)]
struct State {
    by_origin: BTreeMap<String, Signed>,
    /// The last number given.
    number: u64,
}

/// The key pair of one credential.
pub(super) struct Vapid {
    subject: String,
    key: EcdsaKeyPair,
    random: SystemRandom,
    state: Mutex<State>,
}

impl Vapid {
    /// Reads the key; the error says what is wrong with it.
    pub(super) fn new(subject: &str, pem: &[u8]) -> Result<Self, String> {
        let der = jwt::pkcs8_from_pem(pem)?;
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            der.secret_pkcs8_der(),
            &random,
        )
        .map_err(|_| "is not a P-256 key in PKCS#8 form".to_owned())?;
        Ok(Self { subject: subject.to_owned(), key, random, state: Mutex::default() })
    }

    /// What apps subscribe with (`applicationServerKey`): 87 characters of base64url.
    pub(super) fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key())
    }

    /// The token for an origin; never the one numbered `rejected`.
    pub(super) fn current(
        &self,
        origin: &str,
        rejected: Option<u64>,
    ) -> Result<Signed, Unspecified> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match state.by_origin.get(origin) {
            Some(signed) if now < signed.fresh_until && Some(signed.number) != rejected => {
                return Ok(signed.clone());
            }
            _ => {}
        }
        state.number += 1;
        let signed = self.sign(origin, state.number, now)?;
        if state.by_origin.len() >= ORIGINS_MAX && !state.by_origin.contains_key(origin) {
            let by_age = |(_, signed): &(&String, &Signed)| signed.fresh_until;
            let oldest = state.by_origin.iter().min_by_key(by_age).map(|(name, _)| name.clone());
            state.by_origin.remove(&oldest.unwrap_or_default());
        }
        state.by_origin.insert(origin.to_owned(), signed.clone());
        Ok(signed)
    }

    fn sign(&self, origin: &str, number: u64, now: Instant) -> Result<Signed, Unspecified> {
        let header = json!({ "typ": "JWT", "alg": "ES256" });
        let ends_s = wall_now().0 / 1000 + LIFE.as_secs();
        let claims = json!({ "aud": origin, "exp": ends_s, "sub": self.subject });
        let token = jwt::encode(&header, &claims, |input| {
            Ok(self.key.sign(&self.random, input)?.as_ref().to_vec())
        })?;
        let text = format!("vapid t={token}, k={}", self.public_key());
        let mut value = HeaderValue::from_str(&text).map_err(|_| Unspecified)?;
        value.set_sensitive(true);
        Ok(Signed { value, number, fresh_until: now + LIFE - SIGN_EARLY })
    }
}

#[cfg(test)]
mod tests {
    use nightjar_provider_servers::keys::EcKey;
    use tokio::time::advance;

    use super::*;

    fn vapid() -> Vapid {
        Vapid::new("mailto:ops@chat.example", EcKey::generate().pem().as_bytes()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_kept_for_its_origin_until_an_hour_before_its_end() {
        let vapid = vapid();
        let number = |origin: &str| vapid.current(origin, None).unwrap().number;
        assert_eq!((number("https://a"), number("https://b"), number("https://a")), (1, 2, 1));
        advance(LIFE - SIGN_EARLY - Duration::from_secs(1)).await;
        assert_eq!(number("https://a"), 1);
        advance(Duration::from_secs(1)).await;
        assert_eq!(number("https://a"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejected_token_is_signed_anew_once_for_all_that_were_rejected() {
        let vapid = vapid();
        assert_eq!(vapid.current("https://a", None).unwrap().number, 1);
        assert_eq!(vapid.current("https://a", Some(1)).unwrap().number, 2);
        assert_eq!(vapid.current("https://a", Some(1)).unwrap().number, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_origins_the_oldest_is_forgotten() {
        let vapid = vapid();
        for n in 0..=ORIGINS_MAX {
            vapid.current(&format!("https://{n}"), None).unwrap();
            advance(Duration::from_millis(1)).await;
        }
        let state = vapid.state.lock().unwrap();
        assert_eq!(state.by_origin.len(), ORIGINS_MAX);
        assert!(!state.by_origin.contains_key("https://0"));
        assert!(state.by_origin.contains_key(&format!("https://{ORIGINS_MAX}")));
    }

    #[test]
    fn the_public_key_is_what_browsers_take() {
        let key = vapid().public_key();
        assert_eq!((key.len(), &key[..1]), (87, "B"));
    }
}
