//! The stream's header and what may be done in it (RFC 6120 §4.2, §4.3).

use nightjar_xmpp::{Element, Jid, ns};

use crate::io::{Framing, Security};
use crate::phase::{Event, Phase};
use crate::stream::Stream;

impl Stream {
    /// The client opened a stream.
    pub(crate) fn opened(&mut self, header: &Element) {
        let is_welcome = matches!(self.phase, Phase::Opening | Phase::Reopening);
        if !is_welcome {
            return self.end(Some("bad-format"), true);
        }
        self.send_header();
        let to = header.get("to").map(Jid::parse);
        if !matches!(to, Some(Ok(to)) if to.to_string() == self.config.domain) {
            return self.end(Some("host-unknown"), true);
        }
        if header.get("version") != Some("1.0") {
            return self.end(Some("unsupported-version"), true);
        }
        if !self.is_from_the_right_one(header) {
            return self.end(Some("invalid-from"), true);
        }
        if self.moved(Event::Header) {
            let features = self.features();
            self.send(&features);
        }
    }

    /// Whom a stream says it is from must be who is logged in (RFC 6120 §4.7.1).
    fn is_from_the_right_one(&self, header: &Element) -> bool {
        let Some(from) = header.get("from") else { return true };
        let Ok(from) = Jid::parse(from) else { return false };
        let is_here = from.domain() == self.config.domain;
        let account = self.uid.as_ref().map(|uid| uid.as_str());
        is_here && (account.is_none() || from.local() == account)
    }

    pub(crate) fn send_header(&mut self) {
        let (id, domain) = (self.fresh_id(), self.config.domain.clone());
        match self.framing {
            Framing::Socket => {
                // A domain and an id hold nothing that XML would have to escape.
                self.send_text(format!(
                    "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' \
                     from='{domain}' id='{id}' version='1.0' xml:lang='en'>",
                    ns::CLIENT,
                    ns::STREAM,
                ));
            }
            Framing::WebSocket => {
                let open = Element::new(ns::FRAMING, "open");
                self.send(&open.with("from", domain).with("id", id).with("version", "1.0"));
            }
        }
    }

    pub(crate) fn send_footer(&mut self) {
        match self.framing {
            Framing::Socket => self.send_text("</stream:stream>".to_owned()),
            Framing::WebSocket => self.send(&Element::new(ns::FRAMING, "close")),
        }
    }

    fn features(&self) -> Element {
        let mut features = Element::new(ns::STREAM, "features");
        if self.phase == Phase::Binding {
            features.push(Element::new(ns::BIND, "bind"));
            let optional = Element::new(ns::SESSION, "optional");
            features.push(Element::new(ns::SESSION, "session").holding(optional));
            features.push(Element::new(ns::SM, "sm"));
            features.push(Element::new(ns::CSI, "csi"));
            return features;
        }
        if self.security == Security::StartTls {
            let required = Element::new(ns::TLS, "required");
            features.push(Element::new(ns::TLS, "starttls").holding(required));
            return features;
        }
        let mut mechanisms = Element::new(ns::SASL, "mechanisms");
        for mechanism in self.mechanisms() {
            mechanisms.push(Element::new(ns::SASL, "mechanism").saying(mechanism.as_str()));
        }
        features.push(mechanisms);
        let types = self.binding_types();
        if !types.is_empty() {
            let mut list = Element::new(ns::CHANNEL_BINDING, "sasl-channel-binding");
            for name in types {
                list.push(Element::new(ns::CHANNEL_BINDING, "channel-binding").with("type", name));
            }
            features.push(list);
        }
        features
    }
}
