//! Passwords become keys where the processor time of that is bounded.

use nightjar_model::{PasswordKeys, ScramKeys, Secret, Uid};
use nightjar_xmpp::{Hash, ScramError, decoy_keys, keys};
use tokio::sync::Semaphore;

/// How often a password is hashed, once for each hash.
const ITERATIONS: u32 = 10_000;
/// Passwords hashed at a time; further ones wait for their turn.
const AT_ONCE_MAX: usize = 2;
/// Random bytes of a salt.
const SALT_BYTES: usize = 16;

/// Makes the keys of passwords, and keys for users that do not exist.
pub struct Passwords {
    turns: Semaphore,
    decoy: Secret<[u8; 32]>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE_MAX), decoy: Secret::new(random()) }
    }
}

impl Passwords {
    /// The keys of a new password, with fresh salts. Takes some milliseconds of processor time,
    /// on a thread that may be blocked.
    ///
    /// # Errors
    /// [`ScramError::Password`] when no client could type it.
    pub async fn keys(&self, password: Secret<String>) -> Result<PasswordKeys, ScramError> {
        let _turn = self.turns.acquire().await.expect("it is never closed");
        let hashing = tokio::task::spawn_blocking(move || {
            let make = |hash| keys(hash, &password, random::<SALT_BYTES>().to_vec(), ITERATIONS);
            Ok(PasswordKeys { sha1: Some(make(Hash::Sha1)?), sha256: Some(make(Hash::Sha256)?) })
        });
        hashing.await.expect("hashing a password does not panic, and is not called back")
    }

    /// What an exchange goes on with for somebody without keys: it looks like any other, and no
    /// password opens it.
    #[must_use]
    pub fn decoy(&self, uid: &Uid) -> ScramKeys {
        decoy_keys(self.decoy.expose(), uid.as_str(), ITERATIONS)
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_password_has_other_keys_every_time() {
        let passwords = Passwords::default();
        let secret = || Secret::new("pencil".to_owned());
        let (one, two) = (passwords.keys(secret()).await, passwords.keys(secret()).await);
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one, two);
        let one = one.sha256.unwrap();
        let again = keys(Hash::Sha256, &secret(), one.salt.clone(), one.iterations);
        assert_eq!(again, Ok(one));
        let refused = passwords.keys(Secret::new("\u{7}".into())).await;
        assert_eq!(refused, Err(ScramError::Password));
    }
}
