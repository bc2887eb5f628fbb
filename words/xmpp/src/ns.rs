//! The namespaces this server knows, by the word people call them.

/// Stanzas between a client and its server (RFC 6120).
pub const CLIENT: &str = "jabber:client";
/// The stream's own elements (RFC 6120 §4).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// Conditions that end a stream (RFC 6120 §4.9).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Conditions that refuse one stanza (RFC 6120 §8.3).
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS (RFC 6120 §5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (RFC 6120 §6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Resource binding (RFC 6120 §7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// The session of RFC 3921, which old clients still ask for.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// WebSocket framing (RFC 7395).
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
/// Rosters (RFC 6121 §2).
pub const ROSTER: &str = "jabber:iq:roster";
/// Roster versions, as a stream feature (RFC 6121 §2.6).
pub const ROSTER_VERSIONS: &str = "urn:xmpp:features:rosterver";
/// Stream management (XEP-0198).
pub const SM: &str = "urn:xmpp:sm:3";
/// Client state indication (XEP-0352).
pub const CSI: &str = "urn:xmpp:csi:0";
/// Pings (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Service discovery, what something is (XEP-0030).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Service discovery, what something holds (XEP-0030).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Channel binding types (XEP-0440).
pub const CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// Message archives (XEP-0313).
pub const MAM: &str = "urn:xmpp:mam:2";
/// Carbons (XEP-0280).
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// Forwarded stanzas (XEP-0297).
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// Delayed delivery (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// Unique and stable stanza ids (XEP-0359).
pub const STANZA_ID: &str = "urn:xmpp:sid:0";
/// Message processing hints (XEP-0334).
pub const HINTS: &str = "urn:xmpp:hints";
/// Result sets (XEP-0059).
pub const RSM: &str = "http://jabber.org/protocol/rsm";
/// Data forms (XEP-0004).
pub const DATA_FORM: &str = "jabber:x:data";
/// Chat markers (XEP-0333).
pub const MARKERS: &str = "urn:xmpp:chat-markers:0";
/// Delivery receipts (XEP-0184).
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// Chat states (XEP-0085).
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// Push notifications (XEP-0357).
pub const PUSH: &str = "urn:xmpp:push:0";
/// Software version (XEP-0092).
pub const VERSION: &str = "jabber:iq:version";
/// Entity time (XEP-0202).
pub const TIME: &str = "urn:xmpp:time";
