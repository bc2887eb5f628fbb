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
mod gateway;
mod invariants;
mod network;
mod observe;
mod people;
mod phone;
mod play;
mod provider;
mod reference;
mod report;
mod script;
mod server;
mod stranger;
mod trace;
mod world;

pub use invariants::Violation;
pub use phone::PhoneNo;
pub use provider::Mood;
pub use report::{Found, Outcome, Report, run};
pub use world::World;
