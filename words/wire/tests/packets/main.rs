//! The native protocol from outside: what it says, byte for byte, and what it makes of bytes that
//! nobody meant well.
#![allow(clippy::disallowed_methods, reason = "the corpus is files")]

mod corpus;
mod forms;
mod frames;
mod hostile;
mod samples;
