//! What the client says.

use bytes::Bytes;
use nightjar_model::{
    ClientMsgId, Command, Mentions, Mono, Now, PushSpec, SendCommand, Uid, limits,
};
use nightjar_wkproto::{
    Channel, ChannelError, Flags, MessageNumber, Packet, Reason, SendPacket, Sendack, Sub, Suback,
    payload,
};

use super::WkSession;
use super::session::{Form, Waiting};
use crate::deliveries::Claim;
use crate::phase::{Event, Phase};

/// The lanes hear of packets this often while the client has something to acknowledge.
const TELL_HEARD_MS: u64 = 250;
/// Users one message mentions; further ones are not told apart from everybody else.
const MENTIONS_MAX: usize = 100;

/// A SEND that waits for its SENDACK.
#[derive(Debug, Clone)]
pub(super) struct Sending {
    pub(super) flags: Flags,
    pub(super) client_seq: u32,
    /// The `id` of a JSON-RPC call.
    pub(super) rpc_id: Option<String>,
}

impl WkSession {
    pub(super) fn received(&mut self, packet: Packet, rpc_id: Option<String>, now: Now) {
        self.heard_at = now.mono;
        if let Packet::Connect(connect) = packet {
            return match self.phase {
                Phase::AwaitHello => self.said_connect(connect, rpc_id, now),
                _ => self.end(Event::Hello),
            };
        }
        if self.phase.next(Event::Packet) == Some(Phase::Closed) {
            return self.end(Event::Packet);
        }
        let is_ack = matches!(packet, Packet::Recvack(_));
        match packet {
            Packet::Send(send) => self.said_send(send, rpc_id, now),
            Packet::Recvack(ack) => self.said_recvack(MessageNumber(ack.message_id), now.mono),
            Packet::Ping => self.send(&Packet::Pong, rpc_id.as_deref()),
            Packet::Sub(sub) => self.said_sub(sub),
            Packet::Disconnect(_) if self.form == Form::Json => self.end(Event::Bye),
            // Some clients say it before they go; the socket tells when they are gone.
            Packet::Disconnect(_) => {}
            // What only servers say proves that this is no client.
            _ => return self.end(Event::Broken),
        }
        if !is_ack {
            self.tell_heard(now.mono);
        }
    }

    /// The peer runs: that matters while it has something to acknowledge.
    fn tell_heard(&mut self, now: Mono) {
        if self.phase != Phase::Live {
            return;
        }
        let is_waited_for =
            !self.unacked.is_empty() && now.since(self.told_heard_at) >= TELL_HEARD_MS;
        if std::mem::take(&mut self.is_unresponsive) || is_waited_for {
            self.told_heard_at = now;
            self.ask(Command::Heard, Waiting::Nobody);
        }
    }

    fn said_recvack(&mut self, number: MessageNumber, now: Mono) {
        let Some((conversation, seq)) = self.unacked.acked(number) else {
            return self.tell_heard(now);
        };
        let items = self.deliveries.ack(vec![Claim { conversation, stored: seq, surfaced: seq }]);
        if items.is_empty() {
            return self.tell_heard(now);
        }
        // The lanes take it as a sign of life as well.
        self.is_unresponsive = false;
        self.told_heard_at = now;
        self.ask(Command::Ack(items), Waiting::Nobody);
    }

    /// Subscriptions are taken and mean nothing: everything is delivered anyway.
    fn said_sub(&mut self, sub: Sub) {
        let Sub { sub_no, channel_id, channel_type, action, .. } = sub;
        let reason = Reason::Success;
        let ack = Suback { sub_no, channel_id, channel_type, action, reason };
        self.send(&Packet::Suback(ack), None);
    }

    fn said_send(&mut self, send: SendPacket, rpc_id: Option<String>, now: Now) {
        let rpc_id = rpc_id.or_else(|| (self.form == Form::Json).then(String::new));
        let sending = Sending { flags: send.flags, client_seq: send.client_seq, rpc_id };
        match self.command_of(send, now) {
            Ok(command) => {
                self.ask(Command::Send(Box::new(command)), Waiting::Send(Box::new(sending)));
            }
            Err(reason) => self.answer_send(&sending, 0, 0, reason),
        }
    }

    fn command_of(&mut self, send: SendPacket, now: Now) -> Result<SendCommand, Reason> {
        let plain = self.plain(&send)?;
        if plain.len() > limits::CONTENT_BYTES_MAX {
            return Err(Reason::PayloadDecode);
        }
        let target = Channel::new(send.channel_id, send.channel_type).target();
        let to = target.map_err(|error| match error {
            ChannelError::BadId => Reason::BadChannelId,
            ChannelError::BadKind => Reason::UnsupportedChannelType,
        })?;
        let client_msg_no = match send.client_msg_no {
            empty if empty.is_empty() => self.next_client_msg_no(),
            named => named,
        };
        let lives_ms = u64::from(send.expire) * 1_000;
        Ok(SendCommand {
            to,
            client_msg_id: ClientMsgId::parse(&client_msg_no).map_err(|_| Reason::PayloadDecode)?,
            content: payload::to_content(&plain),
            sealed: false,
            push: push_of(&plain, send.flags),
            expires_at: (lives_ms > 0).then(|| now.wall.after(lives_ms)),
        })
    }

    /// The payload behind the encryption, if what came with it is what was signed.
    fn plain(&self, send: &SendPacket) -> Result<Bytes, Reason> {
        let Some(cipher) = &self.cipher else { return Ok(send.payload.clone()) };
        if cipher.key_of_send(send) != send.msg_key {
            return Err(Reason::PayloadDecode);
        }
        cipher.decrypt(&send.payload).map(Bytes::from).ok_or(Reason::PayloadDecode)
    }

    pub(super) fn answer_send(
        &mut self,
        sending: &Sending,
        message_id: i64,
        message_seq: u32,
        reason: Reason,
    ) {
        let Sending { flags, client_seq, rpc_id } = sending;
        let ack =
            Sendack { flags: *flags, message_id, client_seq: *client_seq, message_seq, reason };
        self.send(&Packet::Sendack(ack), rpc_id.as_deref());
    }
}

/// What the header and the payload say about the push: no red dot is silent; a text with a mention
/// or a reply beside it is shown as that text.
#[must_use]
pub fn push_of(plain: &[u8], flags: Flags) -> Option<Box<PushSpec>> {
    let (_, uids) = payload::mentions(plain);
    let uids: Vec<Uid> =
        uids.iter().take(MENTIONS_MAX).filter_map(|uid| Uid::parse(uid).ok()).collect();
    let mentions = if uids.is_empty() { Mentions::Nobody } else { Mentions::Users(uids) };
    let body = payload::text(plain).map(|mut text| {
        text.truncate(text.floor_char_boundary(limits::PUSH_BODY_BYTES_MAX));
        text
    });
    let push = PushSpec { body, silent: !flags.red_dot, mentions, ..PushSpec::default() };
    let is_plain_text = push.mentions == Mentions::Nobody && !push.silent;
    // Plain text needs nothing beside it.
    (!is_plain_text || payload::is_more_than_text(plain)).then(|| Box::new(push))
}
