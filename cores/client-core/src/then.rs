//! What happens only once a commit is done.

use std::collections::VecDeque;
use std::sync::Arc;

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{ConversationId, Seq};

use crate::background::Storing;
use crate::inbox::Origin;
use crate::outbox::Stage;
use crate::state::Move;
use crate::{Client, Commit, ConnectionId, Event, MessageRow, Output};

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Then {
    /// Log in, on this connection.
    Hello(ConnectionId),
    /// Tell the user interface.
    Tell(Event),
    /// A message is stored: it is shown, or a notification is posted.
    Arrived(Arc<MessageRow>, Origin),
    /// Everything up to here is stored, and may be acknowledged.
    Stored(ConversationId, Seq),
    /// The message of this order may be sent.
    Saved(u64),
    /// The server may be told how far the user read.
    TellRead(ConversationId),
    /// The badge may be set, if no extension set a newer one.
    Badge { unread: u64, bv: u64 },
    /// What extensions kept up to this number is stored.
    Imported(u64),
}

/// Numbered commits and what waits for them.
#[derive(Debug, Default)]
pub(crate) struct Thens {
    /// Of the input that is being handled.
    new: Vec<Then>,
    waiting: VecDeque<(u64, Then)>,
    last: u64,
    committed: u64,
}

impl Thens {
    pub(crate) fn push(&mut self, then: Then) {
        self.new.push(then);
    }

    /// Commits the store has not answered.
    pub(crate) fn commits_open(&self) -> u64 {
        self.last - self.committed
    }

    /// A commit of what is new; answers its number.
    fn commit(&mut self) -> u64 {
        self.last += 1;
        let number = self.last;
        self.waiting.extend(self.new.drain(..).map(|then| (number, then)));
        number
    }

    /// What is new and waits for no commit. It keeps its order behind what does.
    fn free(&mut self) -> Vec<Then> {
        if self.commits_open() == 0 {
            return std::mem::take(&mut self.new);
        }
        let number = self.last;
        self.waiting.extend(self.new.drain(..).map(|then| (number, then)));
        Vec::new()
    }

    /// Commits up to `number` are done; answers what waited for them, one after the other.
    fn next_committed(&mut self, number: u64) -> Option<Then> {
        self.committed = self.committed.max(number.min(self.last));
        let committed = self.committed;
        let then = self.waiting.pop_front_if(|(number, _)| *number <= committed);
        if then.is_none() && self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        then.map(|(_, then)| then)
    }
}

impl Client {
    pub(crate) fn commit(&mut self) {
        if Sabotage::StoredBeforeCommit.is_on() {
            self.acknowledge_early();
        }
        if self.storing != Storing::Open {
            self.moved(Move::Written);
            self.reopen_store();
        }
        let rows = std::mem::take(&mut self.rows);
        let number = self.thens.commit();
        self.output(Output::Commit(Commit { number, rows }));
    }

    /// The fault: what was received is acknowledged before it is stored.
    fn acknowledge_early(&mut self) {
        let new = std::mem::take(&mut self.thens.new);
        let (early, rest) =
            new.into_iter().partition::<Vec<_>, _>(|then| matches!(then, Then::Stored(..)));
        self.thens.new = rest;
        early.into_iter().for_each(|then| self.run(then));
        self.ack_at = self.ack_at.map(|_| self.now.mono);
        self.acknowledge();
    }

    /// The store did its part.
    pub(crate) fn committed(&mut self, number: u64) {
        while let Some(then) = self.thens.next_committed(number) {
            self.run(then);
        }
    }

    /// Does what waits for no commit; false if there was nothing.
    pub(crate) fn run_free_thens(&mut self) -> bool {
        let free = self.thens.free();
        let any = !free.is_empty();
        free.into_iter().for_each(|then| self.run(then));
        any
    }

    fn run(&mut self, then: Then) {
        match then {
            Then::Hello(connection) => self.say_hello(connection),
            Then::Tell(event) => self.tell(event),
            Then::Arrived(message, origin) => self.arrived_for_good(message, origin),
            Then::Stored(conversation, seq) => self.stored(&conversation, seq),
            Then::Saved(order) => {
                if let Some(outgoing) = self.outbox.get_mut(order)
                    && outgoing.stage == Stage::Saving
                {
                    outgoing.stage = Stage::Queued;
                }
            }
            Then::TellRead(conversation) => self.tell_read_soon(conversation),
            Then::Badge { unread, bv } => self.set_badge(unread, bv),
            Then::Imported(upto) => self.imported(upto),
        }
    }
}
