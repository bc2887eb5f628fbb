//! P6: no push where it does not belong: to a device that signed out or was kicked, or over a
//! token that is another user's now.

use nightjar_domain::CommitNo;
use nightjar_push::PushRequest;

use crate::phone::PhoneNo;
use crate::reference::{Fact, Reference};
use crate::world::World;

impl World {
    /// A push is decided: the token must be the device's at this moment.
    pub(crate) fn check_belongs(&mut self, phone: PhoneNo, request: &PushRequest) {
        let token = request.binding.token.expose();
        if self.reference.known.bound.get(&phone) != Some(token) {
            let name = &self.phones[phone].name;
            let text = format!("a push is decided for {name}, which does not hold its token");
            self.violated("P6", text);
        }
    }

    /// A request leaves the server: nothing that is safe by now may speak against it.
    pub(crate) fn push_left(&mut self, request: &PushRequest) {
        let Some(phone) = self.phone_named(&request.uid, &request.device_id) else { return };
        self.reference.badges.left(&request.uid, request.data.bv, request.data.badge);
        let safe = self.server.safe();
        let token = request.binding.token.expose();
        if !self.reference.holds(phone, token, safe) {
            let name = &self.phones[phone].name;
            let text = format!("a push leaves for {name}, which does not hold its token any more");
            self.violated("P6", text);
        }
    }
}

impl Reference {
    /// Whether the device holds the token by the facts that are safe.
    fn holds(&self, phone: PhoneNo, token: &str, safe: CommitNo) -> bool {
        let safe_facts = self.facts().filter(|(commit, _)| *commit <= safe);
        let mut holds = false;
        for (_, fact) in safe_facts {
            match fact {
                // A device's older token is still its own until somebody else binds it.
                Fact::Bound(other, bound) if *other == phone => holds |= bound == token,
                Fact::Bound(_, bound) if bound == token => holds = false,
                Fact::Unbound(other) | Fact::SignedOut(other) if *other == phone => holds = false,
                _ => {}
            }
        }
        holds
    }
}
