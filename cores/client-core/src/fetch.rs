//! The run of an extension or a worker that a push woke: it looks the push up, shows what nobody
//! shows yet, and tells the server. It has no connection of its own and shares nothing with the
//! app but the [ledger](crate::Ledger), so any number of runs may go on beside each other and
//! beside the app.
//!
//! Contract: after [`Fetch::start`] and every [`Fetch::handle`] carry out outputs with
//! [`Fetch::poll`] until `None`, in order; call `handle` with [`FetchInput::Timeout`] at
//! [`Fetch::wait_until`]. Every [`LedgerOrder`] is answered, in order. [`FetchOutput::Done`] is the
//! last output. The system may end the process at any moment: what is claimed and not posted is
//! free again after [`defaults::CLAIM_MS`].

mod answer;
mod claims;
mod ending;
mod push;
mod step;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use nightjar_model::{
    ConversationId, DeviceId, Measure, MessageId, Metric, Mono, NotificationId, Now, Secret, Uid,
};
use serde::{Deserialize, Serialize};

use crate::metrics::push_measures;
use crate::{LedgerAnswer, LedgerOrder, MessageRow, Notification, Poster, Verdict, defaults};

pub use push::Push;
pub use step::{FetchEvent, FetchState};

/// Who is signed in, as the app left it for its extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushSession {
    /// The account.
    pub uid: Uid,
    /// This install.
    pub device_id: DeviceId,
    /// Opens the two routes of an extension and nothing else.
    #[serde(with = "crate::record::hidden")]
    pub push_token: Secret<String>,
}

/// What happens to a run.
#[derive(Debug)]
pub enum FetchInput {
    /// The answer to the oldest open [`FetchOutput::Ledger`].
    Ledger(LedgerAnswer),
    /// The server answered [`FetchOutput::Get`] or [`FetchOutput::Tell`].
    Answered {
        /// Of HTTP.
        status: u16,
        /// Its body.
        body: Bytes,
    },
    /// It did not.
    NotAnswered,
    /// The notification of [`FetchOutput::Post`] is on the screen.
    Posted(NotificationId),
    /// It could not be posted.
    NotPosted(NotificationId),
    /// Those of [`FetchOutput::Withdraw`] are off the screen, or never were on it.
    Removed(Vec<NotificationId>),
    /// So many KiB of memory are in use.
    Memory(u64),
    /// The system wants an end.
    Expiring,
    /// The moment of [`Fetch::wait_until`] came.
    Timeout,
}

/// What the shell of a run is to do.
#[derive(Debug, PartialEq)]
pub enum FetchOutput {
    /// Carry it out on the ledger.
    Ledger(LedgerOrder),
    /// `GET` this path with the push-scoped token.
    Get(String),
    /// `POST` this JSON to this path with the push-scoped token.
    Tell(&'static str, String),
    /// Post a notification besides the push's own.
    Post(Box<Alert>),
    /// Take these off the screen.
    Withdraw(Vec<NotificationId>),
    /// Set the badge.
    SetBadge(u64),
    /// Hand this to the system; the run is over.
    Done(Content),
}

/// A notification of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// Of one message.
    Message(Notification),
    /// Of many of one conversation.
    Summary {
        /// Post it under this id.
        id: NotificationId,
        /// Where.
        conversation: ConversationId,
        /// How many messages.
        messages: usize,
    },
}

impl Alert {
    /// The id to post it under.
    #[must_use]
    pub fn id(&self) -> &NotificationId {
        match self {
            Self::Message(notification) => &notification.id,
            Self::Summary { id, .. } => id,
        }
    }
}

/// What becomes of the push's own notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Show this in place of the push's text, under the push's id.
    Show(Box<Notification>),
    /// Show the push as it came: nothing better could be had in time.
    Original,
    /// Nobody is to be alerted: show nothing where the system lets one; else without sound and
    /// banner, and take it off at once.
    Quiet(Quiet),
}

/// Why a push alerts nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// Somebody else alerts of the message; show the same under the same id.
    Taken(Poster),
    /// It was taken back.
    Withdrawn,
    /// The person saw it in the app, or read it.
    Seen,
    /// Nobody is signed in here, or not any more; also show no number on the icon.
    SignedOut,
    /// The message is not this account's to see.
    NotOurs,
    /// Its time is over.
    Expired,
    /// The push only takes back.
    NothingToShow,
}

/// What an order on the ledger was for.
#[derive(Debug)]
enum Ordered {
    Withdrawal,
    Removal(Vec<NotificationId>),
    Badge,
    Own(MessageId, NotificationId),
    Other(Arc<MessageRow>, NotificationId),
    OwnPosted,
    Rest,
}

/// One run.
#[derive(Debug)]
pub struct Fetch {
    state: FetchState,
    push: Push,
    content: Content,
    started: Now,
    /// When the wait of this state is over.
    until: Mono,
    /// Orders that have no answer yet, oldest first.
    ordered: VecDeque<Ordered>,
    /// Handed to the system.
    posting: Vec<(NotificationId, Vec<MessageId>)>,
    removing: BTreeSet<NotificationId>,
    /// Messages of a summary whose claims are being answered.
    summed_up: Vec<MessageId>,
    messages: Vec<Arc<MessageRow>>,
    is_granted: bool,
    surfaced: Vec<NotificationId>,
    withdrawn: Vec<NotificationId>,
    result: Option<Metric>,
    /// What the push said of its way here.
    measures: Vec<Measure>,
    memory_kib: Option<u64>,
    outputs: VecDeque<FetchOutput>,
}

impl Fetch {
    /// A run for a push. `session` is `None` if nobody is signed in.
    #[must_use]
    pub fn start(push: Push, session: Option<&PushSession>, now: Now) -> Self {
        let mut run = Self {
            state: FetchState::Claiming,
            content: Content::Original,
            started: now,
            until: now.mono.after(defaults::FETCH_END_MS),
            ordered: VecDeque::new(),
            posting: Vec::new(),
            removing: BTreeSet::new(),
            summed_up: Vec::new(),
            messages: Vec::new(),
            is_granted: false,
            surfaced: Vec::new(),
            withdrawn: Vec::new(),
            result: None,
            measures: push_measures(&push, now.wall),
            memory_kib: None,
            outputs: VecDeque::new(),
            push,
        };
        if session.is_none() {
            run.signed_out(now.mono);
            return run;
        }
        let withdraw = run.push.withdraw.clone();
        run.take_back(withdraw);
        let (unread, bv) = (run.push.badge, run.push.bv);
        run.order(LedgerOrder::Badge { unread, bv }, Ordered::Badge);
        run.claim_own(now);
        run
    }

    /// Takes one input.
    pub fn handle(&mut self, input: FetchInput, now: Mono) {
        match input {
            FetchInput::Ledger(answer) => self.ledger_says(answer, now),
            FetchInput::Answered { status, body } => self.answered(status, &body, now),
            FetchInput::NotAnswered => self.not_answered(now),
            FetchInput::Posted(id) => self.posted(&id, true),
            FetchInput::NotPosted(id) => self.posted(&id, false),
            FetchInput::Removed(ids) => self.removed(ids),
            FetchInput::Memory(kib) => self.memory_kib = Some(kib),
            FetchInput::Expiring => self.moved(FetchEvent::Expired, now),
            FetchInput::Timeout => {}
        }
        self.time_passed(now);
        self.settle(now);
    }

    /// What to do next; `None` when there is nothing until the next input.
    pub fn poll(&mut self) -> Option<FetchOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle`] with [`FetchInput::Timeout`]; `None` once it is over.
    #[must_use]
    pub fn wait_until(&self) -> Option<Mono> {
        let end = self.started.mono.after(defaults::FETCH_END_MS);
        (self.state != FetchState::Done).then(|| self.until.min(end))
    }

    fn time_passed(&mut self, now: Mono) {
        if now >= self.started.mono.after(defaults::FETCH_END_MS) {
            return self.moved(FetchEvent::Expired, now);
        }
        if now >= self.until {
            if self.state == FetchState::Fetching {
                self.result = Some(Metric::FetchTimeout);
            }
            self.not_answered(now);
        }
    }

    // Steps.

    fn moved(&mut self, event: FetchEvent, now: Mono) {
        let Some(next) = self.state.next(event) else { return };
        self.state = next;
        let wait_ms = match next {
            FetchState::Fetching => defaults::FETCH_MS,
            FetchState::Telling => defaults::FETCH_TELL_MS,
            _ => defaults::FETCH_END_MS,
        };
        self.until = now.after(wait_ms);
        match next {
            FetchState::Recording => self.record(),
            FetchState::Telling => self.tell(),
            FetchState::Done => self.finish(now),
            FetchState::Claiming | FetchState::Fetching | FetchState::Posting => {}
        }
    }

    /// Moves on where nothing is open any more.
    fn settle(&mut self, now: Mono) {
        let is_open = !self.ordered.is_empty()
            || !self.removing.is_empty()
            || !self.posting.is_empty()
            || !self.summed_up.is_empty();
        let waits_for_that = matches!(self.state, FetchState::Posting | FetchState::Recording);
        if waits_for_that && !is_open {
            self.moved(FetchEvent::Settled, now);
            self.settle(now);
        }
    }

    /// Nobody is to be alerted by this push.
    fn refused(&mut self, why: Quiet, now: Mono) {
        self.content = Content::Quiet(why);
        self.moved(FetchEvent::Refused, now);
        self.settle(now);
    }

    /// Whatever is told would be about another account.
    fn signed_out(&mut self, now: Mono) {
        self.content = Content::Quiet(Quiet::SignedOut);
        self.result = Some(Metric::FetchMismatch);
        self.outputs.push_back(FetchOutput::SetBadge(0));
        self.moved(FetchEvent::Expired, now);
    }

    fn order(&mut self, order: LedgerOrder, why: Ordered) {
        self.ordered.push_back(why);
        self.outputs.push_back(FetchOutput::Ledger(order));
    }

    fn take_back(&mut self, ids: Vec<NotificationId>) {
        if !ids.is_empty() {
            self.order(LedgerOrder::Withdraw(ids), Ordered::Withdrawal);
        }
    }

    fn ledger_says(&mut self, answer: LedgerAnswer, now: Mono) {
        let Some(ordered) = self.ordered.pop_front() else { return };
        if self.state == FetchState::Done {
            return;
        }
        match (ordered, answer) {
            (Ordered::Own(id, nid), LedgerAnswer::Claimed { verdict, since, .. }) => {
                self.claimed(id, &nid, verdict, since, now);
            }
            // Without a ledger the push is shown as it came: twice is better than not at all.
            (Ordered::Own(..), _) => {
                self.result = Some(Metric::FetchLocked);
                self.moved(FetchEvent::Refused, now);
            }
            (Ordered::Other(message, nid), answer) => {
                let is_granted =
                    matches!(answer, LedgerAnswer::Claimed { verdict: Verdict::Granted, .. });
                self.claimed_other(&message, nid, is_granted);
            }
            (Ordered::Badge, LedgerAnswer::Badge(Some(unread))) => {
                self.outputs.push_back(FetchOutput::SetBadge(unread));
            }
            (Ordered::OwnPosted, LedgerAnswer::TakeOff(ids)) => {
                self.content = Content::Quiet(Quiet::Withdrawn);
                self.surfaced.retain(|id| !ids.contains(id));
                self.take_off(ids);
            }
            (Ordered::Removal(ids), LedgerAnswer::Done) => self.withdrawn.extend(ids),
            (Ordered::Withdrawal | Ordered::Rest, LedgerAnswer::TakeOff(ids)) => self.take_off(ids),
            _ => {}
        }
    }

    fn take_off(&mut self, ids: Vec<NotificationId>) {
        if !ids.is_empty() {
            self.removing.extend(ids.iter().cloned());
            self.outputs.push_back(FetchOutput::Withdraw(ids));
        }
    }

    fn removed(&mut self, mut ids: Vec<NotificationId>) {
        ids.retain(|id| self.removing.remove(id));
        if !ids.is_empty() && self.state != FetchState::Done {
            self.order(LedgerOrder::Removed(ids.clone()), Ordered::Removal(ids));
        }
    }
}
