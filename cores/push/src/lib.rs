//! Push, without I/O: whether a message is worth one, what it says, in which order requests
//! leave, and what an answer means for the message and the token.
//!
//! Deliberately absent: HTTP, provider formats, storage. A debt is durable in the domain; this
//! crate only works it off.
//!
//! Read [`decide_push`] and [`Queue`] first.

mod case;
mod outcome;
mod request;

pub use case::{DueReason, PushCase};
pub use outcome::{Answer, Outcome};
pub use request::{Alert, DATA_VERSION, PushData, PushRequest};
