//! What this server and its accounts are and can do (XEP-0030).

use nightjar_xmpp::{Element, ns};

use crate::stream::Stream;

/// What an account answers to.
const OF_ACCOUNT: [&str; 4] = [ns::MAM, ns::STANZA_ID, ns::CARBONS, ns::PING];
/// What the server answers to.
const OF_SERVER: [&str; 7] =
    [ns::CARBONS, ns::PING, ns::VERSION, ns::TIME, ns::ROSTER, ns::DISCO_ITEMS, ns::CSI];

impl Stream {
    /// The answer to `disco#info`; `None` for a node nobody knows.
    pub(crate) fn info(&self, is_account: bool, node: Option<&str>) -> Option<Element> {
        if node.is_some() {
            return None;
        }
        let identity = match is_account {
            true => ("account", "registered"),
            false => ("server", "im"),
        };
        let features: &[&str] = if is_account { &OF_ACCOUNT } else { &OF_SERVER };
        let identity = Element::new(ns::DISCO_INFO, "identity")
            .with("category", identity.0)
            .with("type", identity.1);
        let mut query = Element::new(ns::DISCO_INFO, "query").holding(identity);
        for feature in features.iter().chain(&[ns::DISCO_INFO]) {
            query.push(Element::new(ns::DISCO_INFO, "feature").with("var", *feature));
        }
        Some(query)
    }
}
