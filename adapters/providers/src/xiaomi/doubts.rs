//! Tokens of which Xiaomi says that there is no such device. It says so of a phone that is off,
//! too, so a token is dead only when nothing else was said of it for a day.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nightjar_model::Secret;
use ring::digest;
use tokio::time::Instant;

/// So long a phone may be off before its token counts as dead.
pub(super) const DOUBTED: Duration = Duration::from_secs(24 * 3600);
/// The most tokens that are doubted at once; the oldest doubt is forgotten for another.
const DOUBTS_MAX: usize = 10_000;

/// Since when each token is doubted, by its hash. Forgotten at a restart.
#[derive(Default)]
pub(super) struct Doubts(Mutex<BTreeMap<Vec<u8>, Instant>>);

impl Doubts {
    /// Notes that the device was not found; whether that has been so for [`DOUBTED`].
    pub(super) fn not_found(&self, token: &Secret<String>, now: Instant) -> bool {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(token);
        if !since.contains_key(&key) && since.len() >= DOUBTS_MAX {
            let oldest = since.iter().min_by_key(|(_, since)| **since);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| since.remove(&key));
        }
        let first = *since.entry(key.clone()).or_insert(now);
        let is_dead = now.saturating_duration_since(first) >= DOUBTED;
        if is_dead {
            since.remove(&key);
        }
        is_dead
    }

    /// Notes that the device was found.
    pub(super) fn found(&self, token: &Secret<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(token));
    }
}

fn key(token: &Secret<String>) -> Vec<u8> {
    digest::digest(&digest::SHA256, token.expose().as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_token_is_dead_after_a_day_without_another_word() {
        let (doubts, start) = (Doubts::default(), Instant::now());
        let almost = start + DOUBTED - Duration::from_millis(1);
        assert!(!doubts.not_found(&token("a"), start));
        assert!(!doubts.not_found(&token("b"), start));
        assert!(!doubts.not_found(&token("a"), almost));
        doubts.found(&token("b"));
        assert!(doubts.not_found(&token("a"), start + DOUBTED));
        assert!(!doubts.not_found(&token("b"), start + DOUBTED));
        // Bound anew, it begins anew.
        assert!(!doubts.not_found(&token("a"), start + DOUBTED));
    }

    #[test]
    fn doubts_are_bounded_and_the_oldest_goes() {
        let (doubts, start) = (Doubts::default(), Instant::now());
        for n in 0..=DOUBTS_MAX {
            doubts.not_found(&token(&n.to_string()), start + Duration::from_millis(n as u64));
        }
        assert_eq!(doubts.0.lock().unwrap().len(), DOUBTS_MAX);
        let later = start + DOUBTED + Duration::from_secs(60);
        assert!(doubts.not_found(&token("1"), later));
        assert!(!doubts.not_found(&token("0"), later));
    }
}
