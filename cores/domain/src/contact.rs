//! What two people are to each other. Each side is a row of its own user's lane; what one side
//! says reaches the other as a note, and either side alone is right at every moment.

use std::collections::{BTreeSet, VecDeque};

use nightjar_model::{ContactAction, ContactState, ContactView, Reject, Uid, WallMs, limits};
use serde::{Deserialize, Serialize};

use crate::keys::{Key, Scan};
use crate::read;
use crate::rows::{ContactRow, NoteRow, Row};
use crate::stop::Stop;
use crate::store::{Missing, Rows};
use crate::user::{Changes, User};

/// What a user's lane knows of the contacts without reading them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactsHead {
    /// The user's counter at the last change of any of them.
    pub version: u64,
    /// Removed contacts and changed profiles up to this version are forgotten.
    pub floor: u64,
    /// Rows, those of removed contacts included.
    pub rows: u32,
    /// Rows of removed contacts.
    pub removed: u32,
    /// Requests of others that wait for an answer.
    pub asked: u32,
    /// Whom the user blocks.
    pub blocked: BTreeSet<Uid>,
}

/// Contacts that changed last, so that a device that is nearly up to date is told of them alone:
/// a user may have [`limits::CONTACTS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct RecentContacts {
    /// Every change above this version is in `changes`.
    from: u64,
    /// Version and whose it is, ascending.
    changes: VecDeque<(u64, Uid)>,
}

/// Changes that are kept at hand for each user.
const RECENT_MAX: usize = 64;

impl RecentContacts {
    /// Of a user who was just loaded: nothing is known of earlier changes.
    pub(crate) fn since(from: u64) -> Self {
        Self { from, changes: VecDeque::new() }
    }

    fn changed(&mut self, version: u64, other: &Uid) {
        self.changes.retain(|(_, uid)| uid != other);
        self.changes.push_back((version, other.clone()));
        if self.changes.len() > RECENT_MAX
            && let Some((version, _)) = self.changes.pop_front()
        {
            self.from = version;
        }
    }

    /// Who changed above a version; `None` where that is not known.
    fn above(&self, version: u64) -> Option<impl Iterator<Item = &Uid>> {
        let newer = self.changes.iter().filter(move |(at, _)| *at > version).map(|(_, uid)| uid);
        (version >= self.from).then_some(newer)
    }
}

/// What one side tells the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Said {
    /// Be my contact.
    Requested,
    /// You are mine, as you asked.
    Accepted,
    /// You are none of mine.
    Removed,
    /// The operator made us contacts.
    Joined,
}

impl Said {
    /// Everything that can be said.
    pub const ALL: [Self; 4] = [Self::Requested, Self::Accepted, Self::Removed, Self::Joined];
}

/// What a change of a contact came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contacted {
    /// The contact now.
    pub view: ContactView,
    /// Whether it is different from before.
    pub changed: bool,
    /// Whether a note to the other is to be passed on.
    pub tells: bool,
}

/// What becomes of a contact when its user wants something, and what the other is told. Whether
/// somebody is blocked is beside it.
fn wanted(
    state: ContactState,
    action: ContactAction,
) -> Result<(ContactState, Option<Said>), Reject> {
    use ContactAction as A;
    use ContactState as S;
    Ok(match (state, action) {
        // Asking again reaches somebody who did not hear it the first time.
        (S::None | S::Requested, A::Request) => (S::Requested, Some(Said::Requested)),
        (S::Asked, A::Request | A::Accept) => (S::Accepted, Some(Said::Accepted)),
        (S::Accepted, A::Request | A::Accept) => (S::Accepted, None),
        (S::None | S::Requested, A::Accept) => return Err(Reject::NotAsked),
        (S::None, A::Remove) => (S::None, None),
        (_, A::Remove) => (S::None, Some(Said::Removed)),
        (_, A::Join) => (S::Accepted, Some(Said::Joined)),
        (state, A::Block | A::Unblock) => (state, None),
    })
}

/// What becomes of a contact when the other says something, and what they are then to be told.
///
/// `untold` is what they were to be told and did not hear yet: what they say now was said without
/// it. A note is its teller's last word, so whoever takes one knows both sides.
fn heard(state: ContactState, untold: Option<Said>, said: Said) -> (ContactState, Option<Said>) {
    use ContactState as S;
    match (state, said) {
        (S::None | S::Asked, Said::Requested) => (S::Asked, None),
        (S::Requested | S::Accepted, Said::Requested) => (S::Accepted, Some(Said::Accepted)),
        // They agreed to what was taken back meanwhile.
        (S::None, Said::Accepted) => (S::None, Some(Said::Removed)),
        (_, Said::Accepted | Said::Joined) => (S::Accepted, None),
        (S::Requested, Said::Removed) if untold == Some(Said::Requested) => (state, untold),
        (S::Accepted, Said::Removed) if untold == Some(Said::Joined) => (state, untold),
        (_, Said::Removed) => (S::None, None),
    }
}

impl User {
    /// Whether the user wants nothing from the other.
    #[must_use]
    pub fn blocks(&self, other: &Uid) -> bool {
        self.row.contacts.blocked.contains(other)
    }

    /// The user wants something of a contact.
    ///
    /// # Errors
    /// [`Reject::Oneself`], [`Reject::NotAsked`], [`Reject::LimitReached`];
    /// [`Missing`].
    pub fn want_contact(
        &mut self,
        rows: &dyn Rows,
        other: &Uid,
        action: ContactAction,
        now: WallMs,
        changes: &mut Changes,
    ) -> Result<Contacted, Stop> {
        if *other == self.row.uid {
            return Err(Reject::Oneself.into());
        }
        let old = read::contact(rows, &self.row.uid, other)?;
        let (state, says) = wanted(state_of(old.as_ref()), action)?;
        let blocked = match action {
            ContactAction::Block => true,
            ContactAction::Unblock => false,
            _ => self.blocks(other),
        };
        let (view, changed) = self.set_contact(rows, other, old, (state, blocked), now, changes)?;
        if says.is_some() {
            self.tell(other, says, changes);
            changes.needs_power = true;
        }
        Ok(Contacted { view, changed, tells: says.is_some() })
    }

    /// The other said something: takes their note. A request goes nowhere when its sender is
    /// blocked or too many wait; nobody is told.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn hear_contact(
        &mut self,
        rows: &dyn Rows,
        other: &Uid,
        said: Said,
        now: WallMs,
        changes: &mut Changes,
    ) -> Result<Contacted, Missing> {
        let old = read::contact(rows, &self.row.uid, other)?;
        let untold = read::note(rows, &self.row.uid, other)?;
        let (was, blocked) = (state_of(old.as_ref()), self.blocks(other));
        let (state, mut tell) = heard(was, untold, said);
        let asks = state == ContactState::Asked && was != state;
        let is_full = self.row.contacts.asked >= limits::CONTACTS_ASKED_MAX;
        let goes_nowhere = (said == Said::Requested && blocked) || (asks && is_full);
        let mut came_to = (self.contact_view(other, old.as_ref()), false);
        if goes_nowhere {
            tell = untold;
        } else {
            match self.set_contact(rows, other, old, (state, blocked), now, changes) {
                Ok(result) => came_to = result,
                Err(Stop::Missing(missing)) => return Err(missing),
                // No room: nobody must believe in a contact that only they have.
                Err(Stop::Reject(_)) => {
                    tell = (state == ContactState::Accepted).then_some(Said::Removed);
                }
            }
        }
        changes.delete(Key::Note(other.clone(), Some(self.row.uid.clone())));
        if tell != untold {
            self.tell(other, tell, changes);
        }
        Ok(Contacted { view: came_to.0, changed: came_to.1, tells: tell.is_some() })
    }

    /// What the other is to be told, in place of what they were.
    fn tell(&self, other: &Uid, said: Option<Said>, changes: &mut Changes) {
        let from = self.row.uid.clone();
        match said {
            Some(said) => changes.put(Row::Note(NoteRow { from, to: Some((other.clone(), said)) })),
            None => changes.delete(Key::Note(from, Some(other.clone()))),
        }
    }

    /// Contacts and blocked users, in the order of the uids.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn contacts(&self, rows: &dyn Rows) -> Result<Vec<ContactView>, Missing> {
        let found = self.contact_rows(rows)?.into_iter();
        let views = found.filter(|row| !self.is_gone(row));
        Ok(views.map(|row| self.contact_view(&row.other, Some(&row))).collect())
    }

    pub(crate) fn contact_rows(&self, rows: &dyn Rows) -> Result<Vec<ContactRow>, Missing> {
        let found = rows.scan(&Scan::Contacts(self.row.uid.clone()))?.into_iter();
        Ok(found
            .filter_map(|row| match row {
                Row::Contact(row) => Some(row),
                _ => None,
            })
            .collect())
    }

    /// The rows that changed above a version. Where not all of those are at hand, every row there
    /// is.
    pub(crate) fn contact_rows_above(
        &self,
        rows: &dyn Rows,
        version: u64,
    ) -> Result<Vec<ContactRow>, Missing> {
        if version >= self.row.contacts.version {
            return Ok(Vec::new());
        }
        let Some(newer) = self.recent_contacts.above(version) else {
            return self.contact_rows(rows);
        };
        let found = newer.map(|other| read::contact(rows, &self.row.uid, other));
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Whether the row says no more than that there was a contact.
    pub(crate) fn is_gone(&self, row: &ContactRow) -> bool {
        row.state == ContactState::None && !self.blocks(&row.other)
    }

    /// The contact of a row.
    #[must_use]
    pub fn contact_view(&self, other: &Uid, row: Option<&ContactRow>) -> ContactView {
        ContactView {
            uid: other.clone(),
            state: state_of(row),
            blocked: self.blocks(other),
            ver: row.map_or(0, |row| row.version),
        }
    }

    /// Makes the contact be so; answers whether that is news.
    fn set_contact(
        &mut self,
        rows: &dyn Rows,
        other: &Uid,
        old: Option<ContactRow>,
        (state, blocked): (ContactState, bool),
        now: WallMs,
        changes: &mut Changes,
    ) -> Result<(ContactView, bool), Stop> {
        let was_blocked = self.blocks(other);
        if state_of(old.as_ref()) == state && was_blocked == blocked {
            return Ok((self.contact_view(other, old.as_ref()), false));
        }
        if blocked && !was_blocked && self.row.contacts.blocked.len() >= limits::BLOCKED_MAX {
            return Err(Reject::LimitReached.into());
        }
        if old.is_none() && self.row.contacts.rows >= limits::CONTACTS_MAX {
            self.forget_removed(rows, changes)?;
        }
        if let Some(old) = &old {
            self.count(old, false);
        }
        let head = &mut self.row.contacts;
        if blocked {
            head.blocked.insert(other.clone());
        } else {
            head.blocked.remove(other);
        }
        let version = self.bump();
        let uid = self.row.uid.clone();
        let row = ContactRow { uid, other: other.clone(), state, version, at: now };
        self.count(&row, true);
        self.row.contacts.version = version;
        self.recent_contacts.changed(version, other);
        self.write_reserved(changes);
        let view = self.contact_view(other, Some(&row));
        changes.put(Row::Contact(row));
        Ok((view, true))
    }

    /// Takes a row into the counts, or out of them.
    fn count(&mut self, row: &ContactRow, is_in: bool) {
        let is_gone = self.is_gone(row);
        let head = &mut self.row.contacts;
        let counts = [
            (&mut head.rows, true),
            (&mut head.removed, is_gone),
            (&mut head.asked, row.state == ContactState::Asked),
        ];
        for (count, applies) in counts {
            let by = u32::from(applies);
            *count = if is_in { count.saturating_add(by) } else { count.saturating_sub(by) };
        }
    }

    /// Makes room: the older half of the removed contacts is forgotten. Devices that were not told
    /// of them begin anew.
    fn forget_removed(&mut self, rows: &dyn Rows, changes: &mut Changes) -> Result<(), Stop> {
        if self.row.contacts.removed == 0 {
            return Err(Reject::LimitReached.into());
        }
        let mut gone = self.contact_rows(rows)?;
        gone.retain(|row| self.is_gone(row));
        gone.sort_by_key(|row| row.version);
        gone.truncate(gone.len().div_ceil(2));
        self.forget(&gone, changes);
        Ok(())
    }

    /// Removes rows of removed contacts.
    pub(crate) fn forget(&mut self, gone: &[ContactRow], changes: &mut Changes) {
        for row in gone {
            self.count(row, false);
            self.row.contacts.floor = self.row.contacts.floor.max(row.version);
            changes.delete(Key::Contact(row.uid.clone(), row.other.clone()));
        }
    }
}

fn state_of(row: Option<&ContactRow>) -> ContactState {
    row.map_or(ContactState::None, |row| row.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(said: Option<Said>) -> String {
        said.map_or("-".into(), |said| format!("{said:?}"))
    }

    #[test]
    fn what_a_user_wants_table() {
        let mut table = String::new();
        for state in ContactState::ALL {
            for action in ContactAction::ALL {
                let end = match wanted(state, action) {
                    Ok((next, says)) => format!("{next:?}, says {}", words(says)),
                    Err(reject) => format!("refused: {}", reject.name()),
                };
                table.push_str(&format!("{state:?} + {action:?} = {end}\n"));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn what_a_user_hears_table() {
        let mut table = String::new();
        let sides: BTreeSet<_> =
            reachable().iter().map(|pair| (pair.states[0], pair.notes[0])).collect();
        for (state, untold) in sides {
            for said in Said::ALL {
                let (next, says) = heard(state, untold, said);
                let from = format!("{state:?}, untold {}", words(untold));
                table.push_str(&format!("{from} + {said:?} = {next:?}, says {}\n", words(says)));
            }
        }
        insta::assert_snapshot!(table);
    }

    /// Two sides and what each still has to tell the other; a note takes the place of an earlier
    /// one, as its row does.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    struct Pair {
        states: [ContactState; 2],
        notes: [Option<Said>; 2],
    }

    fn is_agreed(states: [ContactState; 2]) -> bool {
        use ContactState as S;
        matches!(
            states,
            [S::None, S::None]
                | [S::Requested, S::Asked]
                | [S::Asked, S::Requested]
                | [S::Accepted, S::Accepted]
        )
    }

    /// Everything both can come to, whatever they want and however notes cross.
    fn reachable() -> BTreeSet<Pair> {
        let start = Pair { states: [ContactState::None; 2], notes: [None; 2] };
        let (mut all, mut open) = (BTreeSet::from([start]), vec![start]);
        while let Some(pair) = open.pop() {
            let mut next = Vec::new();
            for side in [0, 1] {
                for action in ContactAction::ALL {
                    let Ok((state, says)) = wanted(pair.states[side], action) else { continue };
                    let mut pair = pair;
                    pair.states[side] = state;
                    pair.notes[side] = says.or(pair.notes[side]);
                    next.push(pair);
                }
                next.extend(taken(pair, side));
            }
            open.extend(next.into_iter().filter(|pair| all.insert(*pair)));
        }
        all
    }

    /// The other side takes the note of `side`.
    fn taken(mut pair: Pair, side: usize) -> Option<Pair> {
        let said = pair.notes[side].take()?;
        let (state, says) = heard(pair.states[1 - side], pair.notes[1 - side], said);
        (pair.states[1 - side], pair.notes[1 - side]) = (state, says);
        Some(pair)
    }

    #[test]
    fn both_sides_agree_once_everything_was_told() {
        let all = reachable();
        let told = all.iter().filter(|pair| pair.notes == [None; 2]);
        let wrong: Vec<_> = told.filter(|pair| !is_agreed(pair.states)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn telling_comes_to_an_end() {
        for pair in reachable() {
            let mut open = vec![(pair, 0)];
            while let Some((pair, steps)) = open.pop() {
                assert!(steps <= 6, "{pair:?}");
                open.extend(
                    [0, 1].into_iter().filter_map(|side| Some((taken(pair, side)?, steps + 1))),
                );
            }
        }
    }
}
