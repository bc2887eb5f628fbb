//! Commands that wait for the lanes.

use nightjar_model::{ConversationId, HistoryCommand, limits};
use nightjar_wire::Kind;

use crate::RequestId;

/// What an answer to the client echoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) serial: i32,
    pub(crate) kind: Kind,
}

impl Ask {
    /// Whether there is an answer. Without one it still counts as on its way, like any other.
    pub(crate) fn is_request(self) -> bool {
        self.serial > 0 && !self.kind.answer().is_empty()
    }
}

/// Who waits.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The client, for a plain answer.
    Answer(Ask),
    /// The client; what the answer covers may be acknowledged.
    History(Ask, Box<HistoryCommand>),
    /// The client; after the answer the connection ends.
    Logout(Ask),
    /// The client; after the answer the connection is live.
    Hello(Ask),
    /// This session: entries to deliver.
    Pull(ConversationId),
}

/// All commands of one connection that have no reply yet.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    open: Vec<(RequestId, Waiting)>,
    pulls: usize,
}

impl Pending {
    pub(crate) fn insert(&mut self, id: RequestId, waiting: Waiting) {
        self.pulls += usize::from(matches!(waiting, Waiting::Pull(_)));
        self.open.push((id, waiting));
    }

    /// The reply is there.
    pub(crate) fn remove(&mut self, id: RequestId) -> Option<Waiting> {
        let at = self.open.iter().position(|(open, _)| *open == id)?;
        let waiting = self.open.swap_remove(at).1;
        if self.open.is_empty() {
            self.open = Vec::new();
        }
        self.pulls -= usize::from(matches!(waiting, Waiting::Pull(_)));
        Some(waiting)
    }

    /// Whether the client has to wait with its next packet.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() - self.pulls >= limits::REQUESTS_IN_FLIGHT_MAX
    }

    /// Whether nothing the client asked for is on its way.
    pub(crate) fn is_answered(&self) -> bool {
        self.open.len() == self.pulls
    }
}
