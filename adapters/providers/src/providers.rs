//! Every open credential.

use std::collections::BTreeMap;
use std::sync::Arc;

use nightjar_model::BindingKey;
use nightjar_push::{Answer, Outcome, PushRequest};

use crate::{Apns, Fcm, Provider, ProviderConfigError, PushConfig};

/// Providers by (provider, credential).
#[derive(Clone, Default)]
pub struct Providers {
    open: BTreeMap<BindingKey, Arc<dyn Provider>>,
}

impl Providers {
    /// Reads the keys of every credential. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] for the first credential that cannot be used.
    pub fn open(config: &PushConfig) -> Result<Self, ProviderConfigError> {
        let mut providers = Self::default();
        for (name, table) in &config.apns {
            providers.insert(name, Arc::new(Apns::open(name, table)?));
        }
        for (name, table) in &config.fcm {
            providers.insert(name, Arc::new(Fcm::open(name, table)?));
        }
        Ok(providers)
    }

    /// Adds one under its own name and the name of its credential; the development console
    /// comes in this way.
    pub fn insert(&mut self, credential: &str, provider: Arc<dyn Provider>) {
        let key =
            BindingKey { provider: provider.name().to_owned(), credential: credential.to_owned() };
        self.open.insert(key, provider);
    }

    /// Hands one request to the provider its binding names.
    pub async fn push(&self, request: &PushRequest) -> Answer {
        match self.open.get(&request.binding.key) {
            Some(provider) => provider.push(request).await,
            None => Answer::new(Outcome::ConfigError, "unknown_credential"),
        }
    }

    /// Whether a binding's provider and credential are known.
    #[must_use]
    pub fn contains(&self, key: &BindingKey) -> bool {
        self.open.contains_key(key)
    }

    /// Every known provider and credential.
    pub fn keys(&self) -> impl Iterator<Item = &BindingKey> {
        self.open.keys()
    }
}
