//! Contacts, groups and profiles into the file and out of it.

use nightjar_client_core::Listed;
use nightjar_model::{
    ContactState, ContactView, GroupId, GroupView, ProfileView, Removed, Role, Uid,
};
use rusqlite::{Connection, Transaction, params};

use super::read::{Result, id, rows, unknown, unsigned};
use super::write::{execute, signed};

/// What `sync` listed, without what is gone. In the order of the ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    /// Contacts, requests and blocked users.
    pub contacts: Vec<ContactView>,
    /// Groups the user is a member of.
    pub groups: Vec<GroupView>,
    /// What people look like.
    pub profiles: Vec<ProfileView>,
}

/// Writes an item, unless a newer one is there.
pub(super) fn put(to: &Transaction<'_>, list: u32, item: &Listed) -> rusqlite::Result<()> {
    match item {
        Listed::Contact(it) => contact(to, &it.uid, (it.state, it.blocked), (list, it.ver)),
        Listed::Removed(Removed::Contact { uid, ver }) => {
            contact(to, uid, (ContactState::None, false), (list, *ver))
        }
        Listed::Group(it) => group(to, &it.group, (&it.name, Some(it.role)), (list, it.ver)),
        Listed::Removed(Removed::Group { group: id, ver }) => {
            group(to, id, ("", None), (list, *ver))
        }
        Listed::Profile(it) => execute(
            to,
            "INSERT INTO profiles (uid, name, avatar, list, ver) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (uid) DO UPDATE SET name = excluded.name, avatar = excluded.avatar,
                 list = excluded.list, ver = excluded.ver
                 WHERE (excluded.list, excluded.ver) >= (profiles.list, profiles.ver)",
            params![it.uid.as_str(), it.name, it.avatar, list, signed(it.ver)],
        ),
    }
}

fn contact(
    to: &Transaction<'_>,
    uid: &Uid,
    (state, blocked): (ContactState, bool),
    (list, ver): (u32, u64),
) -> rusqlite::Result<()> {
    execute(
        to,
        "INSERT INTO contacts (uid, state, blocked, list, ver) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (uid) DO UPDATE SET state = excluded.state, blocked = excluded.blocked,
             list = excluded.list, ver = excluded.ver
             WHERE (excluded.list, excluded.ver) >= (contacts.list, contacts.ver)",
        params![uid.as_str(), state.as_str(), blocked, list, signed(ver)],
    )
}

fn group(
    to: &Transaction<'_>,
    id: &GroupId,
    (name, role): (&str, Option<Role>),
    (list, ver): (u32, u64),
) -> rusqlite::Result<()> {
    execute(
        to,
        "INSERT INTO groups (id, name, role, list, ver) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role,
             list = excluded.list, ver = excluded.ver
             WHERE (excluded.list, excluded.ver) >= (groups.list, groups.ver)",
        params![id.as_str(), name, role.map(Role::as_str), list, signed(ver)],
    )
}

/// Everything of a lower list goes.
pub(super) fn sweep(to: &Transaction<'_>, list: u32) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM contacts WHERE list < ?1",
        "DELETE FROM groups WHERE list < ?1",
        "DELETE FROM profiles WHERE list < ?1",
    ] {
        execute(to, sql, params![list])?;
    }
    Ok(())
}

/// All of it.
pub(super) fn read(from: &Connection) -> Result<Lists> {
    Ok(Lists {
        contacts: rows(
            from,
            "SELECT uid, state, blocked, ver FROM contacts WHERE state <> 'none' OR blocked
                 ORDER BY uid",
            params![],
            |row| {
                let word: String = row.get(1)?;
                let state = ContactState::ALL.into_iter().find(|state| state.as_str() == word);
                Ok(ContactView {
                    uid: id(row, 0, Uid::parse)?,
                    state: state.ok_or_else(|| unknown(1, &word))?,
                    blocked: row.get(2)?,
                    ver: unsigned(row, 3)?,
                })
            },
        )?,
        groups: rows(
            from,
            "SELECT id, name, role, ver FROM groups WHERE role IS NOT NULL ORDER BY id",
            params![],
            |row| {
                let word: String = row.get(2)?;
                let role = [Role::Owner, Role::Member].into_iter().find(|it| it.as_str() == word);
                Ok(GroupView {
                    group: id(row, 0, GroupId::parse)?,
                    name: row.get(1)?,
                    role: role.ok_or_else(|| unknown(2, &word))?,
                    ver: unsigned(row, 3)?,
                })
            },
        )?,
        profiles: rows(
            from,
            "SELECT uid, name, avatar, ver FROM profiles ORDER BY uid",
            params![],
            |row| {
                Ok(ProfileView {
                    uid: id(row, 0, Uid::parse)?,
                    name: row.get(1)?,
                    avatar: row.get(2)?,
                    ver: unsigned(row, 3)?,
                })
            },
        )?,
    })
}
