//! Which of the user's devices this is (RFC 6120 §7).

use nightjar_model::{
    AppStateReport, Command, DeviceId, HelloCommand, HelloReply, Platform, Reject, Reply,
};
use nightjar_xmpp::{Element, Jid, ns, resource};

use crate::iq::{Condition, Iq};
use crate::phase::{Event, Phase};
use crate::stanza::Waiting;
use crate::stream::Stream;

/// Characters of a resource the server makes.
const MADE_CHARS: usize = 11;

impl Stream {
    /// An element of somebody who is logged in and has no device yet.
    pub(crate) fn bind(&mut self, element: &Element) {
        let Some(iq) = Iq::read(element) else {
            return self.end(Some("not-authorized"), true);
        };
        let Some(bind) = element.child(ns::BIND, "bind").filter(|_| iq.is_set) else {
            let refusal = iq.refusal(Condition::NotAllowed);
            return self.send(&refusal);
        };
        let asked = bind.child(ns::BIND, "resource").map(Element::text).unwrap_or_default();
        let name = match asked.as_str() {
            "" => Ok(self.fresh_id()[..MADE_CHARS].to_owned()),
            asked => resource(asked),
        };
        let device_id = name.as_deref().ok().and_then(|name| DeviceId::parse(name).ok());
        let (Ok(name), Some(device_id), Some(uid)) = (name, device_id, self.uid.clone()) else {
            let refusal = iq.refusal(Condition::BadRequest);
            return self.send(&refusal);
        };
        if self.moved(Event::Bind) {
            self.jid = Some(Jid::account(uid.as_str(), &self.config.domain).at(&name));
            let hello = HelloCommand {
                uid,
                device_id,
                platform: Platform::Desktop,
                state: AppStateReport::Foreground { conversation: None },
                voice: nightjar_model::Voice::Telling,
                resume: None,
                token_issued_at: self.now.wall,
            };
            self.command(Command::Hello(Box::new(hello)), Waiting::Hello(iq.id));
        }
    }

    /// The lanes answered.
    pub(crate) fn joined(&mut self, id: String, result: Result<Reply, Reject>) {
        let reply = match result {
            Ok(Reply::Hello(reply)) => reply,
            Err(reject) if reject.retry() => return self.end(Some("resource-constraint"), true),
            _ => return self.end(Some("not-authorized"), true),
        };
        let Some(jid) = self.jid.clone() else { return };
        if self.phase != Phase::Joining || !self.moved(Event::Joined) {
            return;
        }
        let name = Element::new(ns::BIND, "jid").saying(jid.to_string());
        let bound = Element::new(ns::BIND, "bind").holding(name);
        self.send(&Iq::result(&id, Some(bound)));
        let HelloReply { backlog, withdraw, .. } = *reply;
        // Groups are not offered here: what is said in them is never given, and never acknowledged.
        let direct = backlog.into_iter().filter(|missing| missing.conversation.peers().is_some());
        self.deliveries.start(direct.collect());
        if !withdraw.is_empty() {
            self.command(Command::Withdrawn(withdraw), Waiting::Nothing);
        }
        self.went_live();
    }
}
