//! Push, without I/O: whether a message is worth one, what it says, in which order requests
//! leave, and what an answer means for the message and the token.
//!
//! Deliberately absent: HTTP, provider formats, storage. A debt is durable in the domain; this
//! crate only works it off.
//!
//! Read [`decide_push`] and [`Queue`] first.

mod attempts;
mod budget;
mod case;
mod circuit;
mod class;
mod decide;
mod document;
mod established;
mod outcome;
mod queue;
mod quiet;
mod removal;
mod render;
mod request;
mod rules;
#[cfg(test)]
mod samples;
mod template;
mod times;
mod token;

pub use attempts::{Attempts, Choice, LATE_AFTER_MS, choose};
pub use budget::QuietBudget;
pub use case::{Elsewhere, PushCase};
pub use class::{class_for, class_of};
pub use decide::{Decision, HoldReason, SilentReason, decide_push};
pub use document::{
    FieldError, choice_from_json, policy_to_json, settings_from_json, settings_to_json,
    template_from_json,
};
pub use nightjar_model::{Display, DueReason, PushPolicy};
pub use outcome::{Answer, Outcome, Scope};
pub use queue::{Answered, Next, PushKey, PushLane, Queue, RouteKey, RouteState, Ticket, Wait};
pub use quiet::{is_quiet, is_time_zone};
pub use removal::{Removed, TOO_MANY_INVALID};
pub use render::{
    BODY_GRAPHEMES_MAX, SHORT_BODY_GRAPHEMES_MAX, TITLE_GRAPHEMES_MAX, Trim, render,
    render_withdrawal,
};
pub use request::{Alert, DATA_VERSION, PushData, PushRequest, is_on_request};
pub use rules::silenced_by;
pub use template::locales;
pub use token::removes_token;
