//! Passwords, as the keys that are kept of them.

use nightjar_domain::{PasswordRow, Row, Stop, read};
use nightjar_model::{PasswordKeys, Reject, Reply, ScramKeys, Uid, limits};

use crate::node::{Ctx, Node};

impl Node {
    /// Replaces what is kept of a password; makes the user if there is none yet.
    pub(crate) fn put_password(
        &mut self,
        ctx: Ctx<'_>,
        uid: Uid,
        keys: PasswordKeys,
    ) -> Result<Reply, Stop> {
        let has_keys = keys.sha1.is_some() || keys.sha256.is_some();
        if !has_keys || ![&keys.sha1, &keys.sha256].into_iter().flatten().all(is_sound) {
            return Err(Reject::BadRequest.into());
        }
        self.put_user(ctx, &uid, None, None)?;
        self.changes.put(Row::Password(PasswordRow { uid, keys }));
        Ok(Reply::Done)
    }
}

/// What is kept of a user's password.
pub(crate) fn password(ctx: Ctx<'_>, uid: &Uid) -> Result<Reply, Stop> {
    let row = read::password(ctx.rows, uid)?;
    Ok(Reply::Password(row.map(|row| Box::new(row.keys))))
}

/// Whether a client could log in with them.
fn is_sound(keys: &ScramKeys) -> bool {
    (limits::SALT_BYTES_MIN..=limits::SALT_BYTES_MAX).contains(&keys.salt.len())
        && (limits::ITERATIONS_MIN..=limits::ITERATIONS_MAX).contains(&keys.iterations)
}
