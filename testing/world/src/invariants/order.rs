//! P1 on the wire and on the devices: in order and once on a connection, stored before it is
//! said to be, one answer for one message.

use bytes::Bytes;
use nightjar_client_core::MessageRow;
use nightjar_model::{ClientMsgId, ConnId, ConversationId, MessageId, NotificationId, Seq};
use nightjar_wire::{Body, Header, Kind as Command, Packet, Side, body};

use crate::invariants::Told;
use crate::phone::{PhoneNo, Shown};
use crate::reference::Kind;
use crate::world::World;

impl World {
    /// The server reads a packet.
    pub(crate) fn server_hears(&mut self, conn: ConnId, packet: &Bytes) {
        let now_ms = self.agenda.now_ms();
        let Ok(header) = Header::parse(packet) else { return };
        let is_told = [Command::Hello, Command::AppState]
            .into_iter()
            .any(|kind| kind.number() == header.command);
        if !is_told {
            return;
        }
        match Packet::decode(packet, Side::Server).map(|packet| packet.body) {
            Ok(Body::Hello(hello)) => {
                let told = told(&hello.app_state, hello.grace_ms, now_ms);
                self.hellos.insert(conn, told);
            }
            Ok(Body::AppState(state)) => {
                // What the highest report of a connection says holds, from when the node hears it.
                let order = self.orders.entry(conn).or_default();
                if state.order >= *order {
                    *order = state.order;
                    self.reports.insert(conn, (state.state, state.grace_ms));
                }
            }
            _ => {}
        }
    }

    /// The server writes a packet.
    pub(crate) fn server_says(&mut self, conn: ConnId, packet: &Bytes) {
        let Some(phone) = self.phone_of(conn) else { return };
        let Ok(header) = Header::parse(packet) else { return };
        let is_given = [Command::Deliver, Command::History]
            .into_iter()
            .any(|kind| kind.number() == header.command);
        if !is_given {
            return;
        }
        match Packet::decode(packet, Side::Client).map(|packet| packet.body) {
            Ok(Body::Deliver(deliver)) => {
                self.cover("deliveries");
                for message in &deliver.messages {
                    self.delivered(phone, conn, message);
                }
            }
            Ok(Body::HistoryAnswer(history)) => {
                self.cover("histories");
                for message in &history.messages {
                    if let Ok(id) = ConversationId::parse(&message.conversation) {
                        self.reference.dark.gave(phone, (id, message.seq));
                    }
                }
            }
            _ => {}
        }
    }

    fn delivered(&mut self, phone: PhoneNo, conn: ConnId, message: &body::Message) {
        let Ok(id) = ConversationId::parse(&message.conversation) else { return };
        let last = self.delivered.entry((conn, id.clone())).or_default();
        let before = std::mem::replace(last, message.seq);
        if message.seq <= before {
            let name = &self.phones[phone].name;
            let text = format!("{name} is given {id} #{} after #{before}", message.seq);
            self.violated("P1", text);
        }
        if message.pushed {
            // The provider took it: showing it is the system's business.
            self.phones[phone].seen.insert((id.clone(), message.seq));
        }
        self.reference.dark.gave(phone, (id, message.seq));
    }

    /// A phone writes a packet: what it says about itself must be true.
    pub(crate) fn phone_says(&mut self, no: PhoneNo, _conn: ConnId, packet: &Bytes) {
        let is_ack = Header::parse(packet).is_ok_and(|h| h.command == Command::Ack.number());
        if !is_ack || self.phones[no].is_stranger {
            return;
        }
        let Ok(Body::Ack(ack)) = Packet::decode(packet, Side::Server).map(|packet| packet.body)
        else {
            return;
        };
        for item in ack.items {
            let Ok(id) = ConversationId::parse(&item.conversation) else { continue };
            if let Some(seq) = self.not_stored(no, &id, item.stored.unwrap_or(0)) {
                let name = &self.phones[no].name;
                let text = format!("{name} says it stored {id} #{seq}; its disk does not have it");
                self.violated("P1", text);
            }
            if let Some(seq) = self.not_seen(no, &id, item.surfaced.unwrap_or(0)) {
                let name = &self.phones[no].name;
                let text = format!("{name} says it showed {id} #{seq}; nobody could see it");
                self.violated("P2", text);
            }
        }
    }

    /// A message up to `upto` that the phone does not have on its disk.
    fn not_stored(&self, no: PhoneNo, id: &ConversationId, upto: Seq) -> Option<Seq> {
        let uid = &self.phones[no].uid;
        let log = self.reference.known.logs.get(id)?;
        log.range(..=upto)
            .filter(|(_, message)| message.kind != Kind::Change && message.from != *uid)
            .map(|(seq, _)| *seq)
            .find(|seq| !self.phones[no].disk.messages.contains_key(&(id.clone(), *seq)))
    }

    /// A message to tell up to `upto` that no person could have seen on the phone.
    fn not_seen(&self, no: PhoneNo, id: &ConversationId, upto: Seq) -> Option<Seq> {
        let phone = &self.phones[no];
        if phone.is_foreground() {
            return None;
        }
        let known = &self.reference.known;
        let read = known.read_upto(&phone.uid, id);
        let log = known.logs.get(id)?;
        if read >= upto {
            return None;
        }
        log.range(read + 1..=upto)
            .filter(|(seq, message)| {
                message.from != phone.uid && known.is_alertable(&(id.clone(), **seq))
            })
            .map(|(seq, _)| *seq)
            .find(|seq| !phone.seen.contains(&(id.clone(), *seq)))
    }

    /// The app leaves the screen: what it holds could be seen until now.
    pub(crate) fn reference_sees_screen(&mut self, no: PhoneNo) {
        let phone = &mut self.phones[no];
        if phone.is_watched() {
            phone.seen.extend(phone.disk.messages.keys().cloned());
        }
    }

    /// The app shows a message.
    pub(crate) fn phone_shows(&mut self, no: PhoneNo, message: &MessageRow) {
        if !self.phones[no].is_watched() {
            return;
        }
        self.phones[no].seen.insert((message.conversation.clone(), message.seq));
        let own = message.from == self.phones[no].uid;
        if !own {
            self.tell(no, || format!("shows {} #{}", message.conversation, message.seq));
        }
        self.clear_seen(no);
    }

    /// What is on the screen of the app needs no notification.
    pub(crate) fn clear_seen(&mut self, no: PhoneNo) {
        let phone = &self.phones[no];
        if !phone.is_watched() {
            return;
        }
        let is_there = |shown: &Shown| {
            let mut seqs = shown.seqs.iter();
            seqs.all(|seq| phone.disk.messages.contains_key(&(shown.conversation.clone(), *seq)))
        };
        let ids: Vec<NotificationId> = phone
            .shade
            .iter()
            .filter(|(_, shown)| is_there(shown))
            .map(|(id, _)| id.clone())
            .collect();
        self.take_off(no, &ids, "the app on the screen");
    }

    /// The sender got its answer.
    pub(crate) fn phone_sent(
        &mut self,
        no: PhoneNo,
        key: ClientMsgId,
        answer: (MessageId, ConversationId, Seq),
    ) {
        self.tell(no, || format!("has it sent as {} #{}", answer.1, answer.2));
        let first = self.phones[no].sent.entry(key).or_insert_with(|| answer.clone());
        if *first != answer {
            let text = format!("{} got two answers for one message", self.phones[no].name);
            self.violated("P1", text);
        }
    }

    /// The app is told a badge.
    pub(crate) fn phone_badge(&mut self, no: PhoneNo, unread: u64, bv: u64) {
        let phone = &mut self.phones[no];
        if bv >= phone.badge.1 {
            phone.badge = (unread, bv);
        }
    }
}

/// What a report says, heard now.
pub(crate) fn told(state: &str, grace_ms: Option<i64>, now_ms: u64) -> Told {
    if state == "foreground" {
        return Told::Foreground;
    }
    let grace_until_ms = match grace_ms {
        Some(-1) => u64::MAX,
        Some(ms) if ms > 0 => now_ms + ms.unsigned_abs(),
        _ => 0,
    };
    Told::Background { grace_until_ms }
}
