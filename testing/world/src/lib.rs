//! The simulated world: the real server cores and real client cores on a virtual clock, with bad
//! networks, phones that freeze, a provider that lies and a server that dies, all from one seed.
//!
//! The same seed is the same run. Every promise (P1 to P6) is checked against a reference model
//! in plain code; the first that is not kept ends the run, which can then be read as a play.
//!
//! Deliberately absent: sockets, threads, real time, and any rule about messaging: the reference
//! only counts.
//!
//! Read [`World`] and `acts.rs` first, then `reference.rs` and `invariants/`.

mod acts;
mod agenda;
mod disk;
mod extension;
mod faults;
mod gateway;
mod invariants;
mod network;
mod observe;
mod people;
mod phone;
mod play;
mod provider;
mod reference;
mod replay;
mod report;
mod script;
mod server;
mod shrink;
mod stranger;
mod strikes;
mod trace;
mod world;

pub use faults::Fault;
pub use invariants::Violation;
pub use phone::PhoneNo;
pub use provider::Mood;
pub use replay::{BadLine, Replayed, replay};
pub use report::{Found, Outcome, Report, run, run_stale};
pub use shrink::{Small, shrink};
pub use world::World;
