//! Where this device can be pushed: told until the server knows, once a run of the app.
//!
//! Systems give an app its token at each start, so none is kept in the store.

use nightjar_model::{Binding, BindingKey, Environment, limits};
use nightjar_wire::{Body, Kind, body};

use crate::incoming::Refusal;
use crate::requests::Asked;
use crate::{Client, Event, defaults};

/// One binding and what the server knows of it.
#[derive(Debug)]
pub(crate) struct Bound {
    key: BindingKey,
    /// `None`: it is to be removed.
    binding: Option<Box<Binding>>,
    told: Told,
}

fn word(environment: Environment) -> String {
    match environment {
        Environment::Production => "production".to_owned(),
        Environment::Sandbox => "sandbox".to_owned(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    No,
    Asked,
    Yes,
}

impl Client {
    /// The system gave a token, or another one than before.
    pub(crate) fn bind(&mut self, binding: Binding) {
        let is_known = |bound: &Bound| {
            let same = bound.binding.as_deref().is_some_and(|known| known.token == binding.token);
            bound.key == binding.key && same && bound.told != Told::No
        };
        if !self.bindings.iter().any(is_known) {
            self.set(binding.key.clone(), Some(Box::new(binding)));
        }
    }

    /// The token is worth nothing any more.
    pub(crate) fn unbind(&mut self, key: BindingKey) {
        self.set(key, None);
    }

    fn set(&mut self, key: BindingKey, binding: Option<Box<Binding>>) {
        self.bindings.retain(|bound| bound.key != key);
        if self.bindings.len() >= limits::BINDINGS_MAX {
            self.bindings.remove(0);
        }
        self.bindings.push(Bound { key, binding, told: Told::No });
    }

    /// Another session: the server deleted what the last one had bound.
    pub(crate) fn forget_told_bindings(&mut self) {
        self.bindings.retain(|bound| bound.binding.is_some());
        self.bindings.iter_mut().for_each(|bound| bound.told = Told::No);
    }

    /// What was asked on a connection that is gone is asked again.
    pub(crate) fn bindings_unanswered(&mut self) {
        for bound in self.bindings.iter_mut().filter(|bound| bound.told == Told::Asked) {
            bound.told = Told::No;
        }
    }

    pub(crate) fn tell_bindings(&mut self) {
        if self.now.mono < self.ask_from || self.is_logging_out {
            return;
        }
        while !self.requests.is_full()
            && let Some(bound) = self.bindings.iter_mut().find(|bound| bound.told == Told::No)
        {
            bound.told = Told::Asked;
            let asked = Asked::Bind(Box::new(bound.key.clone()));
            let BindingKey { provider, credential } = bound.key.clone();
            let (kind, body) = match &bound.binding {
                None => {
                    (Kind::UnbindPush, Body::UnbindPush(body::UnbindPush { provider, credential }))
                }
                Some(binding) => {
                    let bind = body::BindPush {
                        provider,
                        credential,
                        token: binding.token.expose().clone(),
                        locale: binding.locale.clone(),
                        environment: binding.environment.map(word),
                    };
                    (Kind::BindPush, Body::BindPush(bind))
                }
            };
            self.ask(asked, kind, body);
        }
    }

    /// When the next of them may be told.
    pub(crate) fn bind_until(&self) -> Option<nightjar_model::Mono> {
        let waits = self.bindings.iter().any(|bound| bound.told == Told::No);
        (waits && !self.is_logging_out && !self.requests.is_full()).then_some(self.ask_from)
    }

    /// The server answered; a token that came since is told on its own.
    pub(crate) fn bound(&mut self, key: &BindingKey) {
        let asked = |bound: &&mut Bound| bound.key == *key && bound.told == Told::Asked;
        if let Some(bound) = self.bindings.iter_mut().find(asked) {
            bound.told = Told::Yes;
        }
    }

    pub(crate) fn refused_bind(&mut self, key: &BindingKey, refusal: Refusal) {
        if refusal.retry {
            self.ask_from = self.now.mono.after(defaults::ASK_AGAIN_MS);
            return self.bindings_unanswered();
        }
        // Asked again it would be refused again.
        self.bound(key);
        self.tell(Event::Refused { kind: Kind::BindPush, reject: refusal.reject });
    }
}
