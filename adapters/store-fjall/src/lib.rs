//! The store on disk: fjall, one writer thread, group commit with fsync
//! (`docs/decisions/0004-fjall-and-one-writer.md`).
//!
//! A commit is safe once the writer handed it to the kernel, or, when it asked for
//! [`Durability::Power`](nightjar_domain::Durability::Power), once an fsync after that came back.
//! The writer takes whatever queued up during its last fsync, writes it as one batch with one fsync
//! and says up to which commit everything is safe. Until then reads find the rows in an overlay.
//!
//! Deliberately absent: knowledge of what rows mean, a second writer, changes of rows in place.
//!
//! Read [`FjallStore`] first, then `writer.rs`; `key.rs` and `value.rs` are what lies on the disk.

mod counters;
mod disk;
mod export;
mod failure;
mod journal;
mod key;
mod merge;
mod overlay;
mod store;
mod value;
mod writer;

pub use counters::{Counters, Counts};
pub use disk::FORMAT;
pub use export::{export, import};
pub use failure::Failure;
pub use store::{FjallStore, Options};
