//! Messages, both ways.
//!
//! `<body>T</body>` is the content `{"type":"text","text":T}`. What else a client put into its
//! message stands beside it as `xmpp`, the elements as XML, and comes out again for the next
//! client that speaks it; nobody else has to know. Content of an app's own travels as a JSON
//! container (XEP-0335).

use std::borrow::Cow;

use bytes::BytesMut;
use nightjar_model::{
    ClientMsgId, Command, Content, ConversationId, Delivery, Entry, EntryKind, Reject, Reply,
    SendCommand, Seq, Target, Uid, limits,
};
use nightjar_xmpp::{Element, Item, Jid, Limits, Reader, ns};
use serde::{Deserialize, Serialize};

use crate::iq::{Condition, date_time};
use crate::stanza::{Waiting, condition_of, refused};
use crate::stream::Stream;

/// JSON containers (XEP-0335).
const JSON: &str = "urn:xmpp:json:0";
/// A message older than this came late, and says so (XEP-0203).
const LATE_MS: u64 = 10_000;
/// Encryption that this server cannot read (XEP-0384 in both its forms, XEP-0027, XEP-0373).
const ENCRYPTED: [(&str, &str); 4] = [
    ("eu.siacs.conversations.axolotl", "encrypted"),
    ("urn:xmpp:omemo:2", "encrypted"),
    ("jabber:x:encrypted", "x"),
    ("urn:xmpp:openpgp:0", "openpgp"),
];

/// What XMPP reads and writes of a content.
#[derive(Debug, Serialize, Deserialize)]
struct Said<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    xmpp: Option<Cow<'a, str>>,
}

impl Stream {
    /// The client wrote a message.
    pub(crate) fn message(&mut self, stanza: Element) {
        let kind = stanza.get("type").unwrap_or("normal");
        if matches!(kind, "error" | "headline") {
            return;
        }
        let to = stanza.get("to").map(Jid::parse);
        let peer = match &to {
            Some(Ok(to)) if kind != "groupchat" => self.user_of(to),
            Some(Err(_)) => return self.send_stanza(&refused(&stanza, Condition::JidMalformed)),
            _ => None,
        };
        let Some(peer) = peer else {
            return self.send_stanza(&refused(&stanza, Condition::ServiceUnavailable));
        };
        if let Some(marker) = stanza.child(ns::MARKERS, "displayed") {
            return self.displayed(&peer, marker.get("id").unwrap_or_default());
        }
        let is_encrypted = ENCRYPTED.iter().any(|(ns, name)| stanza.child(ns, name).is_some());
        let body = stanza.child(ns::CLIENT, "body").map(Element::text).unwrap_or_default();
        if body.is_empty() && !is_encrypted {
            if stanza.child(ns::CHAT_STATES, "composing").is_some() {
                self.types(peer);
            }
            return;
        }
        self.write(stanza, peer, &body, is_encrypted);
    }

    fn write(&mut self, stanza: Element, peer: Uid, body: &str, sealed: bool) {
        let content = content_of(&stanza, body);
        let origin = stanza.child(ns::STANZA_ID, "origin-id").and_then(|origin| origin.get("id"));
        let id = match origin.or(stanza.get("id")) {
            Some(id) => ClientMsgId::parse(id),
            None => ClientMsgId::parse(&self.fresh_id()),
        };
        let Ok(client_msg_id) = id else {
            return self.send_stanza(&refused(&stanza, Condition::NotAcceptable));
        };
        if content.len() > limits::CONTENT_BYTES_MAX {
            return self.send_stanza(&refused(&stanza, Condition::PolicyViolation));
        }
        let send = SendCommand {
            to: Target::User(peer),
            client_msg_id,
            content,
            sealed,
            push: None,
            expires_at: None,
        };
        let number = self.is_uncommitted();
        let mut head = stanza;
        head.retain(|_| false);
        let waiting = Waiting::Sent(Box::new(head), number);
        self.command(Command::Send(Box::new(send)), waiting);
    }

    /// The lanes have a message, or refused it.
    pub(crate) fn sent(&mut self, head: &Element, number: u32, result: Result<Reply, Reject>) {
        match result {
            Ok(Reply::Sent(sent)) if !sent.duplicate => {
                self.deliveries.sent(&sent.conversation, sent.seq);
            }
            Ok(_) => {}
            Err(reject) => self.send_stanza(&refused(head, condition_of(reject))),
        }
        self.committed(number);
    }

    /// The client showed a message (XEP-0333).
    fn displayed(&mut self, peer: &Uid, id: &str) {
        let Some(uid) = &self.uid else { return };
        let conversation = ConversationId::direct(uid, peer);
        if let Some(seq) = self.given.seq_of(&conversation, id) {
            self.command(Command::Read { conversation, seq }, Waiting::Nothing);
        }
    }

    /// An entry is the client's to see.
    pub(crate) fn deliver(&mut self, delivery: &Delivery) {
        let entry = &delivery.entry;
        if entry.kind == EntryKind::Message && !entry.recalled {
            let is_own = Some(&entry.from) == self.uid.as_ref();
            let message = self.message_of(entry);
            if !is_own {
                self.given.add(&entry.conversation, entry.client_msg_id.as_str(), entry.seq);
                self.send_stanza(&message);
            } else if self.has_carbons {
                let carbon = self.carbon_of(message);
                self.send_stanza(&carbon);
            }
        }
        self.went_with_last(&entry.conversation, entry.seq);
    }

    /// An entry as its stanza.
    pub(crate) fn message_of(&self, entry: &Entry) -> Element {
        let peer = self.peer_of(&entry.conversation);
        let is_own = Some(&entry.from) == self.uid.as_ref();
        let to = if is_own { peer.as_ref() } else { self.uid.as_ref() };
        let mut message = Element::new(ns::CLIENT, "message")
            .with("type", "chat")
            .with("from", self.address_of(&entry.from).to_string())
            .with_some("to", to.map(|uid| self.address_of(uid).to_string()))
            .with("id", entry.client_msg_id.as_str());
        say(&mut message, &entry.content);
        if let Some(uid) = &self.uid {
            let stanza_id = Element::new(ns::STANZA_ID, "stanza-id")
                .with("by", self.address_of(uid).to_string())
                .with("id", entry.message_id.to_string());
            message.push(stanza_id);
        }
        if self.now.wall.0.saturating_sub(entry.at.0) > LATE_MS {
            message.push(self.delay_of(entry));
        }
        message
    }

    /// When the entry was written (XEP-0203).
    pub(crate) fn delay_of(&self, entry: &Entry) -> Element {
        Element::new(ns::DELAY, "delay")
            .with("from", self.config.domain.clone())
            .with("stamp", date_time(entry.at))
    }

    /// What another device of this user wrote (XEP-0280).
    fn carbon_of(&self, message: Element) -> Element {
        let own = self.uid.as_ref().map(|uid| self.address_of(uid).to_string());
        let forwarded = Element::new(ns::FORWARD, "forwarded").holding(message);
        Element::new(ns::CLIENT, "message")
            .with("type", "chat")
            .with_some("from", own)
            .with_some("to", self.jid.as_ref().map(ToString::to_string))
            .holding(Element::new(ns::CARBONS, "sent").holding(forwarded))
    }
}

/// The content of a message: what everybody reads, and beside it what only XMPP does. What only
/// this server may say, or says by itself, is left out.
fn content_of(stanza: &Element, body: &str) -> Content {
    let mut xml = BytesMut::new();
    for child in stanza.children() {
        let is_ours = matches!(
            (child.ns(), child.name()),
            (ns::CLIENT, "body") | (ns::STANZA_ID, _) | (ns::DELAY, _) | (ns::CARBONS, _)
        );
        if !is_ours || (child.name() == "body" && child.text() != body) {
            child.write(&mut xml);
        }
    }
    let xml = String::from_utf8(xml.to_vec()).expect("XML is written as UTF-8");
    let said = Said {
        kind: if body.is_empty() { "xmpp".into() } else { "text".into() },
        text: (!body.is_empty()).then_some(body.into()),
        xmpp: (!xml.is_empty()).then_some(xml.into()),
    };
    Content::from(serde_json::to_vec(&said).expect("text always has a JSON form"))
}

/// Puts a content into a message.
fn say(message: &mut Element, content: &[u8]) {
    let said = serde_json::from_slice::<Said<'_>>(content).ok();
    let is_known = said.as_ref().is_some_and(|said| matches!(&*said.kind, "text" | "xmpp"));
    let Some(said) = said.filter(|_| is_known) else {
        let text = String::from_utf8_lossy(content).into_owned();
        message.push(Element::new(JSON, "json").saying(text));
        return;
    };
    if let Some(text) = said.text {
        message.push(Element::new(ns::CLIENT, "body").saying(text.into_owned()));
    }
    let Some(xml) = said.xmpp else { return };
    // It came over any gateway: what cannot be read, or is more than a client may send, is left out.
    let whole = format!("<message xmlns='{}'>{xml}</message>", ns::CLIENT);
    if let Ok(Item::Element(rest)) = Reader::message(&whole, Limits::USER) {
        let is_allowed = |child: &&Element| {
            !matches!(child.ns(), ns::STANZA_ID | ns::DELAY | ns::CARBONS | ns::FORWARD | ns::MAM)
        };
        for child in rest.children().filter(is_allowed) {
            message.push(child.clone());
        }
    }
}

/// Messages the client was given lately, by the id it knows them by: it says which it showed.
#[derive(Debug, Default)]
pub(crate) struct Given(std::collections::VecDeque<(ConversationId, String, Seq)>);

/// Messages that are remembered.
const GIVEN_MAX: usize = 64;

impl Given {
    fn add(&mut self, conversation: &ConversationId, id: &str, seq: Seq) {
        if self.0.len() >= GIVEN_MAX {
            self.0.pop_front();
        }
        self.0.push_back((conversation.clone(), id.to_owned(), seq));
    }

    fn seq_of(&self, conversation: &ConversationId, id: &str) -> Option<Seq> {
        let is_it =
            |(at, known, _): &&(ConversationId, String, Seq)| at == conversation && known == id;
        self.0.iter().rev().find(is_it).map(|(.., seq)| *seq)
    }
}
