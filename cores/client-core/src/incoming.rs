//! What the server says.

use bytes::Bytes;
use nightjar_model::{ConversationId, Metric, NotificationId, Reject, Uid};
use nightjar_wire::{Body, Kind, Packet, SERVER_SERIAL_MIN, Side, WireError, body};

use crate::requests::Asked;
use crate::{Client, ConnectionId, Ended, Event, State};

/// Why the server refused a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    /// `None` for one this version has no name for.
    pub(crate) reject: Option<Reject>,
    pub(crate) retry: bool,
}

impl Client {
    /// One packet.
    pub(crate) fn received(&mut self, connection: ConnectionId, bytes: &Bytes) {
        let is_heard = self.is_open || self.state == State::Handshaking;
        if connection != self.connection || !is_heard {
            return;
        }
        self.heard_from_server();
        match Packet::decode(bytes, Side::Client) {
            Ok(packet) => self.heard(packet),
            Err(WireError::UnknownCommand { serial, .. }) => self.not_understood(serial),
            Err(WireError::BadBody { kind, serial }) if self.is_open => {
                self.unreadable(kind, serial);
            }
            Err(_) => self.misread(),
        }
    }

    /// A command of a later version. Who asked is told that nobody here can answer.
    fn not_understood(&mut self, serial: i32) {
        if serial >= SERVER_SERIAL_MIN {
            self.send(&Packet::reject(serial, Kind::Ping, Reject::UnknownCommand));
        }
    }

    fn heard(&mut self, packet: Packet) {
        let Packet { serial, kind, code, body } = packet;
        if kind == Kind::Bye {
            if let Body::Bye(bye) = body {
                self.told_bye(bye);
            }
        } else if (1..SERVER_SERIAL_MIN).contains(&serial) {
            self.heard_answer(serial, code, body);
        } else if serial >= SERVER_SERIAL_MIN {
            self.heard_request(serial, kind, body);
        } else if self.is_open && !self.is_errand {
            self.heard_news(body);
        }
    }

    fn heard_answer(&mut self, serial: i32, code: i32, body: Body) {
        for (conversation, stored) in self.proofs.answered(serial) {
            if let Some(place) = self.places.get_mut(&conversation) {
                place.proven = place.proven.max(stored);
            }
        }
        let Some(asked) = self.requests.answered(serial) else { return };
        let body = match body {
            Body::Error(error) => return self.refused(asked, Refusal::read(code, error)),
            body => body,
        };
        match (asked, body) {
            (Asked::Hello, Body::HelloAnswer(answer)) => self.greeted(*answer),
            (Asked::Send(order), Body::SendAnswer(answer)) => self.sent(order, &answer),
            (Asked::Read(conversation, seq), Body::ReadAnswer(answer)) => {
                self.read_told(&conversation, seq);
                self.badge(answer.unread, answer.bv);
            }
            (Asked::Sync { anew }, Body::SyncAnswer(answer)) => self.synced(answer, anew),
            (Asked::Contact, Body::ContactAnswer(_)) => self.contact_changed(),
            (Asked::Fill(conversation, after, before), Body::HistoryAnswer(answer)) => {
                self.filled(&conversation, after, before, answer);
            }
            (Asked::History(conversation), Body::HistoryAnswer(answer)) => {
                self.told_history(conversation, answer);
            }
            (Asked::Logout, _) => self.end(Ended::LoggedOut { confirmed: true }),
            // Only an answer to a question asked since proves the path.
            (Asked::Ping, _) => self.drop_rival(),
            (Asked::Bind(key), _) => self.bound(&key),
            (Asked::Amend(_, conversation), Body::SeqAnswer(answer)) => {
                self.amended(&conversation, answer.seq);
            }
            (Asked::AppState, _) => {
                let ms = self.now.mono.since(self.app.told_at());
                self.metrics.time(Metric::AppStateReport, ms);
            }
            // An answer that fits no question.
            _ => self.misread(),
        }
    }

    pub(crate) fn refused(&mut self, asked: Asked, refusal: Refusal) {
        match asked {
            Asked::Hello => self.refused_hello(refusal.reject, refusal.retry),
            Asked::Send(order) => self.refused_send(order, refusal),
            Asked::Read(conversation, seq) => self.refused_read(conversation, seq, refusal),
            Asked::Sync { .. } => self.refused_sync(refusal),
            Asked::Contact => self.refused_contact(refusal),
            Asked::Fill(conversation, _, before) => {
                self.refused_fill(&conversation, before, refusal);
            }
            Asked::History(_) => {
                self.tell(Event::Refused { kind: Kind::History, reject: refusal.reject });
            }
            Asked::Bind(key) => self.refused_bind(&key, refusal),
            Asked::Amend(kind, _) => self.tell(Event::Refused { kind, reject: refusal.reject }),
            Asked::Logout => self.end(Ended::LoggedOut { confirmed: false }),
            Asked::Ping | Asked::AppState => {}
        }
    }

    fn heard_request(&mut self, serial: i32, kind: Kind, body: Body) {
        match (kind, body) {
            (Kind::Ping, _) => self.send(&Packet::answer(serial, kind, Body::Empty)),
            (Kind::Withdraw, Body::Withdraw(withdraw)) => {
                let ids = withdraw.notification_ids.iter();
                let ids = ids.filter_map(|id| NotificationId::parse(id).ok()).collect();
                self.told_to_withdraw(serial, ids);
            }
            _ => self.send(&Packet::reject(serial, kind, Reject::UnknownCommand)),
        }
    }

    /// What nobody asked for and nobody answers.
    fn heard_news(&mut self, body: Body) {
        match body {
            Body::Deliver(deliver) => self.delivered(deliver),
            Body::ReadMarker(marker) => self.told_read(&marker),
            Body::ContactChange(change) => self.told_contact(change),
            Body::Typing(typing) => self.told_typing(&typing),
            _ => {}
        }
    }

    fn told_typing(&mut self, typing: &body::Typing) {
        let conversation = typing.conversation.as_deref().map(ConversationId::parse);
        let from = typing.from.as_deref().map(Uid::parse);
        if let (Some(Ok(conversation)), Some(Ok(from))) = (conversation, from) {
            self.tell(Event::Typing { conversation, from });
        }
    }
}

impl Refusal {
    fn read(code: i32, error: body::Error) -> Self {
        let reject = Reject::ALL.into_iter().find(|reject| reject.number() == code);
        let told = error.error.is_some_and(|detail| detail.retry);
        Self { reject, retry: reject.map_or(told, Reject::retry) }
    }
}
