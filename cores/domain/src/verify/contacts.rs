//! Whether what a user's row says of the contacts is what their rows are.

use std::collections::BTreeMap;

use nightjar_model::{ContactState, Uid};

use crate::contact::ContactsHead;
use crate::rows::{ContactRow, UserRow};

/// Users with contacts, and what was counted of them so far.
#[derive(Debug, Default)]
pub(super) struct Contacts(BTreeMap<Uid, (ContactsHead, ContactsHead)>);

impl Contacts {
    pub(super) fn user(&mut self, row: &UserRow) {
        if row.contacts.rows > 0 || !row.contacts.blocked.is_empty() {
            self.0.entry(row.uid.clone()).or_default().0 = row.contacts.clone();
        }
    }

    pub(super) fn contact(&mut self, row: &ContactRow) {
        let (said, counted) = self.0.entry(row.uid.clone()).or_default();
        let is_blocked = said.blocked.contains(&row.other);
        counted.rows += 1;
        counted.removed += u32::from(row.state == ContactState::None && !is_blocked);
        counted.asked += u32::from(row.state == ContactState::Asked);
        counted.version = counted.version.max(row.version);
        if is_blocked {
            counted.blocked.insert(row.other.clone());
        }
    }

    /// What cannot be, in words.
    pub(super) fn problems(self) -> Vec<String> {
        let differs = |(uid, (said, counted)): (Uid, (ContactsHead, ContactsHead))| {
            let counts = |head: &ContactsHead| (head.rows, head.removed, head.asked);
            let is_right = counts(&said) == counts(&counted)
                && said.blocked == counted.blocked
                && counted.version <= said.version;
            (!is_right).then(|| {
                let (said, counted) = (counts(&said), counts(&counted));
                format!("{uid} has contacts {counted:?} (rows, removed, asked) but says {said:?}")
            })
        };
        self.0.into_iter().filter_map(differs).collect()
    }
}
