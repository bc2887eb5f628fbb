//! The decider thread: one [`Node`] over one [`Store`].
//!
//! Inputs queue in a bounded channel; the thread takes what is there, decides, submits one commit,
//! and the effects leave when the store says the commit is safe: answers and notices to
//! connections, requests to providers, a wake-up to the webhook sender.
//!
//! Deliberately absent: protocols, decisions.
//!
//! Read [`Handle`] first: it is what gateways hold.
//!
//! [`Node`]: nightjar_node::Node
//! [`Store`]: nightjar_domain::Store

mod clock;
mod handle;
mod mailbox;
mod pusher;
mod release;
mod thread;

pub use clock::Clock;
pub use handle::{Connection, Handle, Stats};
pub use mailbox::Mail;
pub use pusher::{AnswerFuture, Pusher};
pub use release::Release;
pub use thread::{Decider, StartError};
