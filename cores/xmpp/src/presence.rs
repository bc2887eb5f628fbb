//! Who is there (RFC 6121 §3, §4).

use nightjar_model::{
    Command, ContactAction, ContactState, ConversationId, PresenceCommand, PresenceStatus,
    PresenceView, Reject, Reply, Target, Uid, limits,
};
use nightjar_xmpp::{Element, Jid, ns};

use crate::stanza::Waiting;
use crate::stream::Stream;

/// The resource under which people are seen: others see a person, not their devices.
const SEEN_AT: &str = "nightjar";
/// What somebody says who says nothing else.
const AVAILABLE: &str = "available";

impl Stream {
    pub(crate) fn presence(&mut self, presence: &Element) {
        let kind = presence.get("type");
        match (presence.get("to").map(Jid::parse), kind) {
            (None, None) => self.available(presence),
            (None, Some("unavailable")) => self.is_available = false,
            (Some(Ok(to)), Some("subscribe")) => self.agree(&to, ContactAction::Request),
            (Some(Ok(to)), Some("subscribed")) => self.agree(&to, ContactAction::Accept),
            (Some(Ok(to)), Some("unsubscribe" | "unsubscribed")) => {
                self.agree(&to, ContactAction::Remove);
            }
            // Presence for one person alone, probes and errors ask nothing of this server.
            _ => {}
        }
    }

    fn available(&mut self, presence: &Element) {
        let text_of = |name| presence.child(ns::CLIENT, name).map(Element::text);
        let priority = text_of("priority").and_then(|text| text.trim().parse::<i8>().ok());
        let is_first = !self.is_available;
        self.is_available = priority.unwrap_or(0) >= 0;
        let status = PresenceStatus {
            status: text_of("show").unwrap_or_else(|| AVAILABLE.to_owned()),
            text: text_of("status"),
        };
        if let Some(jid) = self.jid.clone() {
            let mut own = presence.clone();
            own.set("from", jid.to_string());
            own.set("to", jid.to_string());
            self.send_stanza(&own);
        }
        let is_short = status.status.len() <= limits::STATUS_BYTES_MAX
            && status.text.as_ref().is_none_or(|text| text.len() <= limits::STATUS_TEXT_BYTES_MAX);
        let command = PresenceCommand { set: is_short.then_some(status), ..Default::default() };
        self.command(Command::Presence(Box::new(command)), Waiting::Nothing);
        if is_first && let Some(uid) = self.uid.clone() {
            self.command(Command::Contacts { uid }, Waiting::Contacts);
        }
    }

    /// The contacts are known: looks at those who agreed, passes on who asks.
    pub(crate) fn look_at(&mut self, result: Result<Reply, Reject>) {
        let Ok(Reply::Contacts(contacts)) = result else { return };
        for asked in contacts.iter().filter(|view| view.state == ContactState::Asked) {
            self.tell_contact(asked);
        }
        let agreed = contacts.into_iter().filter(|view| view.state == ContactState::Accepted);
        let uids: Vec<Uid> = agreed.map(|view| view.uid).collect();
        for some in uids.chunks(limits::PRESENCE_MAX) {
            let command = PresenceCommand { subscribe: some.to_vec(), ..Default::default() };
            self.command(Command::Presence(Box::new(command)), Waiting::Presence);
        }
    }

    pub(crate) fn look_at_one(&mut self, uid: Uid) {
        let command = PresenceCommand { subscribe: vec![uid], ..Default::default() };
        self.command(Command::Presence(Box::new(command)), Waiting::Presence);
    }

    /// How people look now.
    pub(crate) fn tell_all_presence(&mut self, result: Result<Reply, Reject>) {
        let Ok(Reply::Presence(views)) = result else { return };
        for view in views.iter().filter(|view| view.online) {
            self.tell_presence(view);
        }
    }

    pub(crate) fn tell_presence(&mut self, view: &PresenceView) {
        let from = self.address_of(&view.uid).at(SEEN_AT).to_string();
        let mut presence = Element::new(ns::CLIENT, "presence").with("from", from);
        if !view.online {
            presence.set("type", "unavailable");
        } else if let Some(said) = &view.status {
            // Other protocols have words of their own; XMPP has these (RFC 6121 §4.7.2.1).
            if matches!(said.status.as_str(), "away" | "chat" | "dnd" | "xa") {
                let show = Element::new(ns::CLIENT, "show").saying(said.status.as_str());
                presence.push(show);
            }
            if let Some(text) = &said.text {
                presence.push(Element::new(ns::CLIENT, "status").saying(text.as_str()));
            }
        }
        self.send_stanza(&presence);
    }

    fn agree(&mut self, to: &Jid, action: ContactAction) {
        if let Some(uid) = self.user_of(to) {
            self.command(Command::Contact { uid, action }, Waiting::Contact);
        }
    }

    /// The client types.
    pub(crate) fn types(&mut self, to: Uid) {
        self.command(Command::Typing(Target::User(to)), Waiting::Nothing);
    }

    pub(crate) fn tell_typing(&mut self, conversation: &ConversationId, from: &Uid) {
        if !self.is_available || conversation.peers().is_none() {
            return;
        }
        let message = Element::new(ns::CLIENT, "message")
            .with("type", "chat")
            .with("from", self.address_of(from).to_string())
            .holding(Element::new(ns::CHAT_STATES, "composing"));
        self.send_stanza(&message);
    }
}
