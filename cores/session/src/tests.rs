//! Sessions driven like a play: a client, a shell and lanes that say their lines in turn.

mod any;
mod contacts;
mod ending;
mod giving;
mod hello;
mod live;
pub(crate) mod play;
mod table;
