//! Durable, signed webhooks.
//!
//! Events are rows of the store, numbered in the order they happened. This crate sends them to
//! each receiver, signed by the Standard Webhooks scheme, until it takes them: several at a time,
//! those of one user one after the other. It remembers how far each receiver is: a crash repeats
//! some events under the same `webhook-id`; none is skipped.
//!
//! Deliberately absent: which events there are.
//!
//! Read [`Hub`] first, then `window.rs`.

mod event;
mod hub;
mod post;
mod sender;
mod state;
mod window;

pub use hub::{Hub, WebhookError};
pub use nightjar_outgoing::{Key, KeyError, new_secret};
pub use post::{PostError, Target, TargetError};
pub use sender::{Ask, AskFuture};
pub use state::Fares;
