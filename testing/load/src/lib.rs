//! The load tool behind `nightjar bench`, and the bare relay its figures are held against.
//!
//! One thread drives every client; the server is another process, so that its processor time and
//! memory are its own. A run connects, writes for a while, and reports what the middle of it cost.
//!
//! Deliberately absent: judgement. It prints what it measured and what went wrong;
//! docs/performance.md says what to expect.
//!
//! Read [`LoadOptions`] first, then `run.rs`.

mod admin;
mod client;
mod crowd;
mod device;
mod door;
mod files;
mod options;
mod pacer;
mod peer;
mod process;
mod relay;
mod report;
mod restart;
mod roles;
mod run;
mod tally;
mod tls;
mod wire;

pub use options::{BenchOptions, BenchVerb, LoadOptions, RelayOptions, RestartOptions};
pub use run::bench;
