//! What the world sees of the server: every decision and every answer, checked against the
//! reference.

use nightjar_domain::{CommitNo, Key, Row, Rows};
use nightjar_model::{
    AppStateReport, Command, ConnId, ConversationId, Delivery, HelloReply, Notice, Reject, Reply,
    SendCommand, SentReply, Seq,
};
use nightjar_node::{Effect, Origin};
use nightjar_push::{Answer, Outcome, PushRequest, Ticket};
use nightjar_store_memory::Crash;

use crate::acts::short;
use crate::invariants::{self, Of, Told};
use crate::phone::PhoneNo;
use crate::reference::{Ask, Fact, Kind, Message, Place};
use crate::world::World;

/// The longest wait between two attempts, and the slack.
const RETRY_MS_MAX: u64 = 61_000;

impl World {
    /// A command goes to the node.
    pub(crate) fn server_asks(&mut self, origin: Origin, ask: Ask) {
        if let Some(process) = &mut self.server.process {
            process.asked.insert(origin, ask);
        }
    }

    pub(crate) fn phone_of(&self, conn: ConnId) -> Option<PhoneNo> {
        self.network.connections.get(&conn).map(|connection| connection.phone)
    }

    /// What one turn came to, in the order it happened: what a handler says before its answer
    /// follows from the answer.
    pub(crate) fn server_decided(&mut self, effects: &[Effect], commit: CommitNo) {
        let mut before = Vec::new();
        for effect in effects {
            let Effect::Reply { origin, result } = effect else {
                before.push(effect);
                continue;
            };
            let ask = self.server.process.as_mut().and_then(|process| process.asked.remove(origin));
            if let (Some(ask), Ok(reply)) = (ask, result) {
                self.reference.is_behind |= self.answered(&ask, reply, commit);
            }
            for effect in before.drain(..) {
                self.unasked(effect);
            }
        }
        for effect in before {
            self.unasked(effect);
        }
    }

    /// An answer; whether the badges of this turn may lag behind it.
    fn answered(&mut self, ask: &Ask, reply: &Reply, commit: CommitNo) -> bool {
        let now_ms = self.agenda.now_ms();
        let phone = ask.phone;
        match (&ask.command, reply) {
            (Command::Send(send), Reply::Sent(sent)) => {
                if let Some(phone) = phone {
                    let from = self.reference.owners[phone].clone();
                    return self.accepted(&from, send, sent, commit);
                }
            }
            (Command::SendAs { from, send }, Reply::Sent(sent)) => {
                return self.accepted(from, send, sent, commit);
            }
            (Command::CreateGroup { group, owner, .. }, Reply::Group(_)) => {
                let place = (ConversationId::group(group), 1);
                let message = Message { kind: Kind::Change, from: owner.clone(), ids: None };
                self.reference.learn(commit, Fact::Accepted(place, message));
            }
            (Command::Recall { conversation, seq }, Reply::Seq(own)) => {
                if let Some(phone) = phone {
                    self.recalled(phone, (conversation, *seq, *own), commit);
                }
                return self.reference.is_large(conversation);
            }
            (Command::Read { conversation, seq }, Reply::Badge { unread, bv }) => {
                if let Some(phone) = phone {
                    self.was_read(phone, conversation, *seq, commit);
                    let uid = self.reference.owners[phone].clone();
                    self.badge(&uid, (*bv, *unread));
                }
            }
            (Command::Ack(items), _) => {
                for item in items.iter().filter(|item| item.surfaced > 0) {
                    let Some(phone) = phone else { continue };
                    let upto = item.surfaced.min(self.reference.known.head(&item.conversation));
                    self.reference.alerts.surfaced(phone, &item.conversation, upto);
                    self.reference.dark.claimed(phone, &item.conversation, upto);
                }
            }
            (Command::Pull { .. }, Reply::Pulled { deliveries, .. }) => {
                for delivery in deliveries {
                    self.check_given(phone, delivery);
                }
            }
            (Command::Hello(_), Reply::Hello(hello)) => {
                if let (Some(phone), Some(conn)) = (phone, ask.conn) {
                    self.joined(phone, conn, hello, commit);
                }
            }
            (Command::AppState(_), Reply::Done) => {
                if let (Some(phone), Some(conn)) = (phone, ask.conn)
                    && let Some((state, grace_ms)) = self.reports.get(&conn)
                {
                    let told = invariants::told(state, *grace_ms, now_ms);
                    self.reference.dark.told(phone, Some(conn), told, now_ms);
                }
            }
            (Command::Lost, _) => {
                if let (Some(phone), Some(conn)) = (phone, ask.conn) {
                    self.reference.dark.lost(phone, conn, now_ms);
                }
            }
            (Command::Fetch(fetch), Reply::Fetched(view)) => self.was_fetched(fetch, view),
            (command, Reply::Done) => self.done(phone, command, commit),
            _ => {}
        }
        false
    }

    fn joined(&mut self, phone: PhoneNo, conn: ConnId, hello: &HelloReply, commit: CommitNo) {
        self.reference.learn(commit, Fact::SignedIn(phone));
        let told = self.hellos.remove(&conn).unwrap_or_default();
        self.reference.dark.joined(phone, conn, told, self.agenda.now_ms());
        for id in &hello.withdraw {
            self.reference.withdrawals.told(phone, id);
        }
        self.badge(&hello.uid, (hello.bv, hello.unread));
    }

    fn done(&mut self, phone: Option<PhoneNo>, command: &Command, commit: CommitNo) {
        match command {
            Command::PutBinding { uid, device_id, binding } => {
                let Some(phone) = self.phone_named(uid, device_id) else { return };
                let token = binding.token.expose().clone();
                let held = self.reference.known.bound.iter().find(|(_, held)| **held == token);
                let former = held.map(|(former, _)| *former).filter(|former| *former != phone);
                self.bound_ms.insert(phone, self.agenda.now_ms());
                self.reference.learn(commit, Fact::Bound(phone, token));
                if let Some(former) = former {
                    self.reference.forgive(former);
                }
            }
            Command::DeleteBinding { uid, device_id, .. } => {
                let Some(phone) = self.phone_named(uid, device_id) else { return };
                self.reference.learn(commit, Fact::Unbound(phone));
                self.reference.forgive(phone);
            }
            Command::Kick { uid, device_id, .. } => {
                let Some(phone) = self.phone_named(uid, device_id) else { return };
                self.signed_out(phone, commit);
                let now_ms = self.agenda.now_ms();
                if let Some(conn) = self.reference.dark.conn(phone) {
                    self.reference.dark.lost(phone, conn, now_ms);
                }
            }
            Command::Fetched(fetched) => {
                if let Some(phone) = self.phone_named(&fetched.uid, &fetched.device_id) {
                    self.extension_surfaced(phone, &fetched.surfaced);
                    self.extension_took_off(phone, &fetched.withdrawn);
                }
            }
            Command::ReportAppState { uid, device_id, state } => {
                let Some(phone) = self.phone_named(uid, device_id) else { return };
                let now_ms = self.agenda.now_ms();
                self.reference.dark.told(phone, None, told(state, now_ms), now_ms);
            }
            Command::Logout { unbind: true } => {
                if let Some(phone) = phone {
                    self.signed_out(phone, commit);
                }
            }
            _ => {}
        }
    }

    fn signed_out(&mut self, phone: PhoneNo, commit: CommitNo) {
        self.reference.learn(commit, Fact::SignedOut(phone));
        self.reference.forgive(phone);
        self.reference.withdrawals.forgive(phone);
    }

    /// A message was accepted, or a resend got its first answer.
    fn accepted(
        &mut self,
        from: &nightjar_model::Uid,
        send: &SendCommand,
        sent: &SentReply,
        commit: CommitNo,
    ) -> bool {
        let place: Place = (sent.conversation.clone(), sent.seq);
        let key = (from.clone(), send.client_msg_id.clone());
        let first = self.reference.known.sent.get(&key).cloned();
        match (first, sent.duplicate) {
            (Some(first), true) if first == (sent.message_id, place.clone()) => {
                self.cover("duplicates_answered");
                return false;
            }
            (None, false) => {}
            (first, _) => {
                let text = format!("{from}'s message got {first:?} as its answer, now {sent:?}");
                self.violated("P1", text);
                return false;
            }
        }
        let head = self.reference.known.head(&place.0);
        if sent.seq != head + 1 {
            let text = format!("{} has #{} after #{head}", place.0, sent.seq);
            self.violated("P1", text);
        }
        self.cover("messages");
        let is_silent = send.push.as_ref().is_some_and(|push| push.silent);
        let kind = if is_silent { Kind::Silent } else { Kind::Message };
        let ids = Some((sent.message_id, send.client_msg_id.clone()));
        let message = Message { kind, from: from.clone(), ids };
        self.reference.learn(commit, Fact::Accepted(place.clone(), message));
        for uid in self.reference.members(&place.0) {
            for phone in self.reference.phones_of(&uid) {
                self.is_written_to(phone);
            }
        }
        if kind == Kind::Message {
            self.owe(from, &place);
        }
        self.reference.is_large(&place.0)
    }

    /// Every device of the others that can be pushed is owed the message.
    fn owe(&mut self, from: &nightjar_model::Uid, place: &Place) {
        let now_ms = self.agenda.now_ms();
        for uid in self.reference.members(&place.0).into_iter().filter(|uid| uid != from) {
            for phone in self.reference.phones_of(&uid) {
                if self.reference.known.bound.contains_key(&phone) {
                    self.reference.dark.owe(phone, place, now_ms);
                    self.reference.pairs.owe(phone, place);
                    self.watch();
                }
            }
        }
    }

    fn recalled(
        &mut self,
        by: PhoneNo,
        (conversation, seq, own): (&ConversationId, Seq, Seq),
        commit: CommitNo,
    ) {
        self.cover("recalls");
        let from = self.reference.owners[by].clone();
        let message = Message { kind: Kind::Change, from, ids: None };
        self.reference.learn(commit, Fact::Accepted((conversation.clone(), own), message));
        let place = (conversation.clone(), seq);
        self.reference.learn(commit, Fact::Recalled(place.clone()));
        for phone in 0..self.phones.len() {
            self.reference.dark.close_one(phone, &place);
            self.owe_withdrawals(phone, conversation, Of::One(seq));
        }
    }

    fn was_read(&mut self, by: PhoneNo, conversation: &ConversationId, seq: Seq, commit: CommitNo) {
        self.cover("reads");
        let uid = self.reference.owners[by].clone();
        let seq = seq.min(self.reference.known.head(conversation));
        let fact = Fact::Read(uid.clone(), conversation.clone(), seq);
        self.reference.learn(commit, fact);
        for phone in self.reference.phones_of(&uid) {
            self.reference.dark.close(phone, conversation, seq);
            if phone != by {
                self.owe_withdrawals(phone, conversation, Of::Read);
            }
        }
    }

    /// What the server says unasked.
    fn unasked(&mut self, effect: &Effect) {
        match effect {
            Effect::Notice { conn, notice: Notice::ReadMarker { unread, bv, .. } } => {
                if let Some(phone) = self.phone_of(*conn) {
                    let uid = self.reference.owners[phone].clone();
                    self.badge(&uid, (*bv, *unread));
                }
            }
            Effect::Notice { conn, notice: Notice::Wake(delivery) } => {
                self.check_given(self.phone_of(*conn), delivery);
            }
            Effect::Notice { conn, notice: Notice::Withdraw(ids) } => {
                if let Some(phone) = self.phone_of(*conn) {
                    for id in ids {
                        self.reference.withdrawals.told(phone, id);
                    }
                }
            }
            Effect::Push { ticket, request } => self.push_decided(*ticket, request),
            Effect::CancelPush { ticket } => {
                self.tickets.remove(ticket);
                self.reference.alerts.called_back(*ticket);
            }
            _ => {}
        }
    }

    /// A message is given to a connection: an app that posts notifications itself relies on what
    /// it says about pushes.
    fn check_given(&mut self, phone: Option<PhoneNo>, delivery: &Delivery) {
        let Some(phone) = phone else { return };
        let now_ms = self.agenda.now_ms();
        let place = (delivery.entry.conversation.clone(), delivery.entry.seq);
        if self.reference.known.signed_out.contains(&phone) {
            let name = &self.phones[phone].name;
            let text = format!("{name} is given {} #{} though it signed out", place.0, place.1);
            return self.violated("P6", text);
        }
        let alerts = &self.reference.alerts;
        let is_wrong = delivery.alert
            && !delivery.pushed
            && alerts.surfaced_upto(phone, &place.0) < place.1
            && alerts.was_taken_alone(phone, &place, now_ms);
        if is_wrong {
            let name = &self.phones[phone].name;
            let text = format!("{name} is given {} #{} as if not pushed", place.0, place.1);
            self.violated("P3", text);
        }
    }

    pub(crate) fn badge(&mut self, uid: &nightjar_model::Uid, told: (u64, u64)) {
        let unread = (!self.reference.is_behind).then(|| self.reference.unread(uid));
        if let Some(wrong) = self.reference.badges.decided(uid, told, unread) {
            let counts = self.reference.unread_by_conversation(uid);
            self.violated("P5", format!("{wrong}: {counts:?}"));
        }
    }

    /// An answer leaves the server: what it promises must survive from now on.
    pub(crate) fn answer_leaves(&mut self, origin: Origin, result: &Result<Reply, Reject>) {
        let now_ms = self.agenda.now_ms();
        self.answer_extension(origin, result);
        match result {
            Ok(Reply::Sent(sent)) if !sent.duplicate => {
                self.reference.dark.safe(&(sent.conversation.clone(), sent.seq), now_ms);
            }
            Ok(Reply::Hello(hello)) => {
                self.reference.badges.left(&hello.uid, hello.bv, hello.unread);
            }
            Ok(Reply::Badge { unread, bv }) => {
                if let Origin::Conn(conn, _) = origin
                    && let Some(phone) = self.phone_of(conn)
                {
                    let uid = self.reference.owners[phone].clone();
                    self.reference.badges.left(&uid, *bv, *unread);
                }
            }
            Ok(Reply::Done) => {
                if let Origin::Api(call) = origin
                    && let Some(phone) = self.binds.remove(&call)
                {
                    self.unbound.remove(&phone);
                }
            }
            Ok(Reply::Unread(unread)) => self.unread_answered(origin, unread.total),
            _ => {}
        }
    }

    /// The server comes to a frame of a connection: from now on it waits for its device again.
    pub(crate) fn server_hears_of(&mut self, conn: ConnId, is_back: bool) {
        let now_ms = self.agenda.now_ms();
        if let Some(phone) = self.phone_of(conn) {
            self.reference.dark.heard(phone, conn, is_back, now_ms);
        }
    }

    /// The server hears what a provider said.
    pub(crate) fn server_hears_answer(&mut self, ticket: Ticket, answer: &Answer) {
        let now_ms = self.agenda.now_ms();
        let is_taken = answer.outcome == Outcome::Delivered;
        self.reference.dark.tried(answer, now_ms);
        if !is_taken {
            self.cover("pushes_not_taken");
        }
        if let Some((phone, is_alert)) = self.tickets.remove(&ticket) {
            if answer.outcome == Outcome::TokenInvalid {
                self.dead_tokens.insert(phone);
            }
            if !is_alert && !is_taken {
                self.retries.insert(phone, now_ms + RETRY_MS_MAX);
            }
        }
        let Some((phone, place)) = self.reference.alerts.answered(ticket, is_taken, now_ms) else {
            return;
        };
        self.reference.dark.answered(phone, &place, ticket, answer, now_ms);
        if is_taken {
            self.owe_withdrawals(phone, &place.0, Of::One(place.1));
        }
    }

    /// The store after a crash holds every message that was safe.
    pub(crate) fn server_crashed(&mut self, crash: Crash, safe: CommitNo) {
        self.hellos.clear();
        self.tickets.clear();
        if crash == Crash::PowerLoss {
            for (no, phone) in self.phones.iter().enumerate() {
                let shown = phone.shade.values();
                self.forgotten.extend(shown.flat_map(|shown| {
                    shown.seqs.iter().map(move |seq| (no, (shown.conversation.clone(), *seq)))
                }));
            }
            self.forgotten.extend(self.provider.places_kept());
            let coming: Vec<_> = self.places_coming().collect();
            self.forgotten.extend(coming);
        }
        let now_ms = self.agenda.now_ms();
        for (place, message) in self.reference.crashed(safe) {
            // Of some the sender was not told.
            self.reference.dark.safe(&place, now_ms);
            let key = Key::Entry(place.0.clone(), place.1);
            let row = self.server.store.load(&key).expect("the store in memory has its rows");
            let is_there = match (row, message.ids) {
                (Some(Row::Entry(entry)), Some((id, _))) => entry.message_id == id,
                (Some(_), None) => true,
                _ => false,
            };
            if !is_there {
                let text = format!("{} #{} was acknowledged and is gone", place.0, place.1);
                return self.violated("P1", text);
            }
        }
    }

    /// A push is decided; the checks of P3, P5 and P6 at that moment.
    fn push_decided(&mut self, ticket: Ticket, request: &PushRequest) {
        let Some(phone) = self.phone_named(&request.uid, &request.device_id) else { return };
        self.tickets.insert(ticket, (phone, request.alert.is_some()));
        self.check_belongs(phone, request);
        self.badge(&request.uid, (request.data.bv, request.data.badge));
        for id in &request.data.wd {
            self.reference.withdrawals.told(phone, id);
        }
        if request.alert.is_none() {
            self.play.line(self.agenda.now_ms(), "server", || {
                let ids: Vec<String> = request.data.wd.iter().map(short).collect();
                format!(
                    "withdraws {} on {}/{} by a push",
                    ids.join(", "),
                    request.uid,
                    request.device_id
                )
            });
            return;
        }
        let place: Place = (request.data.conv.clone(), request.data.seq);
        let is_shared = request.data.nid.as_ref().is_some_and(|id| id.message_id().is_none());
        let known = &self.reference.known;
        let wrong = if known.read_upto(&request.uid, &place.0) >= place.1 {
            Some("is handed over though it was read")
        } else if !known.is_alertable(&place) {
            Some("is handed over though nobody is to be told of it")
        } else {
            self.reference.alerts.handed(phone, &place, is_shared, ticket)
        };
        if let Some(wrong) = wrong {
            let text = format!("{} #{} for {} {wrong}", place.0, place.1, self.phones[phone].name);
            self.violated("P3", text);
        }
        self.reference.dark.handed(phone, &place.0, ticket, self.agenda.now_ms());
        self.play.line(self.agenda.now_ms(), "server", || {
            let id = request.data.nid.as_ref().map(short).unwrap_or_default();
            format!(
                "pushes {} #{} to {}/{} as {id}, badge {}",
                place.0, place.1, request.uid, request.device_id, request.data.badge
            )
        });
    }
}

/// What a report tells.
pub(crate) fn told(state: &AppStateReport, now_ms: u64) -> Told {
    match state {
        AppStateReport::Foreground { .. } => Told::Foreground,
        AppStateReport::Background { grace_ms } => {
            let grace_until_ms = match grace_ms {
                0 => 0,
                -1 => u64::MAX,
                ms => now_ms + ms.unsigned_abs(),
            };
            Told::Background { grace_until_ms }
        }
    }
}
