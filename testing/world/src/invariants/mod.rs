//! The promises P1 to P7, each watched where it can break.
//!
//! P1 is checked where messages are answered, given and stored (`order.rs`, `end.rs`), P2 in
//! `dark.rs`, P3 in `alert.rs`, P4 in `withdrawal.rs`, P5 in `badge.rs`, P6 in `belongs.rs`, P7
//! in `explained.rs`, and what a client keeps to by itself in `client.rs`.

mod alert;
mod badge;
mod belongs;
mod client;
mod dark;
mod end;
mod explained;
mod order;
mod withdrawal;

pub(crate) use alert::Alerts;
pub(crate) use badge::Badges;
pub(crate) use client::ClientWatch;
pub(crate) use dark::{Dark, Told};
pub(crate) use explained::Pairs;
pub(crate) use order::told;
pub(crate) use withdrawal::{Of, Withdrawals};

/// What the server may take beyond a deadline: a turn, the disk, a look every quarter second.
pub(crate) const SLACK_MS: u64 = 1_000;
/// After a process is ready, what is open is pushed within so long.
pub(crate) const READY_WITHIN_MS: u64 = 2_000;
/// After the process stood still or the disk was slow: a second for its sockets, and the slack.
pub(crate) const STALL_EXCUSE_MS: u64 = 2_000;
/// Withdrawals reach their device within so long.
pub(crate) const WITHDRAW_WITHIN_MS: u64 = 2_000;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Milliseconds since the world began.
    pub at_ms: u64,
    /// `P1` to `P7`, one of `I3` to `I12`, or `panic`.
    pub invariant: &'static str,
    /// What is wrong, for people.
    pub text: String,
}
