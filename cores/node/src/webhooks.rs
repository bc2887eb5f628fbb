//! Where events go: set up by operators, and whether anybody wants them at all.

use std::collections::BTreeMap;

use nightjar_domain::{EventCursorRow, Key, Missing, Row, Rows, Scan, Stop};
use nightjar_model::{Reject, Reply, Webhook, limits};

use crate::node::{Ctx, Node};

/// Every webhook an operator set up, and whether it is on.
pub(crate) type Webhooks = BTreeMap<String, bool>;

/// Those that were set up, as they were left.
pub(crate) fn open(rows: &dyn Rows) -> Result<Webhooks, Missing> {
    Ok(stored(rows)?.into_iter().map(|webhook| (webhook.id, webhook.enabled)).collect())
}

fn stored(rows: &dyn Rows) -> Result<Vec<Webhook>, Missing> {
    let rows = rows.scan(&Scan::Webhooks)?.into_iter();
    Ok(rows
        .filter_map(|row| match row {
            Row::Webhook(webhook) => Some(webhook),
            _ => None,
        })
        .collect())
}

impl Node {
    /// What an operator set up, secrets included.
    pub(crate) fn webhooks(&self, ctx: Ctx<'_>) -> Result<Reply, Stop> {
        let last_event = self.recorder.last_event();
        Ok(Reply::Webhooks { webhooks: stored(ctx.rows)?, last_event })
    }

    /// Sets up a webhook, or changes it. A new one gets what happens from now on, and one that
    /// was changed goes on where it was.
    pub(crate) fn put_webhook(
        &mut self,
        ctx: Ctx<'_>,
        mut webhook: Webhook,
    ) -> Result<Reply, Stop> {
        let is_new = !self.webhooks.contains_key(&webhook.id);
        if is_new && self.webhooks.len() >= limits::WEBHOOKS_MAX {
            return Err(Reject::LimitReached.into());
        }
        if is_new {
            let (receiver, number) = (webhook.id.clone(), self.recorder.last_event());
            self.changes.put(Row::EventCursor(EventCursorRow { receiver, number }));
        }
        webhook.changed_at = ctx.now.wall;
        self.webhooks.insert(webhook.id.clone(), webhook.enabled);
        self.changes.put(Row::Webhook(webhook));
        self.changes.needs_power = true;
        self.hear_who_wants_events();
        Ok(Reply::Done)
    }

    /// Removes a webhook, and how far it was.
    pub(crate) fn delete_webhook(&mut self, id: String) -> Result<Reply, Stop> {
        if self.webhooks.remove(&id).is_none() {
            return Err(Reject::UnknownWebhook.into());
        }
        self.changes.delete(Key::EventCursor(id.clone()));
        self.changes.delete(Key::Webhook(id));
        self.changes.needs_power = true;
        self.hear_who_wants_events();
        Ok(Reply::Done)
    }

    /// Without anybody who wants them, events are not even stored.
    fn hear_who_wants_events(&mut self) {
        let is_wanted = self.config.events || self.webhooks.values().any(|enabled| *enabled);
        self.recorder.want_events(is_wanted);
    }
}
