//! What the server writes into its trace: reasons for silence, which must be true, and the lines
//! of the play.

use nightjar_domain::{Commit, Row, TraceRow, Write};
use nightjar_model::{ConversationId, Seq, Step};
use nightjar_push::{HoldReason, SilentReason};

use crate::phone::PhoneNo;
use crate::reference::{Kind, Place};
use crate::server::WALL_START_MS;
use crate::world::World;

impl World {
    /// What the server wrote into its trace: named silences close debts.
    pub(crate) fn read_trace(&mut self, commit: &Commit) {
        for write in &commit.writes {
            let Write::Put(Row::Trace(row)) = write else { continue };
            let phone = row
                .uid
                .as_ref()
                .zip(row.device_id.as_ref())
                .and_then(|(uid, device_id)| self.phone_named(uid, device_id));
            self.play_trace(row, phone);
            let (Some(phone), Step::Decided, Some(reason)) = (phone, row.step, &row.reason) else {
                continue;
            };
            if *reason == HoldReason::AwaitingProvider.as_str() {
                let at_ms = self.server_moment(row.at.0.saturating_sub(WALL_START_MS));
                self.reference.dark.waits(phone, &row.conversation, at_ms);
            }
            let silent = SilentReason::ALL.iter().find(|silent| silent.as_str() == *reason);
            if let Some(reason) = silent {
                let at_ms = self.server_moment(row.at.0.saturating_sub(WALL_START_MS));
                self.silenced(phone, (*reason, at_ms), &row.conversation, (row.from, row.to));
            }
        }
    }

    /// A silence closes what it names, if its reason is true.
    fn silenced(
        &mut self,
        phone: PhoneNo,
        (reason, at_ms): (SilentReason, u64),
        id: &ConversationId,
        (from, to): (Seq, Seq),
    ) {
        self.cover("silences");
        for place in (from..=to).map(|seq| (id.clone(), seq)) {
            if !self.is_true(phone, (reason, at_ms), &place) {
                let (name, seq) = (&self.phones[phone].name, place.1);
                let text = format!("{name} is silent about {id} #{seq}: {}", reason.as_str());
                return self.violated("P2", text);
            }
            self.reference.dark.close_one(phone, &place);
        }
    }

    fn is_true(&self, phone: PhoneNo, (reason, at_ms): (SilentReason, u64), place: &Place) -> bool {
        let known = &self.reference.known;
        let uid = &self.reference.owners[phone];
        // It may have been bound between the decision and the row that tells of it.
        let is_bound = known.bound.contains_key(&phone)
            && self.bound_ms.get(&phone).is_some_and(|bound_ms| *bound_ms < at_ms);
        match reason {
            SilentReason::NoBinding | SilentReason::IllegalBinding => {
                !is_bound || self.dead_tokens.contains(&phone)
            }
            SilentReason::SignedOut => !is_bound,
            SilentReason::AlreadyRead => known.read_upto(uid, &place.0) >= place.1,
            SilentReason::Recalled => known.recalled.contains(place),
            SilentReason::SenderSilent | SilentReason::OwnMessage => known
                .message(place)
                .is_none_or(|message| message.kind != Kind::Message || message.from == *uid),
            _ => false,
        }
    }

    fn play_trace(&mut self, row: &TraceRow, phone: Option<PhoneNo>) {
        let at_ms = self.server_moment(row.at.0.saturating_sub(WALL_START_MS));
        let name = phone.map_or_else(String::new, |no| self.phones[no].name.clone());
        self.play.line(at_ms, "server", || {
            let range = match row.to - row.from {
                0 => format!("#{}", row.from),
                _ => format!("#{}-{}", row.from, row.to),
            };
            let what = format!("{} {range}", row.conversation);
            let why = row.reason.as_deref().unwrap_or_default();
            match row.step {
                Step::Committed => format!("{what} is safe"),
                Step::Delivered => format!("{what} is given to {name}"),
                Step::Deadline => format!("{what} is due for {name}: {why}"),
                Step::Decided => format!("{what} is decided for {name}: {why}"),
                Step::Provider => format!("{what} for {name}: the provider says {why}"),
                step => format!("{what} for {name}: {} {why}", step.as_str()).trim_end().into(),
            }
        });
    }
}
