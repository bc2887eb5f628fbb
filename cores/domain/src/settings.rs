//! What a user chose about pushes, as their lane keeps it, and what it does to the badge.

use std::collections::BTreeSet;
use std::sync::Arc;

use nightjar_model::{ConversationId, PushSettings, WallMs};

use crate::place::Place;
use crate::read;
use crate::rows::{PushSettingsRow, Row};
use crate::store::{Missing, Rows};
use crate::user::{Changes, User};

impl User {
    pub(crate) fn load_settings(&mut self, rows: &dyn Rows, now: WallMs) -> Result<(), Missing> {
        if let Some(row) = read::push_settings(rows, &self.row.uid)? {
            self.settings = Arc::new(row.settings);
            self.muted = muted(&self.settings, now);
        }
        Ok(())
    }

    /// What they chose about pushes.
    #[must_use]
    pub fn settings(&self) -> &Arc<PushSettings> {
        &self.settings
    }

    /// Replaces what they chose. Answers a conversation that is muted now and was not, or the
    /// other way: the badge is another.
    pub fn choose(
        &mut self,
        settings: PushSettings,
        now: WallMs,
        changes: &mut Changes,
    ) -> Option<ConversationId> {
        changes.put(Row::PushSettings(PushSettingsRow {
            uid: self.row.uid.clone(),
            settings: settings.clone(),
        }));
        changes.needs_power = true;
        self.settings = Arc::new(settings);
        for device in self.devices.values_mut() {
            device.choose_unread_wait(&self.settings);
        }
        self.mute(now)
    }

    /// Brings what is muted up to this moment: a mute may have ended. Answers a conversation that
    /// changed sides, if any did.
    pub fn mute(&mut self, now: WallMs) -> Option<ConversationId> {
        let muted = muted(&self.settings, now);
        let mut turned = self.muted.symmetric_difference(&muted);
        let turned = turned.find(|id| self.places.contains_key(*id)).cloned();
        self.muted = muted;
        if turned.is_some() {
            self.unread = self.places.values().map(|place| self.counted(place)).sum();
            self.bump();
        }
        turned
    }

    /// Whether the conversation's messages are in the badge.
    #[must_use]
    pub fn counts(&self, conversation: &ConversationId) -> bool {
        !self.muted.contains(conversation)
    }

    /// How many messages of a place are in the badge.
    pub(crate) fn counted(&self, place: &Place) -> u64 {
        if self.counts(&place.row.conversation) { place.unread() } else { 0 }
    }
}

fn muted(settings: &PushSettings, now: WallMs) -> BTreeSet<ConversationId> {
    settings.conversations.keys().filter(|id| settings.mutes(id, now)).cloned().collect()
}
