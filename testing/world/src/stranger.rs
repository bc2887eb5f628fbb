//! A device with an app that is not ours: it logs in, says that it showed everything there will
//! ever be, and comes back when it is dropped. What it claims must not silence what it never got.

use std::collections::VecDeque;

use nightjar_client_core::{ConnectionId, Dial, Identity, Input, Output};
use nightjar_model::{Mono, Now};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, Side, body};

/// It dials again after so long.
const AGAIN_MS: u64 = 2_000;
/// It claims to have shown everything up to here.
const FAR: u64 = 1 << 63;

/// The app.
#[derive(Debug)]
pub(crate) struct Stranger {
    identity: Identity,
    connection: ConnectionId,
    again_at: Option<Mono>,
    outputs: VecDeque<Output>,
}

impl Stranger {
    pub(crate) fn new(identity: Identity) -> Self {
        Self { identity, connection: ConnectionId(0), again_at: None, outputs: VecDeque::new() }
    }

    pub(crate) fn handle(&mut self, input: Input<'_>, now: Now) {
        match input {
            Input::Start => self.dial(),
            Input::Timeout if self.again_at.is_some_and(|at| at <= now.mono) => self.dial(),
            Input::Connected(connection) if connection == self.connection => self.greet(),
            Input::Closed(connection) if connection == self.connection => {
                self.again_at = Some(now.mono.after(AGAIN_MS));
            }
            Input::Packet(connection, bytes) if connection == self.connection => {
                if let Ok(packet) = Packet::decode(bytes, Side::Client) {
                    self.received(packet);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn wait_until(&self) -> Option<Mono> {
        self.again_at
    }

    fn dial(&mut self) {
        self.again_at = None;
        self.connection.0 += 1;
        let (connection, to) = (self.connection, Dial::Server(0));
        self.outputs.push_back(Output::Connect { connection, to, within_ms: 10_000 });
    }

    fn greet(&mut self) {
        let hello = body::Hello {
            token: self.identity.token.expose().clone(),
            device_id: self.identity.device_id.to_string(),
            platform: "android".into(),
            app_state: "foreground".into(),
            ..body::Hello::default()
        };
        self.send(&Packet::request(1, Kind::Hello, Body::Hello(hello)));
    }

    fn received(&mut self, packet: Packet) {
        if packet.serial >= SERVER_SERIAL_MIN {
            return self.send(&Packet::answer(packet.serial, packet.kind, Body::Empty));
        }
        if let Body::Deliver(deliver) = packet.body {
            let claim = |message: body::Message| body::AckItem {
                conversation: message.conversation,
                stored: Some(FAR),
                surfaced: Some(FAR),
            };
            let items = deliver.messages.into_iter().map(claim).collect();
            self.send(&Packet::one_way(Kind::Ack, Body::Ack(body::Ack { items })));
        }
    }

    fn send(&mut self, packet: &Packet) {
        self.outputs.push_back(Output::Send(self.connection, packet.to_bytes()));
    }
}
