//! The ledger: what one device shows, shared by the app and its extension or worker.
//!
//! It is the one place that decides whether somebody may alert of a message. Who wants to,
//! [claims](LedgerOrder::Claim) it first; of all that claim, in whatever process, one is granted.
//! A shell keeps the rows in a small file that both processes open for one order at a time, and
//! gives them to [`carry_out`]; [`Ledger`] keeps them in memory, for one process alone.
//!
//! What a crash leaves: a claim nobody posted is free again after [`defaults::CLAIM_MS`]; what was
//! posted and not written down is posted again under the same id, which replaces it.

mod memory;
mod note;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use nightjar_model::{ConversationId, Measure, MessageId, NotificationId, Seq, WallMs};

use crate::fetch::PushSession;
use crate::{MessageRow, defaults};

pub use memory::Ledger;
pub use note::{Note, NoteEvent, Poster};

/// What is known of the notification of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteRow {
    /// Of which message; the key.
    pub message_id: MessageId,
    /// Under which id: the message's own, or the one its conversation shares.
    pub notification: NotificationId,
    /// Where the message is; `None` of one that was taken back before anybody claimed it.
    pub place: Option<(ConversationId, Seq)>,
    /// How far it is.
    pub note: Note,
    /// Who claimed it.
    pub by: Poster,
    /// When this row last changed.
    pub at: WallMs,
}

/// Somebody wants to alert of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of which.
    pub message_id: MessageId,
    /// Under which id.
    pub notification: NotificationId,
    /// Where it is.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: Seq,
    /// Who wants to.
    pub by: Poster,
}

/// Whether who claimed may alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Yes: post it, then say [`LedgerOrder::Posted`] or [`LedgerOrder::NotPosted`].
    Granted,
    /// No: somebody is about to post it, and may be killed before that.
    Taken(Poster),
    /// No: it is on the screen.
    Shown(Poster),
    /// No: it was taken back, or a person swiped it away.
    Withdrawn,
    /// No: the person saw it in the app, or read it.
    Seen,
}

/// One transaction on the ledger. Each has one answer.
#[derive(Debug, Clone, PartialEq)]
pub enum LedgerOrder {
    /// May this be alerted of? [`LedgerAnswer::Claimed`].
    Claim(Box<Claim>),
    /// It is on the screen. [`LedgerAnswer::TakeOff`] if it was taken back meanwhile.
    Posted(MessageId),
    /// It could not be posted: somebody else may.
    NotPosted(MessageId),
    /// The system shows these, whoever posted them. [`LedgerAnswer::TakeOff`] names those that
    /// must go.
    OnScreen(Vec<NotificationId>),
    /// They are taken back, also if they were never posted here. [`LedgerAnswer::TakeOff`].
    Withdraw(Vec<NotificationId>),
    /// The person saw these conversations up to these places. [`LedgerAnswer::TakeOff`].
    Seen(Vec<(ConversationId, Seq)>),
    /// They were taken off the screen.
    Removed(Vec<NotificationId>),
    /// A person swiped them away.
    Dismissed(Vec<NotificationId>),
    /// Set the badge, if no newer one was. [`LedgerAnswer::Badge`].
    Badge {
        /// How many are unread.
        unread: u64,
        /// Its version.
        bv: u64,
    },
    /// Who is signed in, for extensions.
    SignedIn(Box<PushSession>),
    /// Who is? [`LedgerAnswer::Session`].
    Session,
    /// Nobody is any more: everything is forgotten. [`LedgerAnswer::TakeOff`].
    Forget,
    /// Keep these for the app, which has a store for them, and what was measured.
    Spool(Vec<Arc<MessageRow>>, Vec<Measure>),
    /// What is kept for the app; measures are handed out once. [`LedgerAnswer::Spooled`].
    Spooled,
    /// The app stored the messages up to this number.
    Imported(u64),
}

/// The answer to an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LedgerAnswer {
    /// To `Claim`.
    Claimed {
        /// Of which message.
        message_id: MessageId,
        /// Yes, or why not.
        verdict: Verdict,
        /// The newest place of the conversation below this one that the ledger knows of; what
        /// lies between may never have been shown.
        since: Option<Seq>,
    },
    /// Take these off the screen, then say [`LedgerOrder::Removed`].
    TakeOff(Vec<NotificationId>),
    /// To `Badge`: the number to set; `None` if a newer one is set.
    Badge(Option<u64>),
    /// To `Spooled`.
    Spooled {
        /// Messages, in the order they came.
        messages: Vec<Arc<MessageRow>>,
        /// What was measured.
        measures: Vec<Measure>,
        /// For [`LedgerOrder::Imported`].
        upto: u64,
    },
    /// To `Session`; `None` if nobody is signed in.
    Session(Option<Box<PushSession>>),
    /// To everything else.
    Done,
    /// The file cannot be read or written; nothing is known and nothing changed.
    Failed,
}

/// The rows of a ledger. Everything between the first call and the last of one order has to be
/// one transaction that excludes every other process.
pub trait LedgerRows {
    /// What can go wrong.
    type Error;

    /// The row of a message.
    ///
    /// # Errors
    /// The file cannot be read.
    fn note(&mut self, id: MessageId) -> Result<Option<NoteRow>, Self::Error>;
    /// Every row.
    ///
    /// # Errors
    /// The file cannot be read.
    fn notes(&mut self) -> Result<Vec<NoteRow>, Self::Error>;
    /// The rows under one notification id.
    ///
    /// # Errors
    /// The file cannot be read.
    fn notes_under(&mut self, id: &NotificationId) -> Result<Vec<NoteRow>, Self::Error>;
    /// The rows of a conversation up to a place.
    ///
    /// # Errors
    /// The file cannot be read.
    fn notes_upto(
        &mut self,
        conversation: &ConversationId,
        upto: Seq,
    ) -> Result<Vec<NoteRow>, Self::Error>;
    /// The newest place below this one among the rows of a conversation.
    ///
    /// # Errors
    /// The file cannot be read.
    fn newest_below(
        &mut self,
        conversation: &ConversationId,
        below: Seq,
    ) -> Result<Option<Seq>, Self::Error>;
    /// Writes a row over the one of the same message.
    ///
    /// # Errors
    /// The file cannot be written.
    fn put_note(&mut self, row: NoteRow) -> Result<(), Self::Error>;
    /// Removes a row.
    ///
    /// # Errors
    /// The file cannot be written.
    fn remove_note(&mut self, id: MessageId) -> Result<(), Self::Error>;
    /// Forgets rows older than a moment, and the oldest ones beyond a number.
    ///
    /// # Errors
    /// The file cannot be written.
    fn forget_notes(&mut self, before: WallMs, rows_max: usize) -> Result<(), Self::Error>;

    /// How far the person saw a conversation.
    ///
    /// # Errors
    /// The file cannot be read.
    fn seen(&mut self, conversation: &ConversationId) -> Result<Option<Seq>, Self::Error>;
    /// Writes it, and forgets the oldest ones beyond a number.
    ///
    /// # Errors
    /// The file cannot be written.
    fn put_seen(
        &mut self,
        conversation: &ConversationId,
        upto: Seq,
        at: WallMs,
        rows_max: usize,
    ) -> Result<(), Self::Error>;

    /// Who is signed in.
    ///
    /// # Errors
    /// The file cannot be read.
    fn session(&mut self) -> Result<Option<PushSession>, Self::Error>;
    /// Writes it.
    ///
    /// # Errors
    /// The file cannot be written.
    fn put_session(&mut self, session: &PushSession) -> Result<(), Self::Error>;

    /// The version of the badge that is set.
    ///
    /// # Errors
    /// The file cannot be read.
    fn badge_version(&mut self) -> Result<Option<u64>, Self::Error>;
    /// Writes it.
    ///
    /// # Errors
    /// The file cannot be written.
    fn put_badge_version(&mut self, bv: u64) -> Result<(), Self::Error>;

    /// Keeps messages and measures for the app; the oldest ones go beyond a number.
    ///
    /// # Errors
    /// The file cannot be written.
    fn spool(
        &mut self,
        messages: &[Arc<MessageRow>],
        measures: &[Measure],
        rows_max: usize,
    ) -> Result<(), Self::Error>;
    /// Messages that are kept, in the order they came, and the number of the last one.
    ///
    /// # Errors
    /// The file cannot be read.
    fn spooled(&mut self) -> Result<(Vec<Arc<MessageRow>>, u64), Self::Error>;
    /// Measures that are kept, added up; they are gone then.
    ///
    /// # Errors
    /// The file cannot be read or written.
    fn take_measures(&mut self) -> Result<Vec<Measure>, Self::Error>;
    /// Removes the messages that are kept up to a number.
    ///
    /// # Errors
    /// The file cannot be written.
    fn remove_spooled(&mut self, upto: u64) -> Result<(), Self::Error>;
    /// Removes everything.
    ///
    /// # Errors
    /// The file cannot be written.
    fn clear(&mut self) -> Result<(), Self::Error>;
}

/// Carries out one order.
///
/// # Errors
/// What the rows say; then the whole transaction has to be undone.
pub fn carry_out<R: LedgerRows>(
    rows: &mut R,
    order: &LedgerOrder,
    now: WallMs,
) -> Result<LedgerAnswer, R::Error> {
    match order {
        LedgerOrder::Claim(claim) => return self::claim(rows, claim, now),
        LedgerOrder::Posted(id) => return posted(rows, *id, now),
        LedgerOrder::NotPosted(id) => {
            if let Some(row) = rows.note(*id)? {
                moved(rows, row, NoteEvent::NotPosted, now)?;
            }
        }
        LedgerOrder::OnScreen(ids) => return on_screen(rows, ids, now),
        LedgerOrder::Withdraw(ids) => {
            for id in ids {
                happened_under(rows, id, NoteEvent::Withdraw, now)?;
            }
            forget_old(rows, now)?;
            return Ok(LedgerAnswer::TakeOff(ids.clone()));
        }
        LedgerOrder::Seen(places) => return seen(rows, places, now),
        LedgerOrder::Removed(ids) => {
            for id in ids {
                happened_under(rows, id, NoteEvent::Removed, now)?;
            }
        }
        LedgerOrder::Dismissed(ids) => {
            for id in ids {
                happened_under(rows, id, NoteEvent::Dismissed, now)?;
            }
        }
        LedgerOrder::Badge { unread, bv } => {
            let is_newer = rows.badge_version()?.is_none_or(|applied| *bv > applied);
            if is_newer {
                rows.put_badge_version(*bv)?;
            }
            return Ok(LedgerAnswer::Badge(is_newer.then_some(*unread)));
        }
        LedgerOrder::SignedIn(session) => rows.put_session(session)?,
        LedgerOrder::Session => {
            return Ok(LedgerAnswer::Session(rows.session()?.map(Box::new)));
        }
        LedgerOrder::Forget => return forget(rows),
        LedgerOrder::Spool(messages, measures) => {
            rows.spool(messages, measures, defaults::SPOOL_MAX)?;
        }
        LedgerOrder::Spooled => {
            let (messages, upto) = rows.spooled()?;
            let measures = rows.take_measures()?;
            return Ok(LedgerAnswer::Spooled { messages, measures, upto });
        }
        LedgerOrder::Imported(upto) => rows.remove_spooled(*upto)?,
    }
    Ok(LedgerAnswer::Done)
}

fn claim<R: LedgerRows>(
    rows: &mut R,
    claim: &Claim,
    now: WallMs,
) -> Result<LedgerAnswer, R::Error> {
    let Claim { message_id, notification, conversation, seq, by } = claim;
    let seen = rows.seen(conversation)?;
    let since = rows
        .newest_below(conversation, *seq)?
        .max(seen.map(|seen| seen.min(seq.saturating_sub(1))));
    let answer = |verdict| LedgerAnswer::Claimed { message_id: *message_id, verdict, since };
    let row = rows.note(*message_id)?;
    let note = row.as_ref().map_or(Note::Unknown, |row| row.note.at(row.at, now));
    if note != Note::Leaving && note != Note::Gone && seen.is_some_and(|seen| *seq <= seen) {
        return Ok(answer(Verdict::Seen));
    }
    let Some(next) = note.next(NoteEvent::Claim) else {
        return Ok(answer(match (note, row) {
            (Note::Leaving | Note::Gone, _) | (_, None) => Verdict::Withdrawn,
            (Note::Shown, Some(row)) => Verdict::Shown(row.by),
            (_, Some(row)) => Verdict::Taken(row.by),
        }));
    };
    rows.put_note(NoteRow {
        message_id: *message_id,
        notification: notification.clone(),
        place: Some((conversation.clone(), *seq)),
        note: next,
        by: *by,
        at: now,
    })?;
    forget_old(rows, now)?;
    Ok(answer(Verdict::Granted))
}

fn forget<R: LedgerRows>(rows: &mut R) -> Result<LedgerAnswer, R::Error> {
    let mut must_go: Vec<_> = rows.notes()?.into_iter().filter(|row| row.note.is_up()).collect();
    must_go.sort_by(|one, other| one.notification.cmp(&other.notification));
    must_go.dedup_by(|one, other| one.notification == other.notification);
    rows.clear()?;
    Ok(LedgerAnswer::TakeOff(must_go.into_iter().map(|row| row.notification).collect()))
}

/// For new rows old ones go.
fn forget_old<R: LedgerRows>(rows: &mut R, now: WallMs) -> Result<(), R::Error> {
    rows.forget_notes(WallMs(now.0.saturating_sub(defaults::LEDGER_MS)), defaults::LEDGER_MAX)
}

fn posted<R: LedgerRows>(
    rows: &mut R,
    id: MessageId,
    now: WallMs,
) -> Result<LedgerAnswer, R::Error> {
    let Some(row) = rows.note(id)? else { return Ok(LedgerAnswer::Done) };
    let notification = row.notification.clone();
    Ok(match moved(rows, row, NoteEvent::Posted, now)? {
        Note::Leaving => LedgerAnswer::TakeOff(vec![notification]),
        _ => LedgerAnswer::Done,
    })
}

fn on_screen<R: LedgerRows>(
    rows: &mut R,
    ids: &[NotificationId],
    now: WallMs,
) -> Result<LedgerAnswer, R::Error> {
    let mut must_go = Vec::new();
    for id in ids {
        // One that a conversation shares may stand for anything.
        if id.message_id().is_some() {
            let notes = happened_under(rows, id, NoteEvent::OnScreen, now)?;
            if notes.contains(&Note::Leaving) {
                must_go.push(id.clone());
            }
        }
    }
    Ok(LedgerAnswer::TakeOff(must_go))
}

fn seen<R: LedgerRows>(
    rows: &mut R,
    places: &[(ConversationId, Seq)],
    now: WallMs,
) -> Result<LedgerAnswer, R::Error> {
    let mut must_go = Vec::new();
    for (conversation, upto) in places {
        if rows.seen(conversation)?.is_none_or(|seen| seen < *upto) {
            rows.put_seen(conversation, *upto, now, defaults::LEDGER_MAX)?;
        }
        let shown = rows.notes_upto(conversation, *upto)?;
        for row in shown.into_iter().filter(|row| row.note.is_up()) {
            let id = row.notification.clone();
            moved(rows, row, NoteEvent::Withdraw, now)?;
            // A shared one stays while it also stands for something newer.
            let still = rows.notes_under(&id)?;
            if !must_go.contains(&id) && !still.iter().any(|row| row.note.is_up()) {
                must_go.push(id);
            }
        }
    }
    Ok(LedgerAnswer::TakeOff(must_go))
}

/// The same happened to everything under one id; answers what it all is now. A message nobody
/// claimed gets a row, so that a late push of it is met; a shared one may come again.
fn happened_under<R: LedgerRows>(
    rows: &mut R,
    id: &NotificationId,
    event: NoteEvent,
    now: WallMs,
) -> Result<Vec<Note>, R::Error> {
    let mut under = rows.notes_under(id)?;
    if let Some(message_id) = id.message_id()
        && under.is_empty()
    {
        // Its notification may have another name: that of its conversation.
        under.extend(rows.note(message_id)?);
        if under.is_empty() {
            let notification = id.clone();
            let (place, note, by) = (None, Note::Unknown, Poster::Remote);
            under.push(NoteRow { message_id, notification, place, note, by, at: now });
        }
    }
    under.into_iter().map(|row| moved(rows, row, event, now)).collect()
}

/// Moves a row on as the table says; answers what it is then.
fn moved<R: LedgerRows>(
    rows: &mut R,
    row: NoteRow,
    event: NoteEvent,
    now: WallMs,
) -> Result<Note, R::Error> {
    let Some(note) = row.note.at(row.at, now).next(event) else { return Ok(row.note) };
    match note {
        Note::Unknown => rows.remove_note(row.message_id)?,
        _ => rows.put_note(NoteRow { note, at: now, ..row })?,
    }
    Ok(note)
}
