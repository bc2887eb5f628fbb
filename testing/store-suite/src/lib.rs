//! What every store promises, as tests a store runs.
//!
//! A store implements [`Subject`] in its tests and calls [`conformance!`]: one test for each
//! promise. Its crash tests, which differ with what a crash is to it, write a [`History`] and let
//! it check what was left.
//!
//! Deliberately absent: stores. What a scan means is said here a second time, by a plain filter
//! over all rows, so that no store is its own judge.
//!
//! Read [`promises`] first.

mod history;
mod model;
pub mod promises;
mod source;
mod subject;

pub use history::History;
pub use model::Model;
pub use source::Source;
pub use subject::Subject;
