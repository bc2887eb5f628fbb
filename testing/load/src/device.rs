//! One device as the load sees it: says hello, writes, acknowledges what it gets.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, Side, body};

/// Acknowledgements are gathered for so long, or for so many messages: as an app does.
const ACK_AFTER: Duration = Duration::from_millis(200);
const ACK_MESSAGES: u32 = 32;

/// What the server said that a run needs to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The hello was taken.
    Online,
    /// The message of this moment is safe.
    Sent(u64),
    /// A message came, under this client id.
    Message(String),
}

/// One device of one user.
#[derive(Debug, Default)]
pub(crate) struct Device {
    serial: i32,
    /// Its own messages are not delivered to it, so their places are holes.
    has_holes: bool,
    /// It gets messages and shows nobody.
    is_frozen: bool,
    written: u32,
    /// Sends without an answer: serial and moment.
    waiting: VecDeque<(i32, u64)>,
    /// The newest message of the one conversation this device is in.
    newest: Option<(String, u64)>,
    unacked: u32,
    ack_at: Option<Instant>,
}

impl Device {
    /// A device that writes or only reads, and says that it shows what it gets or does not.
    pub(crate) fn new(writes: bool, is_frozen: bool) -> Self {
        Self { has_holes: writes, is_frozen, ..Self::default() }
    }

    /// The id of the next message; its last 12 digits are the moment it belongs to.
    pub(crate) fn message_id(&mut self, prefix: &str, moment: u64) -> String {
        self.written = self.written.wrapping_add(1);
        format!("{prefix}{:08x}{moment:012x}", self.written)
    }

    /// The first packet.
    pub(crate) fn hello(&mut self, token: &str, device_id: &str, out: &mut BytesMut) {
        let hello = body::Hello {
            token: token.to_owned(),
            device_id: device_id.to_owned(),
            platform: "cli".into(),
            app_state: "foreground".into(),
            protocol: Some(1),
            client: Some("nightjar-load".into()),
            ..body::Hello::default()
        };
        let serial = self.next_serial();
        Packet::request(serial, Kind::Hello, Body::Hello(hello)).encode(out);
    }

    /// Writes a message that belongs to a moment.
    pub(crate) fn send(&mut self, send: body::Send, moment: u64, out: &mut BytesMut) {
        let serial = self.next_serial();
        self.waiting.push_back((serial, moment));
        Packet::request(serial, Kind::Send, Body::Send(send)).encode(out);
    }

    /// Takes one packet.
    ///
    /// # Errors
    /// What the server said or left out that it should not have.
    pub(crate) fn take(
        &mut self,
        packet: &Bytes,
        now: Instant,
        out: &mut BytesMut,
        mut said: impl FnMut(Said),
    ) -> Result<(), String> {
        let packet = Packet::decode(packet, Side::Client).map_err(|error| error.to_string())?;
        match packet.body {
            Body::HelloAnswer(_) => said(Said::Online),
            Body::SendAnswer(_) => said(Said::Sent(self.answered(packet.serial)?)),
            Body::Deliver(deliver) => {
                for message in deliver.messages {
                    self.arrived(&message, now)?;
                    said(Said::Message(message.client_msg_id));
                }
                if self.unacked >= ACK_MESSAGES {
                    self.ack(out);
                }
            }
            Body::Error(error) => {
                let detail = error.error.unwrap_or_default();
                return Err(format!("{}: {}", detail.code, detail.message));
            }
            Body::Bye(bye) => return Err(format!("the server ended it: {}", bye.reason)),
            _ if packet.serial >= SERVER_SERIAL_MIN => {
                Packet::answer(packet.serial, packet.kind, Body::Empty).encode(out);
            }
            _ => {}
        }
        Ok(())
    }

    fn next_serial(&mut self) -> i32 {
        self.serial = self.serial % (SERVER_SERIAL_MIN - 1) + 1;
        self.serial
    }

    fn answered(&mut self, serial: i32) -> Result<u64, String> {
        let place = self.waiting.iter().position(|(waiting, _)| *waiting == serial);
        let sent = place.and_then(|place| self.waiting.remove(place));
        sent.map(|(_, moment)| moment).ok_or_else(|| "an answer to nothing".into())
    }

    /// Each message must be the one after the last that was not its own.
    fn arrived(&mut self, message: &body::Message, now: Instant) -> Result<(), String> {
        match &mut self.newest {
            Some((_, seq))
                if message.seq <= *seq || (message.seq > *seq + 1 && !self.has_holes) =>
            {
                return Err(format!("seq {} came after {seq}", message.seq));
            }
            Some((_, seq)) => *seq = message.seq,
            None => self.newest = Some((message.conversation.clone(), message.seq)),
        }
        if !self.is_frozen {
            self.unacked += 1;
            self.ack_at.get_or_insert(now + ACK_AFTER);
        }
        Ok(())
    }

    /// When to acknowledge, if there is something to.
    pub(crate) fn ack_at(&self) -> Option<Instant> {
        self.ack_at
    }

    /// Everything that came is stored and was shown.
    pub(crate) fn ack(&mut self, out: &mut BytesMut) {
        (self.unacked, self.ack_at) = (0, None);
        let Some((conversation, seq)) = &self.newest else { return };
        let item = body::AckItem {
            conversation: conversation.clone(),
            stored: Some(*seq),
            surfaced: Some(*seq),
        };
        Packet::one_way(Kind::Ack, Body::Ack(body::Ack { items: vec![item] })).encode(out);
    }
}
