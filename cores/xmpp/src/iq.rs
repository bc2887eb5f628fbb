//! Questions and their answers (RFC 6120 §8.2.3).

use nightjar_model::{Command, WallMs};
use nightjar_xmpp::{Element, Jid, ns};

use crate::stanza::{Waiting, refused};
use crate::stream::Stream;

/// Why a stanza is refused (RFC 6120 §8.3.3), with what its sender may do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    BadRequest,
    FeatureNotImplemented,
    Forbidden,
    ItemNotFound,
    JidMalformed,
    NotAcceptable,
    NotAllowed,
    PolicyViolation,
    ResourceConstraint,
    ServiceUnavailable,
}

impl Condition {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("bad-request", "modify"),
            Self::FeatureNotImplemented => ("feature-not-implemented", "cancel"),
            Self::Forbidden => ("forbidden", "auth"),
            Self::ItemNotFound => ("item-not-found", "cancel"),
            Self::JidMalformed => ("jid-malformed", "modify"),
            Self::NotAcceptable => ("not-acceptable", "modify"),
            Self::NotAllowed => ("not-allowed", "cancel"),
            Self::PolicyViolation => ("policy-violation", "modify"),
            Self::ResourceConstraint => ("resource-constraint", "wait"),
            Self::ServiceUnavailable => ("service-unavailable", "cancel"),
        }
    }

    /// `<error/>` as it stands in a stanza.
    pub(crate) fn to_element(self) -> Element {
        let (condition, kind) = self.names();
        Element::new(ns::CLIENT, "error")
            .with("type", kind)
            .holding(Element::new(ns::STANZA_ERRORS, condition))
    }
}

/// A question as it came.
#[derive(Debug)]
pub(crate) struct Iq<'a> {
    pub(crate) id: String,
    pub(crate) is_set: bool,
    stanza: &'a Element,
}

impl<'a> Iq<'a> {
    /// Reads a question; `None` for anything else, an answer among it.
    pub(crate) fn read(stanza: &'a Element) -> Option<Self> {
        let is_set = match stanza.get("type") {
            Some("set") => true,
            Some("get") => false,
            _ => return None,
        };
        let id = stanza.get("id").filter(|_| stanza.is(ns::CLIENT, "iq"))?.to_owned();
        Some(Self { id, is_set, stanza })
    }

    pub(crate) fn refusal(&self, condition: Condition) -> Element {
        refused(self.stanza, condition)
    }

    /// What is answered.
    pub(crate) fn result(id: &str, what: Option<Element>) -> Element {
        let mut iq = Element::new(ns::CLIENT, "iq").with("type", "result").with("id", id);
        if let Some(what) = what {
            iq.push(what);
        }
        iq
    }

    /// A refusal long after the question.
    pub(crate) fn error(id: &str, condition: Condition) -> Element {
        let iq = Element::new(ns::CLIENT, "iq").with("type", "error").with("id", id);
        iq.holding(condition.to_element())
    }
}

/// Whom a question is for.
enum Asked {
    Server,
    Account,
    Other,
}

impl Stream {
    pub(crate) fn iq(&mut self, stanza: &Element) {
        let Some(iq) = Iq::read(stanza) else {
            // An answer, to our ping: any sign of life was already counted.
            return self.answered_ping(stanza.get("id"));
        };
        let Some(asked) = self.asked(stanza.get("to")) else {
            return self.send_stanza(&iq.refusal(Condition::JidMalformed));
        };
        let Some(query) = stanza.children().next() else {
            return self.send_stanza(&iq.refusal(Condition::BadRequest));
        };
        match (asked, query.ns(), query.name(), iq.is_set) {
            (Asked::Other, ..) => {
                self.send_stanza(&iq.refusal(Condition::ServiceUnavailable));
            }
            (_, ns::PING, "ping", false) => self.send_stanza(&Iq::result(&iq.id, None)),
            (asked, ns::DISCO_INFO, "query", false) => {
                let info = self.info(matches!(asked, Asked::Account), query.get("node"));
                self.answer_from(stanza, &iq, info);
            }
            (_, ns::DISCO_ITEMS, "query", false) => {
                self.answer_from(stanza, &iq, Some(Element::new(ns::DISCO_ITEMS, "query")));
            }
            (Asked::Server, ns::VERSION, "query", false) => {
                let name = Element::new(ns::VERSION, "name").saying("Nightjar");
                let version =
                    Element::new(ns::VERSION, "version").saying(env!("CARGO_PKG_VERSION"));
                let query = Element::new(ns::VERSION, "query").holding(name).holding(version);
                self.answer_from(stanza, &iq, Some(query));
            }
            (Asked::Server, ns::TIME, "time", false) => {
                let zone = Element::new(ns::TIME, "tzo").saying("+00:00");
                let utc = Element::new(ns::TIME, "utc").saying(date_time(self.now.wall));
                let time = Element::new(ns::TIME, "time").holding(zone).holding(utc);
                self.answer_from(stanza, &iq, Some(time));
            }
            (_, ns::SESSION, "session", true) => self.send_stanza(&Iq::result(&iq.id, None)),
            (Asked::Account, ns::ROSTER, "query", false) => {
                let Some(uid) = self.uid.clone() else { return };
                self.command(Command::Contacts { uid }, Waiting::Roster(iq.id));
            }
            (Asked::Account, ns::ROSTER, "query", true) => self.change_roster(&iq, query),
            (_, ns::CARBONS, "enable" | "disable", true) => {
                self.has_carbons = query.name() == "enable";
                self.send_stanza(&Iq::result(&iq.id, None));
            }
            (Asked::Account, ns::MAM, "query", _) => self.search_archive(&iq, query),
            _ => self.send_stanza(&iq.refusal(Condition::ServiceUnavailable)),
        }
    }

    fn asked(&self, to: Option<&str>) -> Option<Asked> {
        let (Some(to), Some(jid)) = (to, &self.jid) else { return Some(Asked::Account) };
        let to = Jid::parse(to).ok()?;
        Some(match to {
            to if to == jid.bare() || to == *jid => Asked::Account,
            to if to.local().is_none() && to.domain() == self.config.domain => Asked::Server,
            _ => Asked::Other,
        })
    }

    fn answer_from(&mut self, stanza: &Element, iq: &Iq<'_>, what: Option<Element>) {
        let answer = match what {
            Some(what) => Iq::result(&iq.id, Some(what)).with_some("from", stanza.get("to")),
            None => iq.refusal(Condition::ItemNotFound),
        };
        self.send_stanza(&answer);
    }
}

/// A time as XEP-0082 writes it, in UTC with milliseconds.
pub(crate) fn date_time(at: WallMs) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

/// The time in such a text.
pub(crate) fn wall_ms(text: &str) -> Option<WallMs> {
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    Some(WallMs(u64::try_from(time.as_millisecond()).unwrap_or(0)))
}
