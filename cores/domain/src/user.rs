//! A user's lane: devices, places, badge and its version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nightjar_model::sabotage::Sabotage;
use nightjar_model::{
    Binding, ConversationId, DeviceId, Entry, PushSettings, Seq, Uid, WallMs, limits,
};

use crate::contact::{ContactsHead, RecentContacts};
use crate::conversation::Conversation;
use crate::device::Device;
use crate::keys::{Key, Scan};
use crate::place::Place;
use crate::read;
use crate::rows::{BindingRow, CursorRow, PlaceRow, Row, TokenRow, UserRow};
use crate::store::{Missing, Rows, Write};
use crate::sync::Changed;

/// Numbers of the user's counter reserved at a time: one durable row pays for so many.
const COUNTER_BLOCK: u64 = 4096;

/// Rows that a decision wants written, and how safe they must be.
#[derive(Debug, Default)]
pub struct Changes {
    /// What changes, in order.
    pub writes: Vec<Write>,
    /// Whether it must survive the loss of power before anything that follows from it leaves.
    pub needs_power: bool,
}

impl Changes {
    /// Wants a row written.
    pub fn put(&mut self, row: Row) {
        self.writes.push(Write::Put(row));
    }

    /// Wants a row removed.
    pub fn delete(&mut self, key: Key) {
        self.writes.push(Write::Delete(key));
    }
}

/// A user with everything their lane owns.
#[derive(Debug)]
pub struct User {
    /// What is stored.
    pub row: UserRow,
    /// Devices by id. Most users have one, and a tree makes room for eleven at a time.
    pub devices: BTreeMap<DeviceId, Box<Device>>,
    /// What they chose about pushes.
    pub(crate) settings: Arc<PushSettings>,
    /// Conversations whose messages are not in the badge.
    pub(crate) muted: BTreeSet<ConversationId>,
    pub(crate) places: BTreeMap<ConversationId, Place>,
    pub(crate) unread: u64,
    pub(crate) recent_contacts: RecentContacts,
    counter: u64,
}

impl User {
    /// Loads a user; one nobody heard of is an empty one. What is muted is as of `now`.
    ///
    /// # Errors
    /// [`Missing`] when rows are not at hand.
    pub fn load(rows: &dyn Rows, uid: &Uid, now: WallMs) -> Result<Self, Missing> {
        let row = read::user(rows, uid)?.unwrap_or_else(|| UserRow {
            uid: uid.clone(),
            name: None,
            avatar: None,
            profile_version: 0,
            tokens_born: WallMs(0),
            contacts: ContactsHead::default(),
            counter_ceiling: 0,
            tokens_valid_from: WallMs(0),
        });
        let mut user = Self {
            // Above everything that was ever given out: what changed while the user was not in
            // memory is newer than every token.
            counter: row.counter_ceiling + 1,
            recent_contacts: RecentContacts::since(row.contacts.version),
            row,
            devices: BTreeMap::new(),
            settings: PushSettings::unset(),
            muted: BTreeSet::new(),
            places: BTreeMap::new(),
            unread: 0,
        };
        user.load_settings(rows, now)?;
        user.load_devices(rows)?;
        for row in rows.scan(&Scan::Places(uid.clone()))? {
            if let Row::Place(row) = row {
                let place = Place::load(rows, row, user.counter)?;
                // No two changes share a version, so that a page may end between any two.
                user.counter += u64::from(place.version() == user.counter);
                user.unread += user.counted(&place);
                user.places.insert(place.row.conversation.clone(), place);
            }
        }
        Ok(user)
    }

    fn load_devices(&mut self, rows: &dyn Rows) -> Result<(), Missing> {
        let uid = self.row.uid.clone();
        for row in rows.scan(&Scan::Devices(uid.clone()))? {
            if let Row::Device(row) = row {
                self.devices.insert(row.device_id.clone(), Box::new(Device::new(row)));
            }
        }
        for row in rows.scan(&Scan::Bindings(uid.clone()))? {
            if let Row::Binding(row) = row
                && let Some(device) = self.devices.get_mut(&row.device_id)
            {
                device.bindings.push(row.binding);
            }
        }
        for row in rows.scan(&Scan::Cursors(uid))? {
            if let Row::Cursor(row) = row
                && let Some(device) = self.devices.get_mut(&row.device_id)
            {
                device.restore_cursor(row);
            }
        }
        for device in self.devices.values_mut() {
            device.bindings.sort_by_key(|binding| std::cmp::Reverse(binding.bound_at));
            device.choose_unread_wait(&self.settings);
        }
        Ok(())
    }

    /// The badge: unread messages over conversations that are not muted.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// The badge and its version, read in one step. The version is reserved before it is given
    /// out, so that it never falls.
    pub fn badge(&mut self, changes: &mut Changes) -> (u64, u64) {
        self.reserve(changes);
        (self.unread, self.counter)
    }

    /// The user's place in a conversation.
    #[must_use]
    pub fn place(&self, conversation: &ConversationId) -> Option<&Place> {
        self.places.get(conversation)
    }

    /// All places.
    pub fn places(&self) -> impl Iterator<Item = &Place> + '_ {
        self.places.values()
    }

    /// The user's counter.
    pub(crate) fn counter(&self) -> u64 {
        self.counter
    }

    /// Counts one more change.
    pub(crate) fn bump(&mut self) -> u64 {
        self.counter += u64::from(!Sabotage::BadgeVersionReused.is_on());
        self.counter
    }

    pub(crate) fn reserve(&mut self, changes: &mut Changes) {
        if self.counter >= self.row.counter_ceiling {
            self.write_reserved(changes);
        }
    }

    /// Writes the user's row with the counter reserved.
    pub fn write_reserved(&mut self, changes: &mut Changes) {
        if self.counter >= self.row.counter_ceiling {
            self.row.counter_ceiling = self.counter + COUNTER_BLOCK;
        }
        changes.put(Row::User(self.row.clone()));
        changes.needs_power = true;
    }

    /// Creates the place when the user is new to the conversation, and keeps its membership.
    ///
    /// # Errors
    /// [`Missing`] when rows are not at hand.
    pub fn enter(
        &mut self,
        rows: &dyn Rows,
        conversation: &Conversation,
        changes: &mut Changes,
    ) -> Result<(), Missing> {
        let id = &conversation.row().conversation;
        let member = conversation.membership(&self.row.uid);
        let (joined, ordinal, left) =
            member.map_or((0, 0, None), |row| (row.joined, row.joined_ordinal, row.left));
        let is_owner = member.is_some_and(|row| row.is_owner);
        match self.places.get_mut(id) {
            Some(place)
                if place.row.left == left
                    && place.row.joined >= joined
                    && place.row.is_owner == is_owner => {}
            Some(place) if place.row.joined >= joined => {
                place.row.left = left;
                place.row.is_owner = is_owner;
                place.row.listed = 0;
                changes.put(Row::Place(place.row_to_write()));
            }
            _ => {
                let uid = &self.row.uid;
                let own = if joined == 0 { 0 } else { read::own_ordinal(rows, id, uid, joined)? };
                let mut place = Place::new(uid, id, joined, ordinal, own);
                place.row.left = left;
                place.row.is_owner = is_owner;
                self.unread -= self.places.get(id).map_or(0, |old| self.counted(old));
                changes.put(Row::Place(place.row.clone()));
                self.places.insert(id.clone(), place);
            }
        }
        Ok(())
    }

    /// Counts an entry. `recalled_from` is the author of the message a recall takes back.
    pub fn apply(&mut self, entry: &Entry, recalled_from: Option<&Uid>) {
        let is_muted = self.muted.contains(&entry.conversation);
        let Some(place) = self.places.get_mut(&entry.conversation) else { return };
        let before = place.unread();
        if !place.apply(entry, recalled_from) {
            return;
        }
        if !is_muted {
            self.unread = self.unread - before + place.unread();
        }
        let version = self.bump();
        if let Some(place) = self.places.get_mut(&entry.conversation) {
            place.touch(version);
        }
    }

    /// Moves the read marker; answers whether it moved.
    ///
    /// # Errors
    /// [`Missing`] when rows are not at hand.
    pub fn mark_read(
        &mut self,
        rows: &dyn Rows,
        conversation: &Conversation,
        seq: Seq,
        changes: &mut Changes,
    ) -> Result<bool, Missing> {
        let id = &conversation.row().conversation;
        let Some(place) = self.places.get_mut(id) else { return Ok(false) };
        let seq = seq.min(place.head());
        if seq <= place.row.read {
            return Ok(false);
        }
        let ordinal = conversation.entry(rows, seq)?.map_or(0, |entry| entry.ordinal);
        let own = read::own_ordinal(rows, id, &self.row.uid, seq)?;
        let recalled = read::recalled_of_others(rows, id, &self.row.uid, seq, place.head())?;
        let before = place.unread();
        place.mark_read(seq, ordinal, own, recalled);
        if !self.muted.contains(id) {
            self.unread = self.unread - before + place.unread();
        }
        let version = self.bump();
        if let Some(place) = self.places.get_mut(id) {
            place.touch(version);
            let row = place.row_to_write();
            if !Sabotage::ReadNotStored.is_on() {
                changes.put(Row::Place(row));
            }
        }
        Ok(true)
    }

    /// Says that `message.offline` went out up to `seq`.
    pub fn say_offline(&mut self, conversation: &ConversationId, seq: Seq, changes: &mut Changes) {
        if let Some(place) = self.places.get_mut(conversation)
            && place.row.offline_said < seq
        {
            place.row.offline_said = seq;
            changes.put(Row::Place(place.row.clone()));
        }
    }

    /// Places that are to be listed as new.
    pub(crate) fn unlisted(&self) -> Vec<ConversationId> {
        let unlisted = self.places.values().filter(|place| place.row.listed == 0);
        unlisted.map(|place| place.row.conversation.clone()).collect()
    }

    /// The place is listed as new under this version; its row, to be written.
    pub(crate) fn list_place(&mut self, id: &ConversationId, version: u64) -> Option<PlaceRow> {
        let place = self.places.get_mut(id)?;
        place.row.listed = version;
        Some(place.row.clone())
    }

    /// Versions of conversations that are given out and not written yet.
    pub(crate) fn write_versions(&mut self, given: &[(u64, Changed)], changes: &mut Changes) {
        for (_, changed) in given {
            if let Changed::Conversation(id) = changed
                && let Some(place) = self.places.get_mut(id)
                && place.version_is_unwritten()
            {
                changes.put(Row::Place(place.row_to_write()));
            }
        }
    }

    /// A device that starts at the heads of this moment.
    pub fn add_device(&mut self, device: Device, changes: &mut Changes) {
        self.make_room(changes);
        let mut device = device;
        device.choose_unread_wait(&self.settings);
        for place in self.places.values() {
            let at = place.head();
            device.change_cursor(&place.row.conversation, at, |_| true);
        }
        for row in device.take_dirty() {
            changes.put(Row::Cursor(row));
        }
        changes.put(Row::Device(device.row.clone()));
        self.devices.insert(device.row.device_id.clone(), Box::new(device));
    }

    /// The least recently seen device without a connection leaves when there are too many.
    fn make_room(&mut self, changes: &mut Changes) {
        if self.devices.len() < limits::DEVICES_MAX {
            return;
        }
        let offline = self.devices.values().filter(|device| device.link.is_none());
        let Some(oldest) = offline.min_by_key(|device| device.row.seen_at) else { return };
        let id = oldest.row.device_id.clone();
        let Some(device) = self.devices.remove(&id) else { return };
        for binding in &device.bindings {
            self.forget_binding(&id, binding, changes);
        }
        for place in self.places.keys() {
            changes.delete(Key::Cursor(self.row.uid.clone(), id.clone(), place.clone()));
        }
        changes.delete(Key::Device(self.row.uid.clone(), id));
    }

    /// Removes the row of a binding that is gone from its device. The token's row stays: it says
    /// whose the token is, and a device without the binding is never asked.
    pub fn forget_binding(&self, id: &DeviceId, binding: &Binding, changes: &mut Changes) {
        changes.delete(Key::Binding(
            self.row.uid.clone(),
            id.clone(),
            binding.key.provider.clone(),
            binding.key.credential.clone(),
        ));
    }

    /// The rows of a new binding: the device has it, and the token is the device's.
    pub fn write_binding(&self, id: &DeviceId, binding: &Binding, changes: &mut Changes) {
        changes.put(Row::Binding(BindingRow {
            uid: self.row.uid.clone(),
            device_id: id.clone(),
            binding: binding.clone(),
        }));
        changes.put(Row::Token(TokenRow {
            provider: binding.key.provider.clone(),
            credential: binding.key.credential.clone(),
            token: binding.token.clone(),
            uid: self.row.uid.clone(),
            device_id: id.clone(),
        }));
    }

    /// Cursors of all devices changed since they were last written.
    pub fn take_dirty_cursors(&mut self) -> Vec<CursorRow> {
        self.devices.values_mut().flat_map(|device| device.take_dirty()).collect()
    }

    /// Whether nothing would be lost if the user left memory.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.devices.values().all(|device| {
            device.link.is_none()
                && device.debts().next().is_none()
                && device.withdrawing.is_empty()
        })
    }
}
