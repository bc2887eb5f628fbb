//! Presence: what other users see of a user. Lives in memory: a restart forgets who looked, and
//! clients look again after their hello.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_domain::{Missing, Stop, User, read};
use nightjar_model::{
    ConnId, ContactState, ConversationId, Mono, Notice, PresenceCommand, PresenceStatus,
    PresenceView, Reject, Reply, Uid, limits,
};

use crate::device::Me;
use crate::node::{Ctx, Node};

/// Changes are told so far apart: a phone that comes and goes is no storm.
const ROUND_MS: u64 = 2_000;
/// Users looked at in one call: more take turns with everything else.
const USERS_A_CALL_MAX: usize = 32;
/// Connections that are told of one user; presence is for the people somebody talks to.
const WATCHERS_MAX: usize = 1_000;

/// Who looks at whom, and what they were told.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    watched: BTreeMap<Uid, Watched>,
    watching: BTreeMap<ConnId, BTreeSet<Uid>>,
    /// What people say of themselves, while one of their devices is connected.
    statuses: BTreeMap<Uid, PresenceStatus>,
    /// Users that may look different now.
    changed: BTreeSet<Uid>,
    round_at: Mono,
}

#[derive(Debug)]
struct Watched {
    by: BTreeSet<ConnId>,
    told: PresenceView,
}

impl Presence {
    /// The user's devices changed. Costs nothing unless somebody looks.
    pub(crate) fn touch(&mut self, uid: &Uid) {
        if self.watched.contains_key(uid) {
            self.changed.insert(uid.clone());
        }
    }

    /// When changes are to be told.
    pub(crate) fn wait_until(&self) -> Option<Mono> {
        (!self.changed.is_empty()).then_some(self.round_at)
    }

    /// The connection is gone, and what it looked at with it.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        for uid in self.watching.remove(&conn).into_iter().flatten() {
            self.unwatch(conn, &uid);
        }
    }

    fn unwatch(&mut self, conn: ConnId, uid: &Uid) {
        let Some(watched) = self.watched.get_mut(uid) else { return };
        watched.by.remove(&conn);
        if watched.by.is_empty() {
            self.watched.remove(uid);
            self.changed.remove(uid);
        }
    }

    /// The connection is told of the user from now on. Answers what all who look know: what is
    /// different by now follows in the next round, for this one as for the others.
    fn watch(&mut self, conn: ConnId, view: PresenceView) -> Result<PresenceView, Reject> {
        let watching = self.watching.entry(conn).or_default();
        if !watching.contains(&view.uid) && watching.len() >= limits::PRESENCE_MAX {
            return Err(Reject::LimitReached);
        }
        let Some(watched) = self.watched.get_mut(&view.uid) else {
            watching.insert(view.uid.clone());
            let watched = Watched { by: BTreeSet::from([conn]), told: view.clone() };
            self.watched.insert(view.uid.clone(), watched);
            return Ok(view);
        };
        if watched.by.len() < WATCHERS_MAX {
            watched.by.insert(conn);
            watching.insert(view.uid);
        }
        Ok(watched.told.clone())
    }

    fn view(&self, uid: &Uid, user: &User) -> PresenceView {
        let online = user.devices.values().any(|device| device.is_live());
        // A device that was only bound by the back end was never seen.
        let were_here = user.devices.values().filter(|device| device.row.platform.is_some());
        let last = were_here.map(|device| device.state_since).max();
        PresenceView {
            uid: uid.clone(),
            online,
            last_seen: last.filter(|_| !online),
            status: self.statuses.get(uid).filter(|_| online).cloned(),
        }
    }
}

impl Node {
    /// Looks at users, no longer looks at users, says something of oneself. Answers those of
    /// `subscribe` whom the asker may see: contacts, and people they have a direct conversation
    /// with, who did not block them.
    ///
    /// # Errors
    /// [`Reject::LimitReached`] above [`limits::PRESENCE_MAX`] users on one connection.
    pub(crate) fn presence(
        &mut self,
        ctx: Ctx<'_>,
        me: &Me,
        command: &PresenceCommand,
    ) -> Result<Reply, Stop> {
        // Rows first: what is missing must change nothing.
        let mut seen = Vec::new();
        for uid in &command.subscribe {
            let is_known = self.have_talked(ctx, &me.uid, uid)?
                || read::contact(ctx.rows, &me.uid, uid)?
                    .is_some_and(|row| row.state == ContactState::Accepted);
            if is_known && !self.with_user(ctx, uid)?.blocks(&me.uid) {
                seen.push(uid);
            }
        }
        for uid in &command.unsubscribe {
            self.presence.unwatch(me.conn, uid);
            if let Some(watching) = self.presence.watching.get_mut(&me.conn) {
                watching.remove(uid);
            }
        }
        if let Some(status) = &command.set {
            self.presence.statuses.insert(me.uid.clone(), status.clone());
            self.presence.touch(&me.uid);
        }
        let mut views = Vec::with_capacity(seen.len());
        for uid in seen {
            let view = self.presence.view(uid, &self.users[uid]);
            views.push(self.presence.watch(me.conn, view)?);
        }
        Ok(Reply::Presence(views))
    }

    /// Whether two people have a direct conversation.
    pub(crate) fn have_talked(
        &self,
        ctx: Ctx<'_>,
        one: &Uid,
        other: &Uid,
    ) -> Result<bool, Missing> {
        let id = ConversationId::direct(one, other);
        Ok(read::conversation(ctx.rows, &id)?.is_some_and(|row| row.head > 0))
    }

    /// `other` no longer looks at the user: who is blocked last sees them go.
    pub(crate) fn hide_from(&mut self, uid: &Uid, other: &Uid) {
        let devices = self.users.get(other).into_iter().flat_map(|user| user.devices.values());
        let conns: Vec<ConnId> =
            devices.filter_map(|device| device.link.as_ref().map(|link| link.conn)).collect();
        for conn in conns {
            let watching = self.presence.watching.get_mut(&conn);
            if !watching.is_some_and(|watching| watching.remove(uid)) {
                continue;
            }
            self.presence.unwatch(conn, uid);
            let uid = uid.clone();
            let gone = PresenceView { uid, online: false, last_seen: None, status: None };
            self.notice(conn, Notice::Presence(gone));
        }
    }

    /// A connection that is over: nobody acts on it or looks through it any more.
    pub(crate) fn forget_conn(&mut self, conn: ConnId) {
        self.presence.forget(conn);
        let Some((uid, _)) = self.conns.remove(&conn) else { return };
        self.presence.touch(&uid);
        let is_other = |link: &nightjar_domain::Link| link.conn != conn;
        let user = self.users.get(&uid);
        let mut devices = user.iter().flat_map(|user| user.devices.values());
        if !devices.any(|device| device.link.as_ref().is_some_and(is_other)) {
            self.presence.statuses.remove(&uid);
        }
    }

    /// Tells who looks what is different from what they were told.
    ///
    /// # Errors
    /// [`Missing`]: who went may be out of memory by now.
    pub(crate) fn tell_presence(&mut self, ctx: Ctx<'_>) -> Result<(), Missing> {
        if self.presence.wait_until().is_none_or(|at| at > ctx.now.mono) {
            return Ok(());
        }
        for _ in 0..USERS_A_CALL_MAX {
            let Some(uid) = self.presence.changed.first().cloned() else {
                self.presence.round_at = ctx.now.mono.after(ROUND_MS);
                return Ok(());
            };
            self.with_user(ctx, &uid)?;
            self.presence.changed.remove(&uid);
            let view = self.presence.view(&uid, &self.users[&uid]);
            let Some(watched) = self.presence.watched.get_mut(&uid) else { continue };
            if watched.told == view {
                continue;
            }
            watched.told = view.clone();
            for conn in watched.by.clone() {
                self.notice(conn, Notice::Presence(view.clone()));
            }
        }
        Ok(())
    }
}
