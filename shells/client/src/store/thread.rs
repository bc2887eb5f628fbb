//! The thread that owns the open file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use nightjar_client_core::{Commit, ConversationRow, MessageRow, Restored};
use nightjar_model::{ConversationId, Seq};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Owner, Progress, StoreError, file, read, write};

/// What the thread is asked to do.
pub(super) enum Request {
    Claim(Owner, oneshot::Sender<Result<Owner, StoreError>>),
    Commit(Commit),
    Conversations(oneshot::Sender<Result<Vec<ConversationRow>, StoreError>>),
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
            run(&path, connection, requests, &progress)
        }
        Err(error) => {
            let _ = opened.send(Err(error));
            Ok(())
        }
    };
    Builder::new().name("nightjar-store".into()).spawn(run).map_err(StoreError::Thread)
}

fn open(path: &Path) -> Result<(Connection, Restored), StoreError> {
    let connection = file::open(path)?;
    let restored = read::restored(&connection);
    let restored = restored.map_err(|error| StoreError::of(path, "read", error))?;
    Ok((connection, restored))
}

fn run(
    path: &Path,
    mut connection: Connection,
    mut requests: mpsc::Receiver<Request>,
    progress: &watch::Sender<Progress>,
) -> Result<(), Arc<StoreError>> {
    let mut written = Ok(());
    while written.is_ok()
        && let Some(request) = requests.blocking_recv()
    {
        written = serve(path, &mut connection, request, progress);
    }
    let closed = file::close(path, connection).map_err(Arc::new);
    written.and(closed)
}

/// Only a commit that fails is an error: after it nothing may be written.
fn serve(
    path: &Path,
    connection: &mut Connection,
    request: Request,
    progress: &watch::Sender<Progress>,
) -> Result<(), Arc<StoreError>> {
    let unread = |error| StoreError::of(path, "read", error);
    match request {
        Request::Claim(owner, answer) => {
            let found = write::claim(connection, &owner).and_then(|()| read::owner(connection));
            let _ = answer.send(found.map_err(|error| StoreError::of(path, "claim", error)));
        }
        Request::Commit(commit) => {
            let written = write::commit(connection, &commit)
                .map_err(|error| Arc::new(StoreError::of(path, "write", error)));
            let number = commit.number;
            progress.send_modify(|told| *told = written.clone().map(|()| number));
            return written;
        }
        Request::Conversations(answer) => {
            let _ = answer.send(read::conversations(connection).map_err(unread));
        }
        Request::Messages { conversation, before, limit, answer } => {
            let found = read::messages(connection, &conversation, before, limit);
            let _ = answer.send(found.map_err(unread));
        }
    }
    Ok(())
}
