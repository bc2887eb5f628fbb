//! What must hold when everything came online and nothing moves any more.

use nightjar_client_core::OutgoingRow;
use nightjar_client_core::defaults::AUTO_RESUME_MS;
use nightjar_domain::{Row, Verifier};
use nightjar_model::{Command, Uid};
use nightjar_node::Origin;

use crate::acts::short;
use crate::phone::{App, PhoneNo};
use crate::reference::Kind;
use crate::server::WALL_START_MS;
use crate::world::World;

/// Long enough for the longest backoff, a resend and every retry.
const QUIET_MS: u64 = 240_000;

impl World {
    /// Everything comes online and comes to rest; then every promise is checked once more.
    pub fn finish(&mut self) {
        self.act("In the end everything comes online");
        self.come_online();
        self.pass(QUIET_MS);
        if self.violation.is_some() {
            return;
        }
        for no in 0..self.phones.len() {
            self.check_phone(no);
        }
        self.check_store();
        self.check_explained();
        let users: Vec<Uid> = self.reference.owners.clone();
        for uid in users {
            self.api(Command::Unread { uid: uid.clone() });
            self.unread_asked.insert(self.api_calls, uid);
        }
        self.pass(1_000);
        if !self.unread_asked.is_empty() {
            self.violated("P5", "the server does not say how much is unread".into());
        }
    }

    fn come_online(&mut self) {
        self.is_ending = true;
        self.server.dies_after = None;
        self.disk_recovers();
        self.provider_recovers();
        self.restart_server();
        for no in 0..self.phones.len() {
            if !self.phones[no].has_network {
                self.find_network(no);
            }
            self.phones[no].is_hasty = false;
            self.phones[no].dozes_until_ms = 0;
            self.phones[no].ambush = None;
            if self.phones[no].is_signed_in {
                self.foreground(no);
            }
        }
    }

    /// The operator gets a user's total.
    pub(crate) fn unread_answered(&mut self, origin: Origin, total: u64) {
        let Origin::Api(call) = origin else { return };
        let Some(uid) = self.unread_asked.remove(&call) else { return };
        let unread = self.reference.unread(&uid);
        if total != unread {
            let text = format!("in the end {uid} has {total} unread, and it is {unread}");
            self.violated("P5", text);
        }
    }

    /// P2: nothing is late.
    pub(crate) fn check_dark(&mut self) {
        let now_ms = self.agenda.now_ms();
        if let Some((phone, place, due_ms)) = self.reference.dark.late(now_ms) {
            let name = &self.phones[phone].name;
            let late_ms = now_ms - due_ms;
            let text = format!(
                "{name} is in the dark about {} #{}: {late_ms} ms after it fell due nothing came \
                 of it",
                place.0, place.1
            );
            self.violated("P2", text);
        }
    }

    fn check_phone(&mut self, no: PhoneNo) {
        let phone = &self.phones[no];
        if !phone.is_signed_in || phone.is_stranger {
            return;
        }
        let name = phone.name.clone();
        let is_online = match &phone.app {
            Some(App::Ours(client)) => client.is_online(),
            _ => false,
        };
        if !is_online {
            return self.violated("P1", format!("{name} does not come online"));
        }
        if let Some(text) = self.missing(no) {
            self.violated("P1", format!("{name} {text}"));
        }
        let phone = &self.phones[no];
        let now_ms = WALL_START_MS + self.agenda.now_ms();
        let is_unsent = |row: &&OutgoingRow| {
            let goes_out_by_itself = row.queued_at.0 + AUTO_RESUME_MS > now_ms;
            !row.is_failed || row.resumes && goes_out_by_itself
        };
        let unsent = phone.disk.outbox().filter(is_unsent).count();
        if unsent > 0 {
            self.violated("P1", format!("{name} has {unsent} messages in its outbox"));
        }
        let phone = &self.phones[no];
        let left = phone.shade.iter().find(|(_, shown)| self.is_settled(no, shown));
        if let Some((id, shown)) = left {
            let last = shown.seqs.last().copied().unwrap_or_default();
            let id = short(id);
            let text = format!("{name} still shows {id} for {} #{last}", shown.conversation);
            self.violated("P4", text);
        }
    }

    /// What the phone lacks of what its user may see.
    fn missing(&self, no: PhoneNo) -> Option<String> {
        let phone = &self.phones[no];
        for id in self.reference.conversations_of(&phone.uid) {
            for (seq, message) in &self.reference.known.logs[&id] {
                let Some((message_id, key)) = &message.ids else { continue };
                if phone.sent.contains_key(key) || message.kind == Kind::Change {
                    continue;
                }
                match phone.disk.messages.get(&(id.clone(), *seq)) {
                    Some(row) if row.message_id == *message_id => {}
                    Some(_) => return Some(format!("has another message as {id} #{seq}")),
                    None => return Some(format!("does not have {id} #{seq}")),
                }
            }
        }
        None
    }

    fn check_store(&mut self) {
        let mut verifier = Verifier::default();
        let mut wrong = None;
        let mut entries = 0;
        for row in self.server.store.all_rows() {
            verifier.row(row);
            let Row::Entry(entry) = row else { continue };
            entries += 1;
            let place = (entry.conversation.clone(), entry.seq);
            let known = self.reference.known.message(&place);
            let is_known = known.is_some_and(|message| {
                message.ids.as_ref().is_none_or(|(id, _)| *id == entry.message_id)
            });
            if !is_known {
                wrong = Some(format!(
                    "{} #{} is in the store and was never answered",
                    place.0, place.1
                ));
            }
        }
        let count: usize = self.reference.known.logs.values().map(|log| log.len()).sum();
        let report = verifier.finish();
        if let Some(wrong) = wrong {
            self.violated("P1", wrong);
        } else if entries != count {
            self.violated("P1", format!("the store has {entries} entries of {count}"));
        } else if let Some(problem) = report.problems.first() {
            self.violated("P1", format!("the store is not whole: {problem}"));
        }
    }
}
