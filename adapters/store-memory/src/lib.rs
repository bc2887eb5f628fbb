//! The store in memory: the model every store is held against.
//!
//! It keeps rows in the order of their keys and says plainly what a commit is worth at any moment:
//! seen, written (survives the end of the process), or durable (survives the loss of power). The
//! simulated world opens it held, decides itself when commits become safe, and takes the power away.
//!
//! Deliberately absent: files, threads, bytes.
//!
//! Read [`MemoryStore`] first.

mod range;
mod store;

pub use store::{Crash, MemoryStore};
