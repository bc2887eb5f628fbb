//! Requests on their way to providers, each in a task that can be called back.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use nightjar_node::Input;
use nightjar_push::{Answer, PushRequest, Ticket};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::handle::ToDecider;

/// What a provider answers with, later.
pub type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Hands requests to providers and their answers to the decider.
#[derive(Clone)]
pub struct Pusher(Arc<Inner>);

struct Inner {
    hand_over: Box<dyn Fn(Box<PushRequest>) -> AnswerFuture + Send + Sync>,
    runtime: tokio::runtime::Handle,
    inbox: OnceLock<mpsc::Sender<ToDecider>>,
    flying: Mutex<HashMap<Ticket, AbortHandle>>,
}

impl Pusher {
    /// Hands requests over with this function, in tasks of this runtime. The function's future
    /// always ends; dropping it gives the request up.
    pub fn new(
        runtime: tokio::runtime::Handle,
        hand_over: impl Fn(Box<PushRequest>) -> AnswerFuture + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            hand_over: Box::new(hand_over),
            runtime,
            inbox: OnceLock::new(),
            flying: Mutex::new(HashMap::new()),
        }))
    }

    pub(crate) fn answer_to(&self, inbox: mpsc::Sender<ToDecider>) {
        // Set once, before the first turn.
        let _ = self.0.inbox.set(inbox);
    }

    pub(crate) fn push(&self, ticket: Ticket, request: Box<PushRequest>) {
        let inner = Arc::clone(&self.0);
        // The lock is held until the task is known, so that it cannot end before.
        let mut flying = self.0.flying.lock().expect("no holder of this lock can panic");
        let task = self.0.runtime.spawn(async move {
            let answer = (inner.hand_over)(request).await;
            inner.flying.lock().expect("no holder of this lock can panic").remove(&ticket);
            if let Some(inbox) = inner.inbox.get() {
                let input = Input::Answered { ticket, answer };
                let _ = inbox.send(ToDecider::Input(input)).await;
            }
        });
        flying.insert(ticket, task.abort_handle());
    }

    /// The request must not leave any more. One that is being written may have left before the
    /// command that called it back was answered.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        let mut flying = self.0.flying.lock().expect("no holder of this lock can panic");
        if let Some(task) = flying.remove(&ticket) {
            task.abort();
        }
    }
}
