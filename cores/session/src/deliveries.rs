//! What a connection is given of each conversation: a pull by cursor.
//!
//! A wake-up is passed on if it is the next one, else the lanes are asked for what lies above the
//! cursor. So nothing comes twice or out of order, and a slow client costs no queue: its window
//! closes, and what it misses stays in the log.

use std::collections::{BTreeMap, VecDeque};

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{AckItem, Backlog, ConversationId, Delivery, Seq, limits};

use crate::flow::{Flow, Pace};
use crate::window::Window;

/// Conversations a connection keeps track of. Those that are caught up make room; without any,
/// further ones wait for the next connection, and their pushes go out by deadline.
const CONVERSATIONS_MAX: usize = 4_096;
/// Pulls on their way at a time.
const PULLS_MAX: u32 = 8;
/// Entries of one pull.
const PULL_ENTRIES_MAX: u64 = 64;

/// All conversations of one connection, whatever protocol it speaks.
#[derive(Debug, Default)]
pub struct Deliveries {
    flows: BTreeMap<ConversationId, Box<Flow>>,
    /// Conversations with more to give, the longest waiting first; each once.
    lagging: VecDeque<ConversationId>,
    pulls: u32,
    window: Window,
    /// Something was left out: a conversation that is not known here may have been one of it.
    is_full: bool,
}

/// Entries to ask the lanes for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Where.
    pub conversation: ConversationId,
    /// Above this place.
    pub after: Seq,
    /// How many, at most.
    pub limit: u64,
}

/// What a client says it has, as it wrote it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Where.
    pub conversation: ConversationId,
    /// It keeps everything up to here.
    pub stored: Seq,
    /// It showed everything up to here.
    pub surfaced: Seq,
}

impl Deliveries {
    /// The answer to a hello: plans the newest of what the device has not stored.
    pub fn start(&mut self, backlog: Vec<Backlog>) {
        let mut left = limits::BACKLOG_TOTAL_MAX;
        for missing in backlog {
            if self.flows.len() >= CONVERSATIONS_MAX {
                self.is_full = true;
                return;
            }
            let Backlog { conversation, stored, surfaced, head } = missing;
            let planned =
                head.saturating_sub(stored).min(limits::BACKLOG_CONVERSATION_MAX).min(left);
            left -= planned;
            let mut flow = Flow::resumed(head - planned, stored, surfaced);
            flow.head = head;
            self.flows.insert(conversation.clone(), Box::new(flow));
            self.queue(&conversation);
        }
    }

    /// A new entry; answers it if it is to be delivered now.
    pub fn wake(&mut self, delivery: Delivery) -> Option<Delivery> {
        let (conversation, seq) = (&delivery.entry.conversation, delivery.entry.seq);
        let flow = self.flow(conversation, seq.checked_sub(1)?)?;
        flow.pin(seq);
        flow.head = flow.head.max(seq);
        let bytes = delivery.entry.content.len();
        let is_next = flow.pace == Pace::Idle && flow.cursor.checked_add(1) == Some(seq);
        if is_next && self.window.take(bytes) {
            self.flows.get_mut(conversation)?.give(seq, bytes);
            return Some(delivery);
        }
        self.queue(conversation);
        None
    }

    /// A new entry that is not to be delivered yet: it is pulled once pulls are asked for.
    pub fn heard_of(&mut self, conversation: &ConversationId, seq: Seq) {
        let Some(flow) = seq.checked_sub(1).and_then(|base| self.flow(conversation, base)) else {
            return;
        };
        flow.pin(seq);
        flow.head = flow.head.max(seq);
        self.queue(conversation);
    }

    /// This connection wrote an entry: it has it, and gets no delivery of it.
    pub fn sent(&mut self, conversation: &ConversationId, seq: Seq) {
        let Some(base) = seq.checked_sub(1) else { return };
        let is_new = !self.flows.contains_key(conversation);
        let Some(flow) = self.flow(conversation, base) else { return };
        if is_new {
            // Wake-ups of earlier entries may still be on their way.
            flow.is_pinned = false;
        }
        flow.wrote(seq);
    }

    /// The client got the places in an answer, so it may acknowledge them.
    pub fn shown(&mut self, conversation: &ConversationId, first: Seq, last: Seq) {
        if let Some(flow) = self.flows.get_mut(conversation) {
            flow.given.insert(first, last);
        }
    }

    /// The next entries to ask the lanes for, if the window is open.
    pub fn next_pull(&mut self) -> Option<Pull> {
        if self.pulls >= PULLS_MAX || self.window.room() == 0 {
            return None;
        }
        let conversation = self.lagging.pop_front()?;
        if self.lagging.is_empty() {
            self.lagging = VecDeque::new();
        }
        let flow = self.flows.get_mut(&conversation).expect("only known conversations lag");
        let limit = (flow.head - flow.cursor).min(PULL_ENTRIES_MAX).min(self.window.room());
        flow.pace = Pace::Pulling { reserved: limit, head: flow.head };
        self.window.reserve(limit);
        self.pulls += 1;
        Some(Pull { conversation, after: flow.cursor, limit })
    }

    /// The answer to a pull; answers what is to be delivered now, in order.
    pub fn pulled(
        &mut self,
        conversation: &ConversationId,
        deliveries: Vec<Delivery>,
        head: Seq,
    ) -> Vec<Delivery> {
        let Some((flow, asked_head)) = self.end_pull(conversation) else { return Vec::new() };
        if deliveries.is_empty() && head > flow.cursor {
            // None of them is for this user to see.
            flow.skip_to(head);
        } else if deliveries.is_empty() && flow.head <= asked_head {
            // There is less than was heard of; asking again would get the same answer.
            flow.head = flow.cursor;
        }
        flow.head = flow.head.max(head);
        let mut taken = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let (seq, bytes) = (delivery.entry.seq, delivery.entry.content.len());
            let flow = self.flows.get_mut(conversation).expect("its pull ended just now");
            if seq <= flow.cursor {
                continue;
            }
            if flow.is_own(seq) {
                flow.skip_to(seq);
                continue;
            }
            if !self.window.take(bytes) {
                break;
            }
            flow.give(seq, bytes);
            taken.push(delivery);
        }
        self.queue(conversation);
        taken
    }

    /// A pull was refused. With `retry` the same is asked again later, else when something new
    /// comes.
    pub fn pull_refused(&mut self, conversation: &ConversationId, retry: bool) {
        let Some((flow, _)) = self.end_pull(conversation) else { return };
        if !retry {
            flow.head = flow.cursor;
        }
        self.queue(conversation);
    }

    /// Whether the client said of everything it was given that it has it.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.window.is_empty()
    }

    /// What the client says it has; answers what is true and new of it.
    pub fn ack(&mut self, claims: Vec<Claim>) -> Vec<AckItem> {
        let mut news = Vec::new();
        for claim in claims {
            let Some(flow) = self.flows.get_mut(&claim.conversation) else { continue };
            let freed = flow.confirm(claim.stored.max(claim.surfaced));
            self.window.free(freed);
            let (stored_max, surfaced_max) = flow.provable();
            let is_trusted = Sabotage::AckNotClamped.is_on();
            let stored = if is_trusted { claim.stored } else { claim.stored.min(stored_max) };
            let surfaced =
                if is_trusted { claim.surfaced } else { claim.surfaced.min(surfaced_max) };
            let item = AckItem {
                conversation: claim.conversation,
                stored: advance(&mut flow.stored, stored),
                surfaced: advance(&mut flow.surfaced, surfaced),
            };
            if item.stored > 0 || item.surfaced > 0 {
                news.push(item);
            }
        }
        news
    }

    /// The conversation's flow; one that is not known yet starts at `base`.
    fn flow(&mut self, conversation: &ConversationId, base: Seq) -> Option<&mut Flow> {
        if !self.flows.contains_key(conversation) {
            if self.flows.len() >= CONVERSATIONS_MAX {
                self.flows.retain(|_, flow| !flow.is_caught_up());
            }
            self.is_full |= self.flows.len() >= CONVERSATIONS_MAX;
            if self.is_full {
                return None;
            }
            let flow = Box::new(Flow::resumed(base, base, base));
            self.flows.insert(conversation.clone(), flow);
        }
        self.flows.get_mut(conversation).map(Box::as_mut)
    }

    /// Remembers that the conversation has more to give, if it has.
    fn queue(&mut self, conversation: &ConversationId) {
        let Some(flow) = self.flows.get_mut(conversation) else { return };
        if flow.pace == Pace::Idle && flow.head > flow.cursor {
            flow.pace = Pace::Queued;
            self.lagging.push_back(conversation.clone());
        }
    }

    /// Its pull is answered: the flow, and the newest place heard of when it was asked.
    fn end_pull(&mut self, conversation: &ConversationId) -> Option<(&mut Flow, Seq)> {
        let flow = self.flows.get_mut(conversation)?;
        let Pace::Pulling { reserved, head } = flow.pace else { return None };
        flow.pace = Pace::Idle;
        self.window.release(reserved);
        self.pulls -= 1;
        Some((flow, head))
    }
}

/// Moves a mark forward and answers it; 0 when it did not move.
fn advance(mark: &mut Seq, to: Seq) -> Seq {
    if to <= *mark {
        return 0;
    }
    *mark = to;
    to
}

#[cfg(test)]
mod tests;
