//! What the back end is told of silence (`push.outcome` with the outcome `silent`).

use std::sync::Arc;

use nightjar_model::{BindingKey, ConversationId, Entry, MessageId, Seq, Uid};
use nightjar_push::{PushKey, SilentReason};

use crate::node::{Ctx, Node};
use crate::work::Fresh;

impl Node {
    /// Tells the back end that somebody who was to be told was not.
    pub(crate) fn tell_silence(
        &mut self,
        ctx: Ctx<'_>,
        key: &PushKey,
        place: (&ConversationId, Seq, Option<MessageId>),
        bound: Option<&BindingKey>,
        reason: SilentReason,
    ) {
        // That the sender asked for silence was told when the message came.
        if reason.is_event() && reason != SilentReason::SenderSilent {
            let device = (&key.uid, Some(&key.device_id));
            let why = (reason.established(), reason.as_str());
            self.recorder.silent(device, place, bound, why, ctx.now.wall);
        }
    }

    /// What the device would have been pushed through first.
    pub(crate) fn first_binding(&self, key: &PushKey) -> Option<BindingKey> {
        let device = self.users.get(&key.uid)?.devices.get(&key.device_id)?;
        device.bindings.first().map(|binding| binding.key.clone())
    }

    /// Messages whose sender asked for silence, which reach no connection of the user and of which
    /// the back end was not told.
    pub(crate) fn hushed(
        &self,
        uid: &Uid,
        id: &ConversationId,
        fresh: &[Fresh],
    ) -> Vec<Arc<Entry>> {
        let user = self.users.get(uid).filter(|_| self.recorder.wants_events());
        let user = user.filter(|user| user.devices.values().all(|device| device.link.is_none()));
        let Some(place) = user.and_then(|user| user.place(id)) else { return Vec::new() };
        let told = place.row.read.max(place.row.offline_said);
        let is_hushed = |entry: &&Arc<Entry>| {
            let is_silent = entry.is_countable() && !entry.recalled && !entry.is_alertable();
            is_silent && entry.from != *uid && entry.seq > told && place.sees(entry.seq)
        };
        fresh.iter().map(|fresh| &fresh.entry).filter(is_hushed).cloned().collect()
    }

    pub(crate) fn tell_hushed(
        &mut self,
        ctx: Ctx<'_>,
        uid: &Uid,
        id: &ConversationId,
        told: &[Arc<Entry>],
    ) {
        let (Some(last), Some(user)) = (told.last(), self.users.get_mut(uid)) else { return };
        user.say_offline(id, last.seq, &mut self.changes);
        let reason = SilentReason::SenderSilent;
        for entry in told {
            let place = (id, entry.seq, Some(entry.message_id));
            let why = (reason.established(), reason.as_str());
            self.recorder.silent((uid, None), place, None, why, ctx.now.wall);
        }
    }
}
