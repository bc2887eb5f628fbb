//! The native front doors over real sockets, before a real decider and a store in memory.

mod client;
mod ending;
mod house;
mod talking;
