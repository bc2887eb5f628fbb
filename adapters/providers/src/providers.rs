//! Every open credential.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use nightjar_model::BindingKey;
use nightjar_push::{Answer, Outcome, PushRequest};

use crate::clock::wall_now;
use crate::{
    Apns, ApnsKind, Fcm, Harmony, Health, Honor, Huawei, Jpush, Meizu, Oppo, Provider,
    ProviderConfigError, PushConfig, Vivo, WebPush, Webhook, Xiaomi,
};

/// Providers by (provider, credential). Clones share them, and what one changes all see: a
/// credential may come, be replaced and go while pushes are under way. A request under way ends
/// at the provider it began at.
#[derive(Clone, Default)]
pub struct Providers {
    open: Arc<RwLock<BTreeMap<BindingKey, Opened>>>,
}

#[derive(Clone)]
struct Opened {
    provider: Arc<dyn Provider>,
    health: Arc<Mutex<Health>>,
}

impl Providers {
    /// Reads the keys of every credential. Connects nowhere.
    ///
    /// # Errors
    /// [`ProviderConfigError`] for the first credential that cannot be used.
    pub fn open(config: &PushConfig) -> Result<Self, ProviderConfigError> {
        let providers = Self::default();
        for (kind, tables) in [
            (ApnsKind::Alert, &config.apns),
            (ApnsKind::Voip, &config.apns_voip),
            (ApnsKind::LiveActivity, &config.apns_liveactivity),
        ] {
            for (name, table) in tables {
                providers.insert(name, Arc::new(Apns::open(kind, name, table)?));
            }
        }
        for (name, table) in &config.huawei {
            providers.insert(name, Arc::new(Huawei::open(name, table)?));
        }
        for (name, table) in &config.harmony {
            providers.insert(name, Arc::new(Harmony::open(name, table)?));
        }
        for (name, table) in &config.honor {
            providers.insert(name, Arc::new(Honor::open(name, table)?));
        }
        for (name, table) in &config.fcm {
            providers.insert(name, Arc::new(Fcm::open(name, table)?));
        }
        for (name, table) in &config.meizu {
            providers.insert(name, Arc::new(Meizu::open(name, table)?));
        }
        for (name, table) in &config.oppo {
            providers.insert(name, Arc::new(Oppo::open(name, table)?));
        }
        for (name, table) in &config.vivo {
            providers.insert(name, Arc::new(Vivo::open(name, table)?));
        }
        for (name, table) in &config.xiaomi {
            providers.insert(name, Arc::new(Xiaomi::open(name, table)?));
        }
        for (name, table) in &config.webpush {
            providers.insert(name, Arc::new(WebPush::open(name, table)?));
        }
        for (name, table) in &config.jpush {
            providers.insert(name, Arc::new(Jpush::open(name, table)?));
        }
        for (name, table) in &config.webhook {
            providers.insert(name, Arc::new(Webhook::open(name, table)?));
        }
        for (name, table) in &config.unifiedpush {
            providers.insert(name, Arc::new(WebPush::open_unified(name, table)?));
        }
        Ok(providers)
    }

    /// Adds one under its own name and the name of its credential, or puts it in the place of the
    /// one that has them; how that one fared is forgotten.
    pub fn insert(&self, credential: &str, provider: Arc<dyn Provider>) {
        let key =
            BindingKey { provider: provider.name().to_owned(), credential: credential.to_owned() };
        self.write().insert(key, Opened { provider, health: Arc::default() });
    }

    /// Closes one.
    pub fn remove(&self, key: &BindingKey) {
        self.write().remove(key);
    }

    /// The provider of a credential.
    #[must_use]
    pub fn get(&self, key: &BindingKey) -> Option<Arc<dyn Provider>> {
        self.read().get(key).map(|opened| Arc::clone(&opened.provider))
    }

    /// Hands one request to the provider its binding names.
    pub async fn push(&self, request: &PushRequest) -> Answer {
        let opened = self.read().get(&request.binding.key).cloned();
        let Some(Opened { provider, health }) = opened else {
            return Answer::new(Outcome::ConfigError, "unknown_credential");
        };
        let answer = provider.push(request).await;
        health.lock().unwrap_or_else(PoisonError::into_inner).note(&answer, wall_now());
        answer
    }

    /// Every known provider and credential.
    #[must_use]
    pub fn keys(&self) -> Vec<BindingKey> {
        self.read().keys().cloned().collect()
    }

    /// How every credential fares.
    #[must_use]
    pub fn health(&self) -> BTreeMap<BindingKey, Health> {
        let of =
            |opened: &Opened| opened.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.read().iter().map(|(key, opened)| (key.clone(), of(opened))).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<BindingKey, Opened>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<BindingKey, Opened>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{AnswerFuture, samples};

    /// Answers with its own word once the gate opens.
    struct Gated(&'static str, Arc<Semaphore>);

    impl Provider for Gated {
        fn name(&self) -> &'static str {
            "gated"
        }

        fn push<'a>(&'a self, _: &'a PushRequest) -> AnswerFuture<'a> {
            Box::pin(async {
                let _ = self.1.acquire().await;
                Answer::new(Outcome::Delivered, self.0)
            })
        }
    }

    #[tokio::test]
    async fn a_request_under_way_ends_where_it_began_and_the_next_goes_to_the_new_keys() {
        let (providers, gate) = (Providers::default(), Arc::new(Semaphore::new(0)));
        providers.insert("main", Arc::new(Gated("old", Arc::clone(&gate))));
        let request = samples::alert("gated");
        let mut old = Box::pin(providers.push(&request));
        assert!(futures_are_pending(&mut old).await);
        providers.insert("main", Arc::new(Gated("new", Arc::clone(&gate))));
        gate.add_permits(1);
        assert_eq!(old.await.reason, "old");
        assert_eq!(providers.push(&request).await.reason, "new");
        let health = &providers.health()[&request.binding.key];
        assert_eq!((health.answers[0], health.is_good()), (1, Some(true)));
        providers.remove(&request.binding.key);
        assert_eq!(providers.push(&request).await.outcome, Outcome::ConfigError);
    }

    /// Polls once.
    async fn futures_are_pending(future: &mut (impl Future + Unpin)) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}
