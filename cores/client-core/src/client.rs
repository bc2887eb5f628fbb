//! The machine.

use std::collections::VecDeque;
use std::sync::Arc;

use nightjar_model::{Mono, Now};

use crate::{Config, Identity, Input, Link, Output, Restored};

/// One account on one device.
///
/// Contract: after every [`Client::handle`] carry out outputs with [`Client::poll`] until `None`,
/// in order. `Now::mono` goes on while the machine sleeps, if the platform has such a clock.
#[derive(Debug)]
pub struct Client {
    link: Link,
    outputs: VecDeque<Output>,
}

impl Client {
    /// A client that was stopped, with what its store held. [`Input::Start`] makes it connect. Its
    /// app is in the foreground until it says otherwise.
    #[must_use]
    pub fn new(config: Arc<Config>, identity: Identity, restored: Restored, now: Now) -> Self {
        let _ = (config, identity, restored, now);
        Self { link: Link::Stopped, outputs: VecDeque::new() }
    }

    /// Takes one input. `random` are fresh random bytes: ids and jitter are made of them.
    pub fn handle(&mut self, input: Input<'_>, now: Now, random: &[u8; 16]) {
        let _ = (input, now, random);
    }

    /// What to do next; `None` when there is nothing until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle`] with [`Input::Timeout`]; `None` while nothing is awaited.
    #[must_use]
    pub fn wait_until(&self) -> Option<Mono> {
        None
    }

    /// Whether the shell may hand in another packet: not while the store or the shell is behind.
    #[must_use]
    pub fn wants_packets(&self) -> bool {
        self.link.is_connected()
    }

    /// Where the link is.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link
    }
}
