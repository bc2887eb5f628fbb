//! The thread that owns the open file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use nightjar_client_core::{AmendmentRow, Commit, ConversationRow, MessageRow, Restored};
use nightjar_model::{ConversationId, Seq};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Lists, Owner, Progress, StoreError, file, lists, read, write};

/// What the thread is asked to do.
pub(super) enum Request {
    Claim(Owner, oneshot::Sender<Result<Owner, StoreError>>),
    Commit(Commit),
    /// Close the file until [`Request::Reopen`].
    Quiesce(oneshot::Sender<Result<(), StoreError>>),
    Reopen,
    Conversations(oneshot::Sender<Result<Vec<ConversationRow>, StoreError>>),
    Lists(oneshot::Sender<Result<Lists, StoreError>>),
    Amendments {
        conversation: ConversationId,
        targets: (Seq, Seq),
        answer: oneshot::Sender<Result<Vec<AmendmentRow>, StoreError>>,
    },
    Messages {
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
        answer: oneshot::Sender<Result<Vec<MessageRow>, StoreError>>,
    },
}

pub(super) type Thread = JoinHandle<Result<(), Arc<StoreError>>>;

/// Starts the thread. It ends when nobody can ask any more, or with the first failed commit.
pub(super) fn spawn(
    path: PathBuf,
    opened: oneshot::Sender<Result<Restored, StoreError>>,
    requests: mpsc::Receiver<Request>,
    progress: watch::Sender<Progress>,
) -> Result<Thread, StoreError> {
    let run = move || match open(&path) {
        Ok((connection, restored)) => {
            // Who asked may be gone; then the channel is closed, too.
            let _ = opened.send(Ok(restored));
            let file = OpenFile { path, connection: Some(connection) };
            run(file, requests, &progress)
        }
        Err(error) => {
            let _ = opened.send(Err(error));
            Ok(())
        }
    };
    Builder::new().name("nightjar-store".into()).spawn(run).map_err(StoreError::Thread)
}

fn open(path: &Path) -> Result<(Connection, Restored), StoreError> {
    let was_left_open = file::was_left_open(path);
    let connection = file::open(path)?;
    let restored = read::restored(&connection, was_left_open);
    let restored = restored.map_err(|error| StoreError::of(path, "read", error))?;
    Ok((connection, restored))
}

/// The file, open or closed for a while.
struct OpenFile {
    path: PathBuf,
    connection: Option<Connection>,
}

impl OpenFile {
    fn open(&mut self) -> Result<&mut Connection, StoreError> {
        if self.connection.is_none() {
            self.connection = Some(file::open(&self.path)?);
        }
        Ok(self.connection.as_mut().expect("it was just opened"))
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.connection.take().map_or(Ok(()), |connection| file::close(&self.path, connection))
    }

    /// Reads; a file that is closed for a while is closed again.
    fn read<T>(
        &mut self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let was_closed = self.connection.is_none();
        let found = read(self.open()?);
        if was_closed {
            self.close()?;
        }
        found.map_err(|error| StoreError::of(&self.path, "read", error))
    }
}

fn run(
    mut file: OpenFile,
    mut requests: mpsc::Receiver<Request>,
    progress: &watch::Sender<Progress>,
) -> Result<(), Arc<StoreError>> {
    let mut written = Ok(());
    while written.is_ok()
        && let Some(request) = requests.blocking_recv()
    {
        written = serve(&mut file, request, progress);
    }
    let closed = file.close().map_err(Arc::new);
    written.and(closed)
}

/// Only a commit that fails is an error: after it nothing may be written.
fn serve(
    file: &mut OpenFile,
    request: Request,
    progress: &watch::Sender<Progress>,
) -> Result<(), Arc<StoreError>> {
    match request {
        Request::Claim(owner, answer) => {
            let _ = answer.send(claim(file, &owner));
        }
        Request::Commit(commit) => {
            let number = commit.number;
            return told(progress, write(file, &commit).map(|()| Some(number)));
        }
        Request::Quiesce(answer) => {
            let _ = answer.send(file.close());
        }
        Request::Reopen => return told(progress, file.open().map(|_| None)),
        Request::Conversations(answer) => {
            let _ = answer.send(file.read(read::conversations));
        }
        Request::Lists(answer) => {
            let _ = answer.send(file.read(lists::read));
        }
        Request::Amendments { conversation, targets, answer } => {
            let found = file.read(|file| read::amendments(file, &conversation, targets));
            let _ = answer.send(found);
        }
        Request::Messages { conversation, before, limit, answer } => {
            let found = file.read(|file| read::messages(file, &conversation, before, limit));
            let _ = answer.send(found);
        }
    }
    Ok(())
}

fn claim(file: &mut OpenFile, owner: &Owner) -> Result<Owner, StoreError> {
    let connection = file.open()?;
    let found = write::claim(connection, owner).and_then(|()| read::owner(connection));
    found.map_err(|error| StoreError::of(&file.path, "claim", error))
}

fn write(file: &mut OpenFile, commit: &Commit) -> Result<(), StoreError> {
    let written = write::commit(file.open()?, commit);
    written.map_err(|error| StoreError::of(&file.path, "write", error))
}

/// Tells how far the commits are: a new number, or why there will be no more.
fn told(
    progress: &watch::Sender<Progress>,
    done: Result<Option<u64>, StoreError>,
) -> Result<(), Arc<StoreError>> {
    match done {
        Ok(None) => Ok(()),
        Ok(Some(number)) => {
            progress.send_modify(|told| *told = Ok(number));
            Ok(())
        }
        Err(error) => {
            let error = Arc::new(error);
            progress.send_modify(|told| *told = Err(error.clone()));
            Err(error)
        }
    }
}
