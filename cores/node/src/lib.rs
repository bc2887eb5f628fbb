//! One node: conversation lanes, user lanes and the push queue joined into one machine.
//!
//! The caller gives inputs with the time and random bytes, then calls [`Node::settle`], then takes
//! the [`Turn`]: at most one commit and the effects that may leave once it is safe. The server's
//! decider thread and the simulated world drive the same machine.
//!
//! Deliberately absent: sockets, threads, clocks, storage. Rows are read through an argument.
//!
//! Read [`Input`], [`Effect`] and [`Node`] first; `send.rs`, `work.rs`, `alert.rs` are the way of
//! a message.

mod aggregates;
mod alert;
mod amend;
mod answer;
mod bindings;
mod contacts;
mod credentials;
mod deadlines;
mod device;
mod explain;
mod facts;
mod fetch;
mod flush;
mod hold;
mod inspect;
mod kept;
mod node;
mod passwords;
mod pending;
mod presence;
mod progress;
mod reach;
mod receipts;
mod record;
mod report;
mod send;
mod settings;
mod silence;
mod statistics;
mod sync;
#[cfg(test)]
mod tests;
mod webhooks;
mod withdraw;
mod work;

use std::collections::BTreeSet;

use nightjar_domain::{Commit, Deadlines};
use nightjar_model::{BindingKey, Command, ConnId, Notice, Reject, Reply, WallMs};
use nightjar_push::{Answer, PushPolicy, PushRequest, Ticket};

pub use node::{Node, NodeStats};

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A connection, with the session's name for the request.
    Conn(ConnId, u32),
    /// The operator's API, with the caller's name for the request.
    Api(u64),
}

/// What happens to a node.
#[derive(Debug)]
pub enum Input {
    /// A gateway asks.
    Command {
        /// Who.
        origin: Origin,
        /// What.
        command: Command,
    },
    /// A provider answered.
    Answered {
        /// To which request.
        ticket: Ticket,
        /// What.
        answer: Answer,
    },
    /// Everything of the turns up to this number is as safe as it was asked to be.
    Safe {
        /// The turn.
        turn: u64,
        /// When.
        at: WallMs,
    },
}

/// What leaves a node, once the turn's commit is safe.
#[derive(Debug)]
pub enum Effect {
    /// An answer.
    Reply {
        /// To whom.
        origin: Origin,
        /// What.
        result: Result<Reply, Reject>,
    },
    /// Something unasked for a connection.
    Notice {
        /// Which.
        conn: ConnId,
        /// What.
        notice: Notice,
    },
    /// A request for a provider; the caller answers with [`Input::Answered`].
    Push {
        /// Its name.
        ticket: Ticket,
        /// What.
        request: Box<PushRequest>,
    },
    /// This request must not leave any more if it has not left yet; it needs no answer.
    CancelPush {
        /// Its name.
        ticket: Ticket,
    },
    /// New webhook events are stored.
    Events,
}

/// What one turn comes to.
#[derive(Debug)]
pub struct Turn {
    /// Its number, from 1.
    pub number: u64,
    /// What to make safe before the effects leave; `None` when nothing changed. The effects still
    /// wait for the commits of earlier turns.
    pub commit: Option<Commit>,
    /// What then leaves, in order.
    pub effects: Vec<Effect>,
    /// Some of it could have waited: see [`Node::settle`].
    pub takes_room: bool,
    /// A conversation of few people was written to: they wait for it.
    pub is_prompt: bool,
}

/// What an operator chose.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// How long devices may stay silent.
    pub deadlines: Deadlines,
    /// What a push shows, and storm control.
    pub policy: PushPolicy,
    /// Provider keys of the configuration; an operator makes more at run time.
    pub credentials: BTreeSet<BindingKey>,
    /// Catches pushes for devices without a binding (development mode).
    pub fallback: Option<BindingKey>,
    /// Requests of one credential at its provider at a time; four times as many in all.
    pub pushes_in_flight_max: usize,
    /// Whether webhook events are stored although no operator set up a webhook.
    pub events: bool,
}
