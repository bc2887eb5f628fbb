//! Clients on real files and real sockets, before a real decider.

mod house;
mod running;
mod talking;
