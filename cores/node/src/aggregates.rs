//! Aggregates in memory: loaded when first needed, dropped when nothing would be lost. A load
//! that makes them too many plans a flush, which drops some: asking alone cannot fill the memory.

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
            self.users.insert(uid.clone(), User::load(ctx.rows, uid, ctx.now.wall)?);
            self.arm_mute_end(ctx, uid);
            self.loaded(ctx);
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
        self.loaded(ctx);
        Ok(true)
    }

    fn loaded(&mut self, ctx: Ctx<'_>) {
        if self.has_many_users() || self.has_many_conversations() {
            self.flush.plan(ctx.now);
        }
    }

    fn has_many_users(&self) -> bool {
        self.users.len() > IDLE_USERS_MAX + self.conns.len() + self.work.len()
    }

    fn has_many_conversations(&self) -> bool {
        self.conversations.len() > IDLE_CONVERSATIONS_MAX + self.work.len()
    }

    /// Drops idle aggregates when there are many. What they were is in the store.
    pub(crate) fn evict(&mut self) {
        if self.has_many_users() {
            self.users.retain(|_, user| !user.is_idle());
        }
        if self.has_many_conversations() {
            let work = &self.work;
            let open: std::collections::BTreeSet<&ConversationId> =
                work.keys().map(|(_, id)| id).collect();
            self.conversations.retain(|id, _| open.contains(id));
        }
    }
}
