//! What is gathered and written later: cursors, done work, steps of the trace.
//!
//! Acknowledgements outnumber messages, so they wait for each other for some milliseconds. What
//! thousands of members acknowledged at once is written over several turns: a commit is waited for
//! by everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use nightjar_domain::Row;
use nightjar_model::{ConversationId, Lane, Mono, Now, Uid};

use crate::node::{Ctx, Node};

/// Cursor writes are gathered for so long.
const FLUSH_MS: u64 = 50;
/// Users whose cursors one turn writes, and the rest of the last one's lane; more when more wait.
const USERS_A_TURN: usize = 32;
/// Steps one turn writes; more when more wait.
const STEPS_A_TURN: usize = 64;
/// Whatever waits is written in about so many turns: what comes in while the disk is slow must not
/// come in faster than it leaves.
const TURNS_A_FLUSH: usize = 16;

/// What waits to be written, by user lane.
#[derive(Debug, Default)]
pub(crate) struct Flush {
    at: Option<Mono>,
    lanes: BTreeMap<Lane, Waiting>,
    /// The lane written last; the next one follows, so that none waits for ever.
    last: Option<Lane>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Users with cursors to write.
    users: BTreeSet<Uid>,
    /// Work that may be done.
    maybe_done: BTreeSet<ConversationId>,
}

impl Flush {
    /// When something has to be written.
    pub(crate) fn at(&self) -> Option<Mono> {
        self.at
    }

    /// What is gathered is written by the next [`Node::settle`], whatever the time.
    pub(crate) fn hurry(&mut self) {
        self.at = Some(Mono(0));
    }

    /// Something gathered waits to be written.
    pub(crate) fn plan(&mut self, now: Now) {
        if self.at.is_none() {
            self.at = Some(now.mono.after(FLUSH_MS));
        }
    }

    /// A device of the user has a cursor to write.
    pub(crate) fn cursor(&mut self, uid: &Uid) {
        self.lanes.entry(Lane::of_user(uid)).or_default().users.insert(uid.clone());
    }

    /// Open work may be done.
    pub(crate) fn work(&mut self, lane: Lane, conversation: ConversationId) {
        self.lanes.entry(lane).or_default().maybe_done.insert(conversation);
    }

    /// The next lane that has something, going round.
    fn take_lane(&mut self) -> Option<(Lane, Waiting)> {
        let above = |last| (Bound::Excluded(last), Bound::Unbounded);
        let next = self.last.and_then(|last| self.lanes.range(above(last)).next());
        let lane = *next.or_else(|| self.lanes.iter().next())?.0;
        self.last = Some(lane);
        Some((lane, self.lanes.remove(&lane)?))
    }
}

impl Node {
    /// Writes what is gathered, when it is time. Answers whether a next turn has to go on.
    pub(crate) fn flush(&mut self, ctx: Ctx<'_>) -> bool {
        if self.recorder.has_rows() || !self.flush.lanes.is_empty() {
            self.flush.plan(ctx.now);
        }
        if self.flush.at.is_none_or(|at| at > ctx.now.mono) {
            return false;
        }
        self.flush.at = None;
        self.takes_room = true;
        self.flush_lanes();
        let steps = STEPS_A_TURN.max(self.recorder.waiting_rows() / TURNS_A_FLUSH);
        self.recorder.write_steps(&mut self.changes, steps);
        let goes_on = self.recorder.has_rows() || !self.flush.lanes.is_empty();
        if goes_on {
            self.flush.at = Some(ctx.now.mono);
        } else {
            self.evict();
        }
        goes_on
    }

    /// Lanes are written whole: work is removed in the commit of the cursors that settled it.
    fn flush_lanes(&mut self) {
        let mut written = 0;
        let lanes_min = self.flush.lanes.len() / TURNS_A_FLUSH;
        let mut lanes = 0;
        while written < USERS_A_TURN || lanes < lanes_min {
            let Some((lane, waiting)) = self.flush.take_lane() else { return };
            lanes += 1;
            written += waiting.users.len();
            for uid in &waiting.users {
                let Some(user) = self.users.get_mut(uid) else { continue };
                for row in user.take_dirty_cursors() {
                    self.changes.put(Row::Cursor(row));
                }
            }
            self.close_done_work(lane, waiting.maybe_done);
        }
    }

    /// Remembers that a device's cursor changed and that its debts may all be closed.
    pub(crate) fn touched(&mut self, now: Now, uid: &Uid, conversation: &ConversationId) {
        self.flush.cursor(uid);
        self.flush.work(Lane::of_user(uid), conversation.clone());
        self.flush.plan(now);
    }
}
