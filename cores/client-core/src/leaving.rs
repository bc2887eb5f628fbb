//! Signing out, also without a connection: what the server was to forget is told it later.

use nightjar_model::Mono;
use nightjar_wire::{Body, Kind, body};

use crate::requests::Asked;
use crate::state::{Move, Vis};
use crate::{Client, Ended, State, defaults};

impl Client {
    /// Signs out. Without a connection this is final as well; that this device is not to be pushed
    /// any more is owed to the server until it knows.
    pub(crate) fn log_out(&mut self, unbind: bool) {
        if unbind && !self.is_logging_out {
            self.account.owes_unbind = Some(Box::new(self.identity.token.clone()));
            self.is_account_touched = true;
        }
        if !self.is_open {
            return self.end(Ended::LoggedOut { confirmed: false });
        }
        self.say_logout(unbind);
    }

    fn say_logout(&mut self, unbind: bool) {
        self.is_logging_out = true;
        self.until = self.now.mono.after(defaults::LOGOUT_MS);
        let logout = body::Logout { unbind: Some(unbind) };
        self.ask(Asked::Logout, Kind::Logout, Body::Logout(logout));
    }

    /// The hello of an errand was answered: nothing else is wanted of this connection.
    pub(crate) fn say_what_is_owed(&mut self) {
        self.say_logout(true);
    }

    /// The server has forgotten this device, or never will.
    pub(crate) fn forget_what_is_owed(&mut self) {
        self.is_account_touched |= self.account.owes_unbind.take().is_some();
    }

    /// When to try to tell it; only where the process may be online.
    pub(crate) fn owed_until(&self) -> Option<Mono> {
        let may_try = matches!(self.app.vis(self.now.mono), Vis::Fg | Vis::Kept);
        let owes = self.account.owes_unbind.is_some() && self.state == State::LoggedOut;
        self.dialer.next_try().filter(|_| owes && may_try)
    }

    pub(crate) fn tell_what_is_owed(&mut self) {
        if self.owed_until().is_some_and(|at| at <= self.now.mono) {
            (self.is_logging_out, self.is_errand) = (true, true);
            self.moved(Move::Try);
        }
    }
}
