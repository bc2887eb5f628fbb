//! Rows out of the file.

use nightjar_client_core::{
    AccountRow, Amendment, AmendmentRow, ConversationRow, MessageRow, OutgoingRow, PlaceRow,
    Restored, Standing, defaults,
};
use nightjar_model::{
    ClientMsgId, ConversationId, ConversationKind, DeviceId, GroupId, IdError, MessageId, Secret,
    Seq, Target, Uid, WallMs,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, params};

use super::Owner;
use super::write::message_columns;

pub(super) type Result<T> = rusqlite::Result<T>;

/// What a client starts with.
pub(super) fn restored(from: &Connection, was_left_open: bool) -> Result<Restored> {
    Ok(Restored {
        account: account(from)?.unwrap_or_default(),
        places: rows(
            from,
            "SELECT conversation, stored, pieces, guessed_above, proven, surfaced, read_told, list,
                 head, unread, mentions, read FROM places ORDER BY changed DESC LIMIT ?1",
            params![defaults::PLACES_MAX],
            place,
        )?,
        outgoing: rows(
            from,
            "SELECT client_msg_id, place, target_kind, target, content, push, expires_at,
                 queued_at, is_failed, resumes, depends_on FROM outgoing ORDER BY place",
            params![],
            outgoing,
        )?,
        was_left_open,
    })
}

/// Whose the file is.
pub(super) fn owner(from: &Connection) -> Result<Owner> {
    from.query_row("SELECT uid, device_id FROM owner", [], |row| {
        Ok(Owner { uid: id(row, 0, Uid::parse)?, device_id: id(row, 1, DeviceId::parse)? })
    })
}

/// Every conversation, the last changed first.
pub(super) fn conversations(from: &Connection) -> Result<Vec<ConversationRow>> {
    rows(
        from,
        "SELECT conversation, kind, peer, name FROM conversations ORDER BY changed DESC",
        params![],
        |row| {
            Ok(ConversationRow {
                conversation: id(row, 0, ConversationId::parse)?,
                kind: row.get::<_, Option<String>>(1)?.map(|word| kind(1, &word)).transpose()?,
                peer: optional_id(row, 2, Uid::parse)?,
                name: row.get(3)?,
            })
        },
    )
}

/// The newest messages below a place, ascending.
pub(super) fn messages(
    from: &Connection,
    conversation: &ConversationId,
    before: Option<Seq>,
    limit: u32,
) -> Result<Vec<MessageRow>> {
    let before = before.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
    let mut found = rows(
        from,
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM messages WHERE conversation = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"
        ),
        params![conversation.as_str(), before, limit],
        message,
    )?;
    found.reverse();
    Ok(found)
}

/// What entries say of the messages between two places, both included, in order.
pub(super) fn amendments(
    from: &Connection,
    conversation: &ConversationId,
    (first, last): (Seq, Seq),
) -> Result<Vec<AmendmentRow>> {
    let signed = |seq| i64::try_from(seq).unwrap_or(i64::MAX);
    rows(
        from,
        "SELECT conversation, seq, target, sender, kind, said FROM amendments
             WHERE conversation = ?1 AND target BETWEEN ?2 AND ?3 ORDER BY target, seq",
        params![conversation.as_str(), signed(first), signed(last)],
        |row| {
            let said: Vec<u8> = row.get(5)?;
            let sign = |said| String::from_utf8(said).map_err(|error| unreadable(5, error));
            let amendment = match row.get::<_, String>(4)?.as_str() {
                "edited" => Amendment::Edited(said.into()),
                "reacted" => Amendment::Reacted(sign(said)?),
                _ => Amendment::Unreacted(sign(said)?),
            };
            Ok(AmendmentRow {
                conversation: id(row, 0, ConversationId::parse)?,
                seq: unsigned(row, 1)?,
                target: unsigned(row, 2)?,
                by: id(row, 3, Uid::parse)?,
                amendment,
            })
        },
    )
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
}

fn account(from: &Connection) -> Result<Option<AccountRow>> {
    let sql = "SELECT resume, sync, said_hello, is_synced, unread, bv, app_order_end,
        owes_unbind, list, is_listing, is_leaving FROM account";
    from.query_row(sql, [], |row| {
        Ok(AccountRow {
            resume: row.get::<_, Option<String>>(0)?.map(Secret::new),
            sync: row.get(1)?,
            said_hello: row.get(2)?,
            is_synced: row.get(3)?,
            unread: unsigned(row, 4)?,
            bv: unsigned(row, 5)?,
            app_order_end: unsigned(row, 6)?,
            owes_unbind: row.get::<_, Option<String>>(7)?.map(|token| Box::new(Secret::new(token))),
            list: row.get(8)?,
            is_listing: row.get(9)?,
            is_leaving: row.get(10)?,
        })
    })
    .optional()
}

fn place(row: &Row<'_>) -> Result<PlaceRow> {
    Ok(PlaceRow {
        conversation: id(row, 0, ConversationId::parse)?,
        stored: unsigned(row, 1)?,
        pieces: json(2, &row.get::<_, String>(2)?)?,
        guessed_above: optional_unsigned(row, 3)?,
        proven: unsigned(row, 4)?,
        surfaced: unsigned(row, 5)?,
        read_told: unsigned(row, 6)?,
        list: row.get(7)?,
        standing: Standing {
            head: unsigned(row, 8)?,
            unread: unsigned(row, 9)?,
            mentions: unsigned(row, 10)?,
            read: unsigned(row, 11)?,
        },
    })
}

pub(crate) fn message(row: &Row<'_>) -> Result<MessageRow> {
    Ok(MessageRow {
        conversation: id(row, 0, ConversationId::parse)?,
        seq: unsigned(row, 1)?,
        message_id: MessageId::from_bytes(row.get(2)?),
        from: id(row, 3, Uid::parse)?,
        client_msg_id: id(row, 4, ClientMsgId::parse)?,
        at: WallMs(unsigned(row, 5)?),
        content: row.get::<_, Vec<u8>>(6)?.into(),
        alert: row.get(7)?,
    })
}

fn outgoing(row: &Row<'_>) -> Result<OutgoingRow> {
    let to = match row.get::<_, String>(2)?.as_str() {
        "user" => Target::User(id(row, 3, Uid::parse)?),
        "group" => Target::Group(id(row, 3, GroupId::parse)?),
        other => return Err(unknown(2, other)),
    };
    Ok(OutgoingRow {
        client_msg_id: id(row, 0, ClientMsgId::parse)?,
        order: unsigned(row, 1)?,
        to,
        content: row.get::<_, Vec<u8>>(4)?.into(),
        push: row.get::<_, Option<String>>(5)?.map(|text| json(5, &text)).transpose()?,
        expires_at: optional_unsigned(row, 6)?.map(WallMs),
        queued_at: WallMs(unsigned(row, 7)?),
        is_failed: row.get(8)?,
        resumes: row.get(9)?,
        depends_on: json(10, &row.get::<_, String>(10)?)?,
    })
}

pub(super) fn rows<T>(
    from: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    from.prepare_cached(sql)?.query_map(values, read)?.collect()
}

pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get(column).map(i64::cast_unsigned)
}

fn optional_unsigned(row: &Row<'_>, column: usize) -> Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
}

pub(crate) type Parse<T> = fn(&str) -> std::result::Result<T, IdError>;

pub(crate) fn id<T>(row: &Row<'_>, column: usize, parse: Parse<T>) -> Result<T> {
    parse(&row.get::<_, String>(column)?).map_err(|error| no_value(column, error))
}

fn optional_id<T>(row: &Row<'_>, column: usize, parse: Parse<T>) -> Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| parse(&text).map_err(|error| no_value(column, error))).transpose()
}

fn kind(column: usize, word: &str) -> Result<ConversationKind> {
    use ConversationKind::{Direct, Group, Room};
    let found = [Direct, Group, Room].into_iter().find(|kind| kind.as_str() == word);
    found.ok_or_else(|| unknown(column, word))
}

fn json<T: serde::de::DeserializeOwned>(column: usize, text: &str) -> Result<T> {
    // What serde_json says quotes the text, which may be what somebody wrote.
    let failed = |error: serde_json::Error| format!("no JSON of ours at byte {}", error.column());
    serde_json::from_str(text).map_err(|error| no_value(column, failed(error)))
}

pub(crate) fn unknown(column: usize, word: &str) -> Error {
    no_value(column, format!("'{word}' is not a word of this format"))
}

fn no_value(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
