//! The client shell: tokio and SQLite around client-core.
//!
//! [`Client`] runs the machine of `nightjar-client-core` in a task: [`transport`] carries its
//! packets, [`store`] keeps what it commits. [`chat()`] is a terminal client on top.
//!
//! Deliberately absent: what a packet or a row means; that is client-core's.
//!
//! Read [`Client`] and [`News`] first, then `driver.rs`.

mod chat;
mod client;
mod clock;
mod driver;
pub mod fetch;
pub mod ledger;
mod line;
pub mod store;
#[cfg(test)]
mod tests;
pub mod transport;

pub use chat::{ChatOptions, chat};
pub use client::{Client, Gone, Settings};
pub use driver::News;
pub use fetch::fetch;
pub use ledger::LedgerFile;
