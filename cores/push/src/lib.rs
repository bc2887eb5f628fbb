//! Push, without I/O: whether a message is worth one, what it says, in which order requests
//! leave, and what an answer means for the message and the token.
//!
//! Deliberately absent: HTTP, provider formats, storage. A debt is durable in the domain; this
//! crate only works it off.
//!
//! Read [`decide_push`] and [`Queue`] first.

mod budget;
mod case;
mod decide;
mod outcome;
mod queue;
mod render;
mod request;
#[cfg(test)]
mod samples;
mod token;

pub use budget::QuietBudget;
pub use case::PushCase;
pub use decide::{Decision, Display, PushPolicy, SilentReason, decide_push};
pub use nightjar_model::DueReason;
pub use outcome::{Answer, Outcome};
pub use queue::{Attempts, Next, PushKey, PushLane, Queue, Ticket};
pub use render::{
    BODY_GRAPHEMES_MAX, SHORT_BODY_GRAPHEMES_MAX, TITLE_GRAPHEMES_MAX, Trim, render,
    render_withdrawal,
};
pub use request::{Alert, DATA_VERSION, PushData, PushRequest};
pub use token::removes_token;
