//! Typed reading: each function names the row it wants and gets that row's type.

use std::sync::Arc;

use nightjar_model::{
    ClientMsgId, ConversationId, Entry, MessageId, PushChoice, PushTemplate, Seq, Uid,
};

use crate::contact::Said;
use crate::keys::{Key, Scan};
use crate::rows::{
    ContactRow, ConversationRow, MessageRow, NoteRow, PasswordRow, PushSettingsRow, Row, SentRow,
    TokenRow, UserRow,
};
use crate::store::{Missing, Rows};

macro_rules! one {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $variant:ident($row:ty), $key:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Missing`] when the row is not at hand.
        pub fn $name(rows: &dyn Rows, $($arg: $type),*) -> Result<Option<$row>, Missing> {
            Ok(rows.load(&$key)?.and_then(|row| match row {
                Row::$variant(row) => Some(row),
                _ => None,
            }))
        }
    };
}

one!(
    /// A conversation's head.
    conversation(id: &ConversationId) -> Conversation(ConversationRow), Key::Conversation(id.clone())
);
one!(
    /// The answer a resend gets.
    sent(uid: &Uid, key: &ClientMsgId) -> Sent(SentRow), Key::Sent(uid.clone(), key.clone())
);
one!(
    /// Where a message id leads.
    message(id: MessageId) -> Message(MessageRow), Key::Message(id)
);
one!(
    /// A user.
    user(uid: &Uid) -> User(UserRow), Key::User(uid.clone())
);
one!(
    /// What is kept of a user's password.
    password(uid: &Uid) -> Password(PasswordRow), Key::Password(uid.clone())
);
one!(
    /// What another user is to a user.
    contact(uid: &Uid, other: &Uid) -> Contact(ContactRow), Key::Contact(uid.clone(), other.clone())
);
one!(
    /// What a user chose about pushes.
    push_settings(uid: &Uid) -> PushSettings(PushSettingsRow), Key::PushSettings(uid.clone())
);
one!(
    /// The default of all users, as an operator chose it at run time.
    push_policy() -> PushPolicy(PushChoice), Key::PushPolicy
);
one!(
    /// A push template in one language.
    push_template(name: &str, locale: Option<&str>) -> PushTemplate(PushTemplate),
    Key::PushTemplate(name.to_owned(), locale.map(str::to_owned))
);
one!(
    /// Whose a push token is.
    token(provider: &str, credential: &str, token: &nightjar_model::Secret<String>) -> Token(TokenRow),
    Key::Token(provider.to_owned(), credential.to_owned(), token.clone())
);

/// How often a user edited a message or reacted to it.
///
/// # Errors
/// [`Missing`] when the row is not at hand.
pub fn amended(rows: &dyn Rows, id: &ConversationId, seq: Seq, by: &Uid) -> Result<u32, Missing> {
    Ok(match rows.load(&Key::Amended(id.clone(), seq, by.clone()))? {
        Some(Row::Amended(row)) => row.count,
        _ => 0,
    })
}

/// What a user's lane still has to tell another of their contact.
///
/// # Errors
/// [`Missing`] when the row is not at hand.
pub fn note(rows: &dyn Rows, from: &Uid, to: &Uid) -> Result<Option<Said>, Missing> {
    let key = Key::Note(from.clone(), Some(to.clone()));
    Ok(rows.load(&key)?.and_then(|row| match row {
        Row::Note(NoteRow { to: Some((_, said)), .. }) => Some(said),
        _ => None,
    }))
}

/// One entry of a log.
///
/// # Errors
/// [`Missing`] when the row is not at hand.
pub fn entry(
    rows: &dyn Rows,
    id: &ConversationId,
    seq: Seq,
) -> Result<Option<Arc<Entry>>, Missing> {
    Ok(rows.load(&Key::Entry(id.clone(), seq))?.and_then(|row| match row {
        Row::Entry(entry) => Some(Arc::new(entry)),
        _ => None,
    }))
}

/// Entries of a log with `after < seq < before`, ascending; the newest when `newest`.
///
/// # Errors
/// [`Missing`] when the rows are not at hand.
pub fn entries(
    rows: &dyn Rows,
    id: &ConversationId,
    after: Seq,
    before: Seq,
    limit: usize,
    newest: bool,
) -> Result<Vec<Arc<Entry>>, Missing> {
    let scan = Scan::Entries { conversation: id.clone(), after, before, limit, newest };
    let found = rows.scan(&scan)?;
    Ok(found
        .into_iter()
        .filter_map(|row| match row {
            Row::Entry(entry) => Some(Arc::new(entry)),
            _ => None,
        })
        .collect())
}

/// How many countable entries a user wrote up to a place.
///
/// # Errors
/// [`Missing`] when the rows are not at hand.
pub fn own_ordinal(
    rows: &dyn Rows,
    id: &ConversationId,
    uid: &Uid,
    upto: Seq,
) -> Result<u64, Missing> {
    let found = rows.scan(&Scan::LastOwn(id.clone(), uid.clone(), upto))?;
    Ok(found.first().map_or(0, |row| match row {
        Row::Own(own) => own.own_ordinal,
        _ => 0,
    }))
}

/// Messages of others that were taken back above a place, up to and with `head`.
///
/// # Errors
/// [`Missing`] when the rows are not at hand.
pub fn recalled_of_others(
    rows: &dyn Rows,
    id: &ConversationId,
    reader: &Uid,
    above: Seq,
    head: Seq,
) -> Result<u64, Missing> {
    let found = rows.scan(&Scan::RecalledAbove(id.clone(), above))?;
    let others = found.iter().filter(|row| match row {
        Row::Recalled(recalled) => recalled.from != *reader && recalled.seq <= head,
        _ => false,
    });
    Ok(others.count() as u64)
}
