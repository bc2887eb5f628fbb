//! What providers report of pushes they took: into the trace and the statistics.

use nightjar_domain::{Missing, Stop, read};
use nightjar_model::{
    BindingKey, ConversationId, DeviceId, Receipt, ReceiptEvent, Reply, Seq, Step, Uid, limits,
};

use crate::node::{Ctx, Node};

impl Node {
    /// Receipts of one credential that proved to be its vendor's. One for a token nobody holds any
    /// more, or for a message its holder cannot see, counts for nothing.
    pub(crate) fn receipts(
        &mut self,
        ctx: Ctx<'_>,
        key: &BindingKey,
        receipts: &[Receipt],
    ) -> Result<Reply, Stop> {
        for receipt in receipts.iter().take(limits::RECEIPTS_MAX) {
            if let Some((device, id, seq)) = self.receipt_of(ctx, key, receipt)? {
                self.write_receipt(ctx, key, receipt, (&device, &id, seq));
            }
        }
        Ok(Reply::Done)
    }

    /// Whose device it was, and which place.
    #[allow(clippy::type_complexity, reason = "who and where, once")]
    fn receipt_of(
        &mut self,
        ctx: Ctx<'_>,
        key: &BindingKey,
        receipt: &Receipt,
    ) -> Result<Option<((Uid, DeviceId), ConversationId, Seq)>, Missing> {
        let owner = read::token(ctx.rows, &key.provider, &key.credential, &receipt.token)?;
        let message = read::message(ctx.rows, receipt.mid)?;
        let (Some(owner), Some(message)) = (owner, message) else { return Ok(None) };
        if !self.with_conversation(ctx, &message.conversation)? {
            return Ok(None);
        }
        let sight = self.conversations[&message.conversation].visible(&owner.uid);
        let is_seen = sight.is_some_and(|(above, upto)| (above + 1..=upto).contains(&message.seq));
        let device = (owner.uid, owner.device_id);
        Ok(is_seen.then_some((device, message.conversation, message.seq)))
    }

    fn write_receipt(
        &mut self,
        ctx: Ctx<'_>,
        key: &BindingKey,
        receipt: &Receipt,
        ((uid, device_id), id, seq): (&(Uid, DeviceId), &ConversationId, Seq),
    ) {
        let now = ctx.now.wall;
        let at = receipt.at.filter(|at| *at <= now).unwrap_or(now);
        let (step, reason) = match &receipt.event {
            ReceiptEvent::Arrived => (Step::Arrived, None),
            ReceiptEvent::Clicked => (Step::Clicked, None),
            ReceiptEvent::Failed(reason) => (Step::Provider, Some(format!("failed {reason}"))),
        };
        let seen = (uid.clone(), device_id.clone(), id.clone(), seq, step);
        if !self.recorder.statistics.is_news(seen) {
            return;
        }
        match &receipt.event {
            ReceiptEvent::Failed(reason) => self.recorder.statistics.failed(key, reason, now),
            _ => self.recorder.statistics.reported(key, step, now),
        }
        let detail = Some(format!("{} receipt", key.provider));
        let device = Some(device_id.clone());
        self.recorder.step_with(at, (uid, id), device, (seq, seq), step, reason, detail);
        self.flush.plan(ctx.now);
    }
}
