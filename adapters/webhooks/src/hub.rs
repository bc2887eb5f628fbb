//! Every receiver with a task of its own, so that one that refuses holds only itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nightjar_model::Webhook;
use nightjar_outgoing::{Key, KeyError};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::post::{PostError, Target, TargetError};
use crate::sender::{Ask, Post, Sender};
use crate::state::Fares;

/// Why a webhook cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Its URL.
    #[error("url: {0}")]
    Url(#[from] TargetError),
    /// Its address is private, and `allow_private` is not set.
    #[error("url: {0}")]
    Address(PostError),
    /// Its secret.
    #[error("secret: {0}")]
    Secret(#[from] KeyError),
}

/// The receivers that are served.
pub struct Hub {
    ask: Ask,
    news: watch::Receiver<u64>,
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    task: AbortHandle,
    post: Arc<Post>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hub {
    /// `ask` gives a command to the lanes; `news` changes when new events are stored.
    #[must_use]
    pub fn new(ask: Ask, news: watch::Receiver<u64>) -> Arc<Self> {
        Arc::new(Self { ask, news, running: Mutex::default() })
    }

    /// Checks a webhook as far as can be told without asking it: its URL, its secret, and whether
    /// its address may be used now. A name that has no address yet is taken.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn check(webhook: &Webhook) -> Result<(), WebhookError> {
        let target = Target::parse(&webhook.url, webhook.allow_private)?;
        Key::parse(&webhook.secret)?;
        match target.resolve().await {
            Err(error @ PostError::Private(_)) => Err(WebhookError::Address(error)),
            _ => Ok(()),
        }
    }

    /// Serves a webhook from where it was, in the place of the one of its name; one that is
    /// turned off is served no more. Call it in a runtime.
    ///
    /// # Errors
    /// [`WebhookError`]; nothing changed then.
    pub fn set(&self, webhook: &Webhook) -> Result<(), WebhookError> {
        let target = Target::parse(&webhook.url, webhook.allow_private)?;
        let post = Arc::new(Post::new(target, Key::parse(&webhook.secret)?));
        self.remove(&webhook.id);
        if webhook.enabled {
            let sender = Sender {
                ask: Arc::clone(&self.ask),
                news: self.news.clone(),
                receiver: webhook.id.clone(),
                types: webhook.types.iter().cloned().collect(),
                post: Arc::clone(&post),
            };
            let task = tokio::spawn(sender.run()).abort_handle();
            self.running().insert(webhook.id.clone(), Running { task, post });
        }
        Ok(())
    }

    /// Serves a webhook no more. A request under way may still be taken.
    pub fn remove(&self, id: &str) {
        self.running().remove(id);
    }

    /// How the receivers that are served fare.
    #[must_use]
    pub fn fares(&self) -> BTreeMap<String, Fares> {
        let running = self.running();
        running.iter().map(|(id, running)| (id.clone(), running.post.state.fares())).collect()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
