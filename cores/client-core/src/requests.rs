//! What was asked of the server and not answered.

use nightjar_model::{BindingKey, ConversationId, Mono, Seq};
use nightjar_wire::{Kind, SERVER_SERIAL_MIN};

use crate::defaults::{ANSWER_MS, REQUESTS_MAX};

/// What a request was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Hello,
    Ping,
    AppState,
    /// The message of this order in the outbox.
    Send(u64),
    Read(ConversationId, Seq),
    /// A page; anew: from the beginning.
    Sync {
        anew: bool,
    },
    /// What is missing: after, before, both exclusive.
    Fill(ConversationId, Seq, Option<Seq>),
    /// Older messages, for the user.
    History(ConversationId),
    /// A recall, an edit or a reaction.
    Amend(Kind, ConversationId),
    /// What a person is to the user.
    Contact,
    /// A push binding made or removed.
    Bind(Box<BindingKey>),
    Logout,
}

#[derive(Debug)]
struct Open {
    serial: i32,
    asked: Asked,
    until: Mono,
}

/// The requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    open: Vec<Open>,
    last_serial: i32,
}

impl Requests {
    /// A serial for the request.
    pub(crate) fn add(&mut self, asked: Asked, now: Mono) -> i32 {
        self.last_serial = match self.last_serial + 1 {
            SERVER_SERIAL_MIN.. => 1,
            serial => serial,
        };
        let (serial, until) = (self.last_serial, now.after(ANSWER_MS));
        self.open.push(Open { serial, asked, until });
        serial
    }

    /// The request an answer belongs to, once.
    pub(crate) fn answered(&mut self, serial: i32) -> Option<Asked> {
        let at = self.open.iter().position(|open| open.serial == serial)?;
        let open = self.open.swap_remove(at);
        if self.open.is_empty() {
            self.open = Vec::new();
        }
        Some(open.asked)
    }

    /// Whether nothing more may be asked.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= REQUESTS_MAX
    }

    /// How many of these are open.
    pub(crate) fn count(&self, is_one: impl Fn(&Asked) -> bool) -> usize {
        self.open.iter().filter(|open| is_one(&open.asked)).count()
    }

    /// When the first request that has a time of its own is late. Pings have the pulse, messages
    /// the outbox; a hello and a logout have theirs.
    pub(crate) fn wait_until(&self) -> Option<Mono> {
        self.open.iter().filter(|open| open.asked.is_timed()).map(|open| open.until).min()
    }

    /// Takes the requests that are late.
    pub(crate) fn late(&mut self, now: Mono) -> Vec<Asked> {
        let is_late = |open: &mut Open| open.asked.is_timed() && open.until <= now;
        self.open.extract_if(.., is_late).map(|open| open.asked).collect()
    }

    /// The connection is gone: what was never answered. Serials begin anew.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Asked> + use<> {
        std::mem::take(self).open.into_iter().map(|open| open.asked)
    }
}

impl Asked {
    fn is_timed(&self) -> bool {
        !matches!(self, Self::Hello | Self::Ping | Self::Send(_) | Self::Logout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_belongs_to_one_request() {
        let mut requests = Requests::default();
        let ping = requests.add(Asked::Ping, Mono(0));
        let sync = requests.add(Asked::Sync { anew: true }, Mono(0));
        assert_ne!(ping, sync);
        assert_eq!(requests.answered(sync), Some(Asked::Sync { anew: true }));
        assert_eq!(requests.answered(sync), None);
        assert_eq!(requests.clear().collect::<Vec<_>>(), [Asked::Ping]);
    }

    #[test]
    fn only_what_has_no_other_clock_is_late() {
        let mut requests = Requests::default();
        requests.add(Asked::Send(1), Mono(0));
        let chat = ConversationId::parse("g:x").unwrap();
        let recall = Asked::Amend(Kind::Recall, chat);
        requests.add(recall.clone(), Mono(5));
        assert_eq!(requests.wait_until(), Some(Mono(5 + ANSWER_MS)));
        assert_eq!(requests.late(Mono(4 + ANSWER_MS)), []);
        assert_eq!(requests.late(Mono(5 + ANSWER_MS)), [recall]);
        assert_eq!(requests.wait_until(), None);
    }

    #[test]
    fn serials_stay_below_the_servers() {
        let mut requests = Requests { open: Vec::new(), last_serial: SERVER_SERIAL_MIN - 2 };
        assert_eq!(requests.add(Asked::Ping, Mono(0)), SERVER_SERIAL_MIN - 1);
        assert_eq!(requests.add(Asked::Ping, Mono(0)), 1);
    }
}
