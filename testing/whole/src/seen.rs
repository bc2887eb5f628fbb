//! What a device received.

use std::time::SystemTime;

use nightjar_wire::{Body, Packet, body};

/// One packet and when it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// When it was read.
    pub at: SystemTime,
    /// What.
    pub packet: Packet,
}

/// Everything a device received on one connection.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Packets other than answers, in the order they came.
    pub packets: Vec<Received>,
    /// The server ended the connection.
    pub ended: bool,
}

impl Seen {
    /// Every delivered message, in the order they came.
    pub fn messages(&self) -> impl Iterator<Item = &body::Message> {
        self.packets.iter().flat_map(|received| match &received.packet.body {
            Body::Deliver(deliver) => deliver.messages.as_slice(),
            _ => &[],
        })
    }

    /// Every withdrawal, and when it came.
    pub fn withdrawals(&self) -> impl Iterator<Item = (SystemTime, &[String])> {
        self.packets.iter().filter_map(|received| match &received.packet.body {
            Body::Withdraw(withdraw) => Some((received.at, withdraw.notification_ids.as_slice())),
            _ => None,
        })
    }

    /// Every read marker.
    pub fn read_markers(&self) -> impl Iterator<Item = &body::ReadMarker> {
        self.packets.iter().filter_map(|received| match &received.packet.body {
            Body::ReadMarker(marker) => Some(marker),
            _ => None,
        })
    }

    /// Everybody who was told to look different.
    pub fn presences(&self) -> impl Iterator<Item = &body::PresenceUser> {
        self.packets.iter().flat_map(|received| match &received.packet.body {
            Body::Presence(presence) => presence.users.as_slice(),
            _ => &[],
        })
    }

    /// Every contact that was told to have changed.
    pub fn contacts(&self) -> impl Iterator<Item = &body::Contact> {
        self.packets.iter().filter_map(|received| match &received.packet.body {
            Body::ContactChange(change) => change.contact.as_ref(),
            _ => None,
        })
    }

    /// Why the connection ended, if the server said so.
    #[must_use]
    pub fn bye(&self) -> Option<&body::Bye> {
        self.packets.iter().find_map(|received| match &received.packet.body {
            Body::Bye(bye) => Some(bye),
            _ => None,
        })
    }
}
