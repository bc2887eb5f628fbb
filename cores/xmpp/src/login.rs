//! TLS and SASL: who is this (RFC 6120 §5, §6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nightjar_model::{ScramKeys, Uid};
use nightjar_xmpp::{
    ChannelBinding, ClientFirst, Element, Exchange, Hash, Jid, Limits, ScramError, ns,
};

use crate::io::{Output, Security};
use crate::phase::{Event, Phase};
use crate::stream::Stream;

/// Failed logins of one stream; the last ends it.
const FAILURES_MAX: u32 = 3;

/// A way to log in, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// `SCRAM-SHA-256-PLUS`.
    Sha256Plus,
    /// `SCRAM-SHA-1-PLUS`.
    Sha1Plus,
    /// `SCRAM-SHA-256`.
    Sha256,
    /// `SCRAM-SHA-1`.
    Sha1,
}

impl Mechanism {
    const BOUND: [Self; 2] = [Self::Sha256Plus, Self::Sha1Plus];
    const UNBOUND: [Self; 2] = [Self::Sha256, Self::Sha1];

    /// Its name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sha256Plus => "SCRAM-SHA-256-PLUS",
            Self::Sha1Plus => "SCRAM-SHA-1-PLUS",
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha1 => "SCRAM-SHA-1",
        }
    }

    fn hash(self) -> Hash {
        match self {
            Self::Sha256Plus | Self::Sha256 => Hash::Sha256,
            Self::Sha1Plus | Self::Sha1 => Hash::Sha1,
        }
    }

    fn is_bound(self) -> bool {
        Self::BOUND.contains(&self)
    }
}

/// A login that is not over.
#[derive(Debug)]
pub(crate) struct Login {
    mechanism: Mechanism,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The client will say who it is.
    First,
    /// Its keys are looked up.
    Finding(ClientFirst, Uid),
    /// It is to prove itself.
    Proof(Exchange, Uid, Vec<u8>),
}

impl Stream {
    /// The ways to log in that this connection offers.
    pub(crate) fn mechanisms(&self) -> impl Iterator<Item = Mechanism> + use<> {
        let bound: &[Mechanism] =
            if self.binding_types().is_empty() { &[] } else { &Mechanism::BOUND };
        bound.iter().chain(&Mechanism::UNBOUND).copied()
    }

    /// What a login may be bound to here (XEP-0440).
    pub(crate) fn binding_types(&self) -> Vec<&'static str> {
        let Security::Tls(bindings) = &self.security else { return Vec::new() };
        let exporter = bindings.exporter.as_ref().map(|_| "tls-exporter");
        let end_point = bindings.end_point.as_ref().map(|_| "tls-server-end-point");
        exporter.into_iter().chain(end_point).collect()
    }

    /// The bytes of such a binding.
    fn binding(&self, name: &str) -> Option<Vec<u8>> {
        let Security::Tls(bindings) = &self.security else { return None };
        match name {
            "tls-exporter" => bindings.exporter.as_ref().map(|bytes| bytes.expose().clone()),
            "tls-server-end-point" => bindings.end_point.clone(),
            _ => None,
        }
    }

    /// An element before anybody is logged in.
    pub(crate) fn negotiate(&mut self, element: &Element) {
        if self.security == Security::StartTls {
            return self.start_tls(element);
        }
        if element.ns() != ns::SASL {
            return self.end(Some("not-authorized"), true);
        }
        match (element.name(), self.phase) {
            ("auth", Phase::Negotiating) => self.choose(element),
            ("response", Phase::Negotiating | Phase::Proving) => self.respond(element),
            ("abort", Phase::Negotiating | Phase::Proving) => self.fail("aborted"),
            _ => self.end(Some("policy-violation"), true),
        }
    }

    fn start_tls(&mut self, element: &Element) {
        if element.is(ns::TLS, "starttls") && self.moved(Event::StartTls) {
            self.send(&Element::new(ns::TLS, "proceed"));
            self.output(Output::StartTls);
            return;
        }
        let is_login = element.ns() == ns::SASL;
        self.end(Some(if is_login { "not-authorized" } else { "policy-violation" }), true);
    }

    fn choose(&mut self, auth: &Element) {
        let name = auth.get("mechanism").unwrap_or_default();
        let Some(mechanism) = self.mechanisms().find(|offered| offered.as_str() == name) else {
            return self.fail("invalid-mechanism");
        };
        self.login = Some(Box::new(Login { mechanism, step: Step::First }));
        if auth.text().is_empty() {
            return self.send(&Element::new(ns::SASL, "challenge"));
        }
        self.respond(auth);
    }

    fn respond(&mut self, response: &Element) {
        let Some(login) = self.login.take() else {
            return self.fail("malformed-request");
        };
        let text = response.text();
        let Ok(message) = STANDARD.decode(if text == "=" { "" } else { text.trim() }) else {
            return self.fail("incorrect-encoding");
        };
        let Login { mechanism, step } = *login;
        match step {
            Step::First => self.first_message(mechanism, &message),
            Step::Proof(exchange, uid, binding) => self.prove(exchange, uid, &binding, &message),
            Step::Finding(..) => self.fail("malformed-request"),
        }
    }

    fn first_message(&mut self, mechanism: Mechanism, message: &[u8]) {
        let first = match ClientFirst::parse(message) {
            Ok(first) => first,
            Err(_) => return self.fail("malformed-request"),
        };
        let can_bind = !self.binding_types().is_empty();
        let is_bound = match &first.binding {
            ChannelBinding::Type(name) => mechanism.is_bound() && self.binding(name).is_some(),
            // It could have bound, and was told that the server cannot: somebody stands between.
            ChannelBinding::Unused => !mechanism.is_bound() && !can_bind,
            ChannelBinding::Unsupported => !mechanism.is_bound(),
        };
        if !is_bound {
            return self.fail("not-authorized");
        }
        let Ok(uid) = Uid::parse(&first.user) else { return self.fail("not-authorized") };
        let account = Jid::account(uid.as_str(), &self.config.domain).to_string();
        if first.authzid.as_ref().is_some_and(|authzid| *authzid != account) {
            return self.fail("invalid-authzid");
        }
        if self.moved(Event::Login) {
            self.output(Output::FindKeys { uid: uid.clone(), hash: mechanism.hash() });
            let step = Step::Finding(first, uid);
            self.login = Some(Box::new(Login { mechanism, step }));
        }
    }

    /// The keys are here.
    pub(crate) fn challenge(&mut self, keys: ScramKeys) {
        let Some(login) = self.login.take() else { return };
        let Login { mechanism, step: Step::Finding(first, uid) } = *login else { return };
        if !self.moved(Event::Challenged) {
            return;
        }
        let binding = match &first.binding {
            ChannelBinding::Type(name) => self.binding(name).unwrap_or_default(),
            _ => Vec::new(),
        };
        let nonce = self.fresh_id();
        let (exchange, answer) = Exchange::start(mechanism.hash(), &first, keys, &nonce);
        let step = Step::Proof(exchange, uid, binding);
        self.login = Some(Box::new(Login { mechanism, step }));
        let answer = STANDARD.encode(answer);
        self.send(&Element::new(ns::SASL, "challenge").saying(answer));
    }

    fn prove(&mut self, exchange: Exchange, uid: Uid, binding: &[u8], message: &[u8]) {
        match exchange.finish(message, binding) {
            Ok(proof) if self.moved(Event::Proven) => {
                self.uid = Some(uid);
                let proof = STANDARD.encode(proof);
                self.send(&Element::new(ns::SASL, "success").saying(proof));
                self.restart(Limits::USER);
            }
            Ok(_) => {}
            Err(ScramError::Malformed | ScramError::Extension) => self.fail("malformed-request"),
            Err(_) => self.fail("not-authorized"),
        }
    }

    fn fail(&mut self, condition: &'static str) {
        self.login = None;
        self.moved(Event::LoginFailed);
        let condition = Element::new(ns::SASL, condition);
        self.send(&Element::new(ns::SASL, "failure").holding(condition));
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            self.end(Some("policy-violation"), true);
        }
    }
}
