//! Recording push services on loopback, for tests: an APNs that speaks HTTP/2 with prior
//! knowledge and an FCM, with its token endpoint, that speaks HTTP/1.1 or that.
//!
//! Both take a free port, verify the signatures they are shown, record every request and answer
//! as scripted per device token; without a script they behave like the real service. Waiting is
//! for a state of the record, never for time.
//!
//! Deliberately absent: the product. This crate knows the providers' pages only.

mod apns;
mod fcm;
mod jwt;
pub mod keys;
mod raw;
mod record;
mod script;

pub use apns::{ApnsServer, ConnectionSeen, KEY_ID, TEAM_ID, TOPIC};
pub use fcm::{FcmServer, PROJECT_ID};
pub use jwt::Token;
pub use raw::GoAwayPlan;
pub use record::{Record, Recorded};
pub use script::Script;
