//! The clients of a run: who they are, and how they get in.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::bail;
use nightjar_model::{ConversationId, Secret};

use crate::admin::Admin;
use crate::client::{Client, Shared, Writing};
use crate::tally::Tally;

/// Clients get in within so long, and some more for each of them.
const JOIN_WITHIN: Duration = Duration::from_secs(60);
const JOIN_EACH: Duration = Duration::from_millis(10);

/// Who gives tokens.
pub(crate) enum Keys {
    /// A server.
    Server(Box<Admin>),
    /// The relay takes every token: it names the conversation and the user.
    Relay,
}

impl Keys {
    async fn tokens(&self, roles: &[Role]) -> anyhow::Result<Vec<Secret<String>>> {
        match self {
            Self::Server(admin) => {
                let uids: Vec<String> = roles.iter().map(|role| role.uid.clone()).collect();
                admin.tokens(&uids).await
            }
            Self::Relay => Ok(roles
                .iter()
                .map(|role| Secret::new(format!("{}/{}", role.conversation, role.uid)))
                .collect()),
        }
    }
}

/// One client to be.
pub(crate) struct Role {
    pub(crate) uid: String,
    pub(crate) conversation: ConversationId,
    /// It gets messages and shows nobody.
    pub(crate) is_frozen: bool,
    pub(crate) writing: Option<Writing>,
}

impl Role {
    /// One that reads only.
    pub(crate) fn reader(uid: String, conversation: ConversationId) -> Self {
        Self { uid, conversation, is_frozen: false, writing: None }
    }
}

/// Clients that got in, and those to come.
pub(crate) struct Crowd {
    pub(crate) shared: Rc<Shared>,
    pub(crate) keys: Keys,
    opened: usize,
    opening_for: Duration,
}

impl Crowd {
    pub(crate) fn new(shared: Rc<Shared>, keys: Keys) -> Self {
        Self { shared, keys, opened: 0, opening_for: Duration::ZERO }
    }

    /// Brings clients in; done when all of them are online.
    ///
    /// # Errors
    /// One of them did not get in.
    pub(crate) async fn join(&mut self, roles: Vec<Role>, tally: &Rc<Tally>) -> anyhow::Result<()> {
        let tokens = self.keys.tokens(&roles).await?;
        let started = Instant::now();
        let within = JOIN_WITHIN + JOIN_EACH * u32::try_from(roles.len())?;
        for (role, token) in roles.into_iter().zip(tokens) {
            let client = Client {
                shared: Rc::clone(&self.shared),
                tally: Rc::clone(tally),
                number: self.opened,
                uid: role.uid,
                token,
                is_frozen: role.is_frozen,
                writing: role.writing,
            };
            self.opened += 1;
            tokio::task::spawn_local(client.live());
        }
        while self.shared.online.get() < self.opened {
            if let Some(error) = &*self.shared.first_error.borrow() {
                bail!("a client did not get in: {error}");
            }
            if started.elapsed() > within {
                bail!("{} of {} clients got in", self.shared.online.get(), self.opened);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.opening_for += started.elapsed();
        Ok(())
    }

    /// Connections opened, hello and its answer included, in a second.
    pub(crate) fn connects_per_s(&self) -> f64 {
        self.opened as f64 / self.opening_for.as_secs_f64().max(1e-9)
    }

    /// Connections opened.
    pub(crate) fn opened(&self) -> usize {
        self.opened
    }
}
