//! Durable, signed webhooks.
//!
//! Events are rows of the store, numbered in the order they happened. This crate sends them one
//! after the other, signed by the Standard Webhooks scheme, until the receiver takes them, and
//! remembers how far it is with every batch. A crash repeats some events under the same
//! `webhook-id`; none is skipped.
//!
//! Deliberately absent: which events there are.
//!
//! Read [`Sender`] first.

mod post;
mod sender;

pub use nightjar_outgoing::{Key, KeyError};
pub use post::{PostError, Target, TargetError};
pub use sender::Sender;
