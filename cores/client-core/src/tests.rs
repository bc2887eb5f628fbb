//! Clients driven like a play: bob's phone, its store, its screen, a network and a server whose
//! end of the connection is the real session.

mod account;
mod any;
mod background;
mod disk;
mod link;
mod lists;
mod measuring;
mod notes;
mod play;
mod recording;
mod sending;
mod server;
mod staying;
mod storing;
