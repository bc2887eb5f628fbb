//! Conversation lanes and user lanes: the rules of messaging as decisions over loaded rows.
//!
//! A conversation lane owns log, seq, members and idempotency; a user lane owns devices, bindings,
//! cursors, read markers, badge and debts. A decision reads rows, checks everything, and only then
//! changes its aggregate and returns the rows to write.
//!
//! Deliberately absent: sockets, clocks, randomness, push providers, and any transaction over two
//! aggregates.
//!
//! Read [`Row`] and [`Store`] first, then [`Conversation`] and [`User`].

mod contact;
mod conversation;
mod device;
mod keys;
mod link;
mod place;
pub mod ranges;
pub mod read;
mod rows;
mod settings;
mod stop;
mod store;
mod sync;
mod user;
mod verify;

pub use contact::{Contacted, ContactsHead, Said};
pub use conversation::{Accepted, Conversation, Draft};
pub use device::Device;
pub use keys::{Key, Scan};
pub use link::{Deadlines, Link, Reach, ReachEvent, Told};
pub use place::Place;
pub use rows::{
    AmendedRow, BindingRow, ContactRow, ConversationRow, CursorRow, DeviceRow, EventCursorRow,
    EventRow, KeptRow, MemberRow, MessageRow, NoteRow, OutcomeRow, OwnRow, PasswordRow, PlaceRow,
    ProfileChangeRow, PushSettingsRow, RecalledRow, Row, SentRow, TokenRow, TraceRow, UserRow,
    WorkRow,
};
pub use stop::Stop;
pub use store::{Commit, CommitNo, Durability, Missing, Rows, Store, Submitted, Write};
pub use sync::{Changed, SyncPoint};
pub use user::{Changes, User};
pub use verify::{Report, Verifier};
