//! What a push of a message would do, nothing sent: the same facts and the same decision.

use std::sync::Arc;

use nightjar_domain::{Missing, Stop};
use nightjar_model::{
    DeviceId, Entry, EntryKind, Explained, MessageId, Reject, Reply, SendCommand, Uid, WallMs,
};
use nightjar_push::{Decision, PushCase, Trim, decide_push, render};

use crate::node::{Ctx, Node};
use crate::record::NO_DEVICE;
use crate::send::conversation_of;

/// Members explained for one message.
const EXPLAINED_MAX: usize = 100;

impl Node {
    /// What would become of this message if it was written at a moment, with the devices as they
    /// are now.
    pub(crate) fn explain(
        &mut self,
        ctx: Ctx<'_>,
        from: &Uid,
        send: SendCommand,
        at: Option<WallMs>,
    ) -> Result<Reply, Stop> {
        let at = at.unwrap_or(ctx.now.wall);
        self.check_asked(ctx, send.push.as_deref())?;
        let id = conversation_of(from, &send.to);
        if !self.with_conversation(ctx, &id)? {
            return Err(Reject::UnknownGroup.into());
        }
        let conversation = &self.conversations[&id];
        let others = conversation.members().filter(|uid| *uid != from);
        let members: Vec<Uid> = others.take(EXPLAINED_MAX).cloned().collect();
        let row = conversation.row();
        let entry = Arc::new(Entry {
            conversation: id.clone(),
            seq: row.head + 1,
            message_id: MessageId::new(at, &ctx.id_bytes()),
            from: from.clone(),
            client_msg_id: send.client_msg_id,
            at,
            kind: EntryKind::Message,
            ordinal: row.ordinal + 1,
            own_ordinal: 0,
            content: send.content,
            sealed: send.sealed,
            recalled: false,
            push: send.push,
            expires_at: send.expires_at,
        });
        let mut explained = Vec::new();
        for uid in &members {
            self.with_user(ctx, uid)?;
            let devices: Vec<DeviceId> = self.users[uid].devices.keys().cloned().collect();
            if devices.is_empty() {
                explained.push(line(uid, None, "silent", NO_DEVICE));
            }
            for device_id in &devices {
                explained.push(self.explain_device(ctx, (uid, device_id), &entry)?);
            }
        }
        Ok(Reply::Explain(explained))
    }

    fn explain_device(
        &mut self,
        ctx: Ctx<'_>,
        (uid, device_id): (&Uid, &DeviceId),
        entry: &Arc<Entry>,
    ) -> Result<Explained, Missing> {
        let (due_at, _) = self.due_reason(uid, device_id, ctx.now.mono);
        let wait_ms = due_at.since(ctx.now.mono);
        let mut case = self.facts(ctx, (uid, device_id), entry)?;
        case.badge += u64::from(self.users[uid].counts(&entry.conversation));
        // Waits of other devices are as of now; the message is of its own moment.
        let moved = |until: WallMs| entry.at.after(until.0.saturating_sub(ctx.now.wall.0));
        case.elsewhere.waits_until = case.elsewhere.waits_until.map(moved);
        Ok(match decide_push(&case, entry.at) {
            Decision::Silent(reason) => line(uid, Some(device_id), "silent", reason.as_str()),
            Decision::Hold { until, reason } => {
                shown(&case, "hold", reason.as_str(), Some(until.max(entry.at.after(wait_ms))))
            }
            Decision::Push { reason, .. } if wait_ms > 0 => {
                shown(&case, "hold", reason.as_str(), Some(entry.at.after(wait_ms)))
            }
            Decision::Push { reason, .. } => shown(&case, "push", reason.as_str(), None),
        })
    }
}

/// A line of what would be shown.
fn shown(
    case: &PushCase,
    decision: &'static str,
    reason: &'static str,
    until: Option<WallMs>,
) -> Explained {
    let request = case.bindings.first().map(|binding| render(case, binding, Trim::Full));
    let alert = request.and_then(|request| request.alert);
    let (title, body) = alert.map(|alert| (alert.title, alert.body)).unzip();
    let line = line(&case.uid, Some(&case.device_id), decision, reason);
    Explained { until, title, body, ..line }
}

fn line(
    uid: &Uid,
    device_id: Option<&DeviceId>,
    decision: &'static str,
    reason: &'static str,
) -> Explained {
    Explained {
        uid: uid.clone(),
        device_id: device_id.cloned(),
        decision,
        reason,
        until: None,
        title: None,
        body: None,
    }
}
