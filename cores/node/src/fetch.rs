//! What a push-scoped token may look up: the messages of a push, as its user sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use nightjar_domain::{Stop, read};
use nightjar_model::{
    ConversationId, DeviceId, Entry, FetchCommand, FetchedView, HistoryCommand, Reject, Reply, Seq,
    Uid, WallMs, limits,
};

use crate::node::{Ctx, Node};

impl Node {
    /// The messages of these ids that the user may see, and with `since` what follows it in their
    /// conversations. Unknown ids are left out: a push may be older than its message's life.
    ///
    /// # Errors
    /// [`Reject::TokenRevoked`] once the device was kicked or signed out.
    pub(crate) fn fetch(&mut self, ctx: Ctx<'_>, fetch: &FetchCommand) -> Result<Reply, Stop> {
        let FetchCommand { uid, device_id, token_issued_at, ids, since } = fetch;
        self.check_push_token(ctx, (uid, device_id), *token_issued_at)?;
        let mut found: BTreeMap<(ConversationId, Seq), Arc<Entry>> = BTreeMap::new();
        for id in ids.iter().take(limits::FETCH_MAX) {
            let Some(row) = read::message(ctx.rows, *id)? else { continue };
            let (after, before) = (row.seq - 1, row.seq + 1);
            self.find(ctx, uid, &row.conversation, (after, Some(before)), &mut found)?;
        }
        if let Some(since) = since {
            let mut conversations: Vec<_> = found.keys().map(|(id, _)| id.clone()).collect();
            conversations.dedup();
            for id in &conversations {
                self.find(ctx, uid, id, (*since, None), &mut found)?;
            }
        }
        let withdraw = self.owed_withdrawals(ctx, uid, device_id)?;
        let user = self.users.get_mut(uid).ok_or(Reject::Internal)?;
        let (unread, bv) = user.badge(&mut self.changes);
        let mut entries = Vec::with_capacity(found.len());
        for ((id, seq), entry) in found {
            let read = user.place(&id).map_or(0, |place| place.row.read);
            entries.push((entry, seq > read));
        }
        for (entry, is_unread) in &mut entries {
            let is_over = entry.expires_at.is_some_and(|at| at <= ctx.now.wall);
            *is_unread &= !is_over && self.is_news(uid, entry, ctx.now.wall);
        }
        Ok(Reply::Fetched(Box::new(FetchedView { entries, unread, bv, withdraw })))
    }

    /// # Errors
    /// [`Reject::TokenRevoked`] once the device was kicked or signed out.
    pub(crate) fn check_push_token(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        issued_at: WallMs,
    ) -> Result<(), Stop> {
        let user = self.with_user(ctx, uid)?;
        let device = user.devices.get(device_id).ok_or(Reject::TokenRevoked)?;
        let valid_from = user.row.tokens_valid_from.max(device.row.tokens_valid_from);
        match device.row.signed_out || issued_at < valid_from {
            true => Err(Reject::TokenRevoked.into()),
            false => Ok(()),
        }
    }

    /// Adds what the user may see between two places, as far as there is room.
    fn find(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
        (after, before): (Seq, Option<Seq>),
        found: &mut BTreeMap<(ConversationId, Seq), Arc<Entry>>,
    ) -> Result<(), Stop> {
        let limit = limits::FETCH_MAX.saturating_sub(found.len());
        if limit == 0 {
            return Ok(());
        }
        let slice = HistoryCommand { conversation: id.clone(), after: Some(after), before, limit };
        let entries = match self.visible_entries(ctx, uid, &slice) {
            Ok((entries, _)) => entries,
            Err(Stop::Reject(_)) => return Ok(()),
            Err(stop) => return Err(stop),
        };
        found.extend(entries.into_iter().map(|entry| ((id.clone(), entry.seq), entry)));
        Ok(())
    }
}
