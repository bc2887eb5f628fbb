//! What the lanes say.

use nightjar_model::{
    ByeReason, Command, ConversationId, Delivery, HelloReply, HistoryCommand, Mono, Notice,
    NotificationId, Now, Reject, Reply, WallMs,
};
use nightjar_wire::{Body, Kind, Packet, body};

use crate::pending::{Ask, Waiting};
use crate::phase::{Event, Phase};
use crate::session::{Joining, bye, told_farewell};
use crate::{RequestId, Session, answers};

/// Notices that may come between a hello and its answer.
const EARLY_MAX: usize = 256;
/// A pull the lanes had no room for is asked again after so long.
const PULL_AGAIN_MS: u64 = 1_000;

impl Session {
    /// The answer to one of this session's commands.
    pub(crate) fn replied(&mut self, id: RequestId, result: Result<Reply, Reject>, now: Now) {
        let Some(waiting) = self.pending.remove(id) else { return };
        if !matches!(waiting, Waiting::Hello(_)) && !self.moved(Event::Word) {
            return;
        }
        match waiting {
            Waiting::Hello(ask) => self.joined(ask, result, now.wall),
            Waiting::Pull(conversation) => self.pulled(&conversation, result, now.mono),
            Waiting::Answer(ask) => self.answered(ask, result),
            Waiting::History(ask, asked) => self.told_history(ask, &asked, result),
            Waiting::Logout(ask) => {
                self.answered(ask, result);
                self.end(Event::Bye, None);
            }
        }
        self.end_if_drained(now.mono);
    }

    fn joined(&mut self, ask: Ask, result: Result<Reply, Reject>, now: WallMs) {
        let reply = match result {
            Ok(Reply::Hello(reply)) => reply,
            Ok(_) => return self.refuse_hello(ask, Reject::Internal),
            Err(reject) => return self.refuse_hello(ask, reject),
        };
        if !self.moved(Event::Joined) {
            return;
        }
        let Some(joining) = self.joining.take() else { return };
        let Joining { push_token, early, .. } = *joining;
        self.answer(ask, answers::hello(&reply, push_token, &self.config, now));
        let HelloReply { backlog, withdraw, .. } = *reply;
        self.deliveries.start(backlog);
        self.withdraw(withdraw);
        for notice in early {
            self.noticed(notice);
        }
    }

    fn answered(&mut self, ask: Ask, result: Result<Reply, Reject>) {
        if let Ok(Reply::Sent(sent)) = &result
            && !sent.duplicate
        {
            self.deliveries.sent(&sent.conversation, sent.seq);
        }
        match result.and_then(|reply| answers::answer(ask.kind, reply)) {
            Ok(body) => self.answer(ask, body),
            // A one-way packet was nothing to wait for.
            Err(_) if !ask.is_request() => {}
            Err(reject) => self.refuse(ask, &reject.into()),
        }
    }

    fn told_history(&mut self, ask: Ask, asked: &HistoryCommand, result: Result<Reply, Reject>) {
        let (entries, head_seq) = match result {
            Ok(Reply::History { entries, head_seq }) => (entries, head_seq),
            other => return self.answered(ask, other),
        };
        let (body, (first, last)) = answers::history(asked, &entries, head_seq);
        self.deliveries.shown(&asked.conversation, first, last);
        self.answer(ask, body);
    }

    fn pulled(&mut self, conversation: &ConversationId, result: Result<Reply, Reject>, now: Mono) {
        match result {
            Ok(Reply::Pulled { deliveries, head_seq, .. }) => {
                for delivery in self.deliveries.pulled(conversation, deliveries, head_seq) {
                    self.send_delivery(&delivery);
                }
            }
            Err(reject) if reject.retry() => {
                self.deliveries.pull_refused(conversation, true);
                self.pull_again_at = Some(now.after(PULL_AGAIN_MS));
            }
            Err(reject) if reject.bye().is_some() => {
                self.end(Event::Broken, Some(told_farewell(reject)));
            }
            _ => self.deliveries.pull_refused(conversation, false),
        }
    }

    /// Asks for what is behind, as far as the window is open.
    pub(crate) fn pull(&mut self) {
        if self.phase != Phase::Live || self.pull_again_at.is_some() {
            return;
        }
        while let Some(pull) = self.deliveries.next_pull() {
            let conversation = pull.conversation.clone();
            let id = self.command(Command::Pull {
                conversation: pull.conversation,
                after: pull.after,
                limit: usize::try_from(pull.limit).unwrap_or(usize::MAX),
            });
            self.pending.insert(id, Waiting::Pull(conversation));
        }
    }

    /// Something nobody asked for.
    pub(crate) fn noticed(&mut self, notice: Notice) {
        if let Notice::Bye { reason, text } = notice {
            return self.end(Event::Bye, Some(body::Bye { text, ..bye(reason.as_str()) }));
        }
        if !self.moved(Event::Word) {
            return;
        }
        match self.phase {
            Phase::Live if self.is_behind() => self.too_slow(),
            Phase::Live => self.pass_on(notice),
            // Wake-ups are not passed on any more, and nothing else matters at the end.
            Phase::Draining => {}
            _ => match &mut self.joining {
                Some(joining) if joining.early.len() < EARLY_MAX => joining.early.push(notice),
                _ => self.too_slow(),
            },
        }
    }

    fn pass_on(&mut self, notice: Notice) {
        match notice {
            Notice::Wake(delivery) => self.woken(delivery),
            Notice::ReadMarker { conversation, seq, unread, bv } => {
                let conversation = conversation.to_string();
                let marker = body::ReadMarker { conversation, seq, unread, bv };
                self.send(Packet::one_way(Kind::ReadMarker, Body::ReadMarker(marker)));
            }
            Notice::Withdraw(ids) => self.withdraw(ids),
            Notice::Typing { conversation, from } => {
                let typing = body::Typing {
                    to: None,
                    conversation: Some(conversation.to_string()),
                    from: Some(from.to_string()),
                };
                self.send(Packet::one_way(Kind::Typing, Body::Typing(typing)));
            }
            Notice::Presence(view) => {
                let users = vec![answers::presence(view)];
                let presence = body::Presence { users, ..body::Presence::default() };
                self.send(Packet::one_way(Kind::Presence, Body::Presence(presence)));
            }
            Notice::Contact(view) => {
                let contact = Some(answers::contact(view));
                let change = body::ContactChange { contact, ..body::ContactChange::default() };
                self.send(Packet::one_way(Kind::Contact, Body::ContactChange(change)));
            }
            Notice::Unresponsive => self.is_unresponsive = true,
            Notice::Bye { .. } => {}
        }
    }

    fn woken(&mut self, delivery: Delivery) {
        if let Some(delivery) = self.deliveries.wake(delivery) {
            self.send_delivery(&delivery);
        }
    }

    /// Asks the client to take notifications off its screen.
    fn withdraw(&mut self, ids: Vec<NotificationId>) {
        if ids.is_empty() {
            return;
        }
        if !self.withdrawals.get_or_insert_default().add(ids) {
            return self.too_slow();
        }
        self.ask_withdrawals();
    }

    /// Sends the withdrawals there is room for.
    pub(crate) fn ask_withdrawals(&mut self) {
        let Some(mut withdrawals) = self.withdrawals.take() else { return };
        while withdrawals.can_ask() {
            let serial = self.next_serial();
            let ids = withdrawals.ask(serial);
            let notification_ids = ids.iter().map(|id| id.as_str().to_owned()).collect();
            let body = Body::Withdraw(body::Withdraw { notification_ids });
            self.send(Packet::request(serial, Kind::Withdraw, body));
        }
        self.withdrawals = Some(withdrawals).filter(|withdrawals| !withdrawals.is_empty());
    }

    fn too_slow(&mut self) {
        self.end(Event::Bye, Some(bye(ByeReason::Slow.as_str())));
    }
}
