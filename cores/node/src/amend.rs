//! What is said of a message later: edits and reactions. Each is an entry of its own; nobody is
//! alerted and nothing counts as unread.

use nightjar_domain::Stop;
use nightjar_model::{ConnId, Content, ConversationId, EntryKind, Reject, Reply, Seq, Uid, limits};
use serde_json::json;

use crate::node::{Ctx, Node};

impl Node {
    /// Says what a message reads now. Its sender may.
    pub(crate) fn edit(
        &mut self,
        ctx: Ctx<'_>,
        by: &Uid,
        (id, seq): (&ConversationId, Seq),
        content: &Content,
        conn: ConnId,
    ) -> Result<Reply, Stop> {
        if content.len() > limits::CONTENT_BYTES_MAX {
            return Err(Reject::TooLarge.into());
        }
        let new = std::str::from_utf8(content).map_err(|_| Reject::BadRequest)?;
        // The new content keeps its bytes, as any content does.
        let said = format!(r#"{{"type":"edit","target":{seq},"content":{new}}}"#);
        self.amend(ctx, by, id, (EntryKind::Edit { target: seq }, said), conn)
    }

    /// Reacts to a message, or takes the reaction back. Any member may.
    pub(crate) fn react(
        &mut self,
        ctx: Ctx<'_>,
        by: &Uid,
        (id, seq): (&ConversationId, Seq),
        (emoji, remove): (&str, bool),
        conn: ConnId,
    ) -> Result<Reply, Stop> {
        let said = json!({"type": "reaction", "target": seq, "emoji": emoji, "remove": remove});
        let said = (EntryKind::Reaction { target: seq }, said.to_string());
        self.amend(ctx, by, id, said, conn)
    }

    fn amend(
        &mut self,
        ctx: Ctx<'_>,
        by: &Uid,
        id: &ConversationId,
        (kind, content): (EntryKind, String),
        conn: ConnId,
    ) -> Result<Reply, Stop> {
        if !self.with_conversation(ctx, id)? {
            return Err(Reject::UnknownConversation.into());
        }
        self.check_not_blocked(ctx, by, id)?;
        let conversation = self.conversations.get_mut(id).expect("it was loaded above");
        let accepted = conversation.amend(ctx.rows, by, kind, content, ctx.now, &ctx.id_bytes())?;
        let place = accepted.entry.seq;
        self.publish(ctx, accepted, Some(conn))?;
        Ok(Reply::Seq(place))
    }
}
