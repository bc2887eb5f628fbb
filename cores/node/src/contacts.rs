//! Contacts and profiles: what one user's lane changes, and the notes by which the lanes of others
//! hear of it. A note is stored with the change that caused it and removed with the change it
//! causes: a crash between the two leaves it to be passed on.

use std::collections::{BTreeSet, VecDeque};

use nightjar_domain::{Key, Missing, NoteRow, ProfileChangeRow, Row, Rows, Scan, Stop, read};
use nightjar_model::{
    ConnId, ContactAction, ContactState, ContactView, ConversationId, Notice, ProfileView, Reject,
    Reply, Uid, UserView, WallMs, limits,
};

use crate::node::{Ctx, Node};

/// Notes passed on in one call: many take turns with everything else.
const NOTES_A_CALL_MAX: usize = 32;
/// Users one call lets know that somebody looks different.
const PROFILES_A_CALL_MAX: usize = 256;

/// Who is to tell whom; `None` is everybody who knows them.
type Way = (Uid, Option<Uid>);

/// Notes that are under way. What they say is in the store.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    waiting: VecDeque<Way>,
    /// Whose new profile is being told, and who is not told yet.
    telling: Option<(Uid, Vec<Uid>)>,
}

impl Notes {
    /// What an earlier process did not pass on.
    pub(crate) fn open(rows: &dyn Rows) -> Result<Self, Missing> {
        let found = rows.scan(&Scan::Notes)?.into_iter();
        let ways = found.filter_map(|row| match row {
            Row::Note(NoteRow { from, to }) => Some((from, to.map(|(uid, _)| uid))),
            _ => None,
        });
        Ok(Self { waiting: ways.collect(), telling: None })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Node {
    /// A user wants something of a contact. `conn` is the connection that asked.
    pub(crate) fn contact(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        other: &Uid,
        action: ContactAction,
        conn: Option<ConnId>,
    ) -> Result<Reply, Stop> {
        let have_talked = self.have_talked(ctx, uid, other)?;
        self.with_user(ctx, uid)?;
        let user = self.users.get_mut(uid).expect("it was loaded above");
        let came_to =
            user.want_contact(ctx.rows, other, action, ctx.now.wall, &mut self.changes)?;
        if came_to.tells {
            self.notes.waiting.push_back((uid.clone(), Some(other.clone())));
        }
        if came_to.changed {
            self.tell_of_contact(uid, &came_to.view, conn);
        }
        let is_stranger = came_to.view.state != ContactState::Accepted && !have_talked;
        if came_to.view.blocked || is_stranger {
            self.hide_from(uid, other);
        }
        if is_stranger {
            self.hide_from(other, uid);
        }
        Ok(Reply::Contact(came_to.view))
    }

    /// A user's contacts, as operators see them.
    pub(crate) fn contacts(&mut self, ctx: Ctx<'_>, uid: &Uid) -> Result<Reply, Stop> {
        Ok(Reply::Contacts(self.with_user(ctx, uid)?.contacts(ctx.rows)?))
    }

    /// Tells the user's connections, but not the one that knows.
    fn tell_of_contact(&mut self, uid: &Uid, view: &ContactView, knows: Option<ConnId>) {
        let devices = self.users.get(uid).into_iter().flat_map(|user| user.devices.values());
        let links = devices.filter_map(|device| device.link.as_ref().map(|link| link.conn));
        let conns: Vec<ConnId> = links.filter(|conn| Some(*conn) != knows).collect();
        for conn in conns {
            self.notice(conn, Notice::Contact(view.clone()));
        }
    }

    /// Passes notes on, a few at a time.
    ///
    /// # Errors
    /// [`Missing`].
    pub(crate) fn pass_notes(&mut self, ctx: Ctx<'_>) -> Result<(), Missing> {
        for _ in 0..NOTES_A_CALL_MAX {
            let Some((from, to)) = self.notes.waiting.front().cloned() else { return Ok(()) };
            match &to {
                Some(to) => self.pass_note(ctx, &from, to)?,
                None if !self.tell_profile(ctx, &from)? => return Ok(()),
                None => {}
            }
            self.notes.waiting.pop_front();
        }
        Ok(())
    }

    fn pass_note(&mut self, ctx: Ctx<'_>, from: &Uid, to: &Uid) -> Result<(), Missing> {
        let Some(said) = read::note(ctx.rows, from, to)? else { return Ok(()) };
        self.with_user(ctx, to)?;
        let user = self.users.get_mut(to).expect("it was loaded above");
        let came_to = user.hear_contact(ctx.rows, from, said, ctx.now.wall, &mut self.changes)?;
        if came_to.tells {
            self.notes.waiting.push_back((to.clone(), Some(from.clone())));
        }
        if came_to.changed {
            self.tell_of_contact(to, &came_to.view, None);
        }
        Ok(())
    }

    /// Creates a user, or changes what others see of them.
    pub(crate) fn put_user(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        name: Option<String>,
        avatar: Option<String>,
    ) -> Result<Reply, Stop> {
        let is_long = |text: &Option<String>, max| text.as_ref().is_some_and(|t| t.len() > max);
        if is_long(&name, limits::NAME_BYTES_MAX) || is_long(&avatar, limits::AVATAR_BYTES_MAX) {
            return Err(Reject::TooLarge.into());
        }
        self.with_user(ctx, uid)?;
        let user = self.users.get_mut(uid).expect("it was loaded above");
        let row = &mut user.row;
        let before = (row.name.clone(), row.avatar.clone());
        row.name = name.or_else(|| row.name.take());
        row.avatar = avatar.or_else(|| row.avatar.take());
        let is_new = before != (row.name.clone(), row.avatar.clone());
        row.profile_version += u64::from(is_new);
        let view =
            UserView { uid: uid.clone(), name: row.name.clone(), avatar: row.avatar.clone() };
        user.write_reserved(&mut self.changes);
        if is_new {
            self.changes.put(Row::Note(NoteRow { from: uid.clone(), to: None }));
            // Whoever was told of an earlier one is told again.
            self.notes.telling.take_if(|(telling, _)| telling == uid);
            self.notes.waiting.push_back((uid.clone(), None));
        }
        Ok(Reply::User(view))
    }

    /// Lets the next of those who know the user find a new profile in their sync. Their lanes are
    /// not loaded for it. Answers whether all were told.
    fn tell_profile(&mut self, ctx: Ctx<'_>, uid: &Uid) -> Result<bool, Missing> {
        let note = Key::Note(uid.clone(), None);
        if ctx.rows.load(&note)?.is_none() {
            return Ok(true);
        }
        let started = self.notes.telling.take_if(|(telling, _)| telling == uid);
        let mut left = match started {
            Some((_, left)) => left,
            None => self.who_knows(ctx, uid)?,
        };
        let rest = left.len().saturating_sub(PROFILES_A_CALL_MAX);
        for to in left.drain(rest..) {
            let (version, at) = (0, WallMs(0));
            let row = ProfileChangeRow { uid: to, other: uid.clone(), version, at };
            self.changes.put(Row::ProfileChange(row));
        }
        if left.is_empty() {
            self.changes.delete(note);
            return Ok(true);
        }
        self.notes.telling = Some((uid.clone(), left));
        Ok(false)
    }

    /// Who has the user as a contact or shares a direct conversation. Contacts are mutual, so the
    /// user's own lane knows.
    fn who_knows(&mut self, ctx: Ctx<'_>, uid: &Uid) -> Result<Vec<Uid>, Missing> {
        let user = self.with_user(ctx, uid)?;
        let contacts = user.contacts(ctx.rows)?.into_iter();
        let contacts = contacts.filter(|view| view.state != ContactState::None);
        let pairs = user.places().filter_map(|place| place.row.conversation.peers());
        let peers = pairs.map(|(low, high)| if low == *uid { high } else { low });
        let all: BTreeSet<Uid> = contacts.map(|view| view.uid).chain(peers).collect();
        Ok(all.into_iter().filter(|other| other != uid).collect())
    }

    /// What a user looks like to others; their lane is not loaded for it.
    pub(crate) fn profile(&self, ctx: Ctx<'_>, uid: &Uid) -> Result<ProfileView, Missing> {
        let stored = match self.users.get(uid) {
            Some(_) => None,
            None => read::user(ctx.rows, uid)?,
        };
        let row = self.users.get(uid).map(|user| &user.row).or(stored.as_ref());
        Ok(ProfileView {
            uid: uid.clone(),
            name: row.and_then(|row| row.name.clone()),
            avatar: row.and_then(|row| row.avatar.clone()),
            ver: row.map_or(0, |row| row.profile_version),
        })
    }

    /// Nobody writes to somebody who blocked them, where the two are alone.
    ///
    /// # Errors
    /// [`Reject::Blocked`].
    pub(crate) fn check_not_blocked(
        &mut self,
        ctx: Ctx<'_>,
        from: &Uid,
        id: &ConversationId,
    ) -> Result<(), Stop> {
        let Some((low, high)) = id.peers() else { return Ok(()) };
        let peer = if low == *from { high } else { low };
        match self.with_user(ctx, &peer)?.blocks(from) {
            true => Err(Reject::Blocked.into()),
            false => Ok(()),
        }
    }
}
