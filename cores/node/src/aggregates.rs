//! Aggregates in memory: loaded when first needed, dropped when nothing would be lost. A load plans
//! a flush, which drops what is too much, so that asking alone cannot fill the memory either.

use nightjar_domain::{Conversation, Missing, User};
use nightjar_model::{ConversationId, Uid};

use crate::node::{Ctx, Node};

/// Users without connection and debts that stay in memory.
const IDLE_USERS_MAX: usize = 50_000;
/// Conversations without open work that stay in memory.
const IDLE_CONVERSATIONS_MAX: usize = 50_000;

impl Node {
    /// Has the user in memory.
    pub(crate) fn with_user(&mut self, ctx: Ctx<'_>, uid: &Uid) -> Result<&mut User, Missing> {
        if !self.users.contains_key(uid) {
            self.users.insert(uid.clone(), User::load(ctx.rows, uid)?);
            self.flush.plan(ctx.now);
        }
        Ok(self.users.get_mut(uid).expect("it was put there above"))
    }

    /// Has the conversation in memory; false when there is none of that id.
    pub(crate) fn with_conversation(
        &mut self,
        ctx: Ctx<'_>,
        id: &ConversationId,
    ) -> Result<bool, Missing> {
        if self.conversations.contains_key(id) {
            return Ok(true);
        }
        let Some(conversation) = Conversation::load(ctx.rows, id)? else { return Ok(false) };
        self.conversations.insert(id.clone(), conversation);
        self.flush.plan(ctx.now);
        Ok(true)
    }

    /// Drops idle aggregates when there are many. What they were is in the store.
    pub(crate) fn evict(&mut self) {
        if self.users.len() > IDLE_USERS_MAX + self.conns.len() + self.work.len() {
            self.users.retain(|_, user| !user.is_idle());
        }
        if self.conversations.len() > IDLE_CONVERSATIONS_MAX + self.work.len() {
            let work = &self.work;
            let open: std::collections::BTreeSet<&ConversationId> =
                work.keys().map(|(_, id)| id).collect();
            self.conversations.retain(|id, _| open.contains(id));
        }
    }
}
