//! Drives a whole server from outside, for tests on the real binary and for examples with figures.
//!
//! A [`Setup`] writes a configuration and starts a [`Server`] process; a [`Device`] is a client
//! that can act, freeze with its socket open, and thaw; an [`Api`] is the operator's back end; a
//! [`Receiver`] takes webhooks and verifies their signatures itself. Push services are recording
//! servers of `nightjar-provider-servers`.
//!
//! Deliberately absent: the product. Only the wire format is shared with it, and the tests that
//! check the wire format do without even that. Waiting is for a state, within a bound that says
//! what was waited for.
//!
//! Read [`Setup`] and [`Device`] first.

mod api;
mod certificate;
mod chat;
mod device;
mod login;
mod packets;
mod proxy;
mod seen;
mod server;
mod setup;
mod wait;
mod webhook;
mod wukong;
mod xmpp;

pub use api::{Answer, Api};
pub use certificate::Certificate;
pub use chat::{Chat, Person};
pub use device::{Device, text_to_user};
pub use login::{Acks, Login, Refused, Way};
pub use packets::{Packets, Reading, Writing};
pub use proxy::Proxy;
pub use seen::{Received, Seen};
pub use server::Server;
pub use setup::{ADMIN_KEY, Setup};
pub use wait::{PATIENCE, ms_since_epoch, within};
pub use webhook::{Event, Receiver};
pub use wukong::{WkClient, WkLogin};
pub use xmpp::XmppClient;
