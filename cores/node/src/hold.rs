//! Pushes that wait for a moment or for a person.
//!
//! Every wait ends at a moment that follows from the message's own time, and the open work row
//! keeps the debt: a restart decides anew and comes to the same moment. Only what depends on a
//! device that nobody is connected from any more is written down, in the cursor.

use nightjar_model::{ConversationId, Seq, WallMs};
use nightjar_push::{HoldReason, PushKey};

use crate::node::{Ctx, Node};

impl Node {
    /// The key's message is decided anew at `until`. A read in between leaves nothing to decide.
    pub(crate) fn hold(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        (id, seq): (&ConversationId, Seq),
        (until, reason): (WallMs, HoldReason),
    ) {
        let (joined, _) = self.joined_and_read(&key.uid, id);
        let user = self.users.get_mut(&key.uid);
        let Some(device) = user.and_then(|user| user.devices.get_mut(&key.device_id)) else {
            self.queue.done(key);
            return;
        };
        let is_news = device
            .change_cursor(id, joined, |row| row.held.replace((seq, until)) != Some((seq, until)));
        if is_news {
            self.touched(ctx.now, &key.uid, id);
            self.trace_decision(ctx, key, id, seq, reason.as_str());
        }
        let wait_ms = until.0.saturating_sub(ctx.now.wall.0);
        self.queue.hold(key, ctx.now.mono.after(wait_ms));
    }
}
