//! Rows into the file.

use nightjar_client_core::{
    AccountRow, Amendment, AmendmentRow, Commit, ConversationRow, MessageRow, OutgoingRow,
    PlaceRow, Row,
};
use nightjar_model::{Seq, Target, Uid};
use rusqlite::{Connection, ToSql, Transaction, TransactionBehavior, params};

use super::{Owner, lists};

/// The columns of a message, as [`super::read::message`] reads them and [`put_message`] writes them.
macro_rules! message_columns {
    () => {
        "conversation, seq, message_id, sender, client_msg_id, at, content, alert"
    };
}

macro_rules! message_values {
    () => {
        concat!(" (", message_columns!(), ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
    };
}

pub(crate) use {message_columns, message_values};

/// The first who comes owns the file.
pub(super) fn claim(connection: &Connection, owner: &Owner) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO owner (one, uid, device_id) VALUES (1, ?1, ?2)";
    connection.execute(sql, params![owner.uid.as_str(), owner.device_id.as_str()])?;
    Ok(())
}

/// All rows, or none.
pub(super) fn commit(connection: &mut Connection, commit: &Commit) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in &commit.rows {
        put(&transaction, row)?;
    }
    transaction.commit()
}

fn put(to: &Transaction<'_>, row: &Row) -> rusqlite::Result<()> {
    match row {
        Row::Account(row) => account(to, row),
        Row::Conversation(row) => conversation(to, row),
        Row::Place(row) => place(to, row),
        Row::Message(row) => message(to, row),
        Row::Recalled { conversation, seq, by } => recalled(to, conversation.as_str(), *seq, by),
        Row::Amendment(row) => amendment(to, row),
        Row::Listed { list, item } => lists::put(to, *list, item),
        Row::Swept(list) => {
            sweep(to, *list)?;
            lists::sweep(to, *list)
        }
        Row::Outgoing(row) => outgoing(to, row),
        Row::OutgoingGone(id) => {
            execute(to, "DELETE FROM outgoing WHERE client_msg_id = ?1", params![id.as_str()])
        }
    }
}

fn amendment(to: &Transaction<'_>, row: &AmendmentRow) -> rusqlite::Result<()> {
    let (kind, said): (_, &[u8]) = match &row.amendment {
        Amendment::Edited(content) => ("edited", content),
        Amendment::Reacted(sign) => ("reacted", sign.as_bytes()),
        Amendment::Unreacted(sign) => ("unreacted", sign.as_bytes()),
    };
    execute(
        to,
        "INSERT OR REPLACE INTO amendments (conversation, seq, target, sender, kind, said)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            row.conversation.as_str(),
            signed(row.seq),
            signed(row.target),
            row.by.as_str(),
            kind,
            said
        ],
    )
}

fn account(to: &Transaction<'_>, row: &AccountRow) -> rusqlite::Result<()> {
    execute(
        to,
        "INSERT OR REPLACE INTO account (one, resume, sync, said_hello, is_synced, unread, bv,
             app_order_end, owes_unbind, list, is_listing, is_leaving)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            row.resume.as_ref().map(|resume| resume.expose().as_str()),
            row.sync,
            row.said_hello,
            row.is_synced,
            signed(row.unread),
            signed(row.bv),
            signed(row.app_order_end),
            row.owes_unbind.as_ref().map(|token| token.expose().as_str()),
            row.list,
            row.is_listing,
            row.is_leaving,
        ],
    )
}

fn conversation(to: &Transaction<'_>, row: &ConversationRow) -> rusqlite::Result<()> {
    execute(
        to,
        "INSERT OR REPLACE INTO conversations (conversation, kind, peer, name)
             VALUES (?1, ?2, ?3, ?4)",
        params![
            row.conversation.as_str(),
            row.kind.map(|kind| kind.as_str()),
            row.peer.as_ref().map(Uid::as_str),
            row.name,
        ],
    )
}

/// What the list does not name is no conversation any more; its messages stay.
fn sweep(to: &Transaction<'_>, list: u32) -> rusqlite::Result<()> {
    execute(
        to,
        "DELETE FROM conversations WHERE conversation IN
             (SELECT conversation FROM places WHERE list < ?1)",
        params![list],
    )?;
    execute(to, "DELETE FROM places WHERE list < ?1", params![list])
}

fn place(to: &Transaction<'_>, row: &PlaceRow) -> rusqlite::Result<()> {
    execute(
        to,
        "INSERT OR REPLACE INTO places (conversation, stored, pieces, guessed_above, proven,
             surfaced, read_told, list, head, unread, mentions, read)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            row.conversation.as_str(),
            signed(row.stored),
            json(&row.pieces)?,
            row.guessed_above.map(signed),
            signed(row.proven),
            signed(row.surfaced),
            signed(row.read_told),
            row.list,
            signed(row.standing.head),
            signed(row.standing.unread),
            signed(row.standing.mentions),
            signed(row.standing.read),
        ],
    )
}

fn message(to: &Transaction<'_>, row: &MessageRow) -> rusqlite::Result<()> {
    put_message(to, concat!("INSERT OR IGNORE INTO messages", message_values!()), row)
}

/// Writes a message with a statement that ends in [`message_values`].
pub(crate) fn put_message(
    to: &Transaction<'_>,
    sql: &str,
    row: &MessageRow,
) -> rusqlite::Result<()> {
    execute(
        to,
        sql,
        params![
            row.conversation.as_str(),
            signed(row.seq),
            row.message_id.as_bytes(),
            row.from.as_str(),
            row.client_msg_id.as_str(),
            signed(row.at.0),
            row.content.as_ref(),
            row.alert,
        ],
    )
}

fn recalled(to: &Transaction<'_>, conversation: &str, seq: Seq, by: &Uid) -> rusqlite::Result<()> {
    execute(
        to,
        "UPDATE messages SET content = ?4 WHERE conversation = ?1 AND seq = ?2 AND sender = ?3",
        params![conversation, signed(seq), by.as_str(), br#"{"type":"recalled"}"#.as_slice()],
    )
}

fn outgoing(to: &Transaction<'_>, row: &OutgoingRow) -> rusqlite::Result<()> {
    let (target_kind, target) = match &row.to {
        Target::User(uid) => ("user", uid.as_str()),
        Target::Group(group) => ("group", group.as_str()),
    };
    execute(
        to,
        "INSERT OR REPLACE INTO outgoing (client_msg_id, place, target_kind, target, content, push,
             expires_at, queued_at, is_failed, resumes, depends_on)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            row.client_msg_id.as_str(),
            signed(row.order),
            target_kind,
            target,
            row.content.as_ref(),
            row.push.as_ref().map(json).transpose()?,
            row.expires_at.map(|at| signed(at.0)),
            signed(row.queued_at.0),
            row.is_failed,
            row.resumes,
            json(&row.depends_on)?,
        ],
    )
}

pub(super) fn execute(
    to: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<()> {
    to.prepare_cached(sql)?.execute(values).map(|_| ())
}

pub(crate) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
