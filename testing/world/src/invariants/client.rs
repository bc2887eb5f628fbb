//! What a client keeps to by itself, whoever the server is: watched at its inputs and outputs, in a
//! world and in a record that is played again.
//!
//! I3: the badge's version never falls. I8: nothing the user wrote leaves the outbox before it is
//! sent, failed in front of the user, or given up by them. I9: a client that says it may be frozen
//! has no connection, no timer, no time of the system's and no open store. I10: the user is told
//! when it is not online. I12: what is told of reading only grows.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_client_core::{
    Client, ConnectionId, Event, Indicator, Input, Output, Restored, Row, State,
};
use nightjar_model::{ClientMsgId, ConversationId, Seq};
use nightjar_wire::{Body, Header, Kind, Packet, Side};

/// One run of one client.
#[derive(Debug, Default)]
pub(crate) struct ClientWatch {
    bv: u64,
    /// Written by the user and in the store.
    outbox: BTreeSet<ClientMsgId>,
    /// Sent, failed or given up.
    settled: BTreeSet<ClientMsgId>,
    /// Left the outbox with this commit.
    gone: Vec<(u64, ClientMsgId)>,
    committed: u64,
    lines: BTreeSet<ConnectionId>,
    is_held: bool,
    is_closed: bool,
    indicator: Option<Indicator>,
    read: BTreeMap<(ConnectionId, ConversationId), Seq>,
    wrong: Option<(&'static str, String)>,
}

impl ClientWatch {
    /// A run that starts with what the store held.
    pub(crate) fn of(restored: &Restored) -> Self {
        let outbox = restored.outgoing.iter().map(|row| row.client_msg_id.clone()).collect();
        Self { outbox, ..Self::default() }
    }

    /// Before the client takes an input.
    pub(crate) fn given(&mut self, input: &Input<'_>) {
        match input {
            Input::Closed(connection) => {
                self.lines.remove(connection);
            }
            Input::Committed(number) => self.committed = self.committed.max(*number),
            Input::StoreClosed(_) => self.is_closed = true,
            Input::Cancel(id) => {
                self.settled.insert(id.clone());
            }
            _ => {}
        }
    }

    /// What the client then wants.
    pub(crate) fn said(&mut self, output: &Output) {
        match output {
            Output::Connect { connection, .. } => {
                self.lines.insert(*connection);
            }
            Output::Close(connection) => {
                self.lines.remove(connection);
            }
            Output::HoldBackground => self.is_held = true,
            Output::ReleaseBackground => self.is_held = false,
            Output::ReopenStore => self.is_closed = false,
            Output::Commit(commit) => {
                for row in &commit.rows {
                    self.writes(commit.number, row);
                }
            }
            Output::Send(connection, bytes) => self.sends(*connection, bytes),
            Output::Event(event) => self.tells(event),
            _ => {}
        }
    }

    fn writes(&mut self, commit: u64, row: &Row) {
        match row {
            Row::Outgoing(row) => {
                self.outbox.insert(row.client_msg_id.clone());
            }
            Row::OutgoingGone(id) if self.outbox.remove(id) => self.gone.push((commit, id.clone())),
            _ => {}
        }
    }

    fn tells(&mut self, event: &Event) {
        match event {
            Event::Sent { client_msg_id, .. } | Event::Failed { client_msg_id, .. } => {
                self.settled.insert(client_msg_id.clone());
            }
            Event::Badge { bv, .. } => {
                // 0: signed out, nothing is to be on the icon.
                if *bv != 0 && *bv < self.bv {
                    let text = format!("the badge's version falls from {} to {bv}", self.bv);
                    self.wrong.get_or_insert(("I3", text));
                }
                self.bv = *bv;
            }
            Event::Link(indicator) => self.indicator = Some(*indicator),
            _ => {}
        }
    }

    fn sends(&mut self, connection: ConnectionId, bytes: &bytes::Bytes) {
        if !Header::parse(bytes).is_ok_and(|header| header.command == Kind::Read.number()) {
            return;
        }
        let Ok(Body::Read(read)) = Packet::decode(bytes, Side::Server).map(|packet| packet.body)
        else {
            return;
        };
        let Ok(conversation) = ConversationId::parse(&read.conversation) else { return };
        let last = self.read.entry((connection, conversation)).or_default();
        if read.seq < *last {
            let text = format!("it read {} up to #{} after #{last}", read.conversation, read.seq);
            self.wrong.get_or_insert(("I12", text));
        }
        *last = read.seq;
    }

    /// Everything the client wanted was carried out. What it does not keep to, if anything.
    pub(crate) fn rests(&mut self, client: &Client) -> Option<(&'static str, String)> {
        let committed = self.committed;
        let settled = &self.settled;
        let lost =
            self.gone.iter().find(|(commit, id)| *commit <= committed && !settled.contains(id));
        if let Some((_, id)) = lost {
            let text = format!("{} left the outbox and the user was not told why", id.as_str());
            self.wrong.get_or_insert(("I8", text));
        }
        self.gone.retain(|(commit, _)| *commit > committed);
        if client.state() == State::Suspended
            && let Some(what) = self.holds(client)
        {
            self.wrong.get_or_insert(("I9", format!("it may be frozen and has {what}")));
        }
        if self.indicator == Some(Indicator::Online) && !client.is_online() {
            let text = format!("the user believes it online, and it is {:?}", client.state());
            self.wrong.get_or_insert(("I10", text));
        }
        self.wrong.take()
    }

    /// What a frozen process must not have.
    fn holds(&self, client: &Client) -> Option<&'static str> {
        if !self.lines.is_empty() {
            return Some("a connection");
        }
        if client.wait_until().is_some() {
            return Some("a timer");
        }
        if self.is_held {
            return Some("time of the system's");
        }
        (!self.is_closed).then_some("an open store")
    }
}
