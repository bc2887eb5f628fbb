//! The rows of a ledger, in one transaction.

use std::sync::Arc;

use nightjar_client_core::fetch::PushSession;
use nightjar_client_core::{LedgerRows, MessageRow, Note, NoteRow, Poster};
use nightjar_model::{
    ConversationId, DeviceId, Measure, MessageId, Metric, NotificationId, Secret, Seq, Uid, WallMs,
};
use rusqlite::{Error, OptionalExtension, Params, Row, Transaction, params};

use crate::store::read::{id, message, unknown, unsigned};
use crate::store::write::{message_columns, message_values, put_message, signed};

type Result<T> = rusqlite::Result<T>;

const NOTE: &str = "message_id, notification, conversation, seq, note, poster, at FROM notes";

pub(super) struct Rows<'a>(pub(super) &'a Transaction<'a>);

impl Rows<'_> {
    fn execute(&self, sql: &str, values: impl Params) -> Result<()> {
        self.0.execute(sql, values).map(|_| ())
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.0.prepare(sql)?.query_map(values, read)?.collect()
    }
}

impl LedgerRows for Rows<'_> {
    type Error = Error;

    fn note(&mut self, message: MessageId) -> Result<Option<NoteRow>> {
        let sql = format!("SELECT {NOTE} WHERE message_id = ?1");
        self.0.query_row(&sql, params![message.as_bytes()], note).optional()
    }

    fn notes(&mut self) -> Result<Vec<NoteRow>> {
        self.all(&format!("SELECT {NOTE}"), [], note)
    }

    fn notes_under(&mut self, id: &NotificationId) -> Result<Vec<NoteRow>> {
        let sql = format!("SELECT {NOTE} WHERE notification = ?1 ORDER BY message_id");
        self.all(&sql, params![id.as_str()], note)
    }

    fn notes_upto(&mut self, conversation: &ConversationId, upto: Seq) -> Result<Vec<NoteRow>> {
        let sql =
            format!("SELECT {NOTE} WHERE conversation = ?1 AND seq <= ?2 ORDER BY message_id");
        self.all(&sql, params![conversation.as_str(), signed(upto)], note)
    }

    fn newest_below(&mut self, conversation: &ConversationId, below: Seq) -> Result<Option<Seq>> {
        self.0.query_row(
            "SELECT max(seq) FROM notes WHERE conversation = ?1 AND seq < ?2",
            params![conversation.as_str(), signed(below)],
            |row| Ok(row.get::<_, Option<i64>>(0)?.map(i64::cast_unsigned)),
        )
    }

    fn put_note(&mut self, row: NoteRow) -> Result<()> {
        let place = row.place.as_ref();
        self.execute(
            "INSERT OR REPLACE INTO notes (message_id, notification, conversation, seq, note,
                 poster, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                row.message_id.as_bytes(),
                row.notification.as_str(),
                place.map(|(conversation, _)| conversation.as_str()),
                place.map(|(_, seq)| signed(*seq)),
                word(row.note),
                poster(row.by),
                signed(row.at.0),
            ],
        )
    }

    fn remove_note(&mut self, message: MessageId) -> Result<()> {
        self.execute("DELETE FROM notes WHERE message_id = ?1", params![message.as_bytes()])
    }

    fn forget_notes(&mut self, before: WallMs, rows_max: usize) -> Result<()> {
        self.execute("DELETE FROM notes WHERE at < ?1", params![signed(before.0)])?;
        self.execute(
            "DELETE FROM notes WHERE message_id IN (SELECT message_id FROM notes
                 ORDER BY at DESC, message_id DESC LIMIT -1 OFFSET ?1)",
            params![rows_max],
        )
    }

    fn seen(&mut self, conversation: &ConversationId) -> Result<Option<Seq>> {
        let sql = "SELECT upto FROM seen WHERE conversation = ?1";
        let found = self.0.query_row(sql, params![conversation.as_str()], |row| unsigned(row, 0));
        found.optional()
    }

    fn put_seen(
        &mut self,
        conversation: &ConversationId,
        upto: Seq,
        at: WallMs,
        rows_max: usize,
    ) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO seen (conversation, upto, at) VALUES (?1, ?2, ?3)",
            params![conversation.as_str(), signed(upto), signed(at.0)],
        )?;
        self.execute(
            "DELETE FROM seen WHERE conversation IN (SELECT conversation FROM seen
                 ORDER BY at DESC, conversation DESC LIMIT -1 OFFSET ?1)",
            params![rows_max],
        )
    }

    fn session(&mut self) -> Result<Option<PushSession>> {
        let sql = "SELECT uid, device_id, push_token FROM account WHERE push_token IS NOT NULL";
        let read = |row: &Row<'_>| {
            Ok(PushSession {
                uid: id(row, 0, Uid::parse)?,
                device_id: id(row, 1, DeviceId::parse)?,
                push_token: Secret::new(row.get(2)?),
            })
        };
        self.0.query_row(sql, [], read).optional()
    }

    fn put_session(&mut self, session: &PushSession) -> Result<()> {
        self.execute(
            "INSERT INTO account (one, uid, device_id, push_token) VALUES (1, ?1, ?2, ?3)
                 ON CONFLICT (one) DO UPDATE SET uid = ?1, device_id = ?2, push_token = ?3",
            params![session.uid.as_str(), session.device_id.as_str(), session.push_token.expose()],
        )
    }

    fn badge_version(&mut self) -> Result<Option<u64>> {
        let sql = "SELECT bv FROM account WHERE bv IS NOT NULL";
        self.0.query_row(sql, [], |row| unsigned(row, 0)).optional()
    }

    fn put_badge_version(&mut self, bv: u64) -> Result<()> {
        self.execute(
            "INSERT INTO account (one, bv) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET bv = ?1",
            params![signed(bv)],
        )
    }

    fn spool(
        &mut self,
        messages: &[Arc<MessageRow>],
        measures: &[Measure],
        rows_max: usize,
    ) -> Result<()> {
        for row in messages {
            put_message(self.0, concat!("INSERT INTO spool", message_values!()), row)?;
        }
        self.execute(
            "DELETE FROM spool WHERE number IN (SELECT number FROM spool
                 ORDER BY number DESC LIMIT -1 OFFSET ?1)",
            params![rows_max],
        )?;
        for Measure { metric, value, count } in measures {
            self.execute(
                "INSERT INTO measures (metric, value, count) VALUES (?1, ?2, ?3)
                     ON CONFLICT (metric, value) DO UPDATE SET count = count + ?3",
                params![metric.name(), signed(*value), signed(*count)],
            )?;
        }
        Ok(())
    }

    fn spooled(&mut self) -> Result<(Vec<Arc<MessageRow>>, u64)> {
        let messages = self.all(
            concat!("SELECT ", message_columns!(), " FROM spool ORDER BY number"),
            [],
            |row| message(row).map(Arc::new),
        )?;
        let sql = "SELECT coalesce(max(number), 0) FROM spool";
        Ok((messages, self.0.query_row(sql, [], |row| unsigned(row, 0))?))
    }

    fn take_measures(&mut self) -> Result<Vec<Measure>> {
        let read = |row: &Row<'_>| {
            let metric = Metric::from_name(&row.get::<_, String>(0)?);
            let (value, count) = (unsigned(row, 1)?, unsigned(row, 2)?);
            Ok(metric.map(|metric| Measure { metric, value, count }))
        };
        let found = self.all("SELECT metric, value, count FROM measures", [], read)?;
        self.execute("DELETE FROM measures", [])?;
        Ok(found.into_iter().flatten().collect())
    }

    fn remove_spooled(&mut self, upto: u64) -> Result<()> {
        self.execute("DELETE FROM spool WHERE number <= ?1", params![signed(upto)])
    }

    fn clear(&mut self) -> Result<()> {
        self.0.execute_batch(
            "DELETE FROM notes; DELETE FROM seen; DELETE FROM account; DELETE FROM spool;
             DELETE FROM measures",
        )
    }
}

fn note(row: &Row<'_>) -> Result<NoteRow> {
    let seq = row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned);
    let conversation = row.get::<_, Option<String>>(2)?;
    let conversation = conversation.map(|_| id(row, 2, ConversationId::parse)).transpose()?;
    let note = row.get::<_, String>(4)?;
    let by = row.get::<_, String>(5)?;
    Ok(NoteRow {
        message_id: MessageId::from_bytes(row.get(0)?),
        notification: id(row, 1, NotificationId::parse)?,
        place: conversation.zip(seq),
        note: NOTES
            .into_iter()
            .find(|known| word(*known) == note)
            .ok_or_else(|| unknown(4, &note))?,
        by: POSTERS
            .into_iter()
            .find(|known| poster(*known) == by)
            .ok_or_else(|| unknown(5, &by))?,
        at: WallMs(unsigned(row, 6)?),
    })
}

const NOTES: [Note; 4] = [Note::Claimed, Note::Shown, Note::Leaving, Note::Gone];
const POSTERS: [Poster; 3] = [Poster::App, Poster::Extension, Poster::Remote];

fn word(note: Note) -> &'static str {
    match note {
        // No row says these: one is no row, the other a claim that is old.
        Note::Unknown | Note::Stale | Note::Claimed => "claimed",
        Note::Shown => "shown",
        Note::Leaving => "leaving",
        Note::Gone => "gone",
    }
}

fn poster(by: Poster) -> &'static str {
    match by {
        Poster::App => "app",
        Poster::Extension => "extension",
        Poster::Remote => "remote",
    }
}
