//! What changed for a user since a device last asked: one list, in the order of the user's counter.

use nightjar_model::{ContactView, ConversationId, Reject, Uid, WallMs, limits};

use crate::keys::{Key, Scan};
use crate::rows::{ProfileChangeRow, Row};
use crate::stop::Stop;
use crate::store::{Missing, Rows};
use crate::user::{Changes, User};

/// How far a device is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncPoint {
    /// It was told everything up to this version of the user's counter.
    pub version: u64,
    /// While it is still told everything there is: what was forgotten before it began is nothing to
    /// it.
    pub base: u64,
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Entries or the read marker of a conversation.
    Conversation(ConversationId),
    /// The conversation itself is new: the group, with the user's role, or the peer.
    Listed(ConversationId),
    /// A contact.
    Contact(ContactView),
    /// The name or the picture of somebody.
    Profile(Uid),
}

impl User {
    /// What changed above a point, ascending by version, at most `limit`; and whether more did.
    /// The rows of a token that covers it are among the changes.
    ///
    /// # Errors
    /// [`Reject::TooOld`] when something that changed above it is forgotten, or the point lies
    /// ahead of this user; [`Missing`].
    pub fn changed_since(
        &mut self,
        rows: &dyn Rows,
        point: SyncPoint,
        limit: usize,
        now: WallMs,
        changes: &mut Changes,
    ) -> Result<(Vec<(u64, Changed)>, bool), Stop> {
        let contacts = self.contact_rows_above(rows, point.version)?;
        let profiles = self.profile_changes(rows)?;
        let old = |at: WallMs| at.after(limits::CHANGES_KEPT_MS) < now;
        let (gone, contacts): (Vec<_>, Vec<_>) =
            contacts.into_iter().partition(|row| self.is_gone(row) && old(row.at));
        let (told, profiles): (Vec<_>, Vec<_>) =
            profiles.into_iter().partition(|row| row.version > 0 && old(row.at));
        let forgotten =
            gone.iter().map(|row| row.version).chain(told.iter().map(|row| row.version));
        let floor = forgotten.fold(self.row.contacts.floor, u64::max);
        if (point.version > 0 && point.version.max(point.base) < floor)
            || point.version > self.counter()
        {
            return Err(Reject::TooOld.into());
        }
        self.forget(&gone, changes);
        for row in &told {
            changes.delete(Key::ProfileChange(row.uid.clone(), row.other.clone()));
        }
        if self.row.contacts.floor != floor || !gone.is_empty() {
            self.row.contacts.floor = floor;
            self.write_reserved(changes);
        }
        let mut changed = self.changed_places(changes);
        changed.extend(self.told_now(profiles, now, changes));
        changed.extend(contacts.into_iter().map(|row| {
            let view = self.contact_view(&row.other, Some(&row));
            (row.version, Changed::Contact(view))
        }));
        self.reserve(changes);
        changed.retain(|(version, _)| *version > point.version);
        changed.sort_by_key(|(version, _)| *version);
        let more = changed.len() > limit;
        changed.truncate(limit);
        self.write_versions(&changed, changes);
        Ok((changed, more))
    }

    /// Everything up to here that is gone is forgotten.
    #[must_use]
    pub fn sync_floor(&self) -> u64 {
        self.row.contacts.floor
    }

    fn profile_changes(&self, rows: &dyn Rows) -> Result<Vec<ProfileChangeRow>, Missing> {
        let found = rows.scan(&Scan::ProfileChanges(self.row.uid.clone()))?.into_iter();
        Ok(found
            .filter_map(|row| match row {
                Row::ProfileChange(row) => Some(row),
                _ => None,
            })
            .collect())
    }

    /// All places with their versions; what was not listed as new gets its version now.
    fn changed_places(&mut self, changes: &mut Changes) -> Vec<(u64, Changed)> {
        for id in self.unlisted() {
            let version = self.bump();
            if let Some(row) = self.list_place(&id, version) {
                changes.put(Row::Place(row));
            }
        }
        self.places()
            .flat_map(|place| {
                let id = &place.row.conversation;
                [
                    (place.version(), Changed::Conversation(id.clone())),
                    (place.row.listed, Changed::Listed(id.clone())),
                ]
            })
            .collect()
    }

    fn told_now(
        &mut self,
        profiles: Vec<ProfileChangeRow>,
        now: WallMs,
        changes: &mut Changes,
    ) -> Vec<(u64, Changed)> {
        profiles
            .into_iter()
            .map(|mut row| {
                if row.version == 0 {
                    (row.version, row.at) = (self.bump(), now);
                    changes.put(Row::ProfileChange(row.clone()));
                }
                (row.version, Changed::Profile(row.other))
            })
            .collect()
    }
}
