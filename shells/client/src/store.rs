//! What a client keeps on this machine: one SQLite file, written by one thread.
//!
//! Commits are written in the order they were given, one transaction each, and are told once they
//! survive a crash. After a failure nothing more is written, so what is in the file is always the
//! beginning of what was given.

mod error;
mod file;
mod lists;
pub(crate) mod read;
#[cfg(test)]
mod tests;
mod thread;
pub(crate) mod write;

use std::path::Path;
use std::sync::Arc;

use nightjar_client_core::{AmendmentRow, Commit, ConversationRow, MessageRow, Restored};
use nightjar_model::{ConversationId, DeviceId, Seq, Uid};
use tokio::sync::{mpsc, oneshot, watch};

pub use error::StoreError;
pub(crate) use file::make_private;
pub use lists::Lists;
use thread::{Request, Thread};

/// Requests that wait for the thread; who gives more waits. As many as commits above which the
/// client reads no packet.
const REQUESTS_MAX: usize = nightjar_client_core::defaults::COMMITS_MAX;

/// The number of the newest commit that is safe, or why there will be no more.
type Progress = Result<u64, Arc<StoreError>>;

/// The one account and device a file is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub uid: Uid,
    /// This install.
    pub device_id: DeviceId,
}

/// The open file. Dropping it also writes what was given, but nobody learns whether that worked.
#[derive(Debug)]
pub struct Store {
    requests: mpsc::Sender<Request>,
    progress: watch::Receiver<Progress>,
    thread: Thread,
}

impl Store {
    /// Opens the file, or creates it for the eyes of this user only, and reads what
    /// [`nightjar_client_core::Client::new`] needs. One file belongs to one account on one device.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the file and what to do about it.
    pub async fn open(path: &Path) -> Result<(Self, Restored), StoreError> {
        let (requests, given) = mpsc::channel(REQUESTS_MAX);
        let (told, progress) = watch::channel(Ok(0));
        let (opened, restored) = oneshot::channel();
        let thread = thread::spawn(path.to_owned(), opened, given, told)?;
        let restored = restored.await.unwrap_or(Err(StoreError::Stopped))?;
        Ok((Self { requests, progress, thread }, restored))
    }

    /// Writes down whose the file is, unless it has an owner; answers the owner. Everything else
    /// in it is about that account on that device and no other.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub async fn claim(&self, owner: Owner) -> Result<Owner, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Claim(owner, answer)).await?;
        answered.await.map_err(|_| self.why_it_stopped())?.map_err(Arc::new)
    }

    /// Gives a commit to the thread; waits while it is behind. [`Self::committed`] tells when the
    /// commit is safe.
    ///
    /// # Errors
    /// What the thread stopped for; the commit is not written.
    pub async fn commit(&self, commit: Commit) -> Result<(), Arc<StoreError>> {
        self.ask(Request::Commit(commit)).await
    }

    /// Finishes what was given and closes the file, so that the process may be frozen; answers
    /// when nothing of it is open or locked any more.
    ///
    /// # Errors
    /// The thread has stopped, or the file could not be closed in order.
    pub(crate) async fn quiesce(
        &self,
    ) -> Result<oneshot::Receiver<Result<(), StoreError>>, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Quiesce(answer)).await?;
        Ok(answered)
    }

    /// Opens the file again.
    ///
    /// # Errors
    /// The thread has stopped. That the file cannot be opened is told by [`Self::committed`].
    pub(crate) async fn reopen(&self) -> Result<(), Arc<StoreError>> {
        self.ask(Request::Reopen).await
    }

    /// The number of the newest commit that is safe.
    pub(crate) fn safe(&mut self) -> Result<u64, Arc<StoreError>> {
        self.progress.borrow_and_update().clone()
    }

    /// Waits for commits to become safe and answers the newest number: all up to it survive a
    /// crash. Can be dropped and called again; nothing is lost.
    ///
    /// # Errors
    /// The first commit that could not be written; no later one was.
    pub async fn committed(&mut self) -> Result<u64, Arc<StoreError>> {
        match self.progress.changed().await {
            Ok(()) => self.progress.borrow_and_update().clone(),
            Err(_) => Err(self.why_it_stopped()),
        }
    }

    /// What is known of every conversation, the last changed first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn conversations(&self) -> Result<Vec<ConversationRow>, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Conversations(answer)).await?;
        answered.await.map_err(|_| self.why_it_stopped())?.map_err(Arc::new)
    }

    /// Contacts, groups and profiles.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn lists(&self) -> Result<Lists, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Lists(answer)).await?;
        answered.await.map_err(|_| self.why_it_stopped())?.map_err(Arc::new)
    }

    /// The newest `limit` messages of a conversation below `before`, or of all, ascending. What
    /// was given to [`Self::commit`] earlier is among them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn messages(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<MessageRow>, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Messages { conversation, before, limit, answer }).await?;
        answered.await.map_err(|_| self.why_it_stopped())?.map_err(Arc::new)
    }

    /// What entries say of the messages between two places, both included, by message and in
    /// order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn amendments(
        &self,
        conversation: ConversationId,
        targets: (Seq, Seq),
    ) -> Result<Vec<AmendmentRow>, Arc<StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Amendments { conversation, targets, answer }).await?;
        answered.await.map_err(|_| self.why_it_stopped())?.map_err(Arc::new)
    }

    /// Writes everything that was given, joins the log into the file, closes it and ends the
    /// thread. On `Ok` every commit is safe and no descriptor of the file is left.
    ///
    /// # Errors
    /// What could not be written; the file is closed nevertheless.
    pub async fn close(self) -> Result<(), Arc<StoreError>> {
        drop(self.requests);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        joined.ok().and_then(Result::ok).unwrap_or_else(|| Err(Arc::new(StoreError::Stopped)))
    }

    async fn ask(&self, request: Request) -> Result<(), Arc<StoreError>> {
        self.requests.send(request).await.map_err(|_| self.why_it_stopped())
    }

    fn why_it_stopped(&self) -> Arc<StoreError> {
        match &*self.progress.borrow() {
            Err(error) => error.clone(),
            Ok(_) => Arc::new(StoreError::Stopped),
        }
    }
}
