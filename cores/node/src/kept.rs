//! What gateways keep for themselves. Nothing here looks at it.

use nightjar_domain::{KeptRow, Key, Row, Scan, Stop};
use nightjar_model::{Reject, Reply, Secret, limits};

use crate::node::{Ctx, Node};

impl Node {
    /// Writes or removes something.
    pub(crate) fn put_kept(
        &mut self,
        gateway: &str,
        key: String,
        json: Option<Secret<String>>,
    ) -> Result<Reply, Stop> {
        let bytes = json.as_ref().map_or(0, |json| json.expose().len());
        if key.len() > limits::KEPT_KEY_BYTES_MAX || bytes > limits::KEPT_BYTES_MAX {
            return Err(Reject::TooLarge.into());
        }
        let gateway = gateway.to_owned();
        match json {
            Some(json) => self.changes.put(Row::Kept(KeptRow { gateway, key, json })),
            None => self.changes.delete(Key::Kept(gateway, key)),
        }
        self.changes.needs_power = true;
        Ok(Reply::Done)
    }

    /// What is kept under names that begin with `prefix`, above `after`.
    pub(crate) fn kept(
        &mut self,
        ctx: Ctx<'_>,
        gateway: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Reply, Stop> {
        let limit = limit.clamp(1, limits::PAGE_MAX);
        let from = after.max(prefix).to_owned();
        // One more: the scan begins with the name it is to be above.
        let scan = Scan::Kept { gateway: gateway.to_owned(), from, limit: limit + 1 };
        let rows = ctx.rows.scan(&scan)?.into_iter().filter_map(|row| match row {
            Row::Kept(row) => Some((row.key, row.json)),
            _ => None,
        });
        let found = rows
            .skip_while(|(key, _)| !after.is_empty() && key.as_str() <= after)
            .take_while(|(key, _)| key.starts_with(prefix));
        Ok(Reply::Kept(found.take(limit).collect()))
    }
}
