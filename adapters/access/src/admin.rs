//! Keys of the operator's API.

use nightjar_model::Secret;
use subtle::ConstantTimeEq;

/// Several keys, each with a name for the log.
#[derive(Debug, Clone)]
pub struct AdminKeys(Vec<(String, Secret<String>)>);

impl AdminKeys {
    /// Takes the keys; without any, nobody comes in.
    #[must_use]
    pub fn new(keys: Vec<(String, Secret<String>)>) -> Self {
        Self(keys)
    }

    /// The name of the key that was given. Every key is compared, in constant time.
    #[must_use]
    pub fn name_of(&self, given: &str) -> Option<&str> {
        let mut found = None;
        for (name, key) in &self.0 {
            if bool::from(key.expose().as_bytes().ct_eq(given.as_bytes())) {
                found = Some(name.as_str());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_key_opens() {
        let keys = AdminKeys::new(vec![("ops".into(), Secret::new("s3cret".into()))]);
        assert_eq!(keys.name_of("s3cret"), Some("ops"));
        assert_eq!(keys.name_of("s3cre"), None);
        assert_eq!(keys.name_of(""), None);
        assert_eq!(AdminKeys::new(Vec::new()).name_of(""), None);
    }
}
