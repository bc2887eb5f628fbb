//! Contacts as a roster (RFC 6121 §2).

use nightjar_model::{Command, ContactAction, ContactState, ContactView, Reject, Reply};
use nightjar_xmpp::{Element, Jid, ns};

use crate::iq::{Condition, Iq};
use crate::stanza::{Waiting, condition_of};
use crate::stream::Stream;

impl Stream {
    /// The answer to a roster's question.
    pub(crate) fn tell_roster(&mut self, id: &str, result: Result<Reply, Reject>) {
        let contacts = match result {
            Ok(Reply::Contacts(contacts)) => contacts,
            Ok(_) => Vec::new(),
            Err(reject) => return self.send_stanza(&Iq::error(id, condition_of(reject))),
        };
        let mut query = Element::new(ns::ROSTER, "query");
        for view in &contacts {
            // Who asked and was not answered is told by their request, not listed.
            if matches!(view.state, ContactState::Accepted | ContactState::Requested) {
                query.push(self.item_of(view));
            }
        }
        self.send_stanza(&Iq::result(id, Some(query)));
    }

    fn item_of(&self, view: &ContactView) -> Element {
        let item =
            Element::new(ns::ROSTER, "item").with("jid", self.address_of(&view.uid).to_string());
        match view.state {
            ContactState::Accepted => item.with("subscription", "both"),
            ContactState::Requested => item.with("subscription", "none").with("ask", "subscribe"),
            ContactState::Asked => item.with("subscription", "none"),
            ContactState::None => item.with("subscription", "remove"),
        }
    }

    /// The client adds, renames or removes a contact. Only a removal changes something here: who
    /// is a contact is agreed by both, and names are the people's own.
    pub(crate) fn change_roster(&mut self, iq: &Iq<'_>, query: &Element) {
        let item = query.child(ns::ROSTER, "item");
        let jid = item.and_then(|item| item.get("jid")).map(Jid::parse);
        let (Some(item), Some(Ok(jid))) = (item, jid) else {
            return self.send_stanza(&iq.refusal(Condition::BadRequest));
        };
        let Some(uid) = self.user_of(&jid) else {
            return self.send_stanza(&iq.refusal(Condition::ItemNotFound));
        };
        if item.get("subscription") == Some("remove") {
            let action = ContactAction::Remove;
            let waiting = Waiting::RosterSet(iq.id.clone());
            return self.command(Command::Contact { uid, action }, waiting);
        }
        let item = Element::new(ns::ROSTER, "item")
            .with("jid", jid.bare().to_string())
            .with_some("name", item.get("name"))
            .with("subscription", "none");
        self.push_roster(item);
        self.send_stanza(&Iq::result(&iq.id, None));
    }

    fn push_roster(&mut self, item: Element) {
        let id = self.fresh_id();
        let query = Element::new(ns::ROSTER, "query").holding(item);
        let push = Element::new(ns::CLIENT, "iq").with("type", "set").with("id", id);
        self.send_stanza(&push.holding(query));
    }

    /// A contact changed, on another device or by the other.
    pub(crate) fn tell_contact(&mut self, view: &ContactView) {
        let from = self.address_of(&view.uid).to_string();
        let presence = |kind: &str| {
            Element::new(ns::CLIENT, "presence").with("type", kind).with("from", from.clone())
        };
        match view.state {
            ContactState::Asked => return self.send_stanza(&presence("subscribe")),
            ContactState::Accepted => {
                self.send_stanza(&presence("subscribed"));
                self.look_at_one(view.uid.clone());
            }
            ContactState::None => self.send_stanza(&presence("unsubscribed")),
            ContactState::Requested => {}
        }
        let item = self.item_of(view);
        self.push_roster(item);
    }
}
