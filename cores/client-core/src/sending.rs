//! What the user writes: saved, sent, sent again under the same id, and given up at last.

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    ClientMsgId, ConversationId, Mentions, MessageId, Metric, Mono, PushSpec, limits,
};
use nightjar_wire::{Body, Kind, body};
use serde_json::value::RawValue;

use crate::inbox::address;
use crate::incoming::Refusal;
use crate::outbox::{Stage, Verdict};
use crate::requests::Asked;
use crate::then::Then;
use crate::{Client, Draft, Event, FailReason, MessageRow, OutgoingRow, Row, defaults};

impl Client {
    pub(crate) fn write(&mut self, draft: Draft) {
        let given = draft.client_msg_id;
        if given.as_ref().is_some_and(|id| self.outbox.find(id).is_some()) {
            return;
        }
        let client_msg_id = given.unwrap_or_else(|| self.dice.client_msg_id(self.now.wall));
        let refused = if self.outbox.len() >= defaults::OUTBOX_MAX {
            Some(FailReason::OutboxFull)
        } else {
            let is_good = is_content(&draft.content) && are_uploads(&draft.depends_on);
            (!is_good).then_some(FailReason::BadContent)
        };
        if let Some(reason) = refused {
            return self.tell(Event::Failed { client_msg_id, to: draft.to, reason });
        }
        let row = OutgoingRow {
            order: self.outbox.next_order(),
            client_msg_id,
            to: draft.to,
            content: draft.content,
            push: draft.push,
            expires_at: draft.expires_at,
            queued_at: self.now.wall,
            is_failed: false,
            depends_on: draft.depends_on,
            resumes: false,
        };
        self.save(&row);
        self.outbox.add(row, self.awake());
        self.nudge();
    }

    /// The row is written, and then the message may go.
    fn save(&mut self, row: &OutgoingRow) {
        self.rows.push(Row::Outgoing(Box::new(row.clone())));
        self.thens.push(Then::Saved(row.order));
        let (client_msg_id, to) = (row.client_msg_id.clone(), row.to.clone());
        self.thens.push(Then::Tell(Event::Queued { client_msg_id, to }));
    }

    pub(crate) fn retry(&mut self, id: &ClientMsgId) {
        let Some(order) = self.outbox.find(id) else { return };
        if self.outbox.get_mut(order).is_none_or(|outgoing| outgoing.stage != Stage::Failed) {
            return;
        }
        let awake = self.awake();
        if let Some(row) = self.outbox.requeue(order, awake).cloned() {
            self.save(&row);
            self.nudge();
        }
    }

    /// What waited for it alone may go, once its row says so.
    pub(crate) fn upload_done(&mut self, upload: &str) {
        let awake = self.awake();
        for order in self.outbox.waiting_for(upload) {
            let Some(outgoing) = self.outbox.get_mut(order) else { continue };
            outgoing.uploaded(upload, awake);
            self.rows.push(Row::Outgoing(Box::new(outgoing.row.clone())));
            self.thens.push(Then::Saved(order));
        }
    }

    pub(crate) fn upload_failed(&mut self, upload: &str) {
        for order in self.outbox.waiting_for(upload) {
            self.fail(order, FailReason::UploadFailed);
        }
    }

    pub(crate) fn cancel(&mut self, id: &ClientMsgId) {
        if let Some(order) = self.outbox.find(id) {
            self.outbox.remove(order);
            self.rows.push(Row::OutgoingGone(id.clone()));
        }
    }

    /// There is a link: what failed for want of it goes out after all.
    pub(crate) fn resume_messages(&mut self) {
        let (awake, wall) = (self.awake(), self.now.wall);
        let is_young = |row: &OutgoingRow| wall.0 < row.queued_at.0 + defaults::AUTO_RESUME_MS;
        for order in self.outbox.resume(awake, is_young) {
            if let Some(row) = self.outbox.get_mut(order).map(|outgoing| outgoing.row.clone()) {
                self.save(&row);
            }
        }
    }

    /// Writes what may be written, each conversation in its order.
    pub(crate) fn send_messages(&mut self) {
        if self.outbox.len() == 0 || self.now.mono < self.send_from || self.is_logging_out {
            return;
        }
        let window = self.config.send_window.max(1);
        while !self.requests.is_full()
            && let Some(order) = self.outbox.next(window)
        {
            self.transmit(order);
        }
    }

    /// When messages that the server had no room for may be sent.
    pub(crate) fn send_until(&self) -> Option<Mono> {
        let waits = self.now.mono < self.send_from && self.outbox.len() > 0;
        waits.then_some(self.send_from)
    }

    fn transmit(&mut self, order: u64) {
        let (awake, now) = (self.awake(), self.now.mono);
        let Some(outgoing) = self.outbox.get_mut(order) else { return };
        outgoing.transmit(awake);
        let send = send_body(&outgoing.row);
        if now.since(self.pulse.heard_at()) > defaults::HEARTBEAT_MS {
            self.pulse.doubt(now);
        }
        self.ask(Asked::Send(order), Kind::Send, Body::Send(send));
    }

    /// Messages whose time may be over.
    pub(crate) fn check_outbox(&mut self) {
        for (order, verdict) in self.outbox.check(self.awake()) {
            match verdict {
                Verdict::Late { sent_at } => self.send_again(order, sent_at),
                Verdict::Over(FailReason::NoLink) if self.is_open => {
                    self.fail(order, FailReason::NoAnswer);
                }
                Verdict::Over(reason) => self.fail(order, reason),
            }
        }
    }

    /// No answer came. If nothing else came either, the connection is in doubt, and a new one
    /// sends everything again.
    fn send_again(&mut self, order: u64, sent_at: u64) {
        let asleep = self.now.mono.0 - self.awake();
        if self.pulse.heard_at() < Mono(sent_at).after(asleep) {
            self.pulse.doubt(self.now.mono);
        } else if self.is_open && !self.requests.is_full() {
            self.metrics.count(Metric::SendResend);
            self.transmit(order);
        }
    }

    fn fail(&mut self, order: u64, reason: FailReason) {
        let Some(outgoing) = self.outbox.get_mut(order) else { return };
        outgoing.fail(reason);
        self.metrics.count(Metric::SendFailed);
        let (client_msg_id, to) = (outgoing.row.client_msg_id.clone(), outgoing.row.to.clone());
        self.rows.push(Row::Outgoing(Box::new(outgoing.row.clone())));
        self.thens.push(Then::Tell(Event::Failed { client_msg_id, to, reason }));
    }

    /// The server has it.
    pub(crate) fn sent(&mut self, order: u64, answer: &body::SendAnswer) {
        let ids = MessageId::parse(&answer.message_id)
            .and_then(|id| Ok((id, ConversationId::parse(&answer.conversation)?)));
        let Ok((message_id, conversation)) = ids else { return self.misread() };
        // A delivery may have told before the answer did.
        let Some(outgoing) = self.outbox.remove(order) else { return };
        let ms = self.now.wall.0.saturating_sub(outgoing.row.queued_at.0);
        self.metrics.time(Metric::SendAck, ms);
        let message = MessageRow {
            message_id,
            conversation,
            seq: answer.seq.max(1),
            from: self.identity.uid.clone(),
            client_msg_id: outgoing.row.client_msg_id,
            at: nightjar_model::WallMs(answer.at),
            content: outgoing.row.content,
            alert: false,
        };
        let place = self.place(&message.conversation, message.seq - 1);
        place.arrive(message.seq, true);
        if !answer.duplicate {
            place.wrote(message.seq);
        }
        place.counted = place.counted.max(place.received.prefix());
        self.is_sent(&message);
        let conversation = message.conversation.clone();
        self.rows.push(Row::Message(message.into()));
        self.received_upto(&conversation);
    }

    /// Another way to learn that a message was sent: it is delivered. True if this one was.
    pub(crate) fn confirm_own(&mut self, message: &MessageRow) -> bool {
        let found =
            if self.outbox.len() == 0 { None } else { self.outbox.find(&message.client_msg_id) };
        let Some(order) = found else { return false };
        self.outbox.remove(order);
        self.is_sent(message);
        true
    }

    fn is_sent(&mut self, message: &MessageRow) {
        self.rows.push(Row::OutgoingGone(message.client_msg_id.clone()));
        if Sabotage::SentNotTold.is_on() {
            return;
        }
        self.thens.push(Then::Tell(Event::Sent {
            client_msg_id: message.client_msg_id.clone(),
            message_id: message.message_id,
            conversation: message.conversation.clone(),
            seq: message.seq,
            at: message.at,
        }));
    }

    pub(crate) fn refused_send(&mut self, order: u64, refusal: Refusal) {
        let Some(outgoing) = self.outbox.get_mut(order) else { return };
        if refusal.retry {
            if outgoing.stage != Stage::Failed {
                outgoing.stage = Stage::Queued;
            }
            let spread_ms = self.dice.below(defaults::ASK_AGAIN_MS);
            self.send_from = self.now.mono.after(defaults::ASK_AGAIN_MS + spread_ms);
        } else {
            let reject = refusal.reject.unwrap_or(nightjar_model::Reject::Internal);
            self.fail(order, FailReason::Rejected(reject));
        }
    }
}

fn send_body(row: &OutgoingRow) -> body::Send {
    let push = row.push.as_deref();
    let mentions = push.map_or_else(Vec::new, mentions);
    let options = (row.expires_at.is_some() || !mentions.is_empty()).then(|| body::Options {
        expires_at: row.expires_at.map(|at| at.0),
        mentions,
        ..body::Options::default()
    });
    body::Send {
        to: Some(address(&row.to)),
        client_msg_id: row.client_msg_id.to_string(),
        content: row.content.clone(),
        push: push.map(|push| body::Push {
            title: push.title.clone(),
            body: push.body.clone(),
            sound: push.sound.clone(),
            silent: push.silent,
            data: push.data.clone().map(Into::into),
        }),
        options,
    }
}

fn mentions(push: &PushSpec) -> Vec<String> {
    match &push.mentions {
        Mentions::Nobody => Vec::new(),
        // How the wire says "all".
        Mentions::All => vec![String::new()],
        Mentions::Users(users) => users.iter().map(ToString::to_string).collect(),
    }
}

fn are_uploads(ids: &[String]) -> bool {
    ids.len() <= defaults::UPLOADS_MAX
        && ids.iter().all(|id| id.len() <= defaults::UPLOAD_ID_BYTES_MAX)
}

/// Whether the server would take it as content.
fn is_content(bytes: &[u8]) -> bool {
    let is_object = |text: &str| {
        text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
    };
    bytes.len() <= limits::CONTENT_BYTES_MAX && std::str::from_utf8(bytes).is_ok_and(is_object)
}
