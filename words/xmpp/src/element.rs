//! One XML element with what is in it.

use std::fmt;

use bytes::BytesMut;
use rxml::writer::{Encoder, Item, SimpleNamespaces};
use rxml::{AttrMap, Namespace, NcName, NcNameStr};

/// What stands within an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Another element.
    Element(Element),
    /// Text, with every reference resolved.
    Text(String),
}

/// An element: its namespace and name, its attributes, its content in order.
///
/// Prefixes are not kept: two writings that mean the same are equal, and what is written out
/// declares every namespace where it changes.
#[derive(Clone, PartialEq, Eq)]
pub struct Element {
    ns: Namespace<'static>,
    name: NcName,
    attributes: AttrMap,
    nodes: Vec<Node>,
}

impl Element {
    /// An empty element.
    ///
    /// # Panics
    /// If `name` is no XML name: names are words of this program.
    #[must_use]
    pub fn new(ns: &'static str, name: &'static str) -> Self {
        Self {
            ns: namespace(ns),
            name: NcName::try_from(name).expect("names are words of this program"),
            attributes: AttrMap::new(),
            nodes: Vec::new(),
        }
    }

    pub(crate) fn read(name: rxml::QName, attributes: AttrMap) -> Self {
        let (ns, name) = name;
        Self { ns, name, attributes, nodes: Vec::new() }
    }

    /// With an attribute that has no namespace.
    ///
    /// # Panics
    /// If `name` is no XML name.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// With an attribute if there is a value for it.
    ///
    /// # Panics
    /// If `name` is no XML name.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With one more element in it.
    #[must_use]
    pub fn holding(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// With more text in it. Characters that XML cannot hold are left out.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.nodes.push(Node::Text(writable(text.into())));
        self
    }

    /// Sets an attribute that has no namespace.
    ///
    /// # Panics
    /// If `name` is no XML name.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        let name = NcName::try_from(name).expect("names are words of this program");
        self.attributes.insert(Namespace::NONE, name, writable(value.into()));
    }

    /// Takes an attribute without a namespace away.
    pub fn unset(&mut self, name: &str) {
        if let Ok(name) = <&NcNameStr>::try_from(name) {
            self.attributes.remove(Namespace::none(), name);
        }
    }

    /// Puts one more element in.
    pub fn push(&mut self, child: Self) {
        self.nodes.push(Node::Element(child));
    }

    pub(crate) fn push_text(&mut self, text: String) {
        match self.nodes.last_mut() {
            Some(Node::Text(before)) => before.push_str(&text),
            _ => self.nodes.push(Node::Text(text)),
        }
    }

    /// Keeps the elements for which `keep` is true, and all text.
    pub fn retain(&mut self, mut keep: impl FnMut(&Self) -> bool) {
        self.nodes.retain(|node| match node {
            Node::Element(child) => keep(child),
            Node::Text(_) => true,
        });
    }

    /// Takes everything out of it.
    pub(crate) fn empty(&mut self) {
        self.nodes = Vec::new();
    }

    /// Whether it is this element.
    #[must_use]
    pub fn is(&self, ns: &str, name: &str) -> bool {
        self.ns == ns && self.name == name
    }

    /// Its name, without a prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its namespace; empty if it has none.
    #[must_use]
    pub fn ns(&self) -> &str {
        self.ns.as_str()
    }

    /// An attribute that has no namespace.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = <&NcNameStr>::try_from(name).ok()?;
        self.attributes.get(Namespace::none(), name).map(String::as_str)
    }

    /// The elements in it.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The first such element in it.
    #[must_use]
    pub fn child(&self, ns: &str, name: &str) -> Option<&Self> {
        self.children().find(|child| child.is(ns, name))
    }

    /// The text that stands directly in it.
    #[must_use]
    pub fn text(&self) -> String {
        let text = |node: &Node| match node {
            Node::Text(text) => Some(text.clone()),
            Node::Element(_) => None,
        };
        self.nodes.iter().filter_map(text).collect()
    }

    /// Appends it as XML, whole and on its own: nothing outside of it has to be known to read it.
    pub fn write(&self, out: &mut BytesMut) {
        let mut encoder = Encoder::<SimpleNamespaces>::new();
        self.encode(&mut encoder, out).expect("names and text were checked as they came in");
    }

    fn encode(
        &self,
        encoder: &mut Encoder<SimpleNamespaces>,
        out: &mut BytesMut,
    ) -> Result<(), rxml::Error> {
        encoder.encode(Item::ElementHeadStart(self.ns.borrow(), &self.name), out)?;
        for ((ns, name), value) in self.attributes.iter() {
            encoder.encode(Item::Attribute(ns.borrow(), name, value), out)?;
        }
        if !self.nodes.is_empty() {
            encoder.encode(Item::ElementHeadEnd, out)?;
            for node in &self.nodes {
                match node {
                    Node::Element(child) => child.encode(encoder, out)?,
                    Node::Text(text) => encoder.encode(Item::Text(text), out)?,
                }
            }
        }
        encoder.encode(Item::ElementFoot, out)
    }

    /// As XML text.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut out = BytesMut::new();
        self.write(&mut out);
        String::from_utf8(out.to_vec()).expect("text and names are UTF-8")
    }
}

/// As XML: stanzas hold what people write, so use it in tests only.
impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_xml())
    }
}

fn namespace(ns: &'static str) -> Namespace<'static> {
    Namespace::from(ns)
}

/// Without the characters that XML 1.0 §2.2 has no place for.
fn writable(mut text: String) -> String {
    let is_writable = |c: char| {
        matches!(c, '\t' | '\n' | '\r') || !(c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}'))
    };
    if !text.chars().all(is_writable) {
        text.retain(is_writable);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ns;

    #[test]
    fn what_is_written_stands_on_its_own() {
        let body = Element::new(ns::CLIENT, "body").saying("1 < 2 & \u{1}'3'\r");
        let active = Element::new(ns::CHAT_STATES, "active");
        let message =
            Element::new(ns::CLIENT, "message").with("to", "a'b").holding(body).holding(active);
        assert_eq!(
            message.to_xml(),
            "<message xmlns='jabber:client' to='a&#39;b'><body>1 &lt; 2 &amp; '3'&#xd;</body>\
             <active xmlns='http://jabber.org/protocol/chatstates'/></message>"
        );
    }

    #[test]
    fn attributes_come_and_go() {
        let mut iq = Element::new(ns::CLIENT, "iq").with("id", "1").with_some("to", None::<String>);
        iq.set("id", "2");
        assert_eq!((iq.get("id"), iq.get("to")), (Some("2"), None));
        iq.unset("id");
        assert_eq!(iq.to_xml(), "<iq xmlns='jabber:client'/>");
    }

    #[test]
    fn only_what_is_unwanted_goes() {
        let ours = Element::new(ns::STANZA_ID, "stanza-id").with("by", "a@b");
        let mut message = Element::new(ns::CLIENT, "message").saying("x").holding(ours);
        message.retain(|child| !child.is(ns::STANZA_ID, "stanza-id"));
        assert_eq!(message.to_xml(), "<message xmlns='jabber:client'>x</message>");
    }
}
