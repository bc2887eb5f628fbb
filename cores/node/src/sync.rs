//! Incremental sync: what changed for a user since a token.

use std::collections::BTreeMap;
use std::sync::Arc;

use nightjar_domain::{Changed, Missing, Stop, SyncPoint, read};
use nightjar_model::{
    ContactState, ConversationId, ConversationSummary, GroupView, ProfileView, Reject, Removed,
    Reply, Role, SyncReply, Uid, WallMs, limits,
};

use crate::node::{Ctx, Node};

/// The token's form: when this life of the store began for the user, the version, and the base of
/// a list of everything. Opaque to clients.
const TOKEN_PREFIX: &str = "v2.";
/// Bytes of one page without the newest messages, so that it fits a packet in either form.
const PAGE_BYTES_MAX: usize = limits::PACKET_BYTES_MAX / 2;
/// An item in either form, without its texts.
const ITEM_FRAME_BYTES: usize = 192;
/// What a byte of a text may become in JSON: a control character is written as six.
const ESCAPED: usize = 6;
/// Unread entries looked through for mentions.
const MENTIONS_LOOKED_MAX: usize = 256;

/// A page while it fills.
#[derive(Default)]
struct Page {
    reply: SyncReply,
    profiles: BTreeMap<Uid, ProfileView>,
    bytes: usize,
}

impl Page {
    fn takes(&mut self, texts: &[&str]) {
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        self.bytes += ITEM_FRAME_BYTES + ESCAPED * texts;
    }

    fn profile(&mut self, view: ProfileView) {
        // Of somebody who never had a name or a picture there is nothing to tell.
        if view.ver > 0 && !self.profiles.contains_key(&view.uid) {
            let texts =
                [view.name.as_deref(), view.avatar.as_deref()].map(Option::unwrap_or_default);
            self.takes(&[view.uid.as_str(), texts[0], texts[1]]);
            self.profiles.insert(view.uid.clone(), view);
        }
    }
}

impl Node {
    /// What changed for the user since a token, in the order of their counter.
    ///
    /// # Errors
    /// [`Reject::BadRequest`] for a token that is none, [`Reject::TooOld`] for one of another life
    /// of the store or older than what is kept.
    pub(crate) fn sync(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        since: Option<&str>,
        limit: usize,
    ) -> Result<Reply, Stop> {
        let since = since.filter(|token| !token.is_empty()).map(token).transpose()?;
        self.with_user(ctx, uid)?;
        let user = self.users.get_mut(uid).expect("it was loaded above");
        if since.is_some_and(|(born, _)| born != user.row.tokens_born) {
            return Err(Reject::TooOld.into());
        }
        let point = since.map_or_else(SyncPoint::default, |(_, point)| point);
        let limit = limit.clamp(1, limits::SYNC_PAGE_MAX);
        let wall = ctx.now.wall;
        let (changed, more) =
            user.changed_since(ctx.rows, point, limit, wall, &mut self.changes)?;
        if user.row.tokens_born == WallMs(0) {
            user.row.tokens_born = wall;
            user.write_reserved(&mut self.changes);
        }
        let (born, floor) = (user.row.tokens_born, user.sync_floor());
        let (mut page, mut next) = (Page::default(), point.version);
        let count = changed.len();
        let mut given = 0;
        for (version, changed) in changed {
            if given > 0 && page.bytes > PAGE_BYTES_MAX {
                break;
            }
            self.add_changed(ctx, uid, (version, changed), point.version == 0, &mut page)?;
            (next, given) = (version, given + 1);
        }
        let Page { mut reply, profiles, .. } = page;
        reply.conversations.reverse();
        reply.profiles = profiles.into_values().collect();
        reply.more = more || given < count;
        let base = match (reply.more, point.version) {
            (true, 0) => floor,
            (true, _) => point.base,
            (false, _) => 0,
        };
        // Whoever has everything has also what is forgotten.
        next = if reply.more { next } else { next.max(floor) };
        reply.next = format!("{TOKEN_PREFIX}{}.{next}.{base}", born.0);
        Ok(Reply::Sync(Box::new(reply)))
    }

    /// Adds one change to a page. What is gone is nothing to a device that `knows_nothing`.
    fn add_changed(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        (ver, changed): (u64, Changed),
        knows_nothing: bool,
        page: &mut Page,
    ) -> Result<(), Missing> {
        match changed {
            Changed::Conversation(id) => {
                let Some(summary) = self.summary(ctx, uid, &id)? else { return Ok(()) };
                page.takes(&[id.as_str(), summary.name.as_deref().unwrap_or_default()]);
                page.reply.conversations.push(summary);
            }
            Changed::Contact(view) => {
                page.takes(&[view.uid.as_str()]);
                if view.state != ContactState::None || view.blocked {
                    page.profile(self.profile(ctx, &view.uid)?);
                    page.reply.contacts.push(view);
                } else if !knows_nothing {
                    page.reply.removed.push(Removed::Contact { uid: view.uid, ver });
                }
            }
            Changed::Profile(other) => page.profile(self.profile(ctx, &other)?),
            Changed::Listed(id) => self.add_listed(ctx, uid, (ver, &id), knows_nothing, page)?,
        }
        Ok(())
    }

    fn add_listed(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        (ver, id): (u64, &ConversationId),
        knows_nothing: bool,
        page: &mut Page,
    ) -> Result<(), Missing> {
        if let Some((low, high)) = id.peers() {
            page.profile(self.profile(ctx, if low == *uid { &high } else { &low })?);
            return Ok(());
        }
        let place = self.users.get(uid).and_then(|user| user.place(id));
        let (Some(group), Some(place)) = (id.group_id(), place) else { return Ok(()) };
        page.takes(&[group.as_str()]);
        if place.row.left.is_some() {
            if !knows_nothing {
                page.reply.removed.push(Removed::Group { group, ver });
            }
            return Ok(());
        }
        let role = if place.row.is_owner { Role::Owner } else { Role::Member };
        let name = match self.conversations.get(id) {
            Some(conversation) => conversation.row().name.clone(),
            None => read::conversation(ctx.rows, id)?.and_then(|row| row.name),
        };
        let name = name.unwrap_or_default();
        page.takes(&[&name]);
        page.reply.groups.push(GroupView { group, name, role, ver });
        Ok(())
    }

    fn summary(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
    ) -> Result<Option<ConversationSummary>, Missing> {
        if !self.with_conversation(ctx, id)? {
            return Ok(None);
        }
        let peer = self.conversations[id].peer_of(uid);
        let peer_name = match &peer {
            Some(peer) => self.profile(ctx, peer)?.name,
            None => None,
        };
        let mentions = self.mentions(ctx, uid, id)?;
        let conversation = &self.conversations[id];
        let Some(place) = self.users.get(uid).and_then(|user| user.place(id)) else {
            return Ok(None);
        };
        let row = conversation.row();
        Ok(Some(ConversationSummary {
            conversation: id.clone(),
            kind: row.kind,
            name: row.name.clone().or(peer_name),
            peer,
            head_seq: place.head(),
            read_seq: place.row.read,
            unread: place.unread(),
            mentions,
            last: conversation.entry(ctx.rows, place.head())?,
        }))
    }

    /// Unread messages that mention the user, among the newest unread ones.
    pub(crate) fn mentions(
        &self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
    ) -> Result<u64, Missing> {
        let Some(place) = self.users.get(uid).and_then(|user| user.place(id)) else {
            return Ok(0);
        };
        if place.unread() == 0 {
            return Ok(0);
        }
        let read = place.row.read;
        let newest = nightjar_domain::read::entries(
            ctx.rows,
            id,
            read,
            place.head() + 1,
            MENTIONS_LOOKED_MAX,
            true,
        )?;
        let names_me = |entry: &&Arc<nightjar_model::Entry>| {
            entry.is_countable()
                && !entry.recalled
                && entry.push.as_ref().is_some_and(|push| push.mentions.includes(uid))
        };
        Ok(newest.iter().filter(names_me).count() as u64)
    }
}

/// The life of the store a token is of, and how far it is.
fn token(token: &str) -> Result<(WallMs, SyncPoint), Reject> {
    let numbers = token.strip_prefix(TOKEN_PREFIX).ok_or(Reject::BadRequest)?.split('.');
    let numbers: Result<Vec<u64>, _> = numbers.map(str::parse).collect();
    match numbers.map_err(|_| Reject::BadRequest)?[..] {
        [born, version, base] => Ok((WallMs(born), SyncPoint { version, base })),
        _ => Err(Reject::BadRequest),
    }
}
