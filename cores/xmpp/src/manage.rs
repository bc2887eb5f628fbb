//! What the client has, as it says (XEP-0198), or as it shows by answering a ping.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nightjar_model::{AppStateReport, Command, ConversationId, Seq};
use nightjar_session::Claim;
use nightjar_xmpp::{Element, ns};

use crate::phase::Phase;
use crate::stanza::Waiting;
use crate::stream::Stream;

/// What begins the id of a ping that asks for a sign of life.
const PING_ID: &str = "there-";

/// Both counters of a stream, and what is on its way to the client.
///
/// Stanzas are counted from the first one, whether the client turned stream management on or not:
/// an answered ping says the same of those before it as an acknowledgement does.
#[derive(Debug, Default)]
pub(crate) struct Management {
    is_on: bool,
    /// Stanzas of the client, once it is on.
    received: u32,
    /// Those of them that are not committed yet.
    uncommitted: BTreeSet<u32>,
    /// The client asked when so many had come.
    asked_at: Option<u32>,
    /// Stanzas to the client.
    sent: u64,
    /// Of those, how many had gone when it was turned on.
    sent_before: u64,
    /// Entries on their way, by the stanza they went with.
    unacked: VecDeque<(u64, ConversationId, Seq)>,
    /// The highest stanza the client was asked about.
    asked: u64,
}

impl Stream {
    /// Writes a stanza: it is counted.
    pub(crate) fn send_stanza(&mut self, stanza: &Element) {
        self.manage.sent += 1;
        self.send(stanza);
    }

    /// The entry went with the last stanza, or there is nothing in it to show.
    pub(crate) fn went_with_last(&mut self, conversation: &ConversationId, seq: Seq) {
        let last = self.manage.sent;
        self.manage.unacked.push_back((last, conversation.clone(), seq));
    }

    /// A stanza came.
    pub(crate) fn count_in(&mut self, stanza: &Element) {
        if self.manage.is_on && stanza.ns() == ns::CLIENT {
            self.manage.received = self.manage.received.wrapping_add(1);
        }
    }

    /// The stanza that came last waits for its commit; answers its number.
    pub(crate) fn is_uncommitted(&mut self) -> u32 {
        let number = self.manage.received;
        self.manage.uncommitted.insert(number);
        number
    }

    /// Its commit is safe, or it was refused.
    pub(crate) fn committed(&mut self, number: u32) {
        self.manage.uncommitted.remove(&number);
        self.tell_received();
    }

    /// An element of stream management.
    pub(crate) fn managed(&mut self, element: &Element) {
        match element.name() {
            "enable" if !self.manage.is_on => {
                self.manage.is_on = true;
                self.manage.sent_before = self.manage.sent;
                self.send(&Element::new(ns::SM, "enabled"));
            }
            "enable" => self.refuse_management("unexpected-request"),
            "resume" => self.refuse_management("item-not-found"),
            "r" if self.manage.is_on => {
                self.manage.asked_at = Some(self.manage.received);
                self.tell_received();
            }
            "a" if self.manage.is_on => self.acknowledged(element),
            _ => self.end(Some("unsupported-stanza-type"), true),
        }
    }

    fn refuse_management(&mut self, condition: &'static str) {
        let condition = Element::new(ns::STANZA_ERRORS, condition);
        self.send(&Element::new(ns::SM, "failed").holding(condition));
    }

    /// Answers a question once everything it is about is committed: what is acknowledged is never
    /// lost.
    fn tell_received(&mut self) {
        let Some(asked_at) = self.manage.asked_at else { return };
        if self.manage.uncommitted.first().is_some_and(|first| *first <= asked_at) {
            return;
        }
        self.manage.asked_at = None;
        let next = self.manage.uncommitted.first();
        let handled = next.map_or(self.manage.received, |next| next.wrapping_sub(1));
        self.send(&Element::new(ns::SM, "a").with("h", handled.to_string()));
    }

    fn acknowledged(&mut self, ack: &Element) {
        let Some(handled) = ack.get("h").and_then(|text| text.parse::<u32>().ok()) else {
            return self.end(Some("bad-format"), true);
        };
        let counted = self.manage.sent - self.manage.sent_before;
        // Both count modulo 2^32; a client is never that far behind.
        let behind = u64::from((counted as u32).wrapping_sub(handled));
        if behind > counted {
            let (handled, sent) = (handled.to_string(), (counted as u32).to_string());
            let detail = Element::new(ns::SM, "handled-count-too-high")
                .with("h", handled)
                .with("send-count", sent);
            let condition = Element::new(ns::STREAM_ERRORS, "undefined-condition");
            let error = Element::new(ns::STREAM, "error").holding(condition).holding(detail);
            self.send(&error);
            return self.end(None, true);
        }
        self.has_upto(self.manage.sent - behind);
    }

    /// The client has, and can show, everything up to this stanza.
    fn has_upto(&mut self, stanza: u64) {
        let mut upto: BTreeMap<ConversationId, Seq> = BTreeMap::new();
        while let Some((_, conversation, seq)) =
            self.manage.unacked.pop_front_if(|(at, ..)| *at <= stanza)
        {
            upto.insert(conversation, seq);
        }
        if self.manage.unacked.is_empty() {
            self.manage.unacked = VecDeque::new();
        }
        let claim = |(conversation, seq)| Claim { conversation, stored: seq, surfaced: seq };
        let items = self.deliveries.ack(upto.into_iter().map(claim).collect());
        if !items.is_empty() {
            self.command(Command::Ack(items), Waiting::Nothing);
        }
    }

    /// Asks about messages that went out since the last question.
    pub(crate) fn ask_for_acks(&mut self) {
        let last = self.manage.unacked.back().map(|(at, ..)| *at);
        if self.phase == Phase::Live && last.is_some_and(|last| last > self.manage.asked) {
            self.ask_whether_there();
        }
    }

    /// Asks for a sign of life.
    pub(crate) fn ask_whether_there(&mut self) {
        if self.manage.is_on {
            self.manage.asked = self.manage.sent;
            return self.send(&Element::new(ns::SM, "r"));
        }
        // The ping is a stanza too, and its answer speaks of itself.
        let number = self.manage.sent + 1;
        self.manage.asked = number;
        let ping = Element::new(ns::CLIENT, "iq")
            .with("type", "get")
            .with("id", format!("{PING_ID}{number}"))
            .with("from", self.config.domain.clone())
            .with_some("to", self.jid.as_ref().map(ToString::to_string))
            .holding(Element::new(ns::PING, "ping"));
        self.send_stanza(&ping);
    }

    /// A ping came back, as a result or an error: the client reads what it is sent.
    pub(crate) fn answered_ping(&mut self, id: Option<&str>) {
        let number = id.and_then(|id| id.strip_prefix(PING_ID)?.parse::<u64>().ok());
        if let Some(number) = number.filter(|number| *number <= self.manage.asked) {
            self.has_upto(number);
        }
    }

    /// XEP-0352: whether a person looks at the app. An app that is not looked at runs, and posts
    /// its own notifications.
    pub(crate) fn seen(&mut self, is_active: bool) {
        let state = match is_active {
            true => AppStateReport::Foreground { conversation: None },
            false => AppStateReport::Background { grace_ms: -1 },
        };
        self.command(Command::AppState(state), Waiting::Nothing);
    }
}
