//! A client of the native protocol, without I/O: one account on one device.
//!
//! A [`Client`] connects and stays connected, keeps what the user wrote until the server has it,
//! stores what arrives before it acknowledges it, fills gaps, and says what was seen. It never
//! trusts a connection: what is not committed is not acknowledged, what is not answered is sent
//! again under the same id.
//!
//! The shell's loop: before reading a packet ask [`Client::wants_packets`]; after every
//! [`Client::handle`] carry out what [`Client::poll`] answers, in order, until `None`; sleep until
//! an input comes or [`Client::wait_until`]. A frozen process simply does not call: the client
//! notices the gap, drops its socket and does not count that time.
//!
//! Deliberately absent: sockets, clocks, files, threads, anything drawn on a screen. Messages are
//! kept by the shell's store; the client holds cursors and the outbox.
//!
//! Read [`Input`], [`Output`] and [`Client`] first, then [`State`] and `state.rs`.

mod adaptive;
mod addresses;
mod amending;
mod app;
mod background;
mod binding;
mod client;
mod connection;
pub mod defaults;
mod dialer;
mod dice;
mod event;
pub mod fetch;
mod inbox;
mod incoming;
mod io;
mod leaving;
mod ledger;
mod lists;
mod metrics;
mod network;
mod notes;
mod outbox;
mod pieces;
mod place;
mod proofs;
mod pulse;
mod reading;
mod record;
mod reports;
mod requests;
mod rows;
mod sending;
mod state;
mod syncing;
#[cfg(test)]
mod tests;
mod then;
mod unreadable;

pub use addresses::{Addresses, Race, Turn};
pub use amending::Amendment;
pub use client::Client;
pub use event::{Ended, Event, FailReason, Indicator, NeedToken};
pub use io::{
    Commit, Config, ConnectPhase, ConnectionId, Dial, Draft, Identity, Input, KeepAlive,
    Notification, Output,
};
pub use ledger::{
    Claim, Ledger, LedgerAnswer, LedgerOrder, LedgerRows, Note, NoteEvent, NoteRow, Poster,
    Verdict, carry_out,
};
pub use lists::Listed;
pub use metrics::Restrictions;
pub use record::{BadRecord, Record};
pub use rows::{
    AccountRow, AmendmentRow, ConversationRow, MessageRow, OutgoingRow, PlaceRow, Restored, Row,
    Standing,
};
pub use state::State;
