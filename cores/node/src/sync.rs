//! Incremental sync: what changed for a user since a token.

use std::sync::Arc;

use nightjar_domain::{Missing, Stop};
use nightjar_model::{
    ConversationId, ConversationSummary, Mentions, Reject, Reply, SyncReply, Uid, limits,
};

use crate::node::{Ctx, Node};

/// The token's form. Opaque to clients.
const TOKEN_PREFIX: &str = "v1.";
/// Unread entries looked through for mentions.
const MENTIONS_LOOKED_MAX: usize = 256;

impl Node {
    /// Conversations that changed since a token.
    pub(crate) fn sync(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        since: Option<&str>,
        limit: usize,
    ) -> Result<Reply, Stop> {
        let since = match since {
            None | Some("") => 0,
            Some(token) => token
                .strip_prefix(TOKEN_PREFIX)
                .and_then(|number| number.parse().ok())
                .ok_or(Reject::BadRequest)?,
        };
        self.with_user(ctx, uid)?;
        let user = self.users.get_mut(uid).expect("it was loaded above");
        let limit = limit.clamp(1, limits::SYNC_PAGE_MAX);
        let (changed, next, more) = user.changed_since(since, limit, &mut self.changes);
        let mut conversations = Vec::with_capacity(changed.len());
        for id in changed {
            conversations.extend(self.summary(ctx, uid, &id)?);
        }
        let next = format!("{TOKEN_PREFIX}{next}");
        Ok(Reply::Sync(Box::new(SyncReply { conversations, next, more, ..SyncReply::default() })))
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
            Some(peer) => self.with_user(ctx, peer)?.row.name.clone(),
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
                && entry.push.as_ref().is_some_and(|push| match &push.mentions {
                    Mentions::Nobody => false,
                    Mentions::All => true,
                    Mentions::Users(uids) => uids.contains(uid),
                })
        };
        Ok(newest.iter().filter(names_me).count() as u64)
    }
}
