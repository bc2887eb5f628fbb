//! A ledger in memory, for one process alone.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use nightjar_model::{ConversationId, Measure, MessageId, NotificationId, Seq, WallMs};

use super::{LedgerAnswer, LedgerOrder, LedgerRows, NoteRow, carry_out};
use crate::MessageRow;
use crate::fetch::PushSession;

/// The rows of a ledger.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    notes: BTreeMap<MessageId, NoteRow>,
    seen: BTreeMap<ConversationId, (Seq, WallMs)>,
    session: Option<PushSession>,
    bv: Option<u64>,
    spooled: BTreeMap<u64, Arc<MessageRow>>,
    measures: Vec<Measure>,
    last: u64,
}

impl Ledger {
    /// Carries out one order.
    pub fn order(&mut self, order: &LedgerOrder, now: WallMs) -> LedgerAnswer {
        match carry_out(self, order, now) {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    /// Whether a notification must not be shown any more.
    #[must_use]
    pub fn is_withdrawn(&self, id: &NotificationId) -> bool {
        use super::Note::{Gone, Leaving};
        let row = id.message_id().and_then(|id| self.notes.get(&id));
        row.is_some_and(|row| matches!(row.note, Leaving | Gone))
    }
}

impl LedgerRows for Ledger {
    type Error = Infallible;

    fn note(&mut self, id: MessageId) -> Result<Option<NoteRow>, Infallible> {
        Ok(self.notes.get(&id).cloned())
    }

    fn notes(&mut self) -> Result<Vec<NoteRow>, Infallible> {
        Ok(self.notes.values().cloned().collect())
    }

    fn notes_under(&mut self, id: &NotificationId) -> Result<Vec<NoteRow>, Infallible> {
        Ok(self.notes.values().filter(|row| row.notification == *id).cloned().collect())
    }

    fn notes_upto(
        &mut self,
        conversation: &ConversationId,
        upto: Seq,
    ) -> Result<Vec<NoteRow>, Infallible> {
        let is_there = |row: &&NoteRow| {
            row.place.as_ref().is_some_and(|(id, seq)| id == conversation && *seq <= upto)
        };
        Ok(self.notes.values().filter(is_there).cloned().collect())
    }

    fn newest_below(
        &mut self,
        conversation: &ConversationId,
        below: Seq,
    ) -> Result<Option<Seq>, Infallible> {
        let places = self.notes.values().filter_map(|row| row.place.as_ref());
        let below = places.filter(|(id, seq)| id == conversation && *seq < below);
        Ok(below.map(|(_, seq)| *seq).max())
    }

    fn put_note(&mut self, row: NoteRow) -> Result<(), Infallible> {
        self.notes.insert(row.message_id, row);
        Ok(())
    }

    fn remove_note(&mut self, id: MessageId) -> Result<(), Infallible> {
        self.notes.remove(&id);
        Ok(())
    }

    fn forget_notes(&mut self, before: WallMs, rows_max: usize) -> Result<(), Infallible> {
        self.notes.retain(|_, row| row.at >= before);
        while self.notes.len() > rows_max {
            let oldest = self.notes.values().min_by_key(|row| row.at).map(|row| row.message_id);
            oldest.map(|id| self.notes.remove(&id));
        }
        Ok(())
    }

    fn seen(&mut self, conversation: &ConversationId) -> Result<Option<Seq>, Infallible> {
        Ok(self.seen.get(conversation).map(|(upto, _)| *upto))
    }

    fn put_seen(
        &mut self,
        conversation: &ConversationId,
        upto: Seq,
        at: WallMs,
        rows_max: usize,
    ) -> Result<(), Infallible> {
        self.seen.insert(conversation.clone(), (upto, at));
        while self.seen.len() > rows_max {
            let oldest = self.seen.iter().min_by_key(|(_, (_, at))| *at);
            let oldest = oldest.map(|(conversation, _)| conversation.clone());
            oldest.map(|conversation| self.seen.remove(&conversation));
        }
        Ok(())
    }

    fn session(&mut self) -> Result<Option<PushSession>, Infallible> {
        Ok(self.session.clone())
    }

    fn put_session(&mut self, session: &PushSession) -> Result<(), Infallible> {
        self.session = Some(session.clone());
        Ok(())
    }

    fn badge_version(&mut self) -> Result<Option<u64>, Infallible> {
        Ok(self.bv)
    }

    fn put_badge_version(&mut self, bv: u64) -> Result<(), Infallible> {
        self.bv = Some(bv);
        Ok(())
    }

    fn spool(
        &mut self,
        messages: &[Arc<MessageRow>],
        measures: &[Measure],
        rows_max: usize,
    ) -> Result<(), Infallible> {
        for message in messages {
            self.last += 1;
            self.spooled.insert(self.last, message.clone());
        }
        while self.spooled.len() > rows_max {
            self.spooled.pop_first();
        }
        for measure in measures {
            let same = |known: &&mut Measure| {
                (known.metric, known.value) == (measure.metric, measure.value)
            };
            match self.measures.iter_mut().find(same) {
                Some(known) => known.count += measure.count,
                None => self.measures.push(*measure),
            }
        }
        Ok(())
    }

    fn spooled(&mut self) -> Result<(Vec<Arc<MessageRow>>, u64), Infallible> {
        let upto = self.spooled.last_key_value().map_or(0, |(number, _)| *number);
        Ok((self.spooled.values().cloned().collect(), upto))
    }

    fn take_measures(&mut self) -> Result<Vec<Measure>, Infallible> {
        Ok(std::mem::take(&mut self.measures))
    }

    fn remove_spooled(&mut self, upto: u64) -> Result<(), Infallible> {
        self.spooled = self.spooled.split_off(&(upto + 1));
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        *self = Self { last: self.last, ..Self::default() };
        Ok(())
    }
}
