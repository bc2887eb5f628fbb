//! What operators and users choose about pushes, and what changes at once when they do.

use std::collections::{BTreeMap, BTreeSet};

use nightjar_domain::{Key, Missing, Row, Scan, Stop, read};
use nightjar_model::{
    ConversationId, Mono, Notice, PushChoice, PushSettings, PushTemplate, Reject, Reply, Uid,
    WallMs, limits,
};

use crate::node::{Ctx, Node};

/// When mutes end by themselves: the next one of each user who was loaded.
#[derive(Debug, Default)]
pub(crate) struct MuteEnds {
    next: BTreeMap<Uid, Mono>,
    by_time: BTreeSet<(Mono, Uid)>,
}

impl MuteEnds {
    /// When the first one ends.
    pub(crate) fn at(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn set(&mut self, uid: &Uid, at: Option<Mono>) {
        let old = match at {
            Some(at) => self.next.insert(uid.clone(), at),
            None => self.next.remove(uid),
        };
        if let Some(old) = old {
            self.by_time.remove(&(old, uid.clone()));
        }
        if let Some(at) = at {
            self.by_time.insert((at, uid.clone()));
        }
    }

    fn take(&mut self, now: Mono) -> Option<Uid> {
        let (_, uid) = self.by_time.first().filter(|(at, _)| *at <= now).cloned()?;
        self.set(&uid, None);
        Some(uid)
    }
}

impl Node {
    pub(crate) fn push_settings(&mut self, ctx: Ctx<'_>, uid: &Uid) -> Result<Reply, Stop> {
        let user = self.with_user(ctx, uid)?;
        Ok(Reply::PushSettings(user.settings().clone()))
    }

    /// Replaces what a user chose: what is muted leaves the badge, and what is held is decided
    /// anew.
    pub(crate) fn put_push_settings(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        settings: PushSettings,
    ) -> Result<Reply, Stop> {
        self.with_user(ctx, uid)?;
        let user = self.users.get_mut(uid).expect("it was loaded above");
        let turned = user.choose(settings, ctx.now.wall, &mut self.changes);
        let places: Vec<ConversationId> =
            user.places().map(|place| place.row.conversation.clone()).collect();
        let devices: Vec<_> = user.devices.keys().cloned().collect();
        let reply = Reply::PushSettings(user.settings().clone());
        for id in &places {
            self.close_debts(ctx, uid, id);
        }
        for device_id in &devices {
            self.rearm(ctx, uid, device_id)?;
        }
        self.queue.release(uid);
        self.arm_mute_end(ctx, uid);
        self.tell_badge(uid, turned);
        Ok(reply)
    }

    /// Mutes that end by themselves change the badge of a user who is in memory; of everybody
    /// else it is as of the moment they are loaded.
    pub(crate) fn arm_mute_end(&mut self, ctx: Ctx<'_>, uid: &Uid) {
        let next = self.users.get(uid).and_then(|user| user.settings().next_mute_end(ctx.now.wall));
        let wait_ms = next.map(|WallMs(at)| at.saturating_sub(ctx.now.wall.0));
        self.mute_ends.set(uid, wait_ms.map(|ms| ctx.now.mono.after(ms)));
    }

    /// Ends mutes whose time is over.
    pub(crate) fn end_mutes(&mut self, ctx: Ctx<'_>) {
        while let Some(uid) = self.mute_ends.take(ctx.now.mono) {
            let Some(user) = self.users.get_mut(&uid) else { continue };
            let turned = user.mute(ctx.now.wall);
            self.arm_mute_end(ctx, &uid);
            self.tell_badge(&uid, turned);
        }
    }

    /// Tells the user's connections the badge, beside the read marker of a conversation that is
    /// muted now and was not, or the other way.
    fn tell_badge(&mut self, uid: &Uid, turned: Option<ConversationId>) {
        let (Some(user), Some(id)) = (self.users.get_mut(uid), turned) else { return };
        let (unread, bv) = user.badge(&mut self.changes);
        let seq = user.place(&id).map_or(0, |place| place.row.read);
        let links = user.devices.values().filter_map(|device| device.link.as_ref());
        let conns: Vec<_> = links.map(|link| link.conn).collect();
        for conn in conns {
            let conversation = id.clone();
            self.notice(conn, Notice::ReadMarker { conversation, seq, unread, bv });
        }
    }

    /// Replaces what an operator chose for all users.
    pub(crate) fn put_push_policy(&mut self, choice: PushChoice) -> Reply {
        self.changes.put(Row::PushPolicy(choice));
        self.changes.needs_power = true;
        self.policy = choice.over(&self.config.policy);
        Reply::PushPolicy(self.policy)
    }

    pub(crate) fn push_template(&mut self, ctx: Ctx<'_>, name: &str) -> Result<Reply, Stop> {
        let found = self.templates(ctx, name)?;
        if found.is_empty() {
            return Err(Reject::UnknownTemplate.into());
        }
        Ok(Reply::PushTemplates(found))
    }

    /// All languages of a template, the one without a language first.
    fn templates(&self, ctx: Ctx<'_>, name: &str) -> Result<Vec<PushTemplate>, Missing> {
        let rows = ctx.rows.scan(&Scan::PushTemplates)?.into_iter();
        let all = rows.filter_map(|row| match row {
            Row::PushTemplate(template) => Some(template),
            _ => None,
        });
        Ok(all.filter(|template| template.name == name).collect())
    }

    pub(crate) fn put_push_template(
        &mut self,
        ctx: Ctx<'_>,
        template: PushTemplate,
    ) -> Result<Reply, Stop> {
        let old = read::push_template(ctx.rows, &template.name, template.locale.as_deref())?;
        let count = ctx.rows.scan(&Scan::PushTemplates)?.len();
        if old.is_none() && count >= limits::TEMPLATES_MAX {
            return Err(Reject::LimitReached.into());
        }
        let reply = Reply::PushTemplates(vec![template.clone()]);
        self.changes.put(Row::PushTemplate(template));
        self.changes.needs_power = true;
        Ok(reply)
    }

    pub(crate) fn delete_push_template(
        &mut self,
        ctx: Ctx<'_>,
        name: &str,
        locale: Option<&str>,
    ) -> Result<Reply, Stop> {
        let mut gone = self.templates(ctx, name)?;
        gone.retain(|template| locale.is_none() || template.locale.as_deref() == locale);
        if gone.is_empty() {
            return Err(Reject::UnknownTemplate.into());
        }
        for PushTemplate { name, locale, .. } in gone {
            self.changes.delete(Key::PushTemplate(name, locale));
        }
        self.changes.needs_power = true;
        Ok(Reply::Done)
    }

    /// Whether a template of this name exists, in whatever language.
    pub(crate) fn has_template(&self, ctx: Ctx<'_>, name: &str) -> Result<bool, Missing> {
        Ok(read::push_template(ctx.rows, name, None)?.is_some()
            || !self.templates(ctx, name)?.is_empty())
    }
}
