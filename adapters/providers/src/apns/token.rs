//! The provider token: one per key, signed here, shared by every connection of the credential.
//!
//! Apple refuses a token after 60 minutes and a key that signs more often than every 20.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;
use tokio::time::Instant;

use crate::clock::wall_now;
use crate::jwt;

/// Well below the 60 minutes after which Apple refuses a token.
pub(super) const SIGN_AFTER: Duration = Duration::from_secs(45 * 60);
/// The least time between two tokens.
pub(super) const SIGN_PAUSE: Duration = Duration::from_secs(20 * 60);

/// A token in the form of its header.
#[derive(Clone)]
pub(super) struct Bearer {
    /// `bearer <jwt>`, marked sensitive so that HPACK never indexes it.
    pub(super) value: HeaderValue,
    /// Which token of this process it is: says whether a rejected one was replaced already.
    pub(super) number: u64,
}

struct Signed {
    bearer: Bearer,
    at: Instant,
}

#[derive(Default)]
struct State {
    signed: Option<Signed>,
    /// No token is replaced before its time until then.
    hold_until: Option<Instant>,
}

/// Signs tokens and says when.
pub(super) struct ProviderToken {
    team_id: String,
    key_id: String,
    key: EcdsaKeyPair,
    random: SystemRandom,
    /// Held while signing, which takes microseconds: so a hundred senders sign once.
    state: Mutex<State>,
}

impl ProviderToken {
    /// Reads the key; the error says what is wrong with the file.
    pub(super) fn new(team_id: &str, key_id: &str, pem: &[u8]) -> Result<Self, String> {
        let der = jwt::pkcs8_from_pem(pem)?;
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            der.secret_pkcs8_der(),
            &random,
        )
        .map_err(|_| "is not a P-256 key in PKCS#8 form".to_owned())?;
        let (team_id, key_id) = (team_id.to_owned(), key_id.to_owned());
        Ok(Self { team_id, key_id, key, random, state: Mutex::default() })
    }

    /// The token to send with; a new one once the last is [`SIGN_AFTER`] old.
    pub(super) fn current(&self) -> Result<Bearer, Unspecified> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let held = state.hold_until.is_some_and(|until| now < until);
        match &state.signed {
            Some(signed) if held || now < signed.at + SIGN_AFTER => Ok(signed.bearer.clone()),
            _ => self.sign(&mut state, now),
        }
    }

    /// What to send instead of a token that Apple rejected; `None` when signing must wait.
    ///
    /// A token that does not work is replaced at once even if it is younger than [`SIGN_PAUSE`]:
    /// keeping it would silence every device for the rest of the pause. But only once: after that
    /// the pause holds.
    pub(super) fn replace(&self, rejected: u64) -> Result<Option<Bearer>, Unspecified> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match &state.signed {
            Some(signed) if signed.bearer.number != rejected => {
                return Ok(Some(signed.bearer.clone()));
            }
            _ if state.hold_until.is_some_and(|until| now < until) => return Ok(None),
            _ => {}
        }
        let bearer = self.sign(&mut state, now)?;
        state.hold_until = Some(now + SIGN_PAUSE);
        Ok(Some(bearer))
    }

    /// Apple says there were too many tokens: the present one stays for [`SIGN_PAUSE`].
    pub(super) fn hold(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.hold_until = Some(Instant::now() + SIGN_PAUSE);
    }

    fn sign(&self, state: &mut State, now: Instant) -> Result<Bearer, Unspecified> {
        let header = json!({ "alg": "ES256", "kid": self.key_id });
        let claims = json!({ "iss": self.team_id, "iat": wall_now().0 / 1000 });
        let token = jwt::encode(&header, &claims, |input| {
            Ok(self.key.sign(&self.random, input)?.as_ref().to_vec())
        })?;
        let mut value =
            HeaderValue::from_str(&format!("bearer {token}")).map_err(|_| Unspecified)?;
        value.set_sensitive(true);
        let number = state.signed.as_ref().map_or(1, |signed| signed.bearer.number + 1);
        let bearer = Bearer { value, number };
        state.signed = Some(Signed { bearer: bearer.clone(), at: now });
        Ok(bearer)
    }
}

#[cfg(test)]
mod tests {
    use nightjar_provider_servers::keys::EcKey;
    use tokio::time::advance;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn token() -> ProviderToken {
        ProviderToken::new("TEAM567890", "KEY4567890", EcKey::generate().pem().as_bytes()).unwrap()
    }

    fn number(token: &ProviderToken) -> u64 {
        token.current().unwrap().number
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_kept_for_45_minutes() {
        let token = token();
        assert_eq!(number(&token), 1);
        advance(SIGN_AFTER - MINUTE).await;
        assert_eq!(number(&token), 1);
        advance(MINUTE).await;
        assert_eq!(number(&token), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejected_token_is_replaced_once_in_20_minutes() {
        let token = token();
        assert_eq!(number(&token), 1);
        assert_eq!(token.replace(1).unwrap().unwrap().number, 2);
        assert_eq!(token.replace(1).unwrap().unwrap().number, 2, "replaced by somebody else");
        assert!(token.replace(2).unwrap().is_none(), "too soon");
        advance(SIGN_PAUSE).await;
        assert_eq!(token.replace(2).unwrap().unwrap().number, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_updates_keep_the_token_even_past_its_age() {
        let token = token();
        assert_eq!(number(&token), 1);
        advance(SIGN_AFTER - MINUTE).await;
        token.hold();
        advance(SIGN_PAUSE - MINUTE).await;
        assert_eq!(number(&token), 1);
        assert!(token.replace(1).unwrap().is_none());
        advance(MINUTE).await;
        assert_eq!(number(&token), 2);
    }

    #[test]
    fn wrong_keys_are_told_apart() {
        let refused = |pem: &str| ProviderToken::new("T", "K", pem.as_bytes()).err().unwrap();
        assert!(refused("nothing").contains("PEM"));
        let rsa = nightjar_provider_servers::keys::RsaKey::generate();
        assert!(refused(rsa.pem()).contains("P-256"));
    }
}
