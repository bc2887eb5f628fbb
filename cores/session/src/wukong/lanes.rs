//! What the lanes say.

use nightjar_model::{
    ByeReason, Command, ConversationId, Delivery, Entry, Mono, Notice, Now, Reject, Reply,
    SentReply,
};
use nightjar_wkproto::{MessageNumber, Packet, Reason, Recv, wire_seq};

use super::client::Sending;
use super::session::Waiting;
use super::{WkOutput, WkSession};
use crate::RequestId;
use crate::phase::{Event, Phase};

/// Notices that may come between a CONNECT and its answer.
const EARLY_MAX: usize = 256;
/// A pull the lanes had no room for is asked again after so long.
const PULL_AGAIN_MS: u64 = 1_000;
/// Conversations remembered as answered; forgetting one costs a command, nothing else.
const ANSWERED_MAX: usize = 64;

impl WkSession {
    /// The answer to one of this session's commands.
    pub(super) fn replied(&mut self, id: RequestId, result: Result<Reply, Reject>, now: Now) {
        let Some(at) = self.pending.iter().position(|(open, _)| *open == id) else { return };
        let (_, waiting) = self.pending.swap_remove(at);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        match waiting {
            Waiting::Hello => return self.joined(result),
            _ if !self.moved(Event::Word) => return,
            Waiting::Send(sending) => self.sent(&sending, result),
            Waiting::Pull(conversation) => self.pulled(&conversation, result, now.mono),
            Waiting::Nobody => {}
        }
        self.end_if_drained();
    }

    fn joined(&mut self, result: Result<Reply, Reject>) {
        if let Err(reject) = result {
            return self.refuse_connect(reject);
        }
        if !self.moved(Event::Joined) {
            return;
        }
        let Some(joining) = self.joining.take() else { return };
        let mut connack = joining.connack;
        connack.reason = Reason::Success;
        self.send(&Packet::Connack(connack), joining.rpc_id.as_deref());
        self.uid = Some(joining.login.uid);
        self.output(WkOutput::Joined);
        for notice in joining.early {
            self.noticed(notice);
        }
    }

    fn sent(&mut self, sending: &Sending, result: Result<Reply, Reject>) {
        match result {
            Ok(Reply::Sent(sent)) => {
                let SentReply { message_id, conversation, seq, duplicate, .. } = sent;
                let number = MessageNumber::of(message_id).0;
                self.answer_send(sending, number, wire_seq(seq), Reason::Success);
                if !duplicate {
                    self.deliveries.sent(&conversation, seq);
                    self.wrote(conversation, seq);
                }
            }
            Ok(_) => self.answer_send(sending, 0, 0, Reason::System),
            Err(reject) => self.answer_send(sending, 0, 0, Reason::of(reject)),
        }
    }

    /// In WuKongIM, who writes has read what came before.
    fn wrote(&mut self, conversation: ConversationId, seq: u64) {
        if self.answered.contains(&conversation) {
            return;
        }
        if self.answered.len() >= ANSWERED_MAX {
            self.answered.clear();
        }
        self.answered.insert(conversation.clone());
        self.ask(Command::Read { conversation, seq }, Waiting::Nobody);
    }

    fn pulled(&mut self, conversation: &ConversationId, result: Result<Reply, Reject>, now: Mono) {
        match result {
            Ok(Reply::Pulled { deliveries, head_seq, .. }) => {
                for delivery in self.deliveries.pulled(conversation, deliveries, head_seq) {
                    self.give(&delivery.entry);
                }
            }
            Err(reject) if reject.retry() => {
                self.deliveries.pull_refused(conversation, true);
                self.pull_again_at = Some(now.after(PULL_AGAIN_MS));
            }
            Err(reject) if reject.bye().is_some() => self.end(Event::Broken),
            _ => self.deliveries.pull_refused(conversation, false),
        }
    }

    /// Asks for what is behind, as far as the window is open.
    pub(super) fn pull(&mut self) {
        if self.phase != Phase::Live || self.pull_again_at.is_some() {
            return;
        }
        while let Some(pull) = self.deliveries.next_pull() {
            let command = Command::Pull {
                conversation: pull.conversation.clone(),
                after: pull.after,
                limit: usize::try_from(pull.limit).unwrap_or(usize::MAX),
            };
            self.ask(command, Waiting::Pull(pull.conversation));
        }
    }

    /// Something nobody asked for.
    pub(super) fn noticed(&mut self, notice: Notice) {
        if let Notice::Bye { reason, text } = notice {
            // A DISCONNECT stops the client for good; after any other end it comes back.
            if reason == ByeReason::Kicked {
                self.disconnect(text.as_deref().unwrap_or("kicked"));
            }
            return self.end(Event::Bye);
        }
        if !self.moved(Event::Word) {
            return;
        }
        match self.phase {
            Phase::Live if self.is_behind() => self.end(Event::Bye),
            Phase::Live => self.pass_on(notice),
            Phase::Draining => {}
            _ => match &mut self.joining {
                Some(joining) if joining.early.len() < EARLY_MAX => joining.early.push(notice),
                _ => self.end(Event::Bye),
            },
        }
    }

    fn pass_on(&mut self, notice: Notice) {
        match notice {
            Notice::Wake(delivery) => {
                if let Some(Delivery { entry, .. }) = self.deliveries.wake(delivery) {
                    self.give(&entry);
                }
            }
            Notice::Unresponsive => self.is_unresponsive = true,
            // The protocol has no word for the others. Withdrawals that nobody confirms leave as
            // pushes.
            _ => {}
        }
    }

    /// The entry goes to the client.
    fn give(&mut self, entry: &Entry) {
        let Some(uid) = &self.uid else { return };
        let mut recv = Recv::of(entry, uid);
        if let Some(cipher) = &self.cipher {
            recv.payload = cipher.encrypt(&recv.payload).into();
            recv.msg_key = cipher.key_of_recv(&recv);
        }
        if entry.from != *uid {
            self.answered.remove(&entry.conversation);
        }
        let number = MessageNumber::of(entry.message_id);
        self.unacked.gave(number, &entry.conversation, entry.seq);
        self.send(&Packet::Recv(recv), None);
    }
}
